//! What is told of a test: each step in plain words, or as a line of JSON.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use model::{IdForm, ReceiptState};
use serde::{Serialize, Serializer};
use smpp_client::Status;

/// One step. Times are since the step that it answers.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(super) enum Step {
    /// A link was started.
    Connecting {
        link: String,
        /// `host:port`, or where the SMSC is waited for.
        to: String,
        /// What it binds for, the version and whether by TLS.
        how: String,
    },
    Bound {
        link: String,
        #[serde(serialize_with = "millis", rename = "ms")]
        after: Duration,
    },
    NotBound {
        link: String,
        why: String,
        advice: &'static str,
    },
    Submitted {
        to: String,
        source: String,
        kind: &'static str,
        text: String,
    },
    /// Not within `timeout=` of the URL.
    NoAnswerYet,
    Accepted {
        message_ids: Vec<String>,
        #[serde(serialize_with = "millis", rename = "ms")]
        after: Duration,
        /// Whether the answer came after the timeout.
        late: bool,
    },
    NotAccepted {
        why: String,
        advice: &'static str,
        #[serde(serialize_with = "millis", rename = "ms")]
        after: Duration,
    },
    Receipt {
        message_id: String,
        /// How the id is written, compared with the answer's.
        form: IdForm,
        state: ReceiptState,
        error: String,
        #[serde(serialize_with = "millis", rename = "ms")]
        after: Duration,
    },
    /// For the same number, and with the id of no message of this test.
    OtherReceipt {
        message_id: String,
        state: ReceiptState,
    },
    NoReceiptAsked,
    NoReceipt {
        #[serde(serialize_with = "millis", rename = "ms")]
        within: Duration,
        advice: &'static str,
    },
    /// `query_sm`, `replace_sm` or `cancel_sm`.
    Update {
        what: &'static str,
        said: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        advice: Option<&'static str>,
    },
    /// Receipts and replies of others, which were left to the SMSC.
    Others {
        count: u64,
    },
    Unbound {
        delivered: bool,
    },
}

fn millis<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting { link, to, how } => write!(f, "{link}: connecting to {to} ({how})"),
            Self::Bound { link, after } => {
                write!(f, "{link}: connected, bind answered with {} after {}", Status(0), Took(*after))
            }
            Self::NotBound { link, why, advice } => write!(f, "{link}: not bound: {why}\n  {advice}"),
            Self::Submitted { to, source, kind, text } => {
                write!(f, "submit_sm: a {kind} from {source} to {to}: {text:?}")
            }
            Self::NoAnswerYet => f.write_str("submit_sm_resp: none within timeout=; a late one is waited for"),
            Self::Accepted { message_ids, after, late } => {
                let late = if *late { ", later than timeout= allows" } else { "" };
                let (status, ids) = (Status(0), message_ids.join(", "));
                write!(f, "submit_sm_resp: {status}, message_id {ids}, after {}{late}", Took(*after))
            }
            Self::NotAccepted { why, advice, after } => {
                write!(f, "submit_sm_resp: {why}, after {}\n  {advice}", Took(*after))
            }
            Self::Receipt { message_id, form, state, error, after } => {
                write!(f, "receipt: {}", word(*state))?;
                if !error.is_empty() {
                    write!(f, ", error {error}")?;
                }
                let form = match form {
                    IdForm::Same => "as in the answer",
                    IdForm::Decimal => "the answer's number in decimal: receipt_id=decimal",
                    IdForm::Hexadecimal => "the answer's number in hexadecimal: receipt_id=hexadecimal",
                };
                write!(f, ", message_id {message_id} ({form}), after {}", Took(*after))
            }
            Self::OtherReceipt { message_id, state } => write!(
                f,
                "a receipt for this number: {}, message_id {message_id}\n  It is about none of the ids above: about an older message, or the SMSC writes ids \
                 in a form that isn't known. Ask its operator which.",
                word(*state)
            ),
            Self::NoReceiptAsked => f.write_str("no receipt was asked for (registered_delivery=0)"),
            Self::NoReceipt { within, advice } => write!(f, "no receipt within {}\n  {advice}", Took(*within)),
            Self::Update { what, said, advice: None } => write!(f, "{what}: {said}"),
            Self::Update { what, said, advice: Some(advice) } => write!(f, "{what}: {said}\n  {advice}"),
            Self::Others { count } => write!(
                f,
                "receipts and replies of others that were not taken, so that the SMSC delivers them again: {count}"
            ),
            Self::Unbound { delivered: true } => f.write_str("unbound; it works"),
            Self::Unbound { delivered: false } => f.write_str("unbound"),
        }
    }
}

/// A state in words, with how receipts abbreviate it (SMPP 3.4 appendix B).
pub(super) const fn word(state: ReceiptState) -> &'static str {
    match state {
        ReceiptState::Enroute => "on its way (ENROUTE), more is to come",
        ReceiptState::Accepted => "taken (ACCEPTD), more is to come",
        ReceiptState::Delivered => "delivered (DELIVRD)",
        ReceiptState::Expired => "not delivered in time (EXPIRED)",
        ReceiptState::Deleted => "deleted at the SMSC (DELETED)",
        ReceiptState::Undeliverable => "can't be delivered (UNDELIV)",
        ReceiptState::Rejected => "refused by the network (REJECTD)",
        ReceiptState::Unknown => "in a state that the SMSC doesn't know (UNKNOWN), more may come",
    }
}

struct Took(Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(10) {
            write!(f, "{} ms", self.0.as_millis())
        } else {
            write!(f, "{} s", self.0.as_secs())
        }
    }
}

/// Prints steps as they happen.
pub(super) struct Teller<'a> {
    pub out: &'a mut dyn Write,
    pub json: bool,
}

impl Teller<'_> {
    pub(super) fn tell(&mut self, step: &Step) -> io::Result<()> {
        if self.json { writeln!(self.out, "{}", serde_json::to_string(step)?) } else { writeln!(self.out, "{step}") }
    }
}
