//! What the gateway counts, as the console reads it once a second. Every figure and every chart comes from these readings.

use model::{Kind, Timestamp};
use routing::Condition;
use store::ReportRow;

/// What is counted since the start, each a line that can be drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Series {
    /// Calls accepted.
    Calls,
    /// Calls that were told by no message, and never will be.
    Nothing,
    /// Calls that wait to be told.
    Held,
    /// Calls told by an alert that was there already.
    Joined,
    /// Details queued.
    Detail,
    /// Teasers queued.
    Teaser,
    /// Fallbacks queued.
    Fallback,
    /// Answers to replies queued.
    Notice,
    /// Notify-me messages queued.
    Notify,
    /// `submit_sm` sent, parts counted one by one.
    Submitted,
    /// Messages that an SMSC took.
    Accepted,
    /// Messages delivered.
    Delivered,
    /// Messages that the network could not deliver, or not in time.
    Undelivered,
    /// Messages that no SMSC took.
    Failed,
    /// Replies.
    Replies,
    /// Lists fetched.
    Fetched,
    /// Subscriptions by keyword.
    Subscribed,
    /// Unsubscriptions by keyword.
    Unsubscribed,
}

impl Series {
    /// Every one, in the order of the flow.
    pub const ALL: [Self; 18] = [
        Self::Calls,
        Self::Nothing,
        Self::Held,
        Self::Joined,
        Self::Detail,
        Self::Teaser,
        Self::Fallback,
        Self::Notice,
        Self::Notify,
        Self::Submitted,
        Self::Accepted,
        Self::Delivered,
        Self::Undelivered,
        Self::Failed,
        Self::Replies,
        Self::Fetched,
        Self::Subscribed,
        Self::Unsubscribed,
    ];

    /// The totals that a row of the daily report is counted in; calls, and what goes over links, are counted there.
    pub fn of(row: &ReportRow) -> impl Iterator<Item = Self> {
        let (event, verdict, why) = (row.event.as_ref(), row.verdict.as_ref(), row.why.as_ref());
        let reply = (event == "reply").then_some(Self::Replies);
        let other = match (event, verdict, why) {
            ("call", "nothing", _) => Some(Self::Nothing),
            ("call", "held", _) => Some(Self::Held),
            ("call", "joined", _) => Some(Self::Joined),
            ("alert", kind, "queued") => Self::of_kind(kind),
            ("alert", _, "accepted") => Some(Self::Accepted),
            ("alert", _, "delivered") => Some(Self::Delivered),
            ("alert", _, "undelivered" | "expired") => Some(Self::Undelivered),
            ("alert", _, "failed") => Some(Self::Failed),
            (_, "reply", "granted") => Some(Self::Fetched),
            (_, "reply", "subscribed") => Some(Self::Subscribed),
            (_, "reply", "unsubscribed") => Some(Self::Unsubscribed),
            _ => None,
        };
        reply.into_iter().chain(other)
    }

    fn of_kind(kind: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|known| known.as_str() == kind).map(|kind| match kind {
            Kind::Fallback => Self::Fallback,
            Kind::Detail => Self::Detail,
            Kind::Teaser => Self::Teaser,
            Kind::Notice => Self::Notice,
            Kind::Notify => Self::Notify,
        })
    }

    /// The word used in JSON, CSV and charts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Nothing => "nothing",
            Self::Held => "held",
            Self::Joined => "joined",
            Self::Detail => "detail",
            Self::Teaser => "teaser",
            Self::Fallback => "fallback",
            Self::Notice => "notice",
            Self::Notify => "notify",
            Self::Submitted => "submitted",
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Replies => "replies",
            Self::Fetched => "fetched",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}

/// Durations by bucket since the start: differences of two give the quantiles of the time between.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Spread {
    /// Upper bounds in milliseconds.
    pub bounds_ms: &'static [u64],
    /// How many fell into each; one more than there are bounds.
    pub counts: Vec<u64>,
}

/// What is waiting, and since when the longest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Waiting {
    /// How many.
    pub count: u64,
    /// Since when the one that waits longest; `None` where nothing waits, or nobody knows.
    pub since: Option<Timestamp>,
}

/// The gateway at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading {
    /// When.
    pub at: Timestamp,
    /// By [`Series::ALL`].
    pub totals: [u64; Series::ALL.len()],
    /// Journaled and not decided.
    pub undecided: Waiting,
    /// Alerts that wait for a link, or for their time.
    pub queued: Waiting,
    /// Submitted and not answered.
    pub unanswered: Waiting,
    /// Taken by an SMSC, without a final receipt.
    pub undelivered: Waiting,
    /// Decided without the database and not handed over.
    pub unshared: u64,
    /// The database; `None` where there is none.
    pub database: Option<Condition>,
    /// From acceptance of a call to its submit.
    pub accept_to_submit: Spread,
    /// What batches took at the database.
    pub database_took: Spread,
    /// Each link, in the order of the settings: its totals of submits, acceptances, throttles, and what answers took.
    pub links: Vec<LinkReading>,
}

impl Reading {
    /// Nothing yet.
    #[must_use]
    pub fn none(at: Timestamp) -> Self {
        Self {
            at,
            totals: [0; Series::ALL.len()],
            undecided: Waiting::default(),
            queued: Waiting::default(),
            unanswered: Waiting::default(),
            undelivered: Waiting::default(),
            unshared: 0,
            database: None,
            accept_to_submit: Spread::default(),
            database_took: Spread::default(),
            links: Vec::new(),
        }
    }

    /// One of the totals.
    #[must_use]
    pub fn total(&self, of: Series) -> u64 {
        self.totals.get(of as usize).copied().unwrap_or(0)
    }

    /// Sets one of the totals.
    pub fn set(&mut self, of: Series, value: u64) {
        if let Some(total) = self.totals.get_mut(of as usize) {
            *total = value;
        }
    }
}

/// One link at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkReading {
    /// Its name.
    pub name: String,
    /// Whether it is bound.
    pub bound: bool,
    /// `submit_sm` sent.
    pub submits: u64,
    /// Messages taken.
    pub accepted: u64,
    /// Times it was asked to slow down.
    pub throttles: u64,
    /// From `submit_sm` to `submit_sm_resp`.
    pub answers: Spread,
}
