//! A server transaction: values in, octets and deadlines out (RFC 3261 §17.2, RFC 6026 §7.1).

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::line::Line;
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
    /// What of them holds on a line.
    pub(super) const fn on(self, line: Line) -> Schedule {
        let abandon_after = self.t1.saturating_mul(64);
        let (repeats, confirmed_for, answered_for) = if line.is_reliable() {
            (None, Duration::ZERO, Duration::ZERO)
        } else {
            (Some(Repeats { first: self.t1, longest: self.t2 }), self.t4, abandon_after)
        };
        Schedule { trying_after: self.trying_after, repeats, abandon_after, confirmed_for, answered_for }
    }
}

/// The timers of a transaction on its line (RFC 3261 §17, table 4): where nothing is lost nothing is repeated, and nothing comes late.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Schedule {
    trying_after: Duration,
    /// G; `None` on a reliable line.
    repeats: Option<Repeats>,
    /// H: a final response may go without its ACK for this long.
    abandon_after: Duration,
    /// I: zero on a reliable line. An INVITE that comes yet again there is another transaction, and its call a duplicate to the store,
    /// which knows it by its id and called number.
    confirmed_for: Duration,
    /// J: zero on a reliable line.
    answered_for: Duration,
}

/// How long to wait between repeats: doubled each time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Repeats {
    first: Duration,
    longest: Duration,
}

/// Where a transaction is.
///
/// ```text
///              INVITE                                      other methods
///                │                                              │
///  200 ms: 100 ┌─▼────────┐ final ┌───────────┐ ACK ┌───────────┐ │ final
///  (once)      │proceeding├──────▶│ completed ├────▶│ confirmed │ ▼
///              └──┬───▲───┘       └─────┬─────┘     └─────┬─────┘ answered
///                 └───┘ CANCEL   G: repeat; H: end      I: end     J: end
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// The call was handed over and has no final response yet.
    Proceeding(Proceeding),
    /// The final response was sent, and on an unreliable line is repeated until the ACK comes.
    Completed(Completed),
    /// The ACK came: whatever is late is absorbed, above all the INVITE, which would be a second call.
    Confirmed { until: Instant },
    /// A request other than INVITE was answered: repeats get the same again.
    Answered { response: Bytes, until: Instant },
}

/// An INVITE that waits for the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proceeding {
    echo: Echo,
    /// When the 100 is due; `None` once it was sent.
    trying_at: Option<Instant>,
    caller: Caller,
}

/// An INVITE that waits for its ACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Completed {
    response: Bytes,
    repeat: Option<Repeat>,
    give_up_at: Instant,
}

/// What the caller does while the call is being stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Waits,
    /// There was a CANCEL. The call was missed all the same; it ends with 487 once it is stored (RFC 3261 §9.2).
    HungUp,
}

/// The next repeat of a final response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Repeat {
    at: Instant,
    interval: Duration,
}

/// What happens to a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The request came again.
    Repeat,
    /// The ACK came.
    Ack,
    /// A CANCEL of the INVITE came.
    Cancel,
    /// This is the final response.
    Final(Answer),
    /// A deadline may have passed.
    Tick,
}

/// What is counted of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notable {
    /// The caller hung up before the call was stored.
    HungUp,
    /// A final response was given up without an ACK.
    Unacknowledged,
}

/// What becomes of a transaction, and what is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// `None` when it has ended.
    pub(super) state: Option<State>,
    pub(super) send: Option<Bytes>,
    pub(super) notable: Option<Notable>,
}

impl State {
    /// An INVITE that waits for the store.
    pub(super) fn proceeding(echo: Echo, now: Instant, schedule: Schedule) -> Self {
        let trying_at = Some(now + schedule.trying_after);
        Self::Proceeding(Proceeding { echo, trying_at, caller: Caller::Waits })
    }

    /// An INVITE that got this final response.
    pub(super) fn completed(response: Bytes, now: Instant, schedule: Schedule) -> Self {
        let repeat = schedule.repeats.map(|repeats| Repeat { at: now + repeats.first, interval: repeats.first });
        Self::Completed(Completed { response, repeat, give_up_at: now + schedule.abandon_after })
    }

    /// Another request that got this final response; `None` where its line repeats nothing.
    pub(super) fn answered(response: Bytes, now: Instant, schedule: Schedule) -> Option<Self> {
        let kept = !schedule.answered_for.is_zero();
        kept.then(|| Self::Answered { response, until: now + schedule.answered_for })
    }

    /// What an event makes of it.
    pub(super) fn on(self, event: &Event, now: Instant, schedule: Schedule) -> Step {
        match self {
            Self::Proceeding(proceeding) => proceeding.on(event, now, schedule),
            Self::Completed(completed) => completed.on(event, now, schedule),
            Self::Confirmed { until } => match event {
                Event::Tick if now >= until => end(None),
                Event::Repeat | Event::Ack | Event::Cancel | Event::Final(_) | Event::Tick => {
                    stay(Self::Confirmed { until })
                }
            },
            Self::Answered { response, until } => match event {
                Event::Repeat => send(response.clone(), Self::Answered { response, until }),
                Event::Tick if now >= until => end(None),
                Event::Ack | Event::Cancel | Event::Final(_) | Event::Tick => stay(Self::Answered { response, until }),
            },
        }
    }

    /// When it wants a [`Event::Tick`]; `None` when only the store's answer moves it.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Proceeding(proceeding) => proceeding.trying_at,
            Self::Completed(Completed { repeat, give_up_at, .. }) => {
                Some(repeat.map_or(*give_up_at, |repeat| repeat.at.min(*give_up_at)))
            }
            Self::Confirmed { until } | Self::Answered { until, .. } => Some(*until),
        }
    }

    /// Whether the peer waits for a final response, or we for its ACK.
    pub(super) const fn is_open(&self) -> bool {
        match self {
            Self::Proceeding(_) | Self::Completed(_) => true,
            Self::Confirmed { .. } | Self::Answered { .. } => false,
        }
    }

    /// Octets that it keeps.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Proceeding(proceeding) => proceeding.echo.len(),
            Self::Completed(Completed { response, .. }) | Self::Answered { response, .. } => response.len(),
            Self::Confirmed { .. } => 0,
        }
    }
}

fn stay(state: State) -> Step {
    Step { state: Some(state), send: None, notable: None }
}

fn send(bytes: Bytes, state: State) -> Step {
    Step { state: Some(state), send: Some(bytes), notable: None }
}

const fn end(notable: Option<Notable>) -> Step {
    Step { state: None, send: None, notable }
}

impl Proceeding {
    fn on(self, event: &Event, now: Instant, schedule: Schedule) -> Step {
        match event {
            Event::Final(answer) => {
                let hung_up = self.caller == Caller::HungUp && matches!(answer, Answer::Released(_));
                let response = self.echo.response(if hung_up { &Answer::Terminated } else { answer });
                send(response.clone(), State::completed(response, now, schedule))
            }
            Event::Cancel => {
                let notable = (self.caller == Caller::Waits).then_some(Notable::HungUp);
                let state = State::Proceeding(Self { caller: Caller::HungUp, ..self });
                Step { state: Some(state), send: None, notable }
            }
            Event::Repeat if self.trying_at.is_none() => {
                send(self.echo.response(&Answer::Trying), State::Proceeding(self))
            }
            Event::Tick if self.trying_at.is_some_and(|at| now >= at) => {
                send(self.echo.response(&Answer::Trying), State::Proceeding(Self { trying_at: None, ..self }))
            }
            Event::Repeat | Event::Ack | Event::Tick => stay(State::Proceeding(self)),
        }
    }
}

impl Completed {
    fn on(self, event: &Event, now: Instant, schedule: Schedule) -> Step {
        let Self { response, repeat, give_up_at } = self;
        // The line may have become another kind with the latest repeat of the INVITE.
        let first = |repeats: Repeats| Repeat { at: now + repeats.first, interval: repeats.first };
        let repeat = schedule.repeats.map(|repeats| repeat.unwrap_or_else(|| first(repeats)));
        let go_on = |response, repeat| State::Completed(Self { response, repeat, give_up_at });
        match event {
            Event::Repeat => send(response.clone(), go_on(response, repeat)),
            Event::Ack if schedule.confirmed_for.is_zero() => end(None),
            Event::Ack => stay(State::Confirmed { until: now + schedule.confirmed_for }),
            Event::Tick if now >= give_up_at => end(Some(Notable::Unacknowledged)),
            Event::Tick => match (repeat, schedule.repeats) {
                (Some(due), Some(repeats)) if now >= due.at => {
                    let interval = due.interval.saturating_mul(2).min(repeats.longest);
                    send(response.clone(), go_on(response, Some(Repeat { at: now + interval, interval })))
                }
                (Some(_) | None, Some(_) | None) => stay(go_on(response, repeat)),
            },
            // The first final response stands.
            Event::Cancel | Event::Final(_) => stay(go_on(response, repeat)),
        }
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
            Some(State::Proceeding(Proceeding { caller: Caller::HungUp, .. })) => "hung up",
            Some(State::Proceeding(Proceeding { trying_at: Some(_), .. })) => "new",
            Some(State::Proceeding(Proceeding { trying_at: None, .. })) => "trying",
            Some(State::Completed(_)) => "completed",
            Some(State::Confirmed { .. }) => "confirmed",
            Some(State::Answered { .. }) => "answered",
        }
    }

    const DATAGRAMS: Line = Line::Datagrams(0);
    const CONNECTION: Line = Line::Connection(1);

    #[test]
    fn every_state_takes_every_event_on_both_kinds_of_lines() {
        let now = Instant::now();
        let busy = Answer::Released(ReleaseTable::default().busy);
        let final_response = echo().response(&busy);
        let at = |millis| now + Duration::from_millis(millis);
        let (busy, done, later) =
            (|| Event::Final(busy.clone()), || Event::Final(Answer::Terminated), || Event::Final(Answer::Later(1)));
        for line in [DATAGRAMS, CONNECTION] {
            let schedule = TIMERS.on(line);
            let new = State::proceeding(echo(), now, schedule);
            let proceeding = |caller| State::Proceeding(Proceeding { echo: echo(), trying_at: None, caller });
            let (trying, hung_up) = (proceeding(Caller::Waits), proceeding(Caller::HungUp));
            let completed = State::completed(final_response.clone(), now, schedule);
            let confirmed = State::Confirmed { until: now + TIMERS.t4 };
            let answered = State::Answered { response: final_response.clone(), until: now + TIMERS.t1 * 64 };
            // What differs on a connection stands behind what holds for datagrams.
            let on = |datagrams: &'static str, connection: &'static str| {
                if line.is_reliable() { connection } else { datagrams }
            };
            for (state, event, when, becomes, sent) in [
                (&new, Event::Repeat, at(100), "new", "-"),
                (&new, Event::Ack, at(100), "new", "-"),
                (&new, Event::Cancel, at(100), "hung up", "-"),
                (&new, busy(), at(100), "completed", "486"),
                (&new, later(), at(100), "completed", "503"),
                (&new, Event::Tick, at(199), "new", "-"),
                (&new, Event::Tick, at(200), "trying", "100"),
                (&trying, Event::Repeat, at(500), "trying", "100"),
                (&trying, Event::Ack, at(500), "trying", "-"),
                (&trying, Event::Cancel, at(500), "hung up", "-"),
                (&trying, Event::Tick, at(900_000), "trying", "-"),
                (&trying, done(), at(500), "completed", "487"),
                (&hung_up, Event::Repeat, at(1), "hung up", "100"),
                (&hung_up, Event::Ack, at(1), "hung up", "-"),
                (&hung_up, Event::Cancel, at(1), "hung up", "-"),
                (&hung_up, Event::Tick, at(1), "hung up", "-"),
                (&hung_up, busy(), at(1), "completed", "487"),
                (&hung_up, later(), at(1), "completed", "503"),
                (&completed, Event::Repeat, at(1), "completed", "486"),
                (&completed, Event::Ack, at(1), on("confirmed", "ended"), "-"),
                (&completed, Event::Cancel, at(1), "completed", "-"),
                (&completed, done(), at(1), "completed", "-"),
                (&completed, Event::Tick, at(499), "completed", "-"),
                (&completed, Event::Tick, at(500), "completed", on("486", "-")),
                (&completed, Event::Tick, at(31_999), "completed", on("486", "-")),
                (&completed, Event::Tick, at(32_000), "ended", "-"),
                (&confirmed, Event::Repeat, at(1), "confirmed", "-"),
                (&confirmed, Event::Ack, at(1), "confirmed", "-"),
                (&confirmed, Event::Cancel, at(1), "confirmed", "-"),
                (&confirmed, done(), at(1), "confirmed", "-"),
                (&confirmed, Event::Tick, at(4_999), "confirmed", "-"),
                (&confirmed, Event::Tick, at(5_000), "ended", "-"),
                (&answered, Event::Repeat, at(1), "answered", "486"),
                (&answered, Event::Ack, at(1), "answered", "-"),
                (&answered, Event::Cancel, at(1), "answered", "-"),
                (&answered, done(), at(1), "answered", "-"),
                (&answered, Event::Tick, at(31_999), "answered", "-"),
                (&answered, Event::Tick, at(32_000), "ended", "-"),
            ] {
                let step = state.clone().on(&event, when, schedule);
                let found = (name(step.state.as_ref()), status(step.send.as_ref()));
                assert_eq!(found, (becomes, sent), "{} {event:?} on {line:?}", name(Some(state)));
                let notable = match (name(Some(state)), &event, becomes) {
                    ("new" | "trying", Event::Cancel, _) => Some(Notable::HungUp),
                    ("completed", Event::Tick, "ended") => Some(Notable::Unacknowledged),
                    _ => None,
                };
                assert_eq!(step.notable, notable, "{} {event:?} on {line:?}", name(Some(state)));
            }
        }
        assert_eq!(State::answered(final_response.clone(), now, TIMERS.on(CONNECTION)), None, "J is zero");
        assert!(State::answered(final_response, now, TIMERS.on(DATAGRAMS)).is_some());
    }

    fn repeats(line: Line) -> Vec<u128> {
        let start = Instant::now();
        let schedule = TIMERS.on(line);
        let mut state = Some(State::completed(echo().response(&Answer::Terminated), start, schedule));
        let (mut repeats, mut end) = (Vec::new(), start);
        while let Some(current) = state {
            end = current.deadline().unwrap();
            let step = current.on(&Event::Tick, end, schedule);
            repeats.extend(step.send.map(|_| (end - start).as_millis()));
            state = step.state;
        }
        assert_eq!((end - start).as_millis(), 32_000, "H");
        repeats
    }

    #[test]
    fn an_unacknowledged_final_is_repeated_as_timer_g_says_and_given_up_at_h() {
        assert_eq!(repeats(DATAGRAMS), [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_eq!(repeats(CONNECTION), [0; 0], "nothing is lost on a connection");
    }

    #[test]
    fn a_transaction_that_moves_to_another_kind_of_line_keeps_its_timers() {
        let now = Instant::now();
        let completed = State::completed(echo().response(&Answer::Terminated), now, TIMERS.on(DATAGRAMS));
        let moved = completed.on(&Event::Repeat, now, TIMERS.on(CONNECTION)).state.unwrap();
        assert_eq!(moved.deadline(), Some(now + TIMERS.t1 * 64), "nothing but H");
        let back = moved.on(&Event::Repeat, now, TIMERS.on(DATAGRAMS)).state.unwrap();
        assert_eq!(back.deadline(), Some(now + TIMERS.t1), "G again");
    }
}
