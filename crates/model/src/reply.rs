//! What a person texted to us.

use serde::{Deserialize, Serialize};

use crate::{Msisdn, SmscName, Timestamp};

/// Which part of a longer message a reply is (3GPP TS 23.040 §9.2.3.24.1, SMPP 3.4 §5.3.2.22-24).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ReplyPart {
    /// Joins the parts of one message of one person to one number.
    pub reference: u16,
    /// How many parts there are, at least 2.
    pub total: u8,
    /// Which one this is, 1 to `total`.
    pub number: u8,
}

/// A short message from a handset to one of our numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// Who wrote.
    pub from: Msisdn,
    /// The number it was sent to, as the SMSC writes it (a service code, mostly).
    pub to: String,
    /// What was written, decoded.
    pub text: String,
    /// Which part it is, where the message came in several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<ReplyPart>,
    /// The SMSC it came through.
    pub smsc: SmscName,
    /// When it arrived here.
    pub at: Timestamp,
}
