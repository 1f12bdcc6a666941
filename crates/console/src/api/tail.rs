//! `GET /v1/tail`: what is decided, as it happens, as server-sent events.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use model::Msisdn;
use serde::Serialize;
use serde_json::json;
use store::Outcome;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{MissedTickBehavior, timeout};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use super::asked::Query;
use super::refusal::Refusal;
use super::{Operators, words};
use crate::tail::{Filter, Follower, Look};
use crate::{Viewer, Who};

/// How often what came is told, and how much of it: 100 outcomes a second.
const EVERY: Duration = Duration::from_millis(250);
const MOST: usize = 25;

/// How long a person is followed by one connection.
const LASTS: Duration = Duration::from_secs(300);

/// How long one who reads nothing keeps a place.
const STALLED: Duration = Duration::from_secs(30);

/// Who follows at a time, pages included; each looks at every outcome.
const FOLLOWERS: usize = 100;

/// What came and was not told: more than a caller is told of at a time, and batches that came faster than it was read, of which nobody knows what was in
/// them.
#[derive(Serialize)]
struct NotShown {
    not_shown: u64,
    missed_batches: u64,
}

/// Which of them; those that nothing is said of are all.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the description of what Filter reads")]
struct Asked {
    /// What happened.
    #[param(schema_with = words::events, required = false)]
    event: Option<String>,
    /// What was decided.
    #[param(schema_with = words::verdicts, required = false)]
    verdict: Option<String>,
    /// Which, or why.
    why: Option<String>,
    /// People in this range.
    range: Option<String>,
    /// About such messages.
    #[param(schema_with = words::kinds, required = false)]
    kind: Option<String>,
    /// The last 4 to 8 digits of a number; for those who see numbers.
    #[param(pattern = "^[0-9]{4,8}$", example = "0001")]
    digits: Option<String>,
}

/// What is decided, as it happens, until the caller goes away or the gateway stops.
#[utoipa::path(
    get,
    path = "/v1/tail",
    tag = "people",
    params(Asked),
    responses((
        status = 200,
        description = "A stream of server-sent events; the data of each is a JSON object.",
        body = String,
        content_type = "text/event-stream"
    ))
)]
pub(super) async fn tail(
    State(operators): State<Operators>,
    viewer: Viewer,
    Query(asked): Query<HashMap<String, String>>,
) -> Result<Response, Refusal> {
    let asked = |name: &str| asked.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let sees = viewer.reads_numbers((operators.clock)());
    let filter = Filter::read(asked, sees).map_err(|error| Refusal::Field { field: error.field, why: error.why })?;
    if operators.live.receiver_count() >= FOLLOWERS {
        return Ok(
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": "too many follow already" }))).into_response()
        );
    }
    let (told, events) = mpsc::channel(2 * MOST);
    // Before the answer: whoever has it misses nothing.
    let heard = operators.live.subscribe();
    tokio::spawn(follow(operators, heard, Follower::new(filter, MOST), viewer, told));
    let events = ReceiverStream::new(events).map(Ok::<_, Infallible>);
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

async fn follow(
    operators: Operators,
    mut heard: broadcast::Receiver<Arc<Vec<Outcome>>>,
    mut follower: Follower,
    viewer: Viewer,
    told: mpsc::Sender<Event>,
) {
    let (stay, began) = (operators.access.stay(&viewer), tokio::time::Instant::now());
    let person = !matches!(viewer.who, Who::Token(_));
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = told.closed() => return,
            batch = heard.recv() => match batch {
                Ok(batch) => follower.take(&batch, &(operators.policy)().ranges, (operators.clock)()),
                Err(RecvError::Lagged(batches)) => follower.miss(batches),
                Err(RecvError::Closed) => return,
            },
            _ = tick.tick() => {
                // Who comes again is looked at again.
                if !stay.lasts() || (person && began.elapsed() >= LASTS) {
                    return;
                }
                for event in events(&follower.look(), viewer.reads_numbers((operators.clock)())) {
                    if !matches!(timeout(STALLED, told.send(event)).await, Ok(Ok(()))) {
                        return;
                    }
                }
            }
        }
    }
}

/// Numbers in full for who sees them at this moment.
fn events(look: &Look, sees: bool) -> Vec<Event> {
    let number = |number: Msisdn| if sees { format!("+{}", number.reveal()) } else { number.to_string() };
    let mut events: Vec<Event> = look.shown.iter().filter_map(|shown| event(&shown.view(number))).collect();
    if look.not_shown > 0 || look.missed > 0 {
        events.extend(event(&NotShown { not_shown: look.not_shown, missed_batches: look.missed }));
    }
    events
}

fn event(data: &impl Serialize) -> Option<Event> {
    serde_json::to_string(data).ok().map(|data| Event::default().data(data))
}
