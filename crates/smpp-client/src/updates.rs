//! `query_sm`, `cancel_sm` and `replace_sm` (SMPP 3.4 §4.8-4.10): what may be asked about a message that an SMSC has, and what came of it.

use std::time::Duration;

use model::{Address, Kind, Msisdn, ReceiptState};

/// A message that an SMSC took, as it is known there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// `message_id` of its `submit_sm_resp`.
    pub id: String,
    /// Its originator: the SMSC compares it with the one of the submit.
    pub source: Address,
    /// The handset.
    pub destination: Msisdn,
    /// What it was sent for: decides how addresses are written.
    pub kind: Kind,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Update {
    /// What became of it.
    Query,
    /// Delete it, if it is not delivered.
    Cancel,
    /// Deliver another text in its place, if it is not delivered. The coding stays what it was, and so does the number of parts: one.
    Replace {
        /// The text that the SMSC has.
        before: String,
        /// The text to deliver instead.
        text: String,
        /// How long the SMSC may try, from now on.
        validity: Duration,
    },
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Updated {
    /// It was cancelled or replaced.
    Done,
    /// What became of it, as `query_sm_resp` says.
    State(ReceiptState),
    /// The SMSC refused: it doesn't have the message any more, or says why in `command_status`.
    Refused(u32),
    /// The SMSC can't do this on this link: it said so with this `command_status`, or did not answer in time (`None`). Asked again on the same connection, it
    /// is answered so at once.
    Unsupported(Option<u32>),
    /// `replace_sm` can't say this: another coding, more than one part, or over 254 octets (SMPP 3.4 §4.10).
    Unsayable,
    /// The connection ended before the answer: it may have been done.
    InDoubt,
    /// No link to that SMSC is in service, or too many are being asked: nothing was asked.
    NotAsked,
}
