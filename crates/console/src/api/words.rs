//! The closed vocabularies of the API's description, from the types that own them.

use std::collections::BTreeSet;

use model::{Kind, Reason};
use routing::{Condition, HeldWhy, List, NothingWhy, ReplyVerdict};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::audit::Action;

/// One of these words.
fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Schema {
    let words: BTreeSet<&str> = words.into_iter().collect();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// The states of the database.
pub(crate) fn conditions() -> Schema {
    one_of(Condition::ALL.map(Condition::as_str))
}

/// Why a call was not answered.
pub(crate) fn reasons() -> Schema {
    one_of(Reason::ALL.iter().map(|reason| reason.as_str()))
}

/// How a call came in.
pub(crate) fn sources() -> Schema {
    one_of(["sip", "http"])
}

/// What messages are for.
pub(crate) fn kinds() -> Schema {
    one_of(Kind::ALL.map(Kind::as_str))
}

/// The operator's lists.
pub(crate) fn lists() -> Schema {
    one_of(List::ALL.map(List::as_str))
}

/// Whether a subscriber is served.
pub(crate) fn subscriber_status() -> Schema {
    one_of(["active", "suspended"])
}

/// Whether a subscriber is to be served; null: as before.
pub(crate) fn maybe_subscriber_status() -> Schema {
    or_null(subscriber_status())
}

/// What a receipt says.
pub(crate) fn receipt_states() -> Schema {
    one_of(["enroute", "accepted", "delivered", "expired", "deleted", "undeliverable", "rejected", "unknown"])
}

/// What was decided.
pub(crate) fn verdicts() -> Schema {
    one_of(["send", "joined", "held", "nothing", "reply", "alert"])
}

/// What happens.
pub(crate) fn events() -> Schema {
    one_of(crate::words::EVENTS.iter().map(|(word, ..)| *word))
}

/// Which, or why.
pub(crate) fn whys() -> Schema {
    let kinds = Kind::ALL.map(Kind::as_str);
    let held = HeldWhy::ALL.map(HeldWhy::as_str);
    let nothing = NothingWhy::ALL.map(NothingWhy::as_str);
    let reply = ReplyVerdict::ALL.map(ReplyVerdict::as_str);
    one_of(kinds.into_iter().chain(held).chain(nothing).chain(reply))
}

/// Why an alert failed: a word, or the SMSC's `command_status`.
pub(crate) fn failed_whys() -> Schema {
    let refused =
        ObjectBuilder::new().property("refused", ObjectBuilder::new().schema_type(Type::Integer)).required("refused");
    OneOfBuilder::new().item(one_of(["too_late", "withdrawn"])).item(refused).into()
}

/// A rung's values by name: words, texts, numbers with `+`, times and counts.
pub(crate) fn values() -> Schema {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let count = ObjectBuilder::new().schema_type(Type::Integer);
    let value: Schema = OneOfBuilder::new().item(text).item(count).into();
    ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(value)).into()
}

/// Forms that tables come in.
pub(crate) fn formats() -> Schema {
    one_of(["json", "csv"])
}

/// The tables of a report.
pub(crate) fn report_tables() -> Schema {
    one_of(["table", "rows"])
}

/// The facts that a decision rests on, each with its values beside it.
pub(crate) fn facts() -> Schema {
    let fact = ObjectBuilder::new().schema_type(Type::String);
    let one = ObjectBuilder::new().schema_type(Type::Object).property("fact", fact).required("fact");
    ArrayBuilder::new().items(one).description(Some("What the decision rests on, in its order.")).into()
}

/// What may be noted in the audit log.
pub(crate) fn actions() -> Schema {
    one_of(Action::ALL.map(Action::as_str))
}

/// Why something is done: 1 to 200 characters in one line, that aren't all blank.
pub(crate) fn why() -> Schema {
    const PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff][^\u0000-\u001f\u007f-\u009f]*$";
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Why: 1 to 200 characters in one line."))
        .min_length(Some(1))
        .max_length(Some(200))
        .pattern(Some(PATTERN))
        .examples(["asked by the customer, ticket 42"])
        .into()
}

/// [`why`] as a type.
pub(crate) struct Why;

impl PartialSchema for Why {
    fn schema() -> RefOr<Schema> {
        why().into()
    }
}

impl ToSchema for Why {}

/// As [`why`], where nobody need say it.
pub(crate) fn maybe_why() -> Schema {
    or_null(why())
}

fn or_null(schema: Schema) -> Schema {
    OneOfBuilder::new().item(ObjectBuilder::new().schema_type(Type::Null)).item(schema).into()
}

/// How long something is to last, at most a day.
pub(crate) fn lasting() -> Schema {
    duration(r"^(([1-9]|1[0-9]|2[0-3])h( [1-5]?[1-9]m)?|[1-9][0-9]{0,2}m|[1-9][0-9]{0,3}s)$", "24 hours")
}

/// How long something is to last, at most a week.
pub(crate) fn lasting_a_week() -> Schema {
    duration(r"^(([1-9]|[1-9][0-9]|1[0-5][0-9]|16[0-7])h( [1-5]?[1-9]m)?|[1-9][0-9]{0,3}m|[1-9][0-9]{0,4}s)$", "7 days")
}

fn duration(pattern: &str, longest: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!("For how long: a second to {longest}, like 10m or 1h 30m.")))
        .pattern(Some(pattern))
        .examples(["10m"])
        .into()
}
