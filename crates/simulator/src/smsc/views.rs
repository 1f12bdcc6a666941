//! What can be looked at: counts, submits, answers, sessions.

use model::{Msisdn, Timestamp};
use serde::Serialize;

use super::session::Mode;
use super::shape::{Hex, WireAddress};

/// What has happened since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SmscCounts {
    /// Sessions that are bound now.
    pub bound: u64,
    /// Binds accepted.
    pub binds: u64,
    /// Binds refused, for whatever reason.
    pub binds_refused: u64,
    /// `submit_sm` that could be read.
    pub submits: u64,
    /// Submits taken, whether or not the answer said so.
    pub accepted: u64,
    /// Submits answered `ESME_RTHROTTLED`.
    pub throttled: u64,
    /// Submits answered `ESME_RMSGQFUL`.
    pub queue_full: u64,
    /// Submits refused with another status.
    pub refused: u64,
    /// Submits not answered at all.
    pub silent: u64,
    /// Messages (parts) that reached a phone.
    pub delivered: u64,
    /// Messages whose validity passed first.
    pub expired: u64,
    /// Messages replaced by `replace_sm` or `replace_if_present_flag`.
    pub replaced: u64,
    /// Messages deleted by `cancel_sm`.
    pub cancelled: u64,
    /// Messages that wait for their phone now.
    pub waiting: u64,
    /// Receipts written, repeats included.
    pub receipts_sent: u64,
    /// Receipts answered `ESME_ROK`.
    pub receipts_acked: u64,
    /// Parts of replies written, repeats included.
    pub replies_sent: u64,
    /// Parts of replies answered `ESME_ROK`.
    pub replies_acked: u64,
    /// Receipts and parts of replies sent once more.
    pub resent: u64,
    /// Receipts and parts of replies dropped after the last attempt.
    pub given_up: u64,
    /// Receipts and replies not yet acknowledged nor given up.
    pub unacknowledged: u64,
    /// PDUs that could not be read or were not expected.
    pub bad_pdus: u64,
    /// PDUs thrown away by sessions that are not served.
    pub ignored: u64,
    /// Sessions closed because the peer didn't read.
    pub slow_peers: u64,
    /// Outbinds that reached nobody.
    pub outbinds_failed: u64,
}

/// One taken submit, as [`Smsc::submitted`](super::Smsc::submitted) remembers it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Submitted {
    /// The phone it is for.
    pub destination: Msisdn,
    /// The originator, as written.
    pub source: String,
    /// The text of this part.
    pub text: String,
    /// When it was taken.
    pub at: Timestamp,
    /// `message_id` of its answer.
    pub message_id: String,
    /// The session it came by.
    pub session: u64,
    /// `service_type`.
    pub service_type: String,
    /// Where it comes from, as written.
    pub source_address: WireAddress,
    /// Where it goes to, as written.
    pub destination_address: WireAddress,
    /// `esm_class`.
    pub esm_class: u8,
    /// `protocol_id`.
    pub protocol_id: u8,
    /// `priority_flag`.
    pub priority_flag: u8,
    /// `validity_period`.
    pub validity_period: String,
    /// `registered_delivery`.
    pub registered_delivery: u8,
    /// `data_coding`.
    pub data_coding: u8,
    /// The octets of the text, a user data header included.
    pub user_data: Hex,
    /// Whether they came as `message_payload`.
    pub payload: bool,
    /// Whether SAR parameters joined it to other parts.
    pub sar: bool,
    /// Which part it is: (reference, number, of how many).
    pub part: Option<(u16, u8, u8)>,
}

/// What an ESME answered, as [`Smsc::answers`](super::Smsc::answers) remembers it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct EsmeAnswer {
    /// The session it came by.
    pub session: u64,
    /// `command_id`.
    pub command: u32,
    /// `command_status`.
    pub status: u32,
    /// `sequence_number`.
    pub sequence: u32,
    /// The body.
    pub body: Hex,
}

/// A bound session as it can be looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SessionView {
    /// Names it; a later one has a higher number.
    pub id: u64,
    /// What it is bound for.
    pub mode: Mode,
    /// Who bound.
    pub system_id: String,
    /// What it said it is.
    pub system_type: String,
    /// `interface_version` of the bind: 0x33, 0x34, 0x50.
    pub interface_version: u8,
    /// Whose messages it asked for.
    pub address_range: String,
    /// Receipts and replies that it has not answered.
    pub unanswered: usize,
}
