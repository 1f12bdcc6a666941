//! What to send along with a question: how the gateway is, how it is set, and what it counted, without numbers and secrets.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use model::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::super::Console;
use super::super::visit::{Fault, Visit};
use crate::Permission;
use crate::api::Status;
use crate::audit::masked;
use crate::health::Check;
use crate::system::SystemView;

#[derive(Serialize)]
struct Diagnostics {
    at: String,
    system: SystemView,
    status: Status,
    checks: Vec<Check>,
}

pub(super) async fn get(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Fault> {
    visit.needs(Permission::Read)?;
    let operators = &console.operators;
    let (system, status, checks) = ((operators.system)(), (operators.status)(), (operators.ready)());
    let found = Diagnostics { at: visit.now.to_string(), system, status, checks };
    let mut found = serde_json::to_value(found).map_err(|error| Fault::Refused(error.to_string()))?;
    hide(&mut found);
    if let Value::Object(fields) = &mut found {
        // Names and labels of metrics are a closed vocabulary without numbers, and their values are counts.
        fields.insert("metrics".to_owned(), Value::from((operators.metrics)()));
    }
    let name = "attachment; filename=\"afterring-diagnostics.json\"";
    Ok(([(header::CONTENT_DISPOSITION, name)], Json(found)).into_response())
}

/// Hides the numbers in every text but the digest: people write them into reasons, and settings hold ranges of them.
fn hide(value: &mut Value) {
    match value {
        // A time is no number of a person, however its digits stand.
        Value::String(text) if Timestamp::parse(text).is_ok() => {}
        Value::String(text) => *text = masked(text),
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::Object(fields) => {
            fields.iter_mut().filter(|(key, _)| key.as_str() != "digest").for_each(|(_, value)| hide(value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_hidden_wherever_they_stand_and_the_digest_is_not() {
        let mut value = serde_json::json!({
            "digest": "0123456789abcdef",
            "settings": [{ "value": "north=8613900000000-8613900999999:50000" }],
            "reason": "for +8613800000001",
            "count": 8_613_800_000_001_u64,
        });
        hide(&mut value);
        let text = value.to_string();
        assert!(!text.contains("8613900000000") && !text.contains("+8613800000001"), "{text}");
        assert!(text.contains("0123456789abcdef") && text.contains(":50000"), "{text}");
    }
}
