//! `POST /v1/subscribers/{number}/resend`, `…/pause`, `…/resume`: what customer care does for one person.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use model::{AlertId, Msisdn, Timestamp};
use routing::{Event, NotAgain, NothingWhy, Resend, SubscriberChange, Verdict};
use serde::{Deserialize, Serialize};
use store::{Outcome, Seq, Store as _};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::asked::Path;
use super::describe::{Fault, Number};
use super::order;
use super::refusal::{Refusal, body, number};
use super::subscribers::SubscriberView;
use super::{Operators, words};
use crate::Viewer;
use crate::audit::{Action, Entry};

/// Events of the person among which the message is looked for: those that a timeline shows at most.
const MOST: usize = 1_000;

/// How long the decision is waited for; it is taken all the same.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Resend)]
struct AskedAgain {
    /// Which message, as the timeline names it.
    #[schema(example = 1)]
    alert: i64,
    #[schema(schema_with = words::why)]
    reason: String,
}

/// What became of the wish to send a message again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct SentAgain {
    /// Its place in the journal: whatever happens, it will be decided.
    seq: i64,
    /// `decided`, or `journaled` where the decision was not taken within two seconds.
    pub(crate) state: &'static str,
    /// What was decided, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) what: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<&'static str>,
    /// The new message, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub(crate) alert: Option<AlertId>,
}

/// Sends one of a person's messages again; `by` as the audit log names who wants that, where the caller notes it.
pub(crate) async fn send_again(
    operators: &Operators,
    called: Msisdn,
    alert: AlertId,
    by: String,
) -> Result<SentAgain, Refusal> {
    let timeline = operators.store.timeline(called, MOST).await?;
    let mut alerts = timeline.iter().flat_map(|entry| &entry.alerts).filter_map(|named| named.alert.as_ref());
    let earlier = alerts
        .find(|known| known.id == alert && known.to == called)
        .ok_or_else(|| operators.missing(Refusal::NoSuchMessage))?;
    let wanted = Resend::of(earlier, (operators.clock)(), by)?;
    // Before it is journaled: the decision may be taken at once.
    let mut live = operators.live.subscribe();
    let seq = operators.store.local().append(vec![Event::Resend(wanted)]).await?.through;
    let decided = timeout(PATIENCE, outcome(&mut live, seq)).await.ok().flatten();
    Ok(match decided {
        Some(outcome) if outcome.verdict == Verdict::Nothing(NothingWhy::NothingToTell) => {
            return Err(NotAgain::ToldSince.into());
        }
        Some(outcome) => {
            let (what, why) = outcome.verdict.words();
            let made = outcome.alerts.iter().find(|made| made.again.as_ref().is_some_and(|again| again.of == alert));
            let alert = made.map(|made| made.id);
            SentAgain { seq: seq.0, state: "decided", what: Some(what), why: Some(why), alert }
        }
        None => SentAgain { seq: seq.0, state: "journaled", what: None, why: None, alert: None },
    })
}

/// What was decided of the event at this place; `None` once nothing more will be heard.
async fn outcome(live: &mut broadcast::Receiver<std::sync::Arc<Vec<Outcome>>>, seq: Seq) -> Option<Outcome> {
    loop {
        match live.recv().await {
            Ok(outcomes) => {
                if let Some(found) = outcomes.iter().find(|outcome| outcome.seq == seq) {
                    return Some(found.clone());
                }
            }
            // It may be among what was missed.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

/// Sends one of a person's messages again.
#[utoipa::path(
    post,
    path = "/v1/subscribers/{number}/resend",
    tag = "people",
    params(Number),
    request_body = AskedAgain,
    responses(
        (status = 202, description = "It will be decided, or was.", body = SentAgain),
        (status = 409, description = "This message is never sent again, or not now; or what it said is no longer kept; or another message tells its calls, or may yet.", body = Fault),
    )
)]
pub(super) async fn resend(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(text): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<SentAgain>), Refusal> {
    let number = number(&operators.numbering, &text)?;
    let AskedAgain { alert, reason: why } = body(bytes)?;
    let why = order::why(&why)?;
    let entry = Entry::of(&viewer, (operators.clock)(), Action::SentAgain).about_number(number).because(Some(why));
    let entry = entry.detail(format!("message {alert}"));
    let sending = async move |operators, entry| {
        let sent = send_again(&operators, number, AlertId(alert), viewer.name()).await?;
        Ok(((StatusCode::ACCEPTED, Json(sent)), Some(entry)))
    };
    operators.act(entry, sending).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Pause)]
struct AskedPause {
    #[serde(rename = "for")]
    #[schema(schema_with = words::lasting_a_week)]
    lasting: String,
    #[schema(schema_with = words::why)]
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Resume)]
struct AskedResume {
    #[schema(schema_with = words::why)]
    reason: String,
}

/// Holds a person's alerts for a while.
#[utoipa::path(
    post,
    path = "/v1/subscribers/{number}/pause",
    tag = "people",
    params(Number),
    request_body = AskedPause,
    responses((status = 200, body = SubscriberView))
)]
pub(super) async fn pause(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(text): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<SubscriberView>, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let AskedPause { lasting, reason: why } = body(bytes)?;
    let longest = (operators.policy)().self_service.longest_pause;
    let lasting = order::lasting(&lasting, longest).ok_or(Refusal::Field {
        field: "for",
        why: "not a duration like 8h, of at least a second and at most the longest pause there may be",
    })?;
    let why = order::why(&why)?;
    let until = (operators.clock)() + lasting;
    noted_hold(operators, &viewer, number, Some(until), why).await
}

/// Ends the pause; the person's own window of the day stays.
#[utoipa::path(
    post,
    path = "/v1/subscribers/{number}/resume",
    tag = "people",
    params(Number),
    request_body = AskedResume,
    responses((status = 200, body = SubscriberView))
)]
pub(super) async fn resume(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(text): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<SubscriberView>, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let AskedResume { reason: why } = body(bytes)?;
    let why = order::why(&why)?;
    noted_hold(operators, &viewer, number, None, why).await
}

/// Holds a person's alerts until then, or no longer. Their box is looked at, so that what waits is told at once or at the new end; should this end before the
/// look is journaled, it is told when the pause would have ended.
pub(crate) async fn hold(
    operators: &Operators,
    called: Msisdn,
    until: Option<Timestamp>,
) -> Result<SubscriberView, Refusal> {
    let change = SubscriberChange { paused_until: Some(until), ..SubscriberChange::default() };
    let subscriber = operators.store.change_subscriber(called, change).await?.ok_or(Refusal::NotRegistered)?;
    operators.store.local().append(vec![Event::Due { called }]).await?;
    Ok(SubscriberView::from(subscriber))
}

async fn noted_hold(
    operators: Operators,
    viewer: &Viewer,
    called: Msisdn,
    until: Option<Timestamp>,
    why: String,
) -> Result<Json<SubscriberView>, Refusal> {
    let action = if until.is_some() { Action::Paused } else { Action::Resumed };
    let entry = Entry::of(viewer, (operators.clock)(), action).about_number(called).because(Some(why));
    let entry = Entry { until, ..entry };
    let at = entry.at;
    let holding = async move |operators, entry| Ok((hold(&operators, called, until).await?, Some(entry)));
    let held = operators.act::<_, Refusal, _>(entry, holding).await?;
    Ok(Json(held.for_viewer(viewer, at)))
}
