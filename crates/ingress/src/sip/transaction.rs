//! A server transaction over an unreliable transport: values in, octets and deadlines out (RFC 3261 §17.2, RFC 6026 §7.1).

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::response::{Answer, Echo};

/// The timers of a transaction (RFC 3261 §17, table 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// T1, the round-trip time: 500 ms. G begins with it; H and J are 64 of it.
    pub t1: Duration,
    /// T2, the longest time between repeats of a final response: 4 s.
    pub t2: Duration,
    /// T4, how long a message may live in the network: 5 s. Timer I.
    pub t4: Duration,
    /// How long an INVITE may wait for its final response before it gets a 100: 200 ms (RFC 3261 §17.2.1).
    pub trying_after: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            trying_after: Duration::from_millis(200),
        }
    }
}

impl Timers {
    const fn abandon_after(self) -> Duration {
        self.t1.saturating_mul(64)
    }
}

/// Where a transaction is.
///
/// ```text
///              INVITE                                      other methods
///                │                                              │
///  200 ms: 100 ┌─▼────────┐ final ┌───────────┐ ACK ┌───────────┐ │ final
///  (once)      │proceeding├──────▶│ completed ├────▶│ confirmed │ ▼
///              └──────────┘       └─────┬─────┘     └─────┬─────┘ answered
///                                G: repeat; H: end      I: end     J: end
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// The call was handed over and has no final response yet.
    Proceeding {
        echo: Echo,
        /// When the 100 is due; `None` once it was sent.
        trying_at: Option<Instant>,
    },
    /// The final response was sent, and is repeated until the ACK comes.
    Completed { response: Bytes, resend_at: Instant, interval: Duration, give_up_at: Instant },
    /// The ACK came: whatever is late is absorbed, above all the INVITE, which would be a second call.
    Confirmed { until: Instant },
    /// A request other than INVITE was answered: repeats get the same again.
    Answered { response: Bytes, until: Instant },
}

/// What happens to a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The request came again.
    Repeat,
    /// The ACK came.
    Ack,
    /// This is the final response.
    Final(Answer),
    /// A deadline may have passed.
    Tick,
}

/// What becomes of a transaction, and what is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// `None` when it has ended.
    pub(super) state: Option<State>,
    pub(super) send: Option<Bytes>,
}

impl State {
    /// An INVITE that waits for the store.
    pub(super) fn proceeding(echo: Echo, now: Instant, timers: Timers) -> Self {
        Self::Proceeding { echo, trying_at: Some(now + timers.trying_after) }
    }

    /// An INVITE that got this final response.
    pub(super) fn completed(response: Bytes, now: Instant, timers: Timers) -> Self {
        Self::Completed {
            response,
            resend_at: now + timers.t1,
            interval: timers.t1,
            give_up_at: now + timers.abandon_after(),
        }
    }

    /// Another request that got this final response.
    pub(super) fn answered(response: Bytes, now: Instant, timers: Timers) -> Self {
        Self::Answered { response, until: now + timers.abandon_after() }
    }

    /// What an event makes of it.
    pub(super) fn on(self, event: &Event, now: Instant, timers: Timers) -> Step {
        match self {
            Self::Proceeding { echo, trying_at } => proceeding(echo, trying_at, event, now, timers),
            Self::Completed { response, resend_at, interval, give_up_at } => {
                let again = || Self::Completed { response: response.clone(), resend_at, interval, give_up_at };
                match event {
                    Event::Repeat => Step { state: Some(again()), send: Some(response) },
                    Event::Ack => stay(Self::Confirmed { until: now + timers.t4 }),
                    Event::Tick if now >= give_up_at => Step { state: None, send: None },
                    Event::Tick if now >= resend_at => {
                        let interval = interval.saturating_mul(2).min(timers.t2);
                        let send = Some(response.clone());
                        let state = Self::Completed { response, resend_at: now + interval, interval, give_up_at };
                        Step { state: Some(state), send }
                    }
                    // The first final response stands: a 487 may have come before the store's answer.
                    Event::Final(_) | Event::Tick => stay(again()),
                }
            }
            Self::Confirmed { until } => match event {
                Event::Tick if now >= until => Step { state: None, send: None },
                Event::Repeat | Event::Ack | Event::Final(_) | Event::Tick => stay(Self::Confirmed { until }),
            },
            Self::Answered { response, until } => match event {
                Event::Repeat => {
                    Step { state: Some(Self::Answered { response: response.clone(), until }), send: Some(response) }
                }
                Event::Tick if now >= until => Step { state: None, send: None },
                Event::Ack | Event::Final(_) | Event::Tick => stay(Self::Answered { response, until }),
            },
        }
    }

    /// When it wants a [`Event::Tick`]; `None` when only the store's answer moves it.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Proceeding { trying_at, .. } => *trying_at,
            Self::Completed { resend_at, give_up_at, .. } => Some(*resend_at.min(give_up_at)),
            Self::Confirmed { until } | Self::Answered { until, .. } => Some(*until),
        }
    }

    /// Octets that it keeps.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Proceeding { echo, .. } => echo.len(),
            Self::Completed { response, .. } | Self::Answered { response, .. } => response.len(),
            Self::Confirmed { .. } => 0,
        }
    }
}

fn stay(state: State) -> Step {
    Step { state: Some(state), send: None }
}

fn proceeding(echo: Echo, trying_at: Option<Instant>, event: &Event, now: Instant, timers: Timers) -> Step {
    match event {
        Event::Final(answer) => {
            let response = echo.response(answer);
            Step { state: Some(State::completed(response.clone(), now, timers)), send: Some(response) }
        }
        Event::Repeat if trying_at.is_none() => {
            let send = Some(echo.response(&Answer::Trying));
            Step { state: Some(State::Proceeding { echo, trying_at }), send }
        }
        Event::Tick if trying_at.is_some_and(|at| now >= at) => {
            let send = Some(echo.response(&Answer::Trying));
            Step { state: Some(State::Proceeding { echo, trying_at: None }), send }
        }
        Event::Repeat | Event::Ack | Event::Tick => stay(State::Proceeding { echo, trying_at }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Message, ReleaseTable, Via};

    const TIMERS: Timers = Timers {
        t1: Duration::from_millis(500),
        t2: Duration::from_secs(4),
        t4: Duration::from_secs(5),
        trying_after: Duration::from_millis(200),
    };

    fn echo() -> Echo {
        let message =
            Message::parse(Bytes::from_static(b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n")).unwrap();
        Echo::new(&message, &Via::topmost(&message).unwrap(), "192.0.2.1:5060".parse().unwrap()).unwrap()
    }

    fn status(sent: Option<&Bytes>) -> &str {
        sent.map_or("-", |sent| std::str::from_utf8(&sent[8..11]).unwrap())
    }

    fn name(state: Option<&State>) -> &'static str {
        match state {
            None => "ended",
            Some(State::Proceeding { trying_at: Some(_), .. }) => "new",
            Some(State::Proceeding { trying_at: None, .. }) => "trying",
            Some(State::Completed { .. }) => "completed",
            Some(State::Confirmed { .. }) => "confirmed",
            Some(State::Answered { .. }) => "answered",
        }
    }

    #[test]
    fn every_state_takes_every_event() {
        let now = Instant::now();
        let busy = Answer::Released(ReleaseTable::default().busy);
        let final_response = echo().response(&busy);
        let new = State::proceeding(echo(), now, TIMERS);
        let trying = State::Proceeding { echo: echo(), trying_at: None };
        let completed = State::completed(final_response.clone(), now, TIMERS);
        let confirmed = State::Confirmed { until: now + TIMERS.t4 };
        let answered = State::answered(final_response, now, TIMERS);
        let at = |millis| now + Duration::from_millis(millis);
        let done = || Event::Final(Answer::Terminated);
        for (state, event, when, becomes, sent) in [
            (&new, Event::Repeat, at(100), "new", "-"),
            (&new, Event::Ack, at(100), "new", "-"),
            (&new, Event::Final(busy), at(100), "completed", "486"),
            (&new, Event::Tick, at(199), "new", "-"),
            (&new, Event::Tick, at(200), "trying", "100"),
            (&trying, Event::Repeat, at(500), "trying", "100"),
            (&trying, Event::Ack, at(500), "trying", "-"),
            (&trying, Event::Tick, at(900_000), "trying", "-"),
            (&trying, done(), at(500), "completed", "487"),
            (&completed, Event::Repeat, at(1), "completed", "486"),
            (&completed, Event::Ack, at(1), "confirmed", "-"),
            (&completed, done(), at(1), "completed", "-"),
            (&completed, Event::Tick, at(499), "completed", "-"),
            (&completed, Event::Tick, at(500), "completed", "486"),
            (&completed, Event::Tick, at(32_000), "ended", "-"),
            (&confirmed, Event::Repeat, at(1), "confirmed", "-"),
            (&confirmed, Event::Ack, at(1), "confirmed", "-"),
            (&confirmed, done(), at(1), "confirmed", "-"),
            (&confirmed, Event::Tick, at(4_999), "confirmed", "-"),
            (&confirmed, Event::Tick, at(5_000), "ended", "-"),
            (&answered, Event::Repeat, at(1), "answered", "486"),
            (&answered, Event::Ack, at(1), "answered", "-"),
            (&answered, done(), at(1), "answered", "-"),
            (&answered, Event::Tick, at(31_999), "answered", "-"),
            (&answered, Event::Tick, at(32_000), "ended", "-"),
        ] {
            let step = state.clone().on(&event, when, TIMERS);
            let found = (name(step.state.as_ref()), status(step.send.as_ref()));
            assert_eq!(found, (becomes, sent), "{} {event:?}", name(Some(state)));
        }
    }

    #[test]
    fn an_unacknowledged_final_is_repeated_as_timer_g_says_and_given_up_at_h() {
        let start = Instant::now();
        let mut state = Some(State::completed(echo().response(&Answer::Terminated), start, TIMERS));
        let mut repeats = Vec::new();
        while let Some(current) = state {
            let now = current.deadline().unwrap();
            let step = current.on(&Event::Tick, now, TIMERS);
            repeats.extend(step.send.map(|_| (now - start).as_millis()));
            state = step.state;
        }
        assert_eq!(repeats, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    }
}
