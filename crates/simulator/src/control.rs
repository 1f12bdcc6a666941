//! Control of the SMS centre over HTTP, for tests: anyone who reaches it may do anything.
//!
//! Numbers are written in full: they belong to phones that don't exist.
//!
//! | request | does |
//! |---|---|
//! | `GET /counts` | what has happened ([`SmscCounts`]) |
//! | `GET /phones`, `GET /phones/{number}` | what phones show ([`Phone`]) |
//! | `POST /phones/{number}/switch` `{"on"}` | switches a phone |
//! | `POST /phones/{number}/reply` `{"to","text"}` | texts from a phone as phones do |
//! | `PUT /faults` | how the centre is odd, in place of what was set before ([`Faults`]); `{}` heals |
//! | `GET /submitted` | the latest submits ([`Submitted`]) |
//! | `GET /sessions` | the bound sessions ([`SessionView`]) |
//! | `GET /answers` | what ESMEs answered ([`EsmeAnswer`]) |
//! | `POST /deliver` | a `deliver_sm` or `data_sm` field by field, until it is acknowledged ([`Delivery`]) |
//! | `POST /raw` `{"session","hex","close"}` | octets into a session as they are; closes it after them |
//! | `POST /outbind` `{"address","system_id","password"}` | connects to an ESME and asks it to bind |

use std::io;
use std::net::SocketAddr;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use model::Msisdn;
use serde::Deserialize;
use simulator::{Delivery, EsmeAnswer, Faults, Hex, Phone, SessionView, Smsc, SmscCounts, Submitted};
use tokio::net::TcpListener;

/// Listens; gives the address, for port 0.
pub(crate) async fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, smsc: Smsc) -> io::Result<()> {
    let routes = Router::new()
        .route("/counts", get(counts))
        .route("/phones", get(phones))
        .route("/phones/{number}", get(phone))
        .route("/phones/{number}/switch", post(switch))
        .route("/phones/{number}/reply", post(reply))
        .route("/faults", put(faults))
        .route("/submitted", get(submitted))
        .route("/sessions", get(sessions))
        .route("/answers", get(answers))
        .route("/deliver", post(deliver))
        .route("/raw", post(raw))
        .route("/outbind", post(outbind))
        .with_state(smsc);
    axum::serve(listener, routes).await
}

type Refusal = (StatusCode, String);

fn number(text: &str) -> Result<Msisdn, Refusal> {
    Msisdn::international(text).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

async fn counts(State(smsc): State<Smsc>) -> Json<SmscCounts> {
    Json(smsc.counts())
}

async fn phones(State(smsc): State<Smsc>) -> Json<Vec<Phone>> {
    Json(smsc.phones())
}

async fn phone(State(smsc): State<Smsc>, Path(text): Path<String>) -> Result<Json<Phone>, Refusal> {
    let phone = smsc.phone(number(&text)?);
    phone.map(Json).ok_or_else(|| (StatusCode::NOT_FOUND, "no such phone".to_owned()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    on: bool,
}

async fn switch(
    State(smsc): State<Smsc>,
    Path(text): Path<String>,
    Json(switch): Json<Switch>,
) -> Result<StatusCode, Refusal> {
    smsc.switch(number(&text)?, switch.on);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    to: String,
    text: String,
}

async fn reply(
    State(smsc): State<Smsc>,
    Path(text): Path<String>,
    Json(reply): Json<Reply>,
) -> Result<StatusCode, Refusal> {
    if smsc.reply(number(&text)?, &reply.to, &reply.text) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err((StatusCode::SERVICE_UNAVAILABLE, "too many replies wait".to_owned()))
    }
}

async fn faults(State(smsc): State<Smsc>, Json(faults): Json<Faults>) -> StatusCode {
    smsc.set_faults(faults);
    StatusCode::NO_CONTENT
}

async fn submitted(State(smsc): State<Smsc>) -> Json<Vec<Submitted>> {
    Json(smsc.submitted())
}

async fn sessions(State(smsc): State<Smsc>) -> Json<Vec<SessionView>> {
    Json(smsc.sessions())
}

async fn answers(State(smsc): State<Smsc>) -> Json<Vec<EsmeAnswer>> {
    Json(smsc.answers())
}

async fn deliver(State(smsc): State<Smsc>, Json(delivery): Json<Delivery>) -> Result<StatusCode, Refusal> {
    if smsc.deliver(delivery) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err((StatusCode::SERVICE_UNAVAILABLE, "too many replies wait".to_owned()))
    }
}

/// Octets for a session, the bound one that came last when none is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    session: Option<u64>,
    hex: Hex,
    /// Whether the connection is closed after them.
    #[serde(default)]
    close: bool,
}

async fn raw(State(smsc): State<Smsc>, Json(raw): Json<Raw>) -> Result<StatusCode, Refusal> {
    if smsc.write_raw(raw.session, &raw.hex.0, raw.close) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err((StatusCode::NOT_FOUND, "no such session".to_owned()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outbind {
    /// Where an ESME listens.
    address: SocketAddr,
    system_id: String,
    password: String,
}

async fn outbind(State(smsc): State<Smsc>, Json(outbind): Json<Outbind>) -> StatusCode {
    smsc.outbind(outbind.address, &outbind.system_id, &outbind.password);
    StatusCode::ACCEPTED
}
