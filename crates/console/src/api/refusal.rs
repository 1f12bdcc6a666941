//! Why the operators' API did not do what was asked, and how it says so.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Msisdn, NumberError, Numbering};
use serde::de::DeserializeOwned;
use store::StoreError;

use super::force::ForceError;
use crate::audit::{AuditError, Tried};
use crate::system::OrderError;

/// A fault of the caller, or of the gateway.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("'number': {0}")]
    Number(NumberError),
    #[error("{0}")]
    Body(serde_json::Error),
    /// A path or a query; the words say what is wrong.
    #[error("{0}")]
    Asked(String),
    #[error("not by this method: /openapi.json describes what there is")]
    Method,
    #[error("nothing is called by this path: /openapi.json describes what there is")]
    Nowhere,
    #[error("the body is not a JSON object")]
    NoObject,
    #[error("the body could not be read")]
    Unread,
    #[error("'{field}': {why}")]
    Field { field: &'static str, why: &'static str },
    #[error("'{field}': {0}", field = .0.field())]
    Texts(#[from] routing::text::Unknown),
    #[error("this number is not registered")]
    NotRegistered,
    #[error("this number is not on the list")]
    NotListed,
    #[error("nothing is known of this number")]
    NothingKnown,
    #[error("no such call of this number is kept: it may be too long ago")]
    NoSuchCall,
    #[error("no such message to this number is kept: it may be too long ago")]
    NoSuchMessage,
    #[error(transparent)]
    NotAgain(#[from] routing::NotAgain),
    #[error("the store is busy: ask again")]
    Busy,
    #[error(transparent)]
    Reports(#[from] crate::report::Busy),
    #[error(transparent)]
    Force(#[from] ForceError),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("the store can't answer now: {0}")]
    Store(#[from] StoreError),
}

impl Tried for Refusal {
    fn leaves_open(&self) -> bool {
        matches!(self, Self::Store(error) if error.leaves_open())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Number(_)
            | Self::Body(_)
            | Self::Unread
            | Self::NoObject
            | Self::Asked(_)
            | Self::Field { .. }
            | Self::Texts(_)
            | Self::Order(OrderError::Filter(_)) => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Nowhere
            | Self::NotRegistered
            | Self::NotListed
            | Self::NothingKnown
            | Self::NoSuchCall
            | Self::NoSuchMessage
            | Self::Order(OrderError::NoSuchLink(_)) => StatusCode::NOT_FOUND,
            Self::NotAgain(_) | Self::Force(ForceError::NotConfigured) => StatusCode::CONFLICT,
            Self::Busy
            | Self::Reports(_)
            | Self::Force(ForceError::Stopping)
            | Self::Order(OrderError::Stopping)
            | Self::Audit(_)
            | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        if let Self::Store(error) = &self {
            tracing::error!(error = error as &dyn std::error::Error, "the operators' API could not reach the store");
        }
        let body = Json(serde_json::json!({ "error": self.to_string() }));
        match self {
            Self::Busy
            | Self::Reports(_)
            | Self::Store(_)
            | Self::Force(ForceError::Stopping)
            | Self::Order(OrderError::Stopping)
            | Self::Audit(_) => (status, [(header::RETRY_AFTER, "5")], body).into_response(),
            _ => (status, body).into_response(),
        }
    }
}

/// The number in a path, as people and switches write it.
pub(super) fn number(numbering: &Numbering, text: &str) -> Result<Msisdn, Refusal> {
    numbering.normalise(text).map_err(Refusal::Number)
}

/// A JSON body; none at all, or null, is an empty object.
pub(super) fn body<T: DeserializeOwned>(bytes: Result<Bytes, BytesRejection>) -> Result<T, Refusal> {
    let bytes = bytes.map_err(|_| Refusal::Unread)?;
    // Else an array would be taken for the fields in their order.
    if !matches!(bytes.trim_ascii_start().first(), None | Some(b'{' | b'n')) {
        return Err(Refusal::NoObject);
    }
    let text: &[u8] = if matches!(bytes.trim_ascii(), b"" | b"null") { b"{}" } else { &bytes };
    serde_json::from_slice(text).map_err(Refusal::Body)
}
