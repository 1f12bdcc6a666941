//! What the operator decided beforehand.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Address, Kind, Language, ShortNumber};

use crate::text::Texts;
use crate::{Keywords, Ranges};

/// Whether the truth that nodes share can be asked. The embedded store alone is normal unless an operator forces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Database {
    /// It can.
    Normal,
    /// It can't, or must not be.
    Abnormal,
}

/// Whom a forwarded-to number serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// Only registered people are forwarded to it.
    Subscribers,
    /// Anybody in a configured range may be.
    Prospects,
}

/// What follows a submit without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InDoubtPolicy {
    /// Nothing: perhaps never told, never told twice.
    Hold,
    /// One more attempt, then hold.
    ResendOnce,
    /// Until answered: perhaps told twice, never untold.
    Resend,
}

/// Our numbers.
#[derive(Clone, Debug)]
pub struct Service {
    /// The service code that people reply to.
    pub code: ShortNumber,
    /// What each forwarded-to number means.
    pub numbers: BTreeMap<ShortNumber, Audience>,
    /// Where each kind comes from; the service code where nothing is set. A teaser always comes from the service code, so that it can be answered.
    pub originators: BTreeMap<Kind, Address>,
}

impl Service {
    /// Where a message of this kind comes from.
    #[must_use]
    pub fn source(&self, kind: Kind) -> Address {
        match kind {
            Kind::Teaser | Kind::Notice => Address::ShortCode(self.code.clone()),
            Kind::Fallback | Kind::Detail => {
                self.originators.get(&kind).cloned().unwrap_or_else(|| Address::ShortCode(self.code.clone()))
            }
        }
    }
}

/// How long each kind is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Alerts to subscribers, and fetched details.
    pub alert: Duration,
    /// Teasers.
    pub teaser: Duration,
    /// Answers to replies.
    pub notice: Duration,
}

impl Validity {
    /// How long a message of this kind is worth telling.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Fallback | Kind::Detail => self.alert,
            Kind::Teaser => self.teaser,
            Kind::Notice => self.notice,
        }
    }
}

/// Bounds in time and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At most one alert about calls per person in this time; calls in between are told together at its end.
    pub min_interval: Duration,
    /// How long calls wait for the receipt of the alert before them.
    pub update_wait: Duration,
    /// Alerts about calls per person and day (of the person's own calendar).
    pub daily_cap: u32,
    /// How long each kind is worth telling.
    pub validity: Validity,
    /// A teaser that could not be sent within this time is dropped: a late one is worse than none.
    pub teaser_patience: Duration,
    /// At most one teaser per person in this time.
    pub teaser_interval: Duration,
    /// How long a fetch is granted after a teaser.
    pub offer_validity: Duration,
    /// A call older than this is recorded and not told.
    pub max_age: Duration,
    /// How long a call's id is remembered.
    pub dedup_window: Duration,
    /// Two reports of one caller by different ways within this time are one call.
    pub same_call: Duration,
    /// Replies per person and window that are answered.
    pub reply_limit: u32,
    /// The window of the reply limit.
    pub reply_window: Duration,
    /// Pause before an unanswered submit is sent again.
    pub resend_wait: Duration,
    /// Most parts a message may have; what doesn't fit is told as "+N".
    pub max_parts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            min_interval: MINUTE,
            update_wait: MINUTE.saturating_mul(10),
            daily_cap: 20,
            validity: Validity { alert: DAY, teaser: DAY, notice: DAY },
            teaser_patience: MINUTE.saturating_mul(15),
            teaser_interval: DAY,
            offer_validity: DAY,
            max_age: DAY.saturating_mul(7),
            dedup_window: DAY,
            same_call: Duration::from_secs(5),
            reply_limit: 10,
            reply_window: MINUTE.saturating_mul(60),
            resend_wait: Duration::from_secs(30),
            max_parts: 3,
        }
    }
}

/// All that a decision depends on beside the event and what is known of the person.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whom teasers may go to.
    pub ranges: Ranges,
    /// What people may text.
    pub keywords: Keywords,
    /// Our numbers.
    pub service: Service,
    /// What we write.
    pub texts: Texts,
    /// For people who chose none.
    pub language: Language,
    /// For people of whom no other is known (IANA name).
    pub time_zone: String,
    /// Bounds in time and number.
    pub limits: Limits,
    /// What follows a submit without an answer.
    pub in_doubt: InDoubtPolicy,
}
