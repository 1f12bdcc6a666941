//! What each door counts, and the closed list of reasons for which it refuses.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use model::Source;

/// Why something that came in was refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Refusal {
    /// Not JSON, not SIP, or a header that SIP requires is missing, doubled or malformed.
    Unreadable,
    /// The bearer token is missing or wrong.
    Unauthorised,
    /// The source address is not in the list of peers.
    NotAPeer,
    /// More octets or more calls than the limit.
    TooLarge,
    /// No id, or one that can't name a call.
    BadId,
    /// Nothing says who was called.
    NoCalled,
    /// The called number can't be read, or is outside the numbering plan.
    CalledOutsidePlan,
    /// The caller's number can't be read.
    BadCaller,
    /// The reason isn't one of the words.
    BadReason,
    /// The time can't be read.
    BadTime,
    /// The time is too far ahead.
    InTheFuture,
    /// The time is too long ago.
    TooOld,
    /// The service number isn't digits.
    BadServiceNumber,
    /// `withheld` isn't true or false.
    BadWithheld,
    /// A field nobody defined, or one given twice.
    UnknownField,
    /// The ISUP body can't be read, and nothing else says who was called.
    UnreadableIsup,
    /// A SIP version other than 2.0.
    Version,
    /// A Request-URI that is neither sip, sips nor tel.
    Scheme,
    /// A required extension that is not known.
    Extension,
    /// The same request came by another way already.
    Merged,
    /// A request inside a dialog or transaction that doesn't exist.
    NoDialog,
    /// A method that is not served here.
    Method,
    /// The gateway is stopping.
    Draining,
}

impl Refusal {
    /// Every reason, in the order of the documents.
    pub const ALL: [Self; 23] = [
        Self::Unreadable,
        Self::Unauthorised,
        Self::NotAPeer,
        Self::TooLarge,
        Self::BadId,
        Self::NoCalled,
        Self::CalledOutsidePlan,
        Self::BadCaller,
        Self::BadReason,
        Self::BadTime,
        Self::InTheFuture,
        Self::TooOld,
        Self::BadServiceNumber,
        Self::BadWithheld,
        Self::UnknownField,
        Self::UnreadableIsup,
        Self::Version,
        Self::Scheme,
        Self::Extension,
        Self::Merged,
        Self::NoDialog,
        Self::Method,
        Self::Draining,
    ];

    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Unauthorised => "unauthorised",
            Self::NotAPeer => "not_a_peer",
            Self::TooLarge => "too_large",
            Self::BadId => "bad_id",
            Self::NoCalled => "no_called",
            Self::CalledOutsidePlan => "called_outside_plan",
            Self::BadCaller => "bad_caller",
            Self::BadReason => "bad_reason",
            Self::BadTime => "bad_time",
            Self::InTheFuture => "in_the_future",
            Self::TooOld => "too_old",
            Self::BadServiceNumber => "bad_service_number",
            Self::BadWithheld => "bad_withheld",
            Self::UnknownField => "unknown_field",
            Self::UnreadableIsup => "unreadable_isup",
            Self::Version => "version",
            Self::Scheme => "scheme",
            Self::Extension => "extension",
            Self::Merged => "merged",
            Self::NoDialog => "no_dialog",
            Self::Method => "method",
            Self::Draining => "draining",
        }
    }
}

/// The sentence that goes to a SIP peer in a Warning, and to an engineer on the command line. It holds no double quote.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "the message can't be read: a required part is missing, doubled or malformed",
            Self::Unauthorised => "the bearer token is missing or wrong",
            Self::NotAPeer => "the source address is not in the list of peers",
            Self::TooLarge => "larger than the limit",
            Self::BadId => "the id is missing or can't name a call",
            Self::NoCalled => {
                "no called party: neither Diversion, History-Info, a target nor an ISUP body names who missed the call"
            }
            Self::CalledOutsidePlan => "the called number can't be read, or is outside the numbering plan",
            Self::BadCaller => "the caller's number can't be read",
            Self::BadReason => "the reason is not one of the known words",
            Self::BadTime => "the time can't be read",
            Self::InTheFuture => "the time is too far in the future",
            Self::TooOld => "the time is too long ago",
            Self::BadServiceNumber => "the service number is not digits",
            Self::BadWithheld => "withheld is neither true nor false",
            Self::UnknownField => "an unknown field, or one given twice",
            Self::UnreadableIsup => "the ISUP body can't be read, and nothing else names who missed the call",
            Self::Version => "only SIP/2.0 is spoken",
            Self::Scheme => "the Request-URI is neither sip, sips nor tel",
            Self::Extension => "a required extension is not known",
            Self::Merged => "the same request came by another way already",
            Self::NoDialog => "there is no such dialog or transaction",
            Self::Method => "the method is not served here",
            Self::Draining => "the gateway is stopping",
        })
    }
}

/// What the doors have counted since the start; shared, and only ever added to.
#[derive(Debug, Default)]
pub struct Counts {
    sip: Door,
    http: Door,
}

#[derive(Debug, Default)]
struct Door {
    accepted: AtomicU64,
    duplicate: AtomicU64,
    busy: AtomicU64,
    unavailable: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
}

/// The counts of both doors at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// Calls forwarded over SIP.
    pub sip: DoorCounts,
    /// Calls posted over HTTP.
    pub http: DoorCounts,
}

/// The counts of one door, in calls; a request of which no call could be read counts as one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DoorCounts {
    /// Durable, and new.
    pub accepted: u64,
    /// Known before; durable already.
    pub duplicate: u64,
    /// Turned away because the hand-over or a table was full, or the peer was over its limit.
    pub busy: u64,
    /// Turned away because they could not be stored in time.
    pub unavailable: u64,
    /// Refused, by reason, in the order of [`Refusal::ALL`].
    pub refused: Vec<(Refusal, u64)>,
}

impl DoorCounts {
    /// How many were refused for one reason.
    #[must_use]
    pub fn refused_for(&self, reason: Refusal) -> u64 {
        self.refused.iter().find(|(why, _)| *why == reason).map_or(0, |(_, count)| *count)
    }
}

impl Counts {
    pub(crate) fn accepted(&self, source: Source, calls: usize) {
        add(&self.door(source).accepted, calls);
    }

    pub(crate) fn duplicate(&self, source: Source, calls: usize) {
        add(&self.door(source).duplicate, calls);
    }

    pub(crate) fn busy(&self, source: Source, calls: usize) {
        add(&self.door(source).busy, calls);
    }

    pub(crate) fn unavailable(&self, source: Source, calls: usize) {
        add(&self.door(source).unavailable, calls);
    }

    pub(crate) fn refused(&self, source: Source, reason: Refusal) {
        if let Some(count) = self.door(source).refused.get(reason as usize) {
            add(count, 1);
        }
    }

    /// Reads everything; the figures may be a few calls apart from each other.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { sip: self.sip.read(), http: self.http.read() }
    }

    const fn door(&self, source: Source) -> &Door {
        match source {
            Source::Sip => &self.sip,
            Source::Http => &self.http,
        }
    }
}

impl Door {
    fn read(&self) -> DoorCounts {
        DoorCounts {
            accepted: self.accepted.load(Ordering::Relaxed),
            duplicate: self.duplicate.load(Ordering::Relaxed),
            busy: self.busy.load(Ordering::Relaxed),
            unavailable: self.unavailable.load(Ordering::Relaxed),
            refused: Refusal::ALL
                .into_iter()
                .zip(&self.refused)
                .map(|(why, count)| (why, count.load(Ordering::Relaxed)))
                .collect(),
        }
    }
}

fn add(count: &AtomicU64, calls: usize) {
    count.fetch_add(u64::try_from(calls).unwrap_or(u64::MAX), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_counted_under_its_own_name() {
        let counts = Counts::default();
        for (times, reason) in Refusal::ALL.into_iter().enumerate() {
            (0..=times).for_each(|_| counts.refused(Source::Sip, reason));
        }
        let snapshot = counts.snapshot();
        for (times, reason) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(snapshot.sip.refused_for(reason), times as u64 + 1, "{}", reason.as_str());
            assert_eq!(snapshot.http.refused_for(reason), 0);
            assert!(!reason.to_string().contains('"'), "it goes into a quoted string");
        }
        let mut words: Vec<_> = Refusal::ALL.iter().map(|reason| reason.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Refusal::ALL.len());
    }
}
