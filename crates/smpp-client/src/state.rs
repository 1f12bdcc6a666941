//! What is shown of a link: its state, why it closed last, its counts.

use std::fmt;
use std::io;
use std::time::Duration;

use model::{LinkName, SmscName, Timestamp};

use crate::settings::{Bind, SettingsError};
use crate::status::{self, Refusal, Status};
use crate::updates::Abilities;

/// Where a link stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkState {
    /// Not connected; the next attempt is made at `until`.
    Down {
        /// When the next attempt is made.
        until: Timestamp,
        /// What brought it down.
        why: Why,
    },
    /// A connection is being made.
    Connecting,
    /// The SMSC is to connect, with an outbind.
    Awaiting,
    /// The bind is not answered yet.
    Binding,
    /// In service.
    Bound,
    /// Closing: answers are awaited, nothing new is sent.
    Draining,
    /// Not connected, by an operator's order.
    Away {
        /// When it binds again by itself.
        until: Timestamp,
    },
    /// Ended for good.
    Closed,
}

impl LinkState {
    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Down { .. } => "down",
            Self::Connecting => "connecting",
            Self::Awaiting => "awaiting",
            Self::Binding => "binding",
            Self::Bound => "bound",
            Self::Draining => "draining",
            Self::Away { .. } => "away",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a link is down or closed; a closed list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Why {
    /// No connection could be made.
    ConnectFailed(io::ErrorKind),
    /// The SMSC's host did not answer in time.
    ConnectTimeout,
    /// TLS could not be agreed on.
    Tls(TlsFault),
    /// We can't listen where the SMSC is to connect to.
    Unlistenable(io::ErrorKind),
    /// The settings can't be put into a bind.
    Settings(SettingsError),
    /// The bind was refused.
    BindRefused {
        /// `command_status` of the answer.
        status: u32,
    },
    /// The bind was not answered in time.
    BindTimeout,
    /// The SMSC closed the connection.
    PeerClosed,
    /// The connection broke.
    Broken(io::ErrorKind),
    /// The SMSC announced a PDU of an impossible length.
    Framing {
        /// Its `command_length`.
        length: u32,
    },
    /// An `enquire_link` was not answered in time.
    NoEnquireAnswer,
    /// As many submits as the window holds, one after another, were not answered in time.
    NoSubmitAnswer,
    /// The SMSC sent an unbind.
    PeerUnbound,
    /// The SMSC answered a submit as if the link were not bound.
    NotBound {
        /// `command_status` of the answer.
        status: u32,
    },
    /// We were asked to stop.
    Drained,
    /// An operator ordered it.
    Ordered(Ordered),
}

/// What an operator ordered a link to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ordered {
    /// Give no more permits, await what is unanswered, unbind, and stay away.
    Drain,
    /// Unbind at once, and stay away.
    Unbind,
    /// Leave, and bind anew.
    Rebind,
}

impl Ordered {
    /// The word used in pages, documents and calls.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Unbind => "unbind",
            Self::Rebind => "rebind",
        }
    }
}

/// An order to a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkOrder {
    /// Give no more permits, await what is unanswered as long as the link awaits any answer, unbind, and stay away until then.
    Drain {
        /// Until then.
        until: Timestamp,
    },
    /// Unbind at once: what is unanswered is in doubt, as when a connection is lost. Stay away until then.
    Unbind {
        /// Until then.
        until: Timestamp,
    },
    /// Leave the present connection, where there is one, as soon as what is on its way is answered, and within seconds in any case; bind anew at once.
    /// Lifts what was ordered before, and the wait for the next attempt.
    Rebind,
}

impl LinkOrder {
    /// What is ordered.
    #[must_use]
    pub const fn what(self) -> Ordered {
        match self {
            Self::Drain { .. } => Ordered::Drain,
            Self::Unbind { .. } => Ordered::Unbind,
            Self::Rebind => Ordered::Rebind,
        }
    }

    /// Until when the link is to stay away, if it is.
    #[must_use]
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::Drain { until } | Self::Unbind { until } => Some(until),
            Self::Rebind => None,
        }
    }
}

/// Who ended a connection, or an attempt at one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum By {
    /// This side: by settings, by an order, or because the SMSC did not keep to the protocol or did not answer.
    Us,
    /// The SMSC.
    Peer,
    /// Neither in so many words: the connection was not made, or broke.
    Network,
}

impl By {
    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Peer => "peer",
            Self::Network => "network",
        }
    }
}

impl Why {
    /// Whether asking again soon is of use, or somebody has to change something first.
    pub(crate) const fn refusal(self) -> Refusal {
        match self {
            Self::BindRefused { status } => status::refusal(status),
            // One that answers nothing for as long as that is looked at again when somebody may have looked after it.
            Self::Settings(_) | Self::NoSubmitAnswer => Refusal::Lasting,
            Self::ConnectFailed(_)
            | Self::ConnectTimeout
            | Self::Tls(_)
            | Self::Unlistenable(_)
            | Self::BindTimeout
            | Self::PeerClosed
            | Self::Broken(_)
            | Self::Framing { .. }
            | Self::NoEnquireAnswer
            | Self::PeerUnbound
            | Self::NotBound { .. }
            | Self::Drained
            | Self::Ordered(_) => Refusal::Passing,
        }
    }

    /// Every word that [`Self::as_str`] gives.
    pub const WORDS: [&str; 16] = [
        "connect_failed",
        "connect_timeout",
        "tls",
        "unlistenable",
        "settings",
        "bind_refused",
        "bind_timeout",
        "peer_closed",
        "broken",
        "framing",
        "no_enquire_answer",
        "no_submit_answer",
        "peer_unbound",
        "not_bound",
        "drained",
        "ordered",
    ];

    const fn place(self) -> usize {
        match self {
            Self::ConnectFailed(_) => 0,
            Self::ConnectTimeout => 1,
            Self::Tls(_) => 2,
            Self::Unlistenable(_) => 3,
            Self::Settings(_) => 4,
            Self::BindRefused { .. } => 5,
            Self::BindTimeout => 6,
            Self::PeerClosed => 7,
            Self::Broken(_) => 8,
            Self::Framing { .. } => 9,
            Self::NoEnquireAnswer => 10,
            Self::NoSubmitAnswer => 11,
            Self::PeerUnbound => 12,
            Self::NotBound { .. } => 13,
            Self::Drained => 14,
            Self::Ordered(_) => 15,
        }
    }

    /// The word used in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::WORDS.get(self.place()).copied().unwrap_or_default()
    }

    /// What there is to say beside the word: a status, a length, what the network or the machine says; a word for why there was no TLS, or what was ordered.
    #[must_use]
    pub fn detail(self) -> Option<String> {
        match self {
            Self::ConnectFailed(kind) | Self::Unlistenable(kind) | Self::Broken(kind) => Some(kind.to_string()),
            Self::Tls(fault) => Some(fault.as_str().to_owned()),
            Self::Settings(error) => Some(error.to_string()),
            Self::BindRefused { status } | Self::NotBound { status } => Some(Status(status).to_string()),
            Self::Framing { length } => Some(length.to_string()),
            Self::Ordered(what) => Some(what.as_str().to_owned()),
            Self::ConnectTimeout
            | Self::BindTimeout
            | Self::PeerClosed
            | Self::NoEnquireAnswer
            | Self::NoSubmitAnswer
            | Self::PeerUnbound
            | Self::Drained => None,
        }
    }

    /// Who ended it.
    #[must_use]
    pub const fn by(self) -> By {
        match self {
            Self::ConnectFailed(_) | Self::ConnectTimeout | Self::Broken(_) => By::Network,
            Self::BindRefused { .. }
            | Self::PeerClosed
            | Self::PeerUnbound
            | Self::NotBound { .. }
            | Self::Tls(TlsFault::Refused | TlsFault::NotSpoken) => By::Peer,
            Self::Tls(TlsFault::Files | TlsFault::Untrusted | TlsFault::WrongName | TlsFault::Expired)
            | Self::Unlistenable(_)
            | Self::Settings(_)
            | Self::BindTimeout
            | Self::Framing { .. }
            | Self::NoEnquireAnswer
            | Self::NoSubmitAnswer
            | Self::Drained
            | Self::Ordered(_) => By::Us,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectFailed(kind) => write!(f, "no connection: {kind}"),
            Self::ConnectTimeout => f.write_str("no connection in time"),
            Self::Tls(fault) => write!(f, "no TLS: {fault}"),
            Self::Unlistenable(kind) => write!(f, "can't listen for the outbind: {kind}"),
            Self::Settings(error) => write!(f, "unusable settings: {error}"),
            Self::BindRefused { status } => write!(f, "bind refused with status {}", Status(*status)),
            Self::BindTimeout => f.write_str("bind not answered in time"),
            Self::PeerClosed => f.write_str("closed by the SMSC"),
            Self::Broken(kind) => write!(f, "connection broken: {kind}"),
            Self::Framing { length } => write!(f, "the SMSC announced a PDU of {length} octets"),
            Self::NoEnquireAnswer => f.write_str("enquire_link not answered in time"),
            Self::NoSubmitAnswer => f.write_str("no submit was answered in time for long"),
            Self::PeerUnbound => f.write_str("unbound by the SMSC"),
            Self::NotBound { status } => write!(f, "submit answered as unbound with status {}", Status(*status)),
            Self::Drained => f.write_str("drained"),
            Self::Ordered(what) => f.write_str(match what {
                Ordered::Drain => "drained by order",
                Ordered::Unbind => "unbound by order",
                Ordered::Rebind => "bound anew by order",
            }),
        }
    }
}

/// Why TLS could not be agreed on; the log says more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TlsFault {
    /// Our own files can't be used.
    Files,
    /// No known authority vouches for the SMSC's certificate.
    Untrusted,
    /// The SMSC's certificate is for another name.
    WrongName,
    /// The SMSC's certificate has expired.
    Expired,
    /// The SMSC refused, mostly because it wants a certificate of ours.
    Refused,
    /// The SMSC does not speak it, or no version of it that is safe.
    NotSpoken,
}

impl TlsFault {
    /// Every case.
    pub const ALL: [Self; 6] =
        [Self::Files, Self::Untrusted, Self::WrongName, Self::Expired, Self::Refused, Self::NotSpoken];

    /// The word used in documents and calls.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Untrusted => "untrusted",
            Self::WrongName => "wrong_name",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::NotSpoken => "not_spoken",
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Files => "our own certificate files can't be used",
            Self::Untrusted => "no known authority vouches for the SMSC's certificate",
            Self::WrongName => "the SMSC's certificate is for another name",
            Self::Expired => "the SMSC's certificate has expired",
            Self::Refused => "refused by the SMSC: it may want a certificate of ours",
            Self::NotSpoken => "the SMSC does not speak it",
        })
    }
}

/// The last time a link's connection, or an attempt at one, ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed {
    /// Why it ended.
    pub why: Why,
    /// When.
    pub at: Timestamp,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.why, self.at)
    }
}

/// One link, as it stands.
#[derive(Clone, Debug)]
pub struct LinkStatus {
    /// The link.
    pub name: LinkName,
    /// The SMSC it leads to.
    pub smsc: SmscName,
    /// Where it stands.
    pub state: LinkState,
    /// Since when.
    pub since: Timestamp,
    /// The end of its last connection or attempt.
    pub last_closed: Option<Closed>,
    /// The order that stands, until its time.
    pub ordered: Option<LinkOrder>,
    /// How long the SMSC took to answer the last `enquire_link`, which is asked only where nothing else is heard for a while.
    pub round_trip: Option<Duration>,
    /// How often connections, and attempts at one, ended, by who ended them and why ([`Why::as_str`]); only what happened.
    pub ends: Vec<(By, &'static str, u64)>,
    /// What it binds for.
    pub bind: Bind,
    /// Submits that may be unanswered at a time.
    pub window: usize,
    /// Most submits per second that it may send by its settings, 0 for no limit.
    pub rate: u32,
    /// Most submits per second that it allows itself since the SMSC asked to slow down; `None` while it is free.
    pub slowed_to: Option<u32>,
    /// How long it paused altogether because the SMSC asked to slow down.
    pub throttled_for: Duration,
    /// Submits that are unanswered now.
    pub in_flight: usize,
    /// Whether it pauses because the SMSC asked it to slow down.
    pub throttled: bool,
    /// What its last connection has shown that the SMSC can do with messages that it has.
    pub abilities: Abilities,
    /// What it did since the start.
    pub counts: LinkCounts,
    /// How long answers to submits took.
    pub answer_seconds: AnswerSeconds,
}

/// What a link did since the start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct LinkCounts {
    /// `submit_sm` PDUs sent, one for each part.
    pub submits: u64,
    /// Alerts of which every part was taken.
    pub accepted: u64,
    /// Alerts that the SMSC wants later.
    pub later: u64,
    /// Alerts refused for good.
    pub refused: u64,
    /// Alerts that never left.
    pub not_sent: u64,
    /// Alerts without an answer.
    pub in_doubt: u64,
    /// Answers after the response timeout.
    pub late_answers: u64,
    /// Receipts handed on.
    pub receipts: u64,
    /// Receipts among them whose text says another id or state than their optional parameters, which count.
    pub disagreeing_receipts: u64,
    /// Replies handed on.
    pub replies: u64,
    /// Messages from names and short numbers, acknowledged and dropped.
    pub ignored_replies: u64,
    /// Receipts and replies refused (`ESME_RX_T_APPN`) because too many were not acknowledged yet, or the link is closing.
    pub refused_inbound: u64,
    /// PDUs that could not be understood.
    pub bad_pdus: u64,
    /// Answers to nothing that was asked.
    pub unknown_answers: u64,
    /// Binds that succeeded.
    pub connects: u64,
    /// Bound connections that ended.
    pub disconnects: u64,
    /// Times the SMSC asked to slow down.
    pub throttles: u64,
    /// `query_sm`, `cancel_sm`, `replace_sm` and submits that replace, sent.
    pub updates: u64,
}

/// How long answers took, as a histogram.
#[derive(Clone, PartialEq, Debug)]
pub struct AnswerSeconds {
    /// Upper bounds of the buckets, in seconds, rising.
    pub bounds: &'static [f64],
    /// The same in milliseconds.
    pub bounds_ms: &'static [u64],
    /// Answers in each bucket (not cumulated), and last those above all bounds.
    pub counts: Vec<u64>,
    /// Sum of all, in seconds.
    pub sum: f64,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own_and_somebody_who_did_it() {
        let kind = io::ErrorKind::Other;
        let all = [
            (Why::ConnectFailed(kind), "connect_failed", By::Network),
            (Why::ConnectTimeout, "connect_timeout", By::Network),
            (Why::Tls(TlsFault::Untrusted), "tls", By::Us),
            (Why::Tls(TlsFault::Refused), "tls", By::Peer),
            (Why::Unlistenable(kind), "unlistenable", By::Us),
            (Why::Settings(SettingsError::SystemId), "settings", By::Us),
            (Why::BindRefused { status: 1 }, "bind_refused", By::Peer),
            (Why::BindTimeout, "bind_timeout", By::Us),
            (Why::PeerClosed, "peer_closed", By::Peer),
            (Why::Broken(kind), "broken", By::Network),
            (Why::Framing { length: 1 }, "framing", By::Us),
            (Why::NoEnquireAnswer, "no_enquire_answer", By::Us),
            (Why::NoSubmitAnswer, "no_submit_answer", By::Us),
            (Why::PeerUnbound, "peer_unbound", By::Peer),
            (Why::NotBound { status: 4 }, "not_bound", By::Peer),
            (Why::Drained, "drained", By::Us),
            (Why::Ordered(Ordered::Unbind), "ordered", By::Us),
        ];
        for (why, word, by) in all {
            assert_eq!((why.as_str(), why.by()), (word, by), "{why:?}");
        }
        assert_eq!(all.iter().map(|(why, ..)| why.as_str()).collect::<HashSet<_>>(), HashSet::from(Why::WORDS));
    }
}
