//! When a link connects, binds, asks whether its peer lives, drains and gives up: a pure machine.

use std::time::Duration;

use tokio::time::Instant;

use crate::settings::LinkSettings;
use crate::state::Why;
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
///      ▲                                   │                             │
///      └──────── Failed, PeerUnbind ───────┴─────────────────────────────┘
///   Down, Connecting, Awaiting and Binding close at once on Drain.
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
    Draining { until: Instant },
    /// The unbind is on its way.
    Unbinding { until: Instant },
    /// Ended for good.
    Closed { why: Why },
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

/// The link's delays, and a number from 0 to 1000 by which this event's wait is spread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    pub(crate) settings: &'a LinkSettings,
    pub(crate) jitter: u16,
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

    /// When the next [`Event::Tick`] is due; `None` when none ever is.
    pub(crate) fn wakes_at(&self, settings: &LinkSettings) -> Option<Instant> {
        match *self {
            Self::Down { until, .. }
            | Self::Connecting { until, .. }
            | Self::Binding { until, .. }
            | Self::Parting { until, .. }
            | Self::Draining { until }
            | Self::Unbinding { until } => Some(until),
            Self::Bound { heard, enquired, .. } => Some(enquired.unwrap_or(heard + settings.enquire_interval)),
            Self::Awaiting { .. } | Self::Closed { .. } => None,
        }
    }

    /// What follows from an event; an event that can't happen in a state changes nothing.
    pub(crate) fn on(self, event: Event, now: Instant, policy: Policy<'_>) -> (Self, Action) {
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
            Self::Draining { until } => match event {
                Event::Settled => (Self::Unbinding { until: now + UNBIND_WAIT }, Action::Unbind),
                Event::Tick if now >= until => (Self::Unbinding { until: now + UNBIND_WAIT }, Action::Unbind),
                Event::Failed(why) => (Self::Closed { why }, Action::HangUp),
                // It is answered in place of our own unbind.
                Event::PeerUnbind => (Self::Draining { until: until.min(now + PARTING_WAIT) }, Action::None),
                _ => (self, Action::None),
            },
            Self::Unbinding { until } => match event {
                Event::UnbindAnswered | Event::Failed(_) => (Self::Closed { why: Why::Drained }, Action::HangUp),
                Event::PeerUnbind => (Self::Closed { why: Why::Drained }, Action::Part),
                Event::Tick if now >= until => (Self::Closed { why: Why::Drained }, Action::HangUp),
                _ => (self, Action::None),
            },
            Self::Closed { .. } => (self, Action::None),
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
            Event::Drain(until) => (Self::Draining { until }, Action::None),
            Event::Tick => match enquired {
                Some(until) if now >= until => policy.down(Why::NoEnquireAnswer, failures, now),
                None if now >= heard + policy.settings.enquire_interval => {
                    let until = now + policy.settings.enquire_timeout;
                    (Self::Bound { since, heard, enquired: Some(until), failures }, Action::Enquire)
                }
                Some(_) | None => (self, Action::None),
            },
            Event::Connected | Event::BindAnswered(_) | Event::UnbindAnswered | Event::Settled => (self, Action::None),
        }
    }
}

impl Policy<'_> {
    fn down(self, why: Why, failures: u32, now: Instant) -> (Session, Action) {
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
    fn events(now: Instant) -> [Event; 11] {
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
            Event::Settled,
            Event::Tick,
        ]
    }

    #[test]
    fn every_event_in_every_state_leads_where_the_diagram_says() {
        let settings = crate::settings_for_tests();
        let (now, jitter) = (Instant::now(), 1000);
        let policy = Policy { settings: &settings, jitter };
        let down = |why, wait| (Session::Down { until: now + wait, why, failures: 1 }, Action::HangUp);
        let closed = |why| (Session::Closed { why }, Action::HangUp);
        let parting = |why| (Session::Parting { until: now + PARTING_WAIT, why, failures: 0 }, Action::None);
        let first = settings.reconnect_min;
        let (until, failures) = (now, 0);
        for state in [
            Session::Down { until, why: Why::BindTimeout, failures },
            Session::Connecting { until, failures },
            Session::Awaiting { failures },
            Session::Binding { until, failures },
            Session::Bound { since: now, heard: now - settings.enquire_interval, enquired: None, failures },
            Session::Bound { since: now, heard: now, enquired: Some(now), failures },
            Session::Parting { until, why: Why::PeerUnbound, failures },
            Session::Parting { until, why: Why::NotBound { status: 4 }, failures },
            Session::Draining { until },
            Session::Unbinding { until },
            Session::Closed { why: Why::Drained },
        ] {
            for event in events(now) {
                let expected = match (state, event) {
                    (Session::Down { .. }, Event::Tick) => {
                        (Session::Connecting { until: now + settings.bind_timeout, failures }, Action::Connect)
                    }
                    (Session::Down { why, .. }, Event::Drain(_)) => (Session::Closed { why }, Action::None),
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
                    (Session::Bound { .. }, Event::Drain(until)) => (Session::Draining { until }, Action::None),
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
                        | Session::Bound { .. },
                        Event::Failed(why),
                    ) => down(why, first),
                    (Session::Draining { .. }, Event::Settled | Event::Tick) => {
                        (Session::Unbinding { until: now + UNBIND_WAIT }, Action::Unbind)
                    }
                    (Session::Draining { .. }, Event::Failed(why)) => closed(why),
                    (Session::Unbinding { .. }, Event::PeerUnbind) => (closed(Why::Drained).0, Action::Part),
                    (
                        Session::Connecting { .. } | Session::Awaiting { .. } | Session::Binding { .. },
                        Event::Drain(_),
                    )
                    | (Session::Unbinding { .. }, Event::UnbindAnswered | Event::Failed(_) | Event::Tick) => {
                        closed(Why::Drained)
                    }
                    _ => (state, Action::None),
                };
                assert_eq!(state.on(event, now, policy), expected, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn a_link_that_the_smsc_connects_to_awaits_it_again_after_every_end() {
        let mut settings = crate::settings_for_tests();
        settings.outbind = Some(([127, 0, 0, 1], 2775).into());
        let now = Instant::now();
        let policy = Policy { settings: &settings, jitter: 0 };
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
            Session::Draining { until },
            Session::Unbinding { until },
        ] {
            assert!(state.wakes_at(&settings).unwrap() > now);
            assert_eq!(state.on(Event::Tick, now, Policy { settings: &settings, jitter: 0 }), (state, Action::None));
        }
    }

    #[test]
    fn waits_double_up_to_their_limit_and_a_lasting_refusal_has_its_own() {
        let mut settings = crate::settings_for_tests();
        (settings.reconnect_min, settings.reconnect_max) = (SECOND, 10 * SECOND);
        settings.refused_wait = 60 * SECOND;
        let wait = |why, failures, jitter| Policy { settings: &settings, jitter }.wait(why, failures).as_millis();
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
        let policy = Policy { settings: &settings, jitter: 1000 };
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
