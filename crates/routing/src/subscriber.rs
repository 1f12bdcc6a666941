//! A person registered for the service.

use model::{Language, Msisdn, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{ClockFace, DayWindow};

/// Whether a subscriber is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriberStatus {
    /// Gets every alert.
    Active,
    /// Registered, and gets nothing (barred, in arrears).
    Suspended,
}

/// A person registered for the service, with what an alert to them needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subscriber {
    /// Their number.
    pub number: Msisdn,
    /// Whether they are served.
    pub status: SubscriberStatus,
    /// The language they read; else the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Their time zone (IANA name); else their range's, else the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How they read a clock; else their range's, else the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockFace>,
    /// A window of every day in which alerts are held, and told in one at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<DayWindow>,
    /// Who gets a copy of each of their details, and agreed to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_to: Option<Msisdn>,
    /// Alerts are held until then and told in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
    /// When they registered.
    pub since: Timestamp,
}

impl Subscriber {
    /// Somebody who registered and chose nothing.
    #[must_use]
    pub const fn new(number: Msisdn, since: Timestamp) -> Self {
        Self {
            number,
            status: SubscriberStatus::Active,
            language: None,
            time_zone: None,
            clock: None,
            quiet: None,
            copy_to: None,
            paused_until: None,
            since,
        }
    }
}

/// What is set of a registration; a field that is `None` stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SubscriberChange {
    /// Whether they are served.
    pub status: Option<SubscriberStatus>,
    /// The language they read; `Some(None)`: as is usual. So are the others.
    pub language: Option<Option<Language>>,
    /// Their time zone (IANA name).
    pub time_zone: Option<Option<String>>,
    /// How they read a clock.
    pub clock: Option<Option<ClockFace>>,
    /// When nothing is told.
    pub quiet: Option<Option<DayWindow>>,
    /// Who gets a copy.
    pub copy_to: Option<Option<Msisdn>>,
    /// Until when alerts are held.
    pub paused_until: Option<Option<Timestamp>>,
}

impl SubscriberChange {
    /// The registration with this set.
    #[must_use]
    pub fn of(self, before: Subscriber) -> Subscriber {
        Subscriber {
            number: before.number,
            status: self.status.unwrap_or(before.status),
            language: self.language.unwrap_or(before.language),
            time_zone: self.time_zone.unwrap_or(before.time_zone),
            clock: self.clock.unwrap_or(before.clock),
            quiet: self.quiet.unwrap_or(before.quiet),
            copy_to: self.copy_to.unwrap_or(before.copy_to),
            paused_until: self.paused_until.unwrap_or(before.paused_until),
            since: before.since,
        }
    }
}
