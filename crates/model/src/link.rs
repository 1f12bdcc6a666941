//! Names of SMSCs and of the links to them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An SMSC as the operator configured it; receipts are matched within one SMSC.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SmscName(pub String);

/// One bind to an SMSC, such as `smsc1/1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkName(pub String);

impl fmt::Display for SmscName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
