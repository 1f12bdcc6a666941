//! When a link connects, binds, asks whether its peer lives, drains, stays away and gives up: a pure machine.

use std::time::Duration;

use tokio::time::Instant;

use crate::settings::LinkSettings;
use crate::state::{Ordered, Why};
use crate::status::{self, Refusal};

/// How long a peer may take to answer an unbind before the connection is closed all the same.
const UNBIND_WAIT: Duration = Duration::from_secs(1);

/// How long answers are awaited of a peer that unbinds: what it still says of submits is not in doubt.
const PARTING_WAIT: Duration = Duration::from_secs(2);

/// How long a session lasts that has proved itself: the next loss is the first again.
const STEADY: Duration = Duration::from_secs(10);

/// Where a link stands.
///
/// ```text
///            Tick                Connected            BindAnswered(ok)
///   Down ───────────▶ Connecting ───────────▶ Binding ───────────────▶ Bound ◀─┐ Heard, Tick (enquire)
///    ▲ └────────────▶ Awaiting (outbind) ────────▲                       │  └───┘
///    │   Failed, Tick    │                      │ refused, Tick,         │ Failed,
///    └───────────────────┴──────────────────────┴────────────────────────┤ no answer to the enquiry
///    └──── Parting ◀──────────────── PeerUnbind, NotServed ──────────────┤
///                                                                        │ Drain
///   Closed ◀── UnbindAnswered, Tick ── Unbinding ◀── Settled, Tick ── Draining
///      ▲                                │  │                             │
///      └──────── Failed, PeerUnbind ────│──┴─────────────────────────────┘
///   Down, Connecting, Awaiting, Binding and Away close at once on Drain.
///
///   An operator's order: Bound ── drain, rebind ──▶ Draining, Bound ── unbind ──▶ Unbinding; from there, once the connection has ended,
///   Away ── Tick at its time, rebind ──▶ Connecting, and after a rebind Down, whose wait is over. Without a connection it is Away at once.
///   While an order stands, every connection that ends, for whatever reason, ends in Away: a peer that unbinds may finish (Parting).
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Session {
    /// Not connected, and not to be before `until`.
    Down { until: Instant, why: Why, failures: u32 },
    /// A connection is being made.
    Connecting { until: Instant, failures: u32 },
    /// The SMSC is to connect, and to say so by an outbind.
    Awaiting { failures: u32 },
    /// The bind is on its way.
    Binding { until: Instant, failures: u32 },
    /// In service; `enquired` holds the time by which something must be heard.
    Bound { since: Instant, heard: Instant, enquired: Option<Instant>, failures: u32 },
    /// The peer unbinds, or serves us no more: no new orders; what was sent may still be answered, then its unbind is.
    Parting { until: Instant, why: Why, failures: u32 },
    /// No new orders; what was sent may still be answered.
    Draining { until: Instant, then: Then },
    /// The unbind is on its way.
    Unbinding { until: Instant, then: Then },
    /// Not connected by an operator's order, and not to be before `until`.
    Away { until: Instant, why: Why },
    /// Ended for good.
    Closed { why: Why },
}

/// What follows a connection that we end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    /// Nothing, ever.
    Close,
    /// What an operator ordered.
    Obey(Ordered),
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// The connection stands.
    Connected,
    /// The connection failed or must end.
    Failed(Why),
    /// The bind was answered with this `command_status`.
    BindAnswered(u32),
    /// A PDU arrived.
    Heard,
    /// The peer asked to unbind.
    PeerUnbind,
    /// The peer answered a submit as if we were not bound, with this `command_status`.
    NotServed(u32),
    /// The peer answered our unbind.
    UnbindAnswered,
    /// The link is to close, giving answers until then.
    Drain(Instant),
    /// An operator ordered this; [`Policy::away`] says until when.
    Ordered(Ordered),
    /// While draining or parting: nothing is unanswered any more.
    Settled,
    /// Time passed.
    Tick,
}

/// What the link is to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Nothing.
    None,
    /// Make a connection.
    Connect,
    /// Send the bind.
    Bind,
    /// Send an `enquire_link`.
    Enquire,
    /// Give up what is unanswered, and send the unbind.
    Unbind,
    /// Answer the peer's unbind, and close the connection.
    Part,
    /// Close the connection.
    HangUp,
}

/// The link's delays, a number from 0 to 1000 by which this event's wait is spread, and until when an operator's order keeps it away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    pub(crate) settings: &'a LinkSettings,
    pub(crate) jitter: u16,
    pub(crate) away: Option<Instant>,
}

impl Session {
    /// The state of a link that was just started.
    pub(crate) fn start(now: Instant, settings: &LinkSettings) -> Self {
        Self::connecting(now, settings, 0)
    }

    fn connecting(now: Instant, settings: &LinkSettings, failures: u32) -> Self {
        match settings.outbind {
            None => Self::Connecting { until: now + settings.bind_timeout, failures },
            Some(_) => Self::Awaiting { failures },
        }
    }

    /// Why there is no connection, where there is none.
    pub(crate) const fn why(&self) -> Option<Why> {
        match *self {
            Self::Down { why, .. } | Self::Away { why, .. } | Self::Closed { why } => Some(why),
            Self::Connecting { .. }
            | Self::Awaiting { .. }
            | Self::Binding { .. }
            | Self::Bound { .. }
            | Self::Parting { .. }
            | Self::Draining { .. }
            | Self::Unbinding { .. } => None,
        }
    }

    /// Until when an order keeps the link away, while it does.
    pub(crate) const fn is_away_until(&self) -> Option<Instant> {
        if let Self::Away { until, .. } = *self { Some(until) } else { None }
    }

    /// When the next [`Event::Tick`] is due; `None` when none ever is.
    pub(crate) fn wakes_at(&self, settings: &LinkSettings) -> Option<Instant> {
        match *self {
            Self::Down { until, .. }
            | Self::Connecting { until, .. }
            | Self::Binding { until, .. }
            | Self::Parting { until, .. }
            | Self::Draining { until, .. }
            | Self::Unbinding { until, .. }
            | Self::Away { until, .. } => Some(until),
            Self::Bound { heard, enquired, .. } => Some(enquired.unwrap_or(heard + settings.enquire_interval)),
            Self::Awaiting { .. } | Self::Closed { .. } => None,
        }
    }

    /// What follows from an event; an event that can't happen in a state changes nothing.
    pub(crate) fn on(self, event: Event, now: Instant, policy: Policy<'_>) -> (Self, Action) {
        match event {
            Event::Ordered(what) => self.on_order(what, now, policy),
            _ => self.on_happening(event, now, policy),
        }
    }

    fn on_happening(self, event: Event, now: Instant, policy: Policy<'_>) -> (Self, Action) {
        match self {
            Self::Down { until, why, failures } => match event {
                Event::Tick if now >= until => (Self::connecting(now, policy.settings, failures), Action::Connect),
                Event::Drain(_) => (Self::Closed { why }, Action::None),
                _ => (self, Action::None),
            },
            Self::Connecting { until, failures } => match event {
                Event::Connected => {
                    (Self::Binding { until: now + policy.settings.bind_timeout, failures }, Action::Bind)
                }
                Event::Failed(why) => policy.down(why, failures, now),
                Event::Tick if now >= until => policy.down(Why::ConnectTimeout, failures, now),
                Event::Drain(_) => (Self::Closed { why: Why::Drained }, Action::HangUp),
                _ => (self, Action::None),
            },
            Self::Awaiting { failures } => match event {
                Event::Connected => {
                    (Self::Binding { until: now + policy.settings.bind_timeout, failures }, Action::Bind)
                }
                Event::Failed(why) => policy.down(why, failures, now),
                Event::Drain(_) => (Self::Closed { why: Why::Drained }, Action::HangUp),
                _ => (self, Action::None),
            },
            Self::Binding { until, failures } => match event {
                Event::BindAnswered(status::ROK) => {
                    (Self::Bound { since: now, heard: now, enquired: None, failures }, Action::None)
                }
                Event::BindAnswered(status) => policy.down(Why::BindRefused { status }, failures, now),
                Event::Failed(why) => policy.down(why, failures, now),
                Event::PeerUnbind => policy.part(Why::PeerUnbound, failures, now),
                Event::Tick if now >= until => policy.down(Why::BindTimeout, failures, now),
                Event::Drain(_) => (Self::Closed { why: Why::Drained }, Action::HangUp),
                _ => (self, Action::None),
            },
            Self::Bound { .. } => self.on_bound(event, now, policy),
            Self::Parting { until, why, failures } => match event {
                Event::Settled => policy.part(why, failures, now),
                Event::Tick if now >= until => policy.part(why, failures, now),
                Event::Failed(_) => policy.down(why, failures, now),
                Event::Drain(_) => (Self::Closed { why }, Action::Part),
                _ => (self, Action::None),
            },
            Self::Draining { until, then } => match event {
                Event::Settled => (Self::Unbinding { until: now + UNBIND_WAIT, then }, Action::Unbind),
                Event::Tick if now >= until => (Self::Unbinding { until: now + UNBIND_WAIT, then }, Action::Unbind),
                Event::Failed(why) => match then {
                    Then::Close => (Self::Closed { why }, Action::HangUp),
                    Then::Obey(_) => policy.down(why, 0, now),
                },
                // It is answered in place of our own unbind.
                Event::PeerUnbind => (Self::Draining { until: until.min(now + PARTING_WAIT), then }, Action::None),
                Event::Drain(deadline) => {
                    (Self::Draining { until: until.min(deadline), then: Then::Close }, Action::None)
                }
                _ => (self, Action::None),
            },
            Self::Unbinding { until, then } => match event {
                Event::UnbindAnswered | Event::Failed(_) => (policy.left(then, now), Action::HangUp),
                Event::PeerUnbind => (policy.left(then, now), Action::Part),
                Event::Tick if now >= until => (policy.left(then, now), Action::HangUp),
                Event::Drain(_) => (Self::Unbinding { until, then: Then::Close }, Action::None),
                _ => (self, Action::None),
            },
            Self::Away { until, why } => match event {
                Event::Tick if now >= until => (Self::connecting(now, policy.settings, 0), Action::Connect),
                Event::Drain(_) => (Self::Closed { why }, Action::None),
                _ => (self, Action::None),
            },
            Self::Closed { .. } => (self, Action::None),
        }
    }

    /// An operator's order. A rebind lifts the back-off, and gives what is on its way the time that a peer which unbinds has.
    fn on_order(self, what: Ordered, now: Instant, policy: Policy<'_>) -> (Self, Action) {
        let then = Then::Obey(what);
        let away = policy.away.map(|until| Self::Away { until, why: Why::Ordered(what) });
        let again = Self::Down { until: now, why: Why::Ordered(what), failures: 0 };
        match self {
            Self::Down { why, .. } | Self::Away { why, .. } => match policy.away {
                Some(until) => (Self::Away { until, why }, Action::None),
                None => (Self::connecting(now, policy.settings, 0), Action::Connect),
            },
            Self::Connecting { until, .. } => match away {
                Some(away) => (away, Action::HangUp),
                None => (Self::Connecting { until, failures: 0 }, Action::None),
            },
            Self::Awaiting { .. } => match away {
                Some(away) => (away, Action::HangUp),
                None => (Self::Awaiting { failures: 0 }, Action::None),
            },
            Self::Binding { .. } => (away.unwrap_or(again), Action::HangUp),
            Self::Bound { .. } => match what {
                Ordered::Drain => {
                    (Self::Draining { until: now + policy.settings.response_timeout, then }, Action::None)
                }
                Ordered::Rebind => (Self::Draining { until: now + PARTING_WAIT, then }, Action::None),
                Ordered::Unbind => (Self::Unbinding { until: now + UNBIND_WAIT, then }, Action::Unbind),
            },
            // It ends within moments, and then obeys.
            Self::Parting { until, why, .. } => (Self::Parting { until, why, failures: 0 }, Action::None),
            Self::Draining { until, then: Then::Obey(_) } => match what {
                Ordered::Drain => (Self::Draining { until, then }, Action::None),
                Ordered::Rebind => (Self::Draining { until: until.min(now + PARTING_WAIT), then }, Action::None),
                Ordered::Unbind => (Self::Unbinding { until: now + UNBIND_WAIT, then }, Action::Unbind),
            },
            Self::Unbinding { until, then: Then::Obey(_) } => (Self::Unbinding { until, then }, Action::None),
            Self::Draining { then: Then::Close, .. }
            | Self::Unbinding { then: Then::Close, .. }
            | Self::Closed { .. } => (self, Action::None),
        }
    }

    fn parting(why: Why, failures: u32, now: Instant) -> (Self, Action) {
        (Self::Parting { until: now + PARTING_WAIT, why, failures }, Action::None)
    }

    fn on_bound(self, event: Event, now: Instant, policy: Policy<'_>) -> (Self, Action) {
        let Self::Bound { since, heard, enquired, failures } = self else { return (self, Action::None) };
        match event {
            // Only a peer that goes on talking for a while has proved itself; one that binds and fails again is waited for longer each time.
            Event::Heard => {
                let failures = if now.saturating_duration_since(since) >= STEADY { 0 } else { failures };
                (Self::Bound { since, heard: now, enquired: None, failures }, Action::None)
            }
            Event::Failed(why) => policy.down(why, failures, now),
            Event::PeerUnbind => Self::parting(Why::PeerUnbound, failures, now),
            Event::NotServed(status) => Self::parting(Why::NotBound { status }, failures, now),
            Event::Drain(until) => (Self::Draining { until, then: Then::Close }, Action::None),
            Event::Tick => match enquired {
                Some(until) if now >= until => policy.down(Why::NoEnquireAnswer, failures, now),
                None if now >= heard + policy.settings.enquire_interval => {
                    let until = now + policy.settings.enquire_timeout;
                    (Self::Bound { since, heard, enquired: Some(until), failures }, Action::Enquire)
                }
                Some(_) | None => (self, Action::None),
            },
            Event::Connected | Event::BindAnswered(_) | Event::UnbindAnswered | Event::Settled | Event::Ordered(_) => {
                (self, Action::None)
            }
        }
    }
}

impl Policy<'_> {
    /// The connection that we ended is gone.
    fn left(self, then: Then, now: Instant) -> Session {
        match then {
            Then::Close => Session::Closed { why: Why::Drained },
            Then::Obey(what) => {
                let why = Why::Ordered(what);
                match self.away {
                    Some(until) => Session::Away { until, why },
                    None => Session::Down { until: now, why, failures: 0 },
                }
            }
        }
    }

    fn down(self, why: Why, failures: u32, now: Instant) -> (Session, Action) {
        if let Some(until) = self.away {
            return (Session::Away { until, why }, Action::HangUp);
        }
        let until = now + self.wait(why, failures);
        (Session::Down { until, why, failures: failures.saturating_add(1) }, Action::HangUp)
    }

    fn part(self, why: Why, failures: u32, now: Instant) -> (Session, Action) {
        (self.down(why, failures, now).0, Action::Part)
    }

    /// Doubles from `reconnect_min` to `reconnect_max`, of which the upper half is left to the jitter, so that links lost together don't come back together.
    fn wait(self, why: Why, failures: u32) -> Duration {
        let longest = match why.refusal() {
            Refusal::Lasting => return self.settings.refused_wait,
            Refusal::Perhaps => self.settings.refused_wait,
            Refusal::Passing => self.settings.reconnect_max,
        };
        let doubled = self.settings.reconnect_min.saturating_mul(1 << failures.min(16)).min(longest);
        let half = doubled / 2;
        half + half * u32::from(self.jitter.min(1000)) / 1000
    }
}

/// Numbers that spread waits: `SplitMix64`.
#[derive(Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to 1000.
    pub(crate) fn permille(&mut self) -> u16 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u16::try_from((bits ^ (bits >> 31)) % 1001).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Every event, each pair with every state below; ticks come after all deadlines, and none before them.
    fn events(now: Instant) -> [Event; 14] {
        [
            Event::Connected,
            Event::Failed(Why::PeerClosed),
            Event::BindAnswered(0),
            Event::BindAnswered(0x0e),
            Event::Heard,
            Event::PeerUnbind,
            Event::NotServed(4),
            Event::UnbindAnswered,
            Event::Drain(now + 9 * SECOND),
            Event::Ordered(Ordered::Drain),
            Event::Ordered(Ordered::Unbind),
            Event::Ordered(Ordered::Rebind),
            Event::Settled,
            Event::Tick,
        ]
    }

    fn states(now: Instant, settings: &LinkSettings) -> Vec<Session> {
        let (until, failures) = (now, 0);
        let obeying = [Ordered::Drain, Ordered::Unbind, Ordered::Rebind].map(Then::Obey);
        let ends = [Then::Close].into_iter().chain(obeying);
        let mut states = vec![
            Session::Down { until, why: Why::BindTimeout, failures },
            Session::Connecting { until, failures },
            Session::Awaiting { failures },
            Session::Binding { until, failures },
            Session::Bound { since: now, heard: now - settings.enquire_interval, enquired: None, failures },
            Session::Bound { since: now, heard: now, enquired: Some(now), failures },
            Session::Parting { until, why: Why::PeerUnbound, failures },
            Session::Parting { until, why: Why::NotBound { status: 4 }, failures },
            Session::Away { until, why: Why::BindTimeout },
            Session::Closed { why: Why::Drained },
        ];
        states.extend(ends.flat_map(|then| [Session::Draining { until, then }, Session::Unbinding { until, then }]));
        states
    }

    #[test]
    fn every_event_in_every_state_leads_where_the_diagram_says() {
        let settings = crate::settings_for_tests();
        let now = Instant::now();
        // An order that keeps the link away says so in the policy; a rebind doesn't.
        for away in [None, Some(now + 60 * SECOND)] {
            let policy = Policy { settings: &settings, jitter: 1000, away };
            for state in states(now, &settings) {
                for event in events(now) {
                    let expected = match event {
                        Event::Ordered(what) if (what == Ordered::Rebind) == away.is_none() => {
                            ordered(state, what, now, policy)
                        }
                        // Such a pair of order and policy there is not.
                        Event::Ordered(_) => continue,
                        _ => happened(state, event, now, policy),
                    };
                    assert_eq!(state.on(event, now, policy), expected, "{state:?} {event:?} {away:?}");
                }
            }
        }
    }

    fn happened(state: Session, event: Event, now: Instant, policy: Policy<'_>) -> (Session, Action) {
        let settings = policy.settings;
        let failures = 0;
        let down = |why, wait| match policy.away {
            None => (Session::Down { until: now + wait, why, failures: 1 }, Action::HangUp),
            Some(until) => (Session::Away { until, why }, Action::HangUp),
        };
        let closed = |why| (Session::Closed { why }, Action::HangUp);
        let parting = |why| (Session::Parting { until: now + PARTING_WAIT, why, failures: 0 }, Action::None);
        let connecting = (Session::Connecting { until: now + settings.bind_timeout, failures }, Action::Connect);
        let first = settings.reconnect_min;
        match (state, event) {
            (Session::Down { .. } | Session::Away { .. }, Event::Tick) => connecting,
            (Session::Down { why, .. } | Session::Away { why, .. }, Event::Drain(_)) => {
                (Session::Closed { why }, Action::None)
            }
            (Session::Connecting { .. } | Session::Awaiting { .. }, Event::Connected) => {
                (Session::Binding { until: now + settings.bind_timeout, failures }, Action::Bind)
            }
            (Session::Connecting { .. }, Event::Tick) => down(Why::ConnectTimeout, first),
            (Session::Binding { .. }, Event::BindAnswered(0)) | (Session::Bound { .. }, Event::Heard) => {
                (Session::Bound { since: now, heard: now, enquired: None, failures }, Action::None)
            }
            (Session::Binding { .. }, Event::BindAnswered(status)) => {
                down(Why::BindRefused { status }, settings.refused_wait)
            }
            (Session::Binding { .. }, Event::Tick) => down(Why::BindTimeout, first),
            (Session::Bound { .. }, Event::Drain(until)) | (Session::Draining { until, .. }, Event::Drain(_)) => {
                (Session::Draining { until, then: Then::Close }, Action::None)
            }
            (Session::Bound { since, heard, enquired: None, .. }, Event::Tick) => {
                let enquired = Some(now + settings.enquire_timeout);
                (Session::Bound { since, heard, enquired, failures }, Action::Enquire)
            }
            (Session::Bound { .. }, Event::Tick) => down(Why::NoEnquireAnswer, first),
            (Session::Bound { .. }, Event::PeerUnbind) => parting(Why::PeerUnbound),
            (Session::Bound { .. }, Event::NotServed(status)) => parting(Why::NotBound { status }),
            (Session::Binding { .. }, Event::PeerUnbind) => (down(Why::PeerUnbound, first).0, Action::Part),
            (Session::Parting { why, .. }, Event::Settled | Event::Tick) => (down(why, first).0, Action::Part),
            (Session::Parting { why, .. }, Event::Drain(_)) => (closed(why).0, Action::Part),
            (Session::Parting { why, .. }, Event::Failed(_))
            | (
                Session::Connecting { .. }
                | Session::Awaiting { .. }
                | Session::Binding { .. }
                | Session::Bound { .. }
                | Session::Draining { then: Then::Obey(_), .. },
                Event::Failed(why),
            ) => down(why, first),
            (Session::Draining { then, .. }, Event::Settled | Event::Tick) => {
                (Session::Unbinding { until: now + UNBIND_WAIT, then }, Action::Unbind)
            }
            (Session::Draining { then: Then::Close, .. }, Event::Failed(why)) => closed(why),
            (Session::Unbinding { until, .. }, Event::Drain(_)) => {
                (Session::Unbinding { until, then: Then::Close }, Action::None)
            }
            (Session::Unbinding { then, .. }, Event::PeerUnbind) => (left(then, now, policy), Action::Part),
            (Session::Unbinding { then, .. }, Event::UnbindAnswered | Event::Failed(_) | Event::Tick) => {
                (left(then, now, policy), Action::HangUp)
            }
            (Session::Connecting { .. } | Session::Awaiting { .. } | Session::Binding { .. }, Event::Drain(_)) => {
                closed(Why::Drained)
            }
            _ => (state, Action::None),
        }
    }

    fn left(then: Then, now: Instant, policy: Policy<'_>) -> Session {
        match (then, policy.away) {
            (Then::Close, _) => Session::Closed { why: Why::Drained },
            (Then::Obey(what), Some(until)) => Session::Away { until, why: Why::Ordered(what) },
            (Then::Obey(what), None) => Session::Down { until: now, why: Why::Ordered(what), failures: 0 },
        }
    }

    fn ordered(state: Session, what: Ordered, now: Instant, policy: Policy<'_>) -> (Session, Action) {
        let then = Then::Obey(what);
        let unbinding = (Session::Unbinding { until: now + UNBIND_WAIT, then }, Action::Unbind);
        match (state, policy.away) {
            (Session::Down { why, .. } | Session::Away { why, .. }, Some(until)) => {
                (Session::Away { until, why }, Action::None)
            }
            (Session::Down { .. } | Session::Away { .. }, None) => {
                let until = now + policy.settings.bind_timeout;
                (Session::Connecting { until, failures: 0 }, Action::Connect)
            }
            (Session::Connecting { .. } | Session::Awaiting { .. }, Some(_)) | (Session::Binding { .. }, _) => {
                (left(then, now, policy), Action::HangUp)
            }
            (Session::Bound { .. }, _) => match what {
                Ordered::Drain => {
                    (Session::Draining { until: now + policy.settings.response_timeout, then }, Action::None)
                }
                Ordered::Unbind => unbinding,
                Ordered::Rebind => (Session::Draining { until: now + PARTING_WAIT, then }, Action::None),
            },
            (Session::Draining { then: Then::Obey(_), .. }, _) if what == Ordered::Unbind => unbinding,
            (Session::Draining { until, then: Then::Obey(_) }, _) => (Session::Draining { until, then }, Action::None),
            (Session::Unbinding { until, then: Then::Obey(_) }, _) => {
                (Session::Unbinding { until, then }, Action::None)
            }
            _ => (state, Action::None),
        }
    }

    #[test]
    fn an_order_that_ran_out_while_the_link_left_lets_it_bind_at_once() {
        let settings = crate::settings_for_tests();
        let now = Instant::now();
        let policy = Policy { settings: &settings, jitter: 0, away: Some(now - SECOND) };
        let leaving = Session::Unbinding { until: now, then: Then::Obey(Ordered::Drain) };
        let (away, _) = leaving.on(Event::UnbindAnswered, now, policy);
        assert_eq!(away.wakes_at(&settings), Some(now - SECOND));
        assert!(matches!(away.on(Event::Tick, now, policy).0, Session::Connecting { failures: 0, .. }));
    }

    #[test]
    fn a_link_that_the_smsc_connects_to_awaits_it_again_after_every_end() {
        let mut settings = crate::settings_for_tests();
        settings.outbind = Some(([127, 0, 0, 1], 2775).into());
        let now = Instant::now();
        let policy = Policy { settings: &settings, jitter: 0, away: None };
        assert_eq!(Session::start(now, &settings), Session::Awaiting { failures: 0 });
        assert_eq!(Session::Awaiting { failures: 0 }.wakes_at(&settings), None);
        let down = Session::Down { until: now, why: Why::PeerClosed, failures: 2 };
        assert_eq!(down.on(Event::Tick, now, policy), (Session::Awaiting { failures: 2 }, Action::Connect));
    }

    #[test]
    fn a_tick_before_its_time_changes_nothing() {
        let settings = crate::settings_for_tests();
        let now = Instant::now();
        let until = now + SECOND;
        for state in [
            Session::Down { until, why: Why::BindTimeout, failures: 3 },
            Session::Connecting { until, failures: 3 },
            Session::Binding { until, failures: 3 },
            Session::Bound { since: now, heard: now, enquired: None, failures: 3 },
            Session::Bound { since: now, heard: now, enquired: Some(until), failures: 3 },
            Session::Parting { until, why: Why::PeerUnbound, failures: 3 },
            Session::Draining { until, then: Then::Close },
            Session::Unbinding { until, then: Then::Obey(Ordered::Drain) },
            Session::Away { until, why: Why::PeerClosed },
        ] {
            assert!(state.wakes_at(&settings).unwrap() > now);
            assert_eq!(
                state.on(Event::Tick, now, Policy { settings: &settings, jitter: 0, away: None }),
                (state, Action::None)
            );
        }
    }

    #[test]
    fn waits_double_up_to_their_limit_and_a_lasting_refusal_has_its_own() {
        let mut settings = crate::settings_for_tests();
        (settings.reconnect_min, settings.reconnect_max) = (SECOND, 10 * SECOND);
        settings.refused_wait = 60 * SECOND;
        let wait =
            |why, failures, jitter| Policy { settings: &settings, jitter, away: None }.wait(why, failures).as_millis();
        let waits = [0, 1, 2, 3, 4, 40].map(|failures| wait(Why::PeerClosed, failures, 1000));
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(wait(Why::PeerClosed, 3, 0), 4_000);
        assert_eq!(wait(Why::BindRefused { status: 0x0e }, 0, 0), 60_000);
        assert_eq!(wait(Why::BindRefused { status: 0x08 }, 0, 1000), 1_000);
        let waits = [0, 3, 5, 6, 40].map(|failures| wait(Why::BindRefused { status: 0x05 }, failures, 1000));
        assert_eq!(waits, [1_000, 8_000, 32_000, 60_000, 60_000]);
    }

    #[test]
    fn a_peer_that_fails_soon_after_each_bind_is_waited_for_longer_each_time() {
        let settings = crate::settings_for_tests();
        let policy = Policy { settings: &settings, jitter: 1000, away: None };
        let now = Instant::now();
        let (bound, _) = Session::Binding { until: now, failures: 3 }.on(Event::BindAnswered(0), now, policy);
        let (lost, _) = bound.on(Event::Failed(Why::PeerClosed), now, policy);
        assert!(matches!(lost, Session::Down { failures: 4, .. }));
        for (lasted, failures) in [(STEADY - SECOND, 4), (STEADY, 1)] {
            let (heard, _) = bound.on(Event::Heard, now + lasted, policy);
            let (lost, _) = heard.on(Event::Failed(Why::PeerClosed), now + lasted, policy);
            assert!(matches!(lost, Session::Down { failures: found, .. } if found == failures), "{lasted:?}");
        }
    }
}
