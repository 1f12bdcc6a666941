//! What a person texted to us.

use serde::{Deserialize, Serialize};

use crate::{Msisdn, SmscName, Timestamp};

/// A short message from a handset to one of our numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// Who wrote.
    pub from: Msisdn,
    /// The number it was sent to, as the SMSC writes it (a service code, mostly).
    pub to: String,
    /// What was written, decoded.
    pub text: String,
    /// The SMSC it came through.
    pub smsc: SmscName,
    /// When it arrived here.
    pub at: Timestamp,
}
