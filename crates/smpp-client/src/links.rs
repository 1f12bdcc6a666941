//! All links together: permits to submit, spread over them; their status; closing them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::{Clock, LinkName, SmscName, Submit, SubmitOutcome};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::answers::{Answer, Answers};
use crate::gate::Gate;
use crate::inbound::Inbound;
use crate::link::{Link, View, Wiring};
use crate::pace::SmscRate;
use crate::settings::{Bind, LinkSettings};
use crate::state::{LinkOrder, LinkState, LinkStatus};
use crate::updates::{Ability, Asking, MOST_ASKED, Message, Update, Updated};

/// The largest window: more unanswered submits than any SMSC allows, and what a link holds in memory stays below some 30 MB.
pub const MAX_WINDOW: usize = 65_536;

/// Receipts and replies of all links that wait for the pump: a few batches of it; beyond that they are refused, and the SMSC keeps them.
const INBOUND: usize = 8_192;

/// What links hand on. Both end (`None`) when all links are closed.
#[derive(Debug)]
pub struct Arrivals {
    /// The answers to orders.
    pub answers: mpsc::Receiver<Answer>,
    /// Receipts and replies.
    pub inbound: mpsc::Receiver<Inbound>,
}

/// The links, started by [`start`].
#[derive(Clone, Debug)]
pub struct Links {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ports: Vec<Arc<Port>>,
    turn: Arc<AtomicU64>,
    opened: Arc<Notify>,
    drain: watch::Sender<Option<Instant>>,
}

/// One link as seen from outside its task.
#[derive(Debug)]
struct Port {
    name: LinkName,
    smsc: SmscName,
    bind: Bind,
    priority: u32,
    /// How far an order moves its turn.
    step: u64,
    turn: AtomicU64,
    /// The turn of the link that had the last order.
    last_turn: Arc<AtomicU64>,
    rate: u32,
    gate: Arc<Gate>,
    orders: mpsc::Sender<Submit>,
    asking: mpsc::Sender<Asking>,
    ordered: watch::Sender<Option<LinkOrder>>,
    /// Weak, so that the answers end when the links' tasks do.
    answers: mpsc::WeakSender<Answer>,
    view: watch::Receiver<View>,
}

/// Leave to submit one alert: a slot of one link's window.
#[derive(Debug)]
pub struct Permit {
    port: Option<Arc<Port>>,
}

/// Starts a task for each link on `tracker`; they connect at once. `seed` spreads their reconnections.
///
/// Must be called within a tokio runtime. When the last [`Links`] and [`Permit`] are dropped, the links drain by themselves.
#[must_use]
pub fn start(settings: Vec<LinkSettings>, clock: Clock, seed: u64, tracker: &TaskTracker) -> (Links, Arrivals) {
    let windows: usize = settings.iter().map(window_of).sum();
    // Room for the answer to every order there can be: a link waits for the pump only after late answers.
    let (answers, answers_out) = mpsc::channel(windows.max(1));
    let (inbound, inbound_out) = mpsc::channel(INBOUND);
    let (drain, draining) = watch::channel(None);
    let opened = Arc::new(Notify::new());
    let mut ports = Vec::with_capacity(settings.len());
    let now = Instant::now();
    let turn = Arc::new(AtomicU64::new(0));
    let mut smsc_rates: HashMap<SmscName, Option<Arc<SmscRate>>> = HashMap::new();
    for (number, settings) in (1_u64..).zip(settings) {
        let gate = Arc::new(Gate::new(window_of(&settings), Arc::clone(&opened)));
        // An order holds a slot, so that there are never more orders than slots.
        let (orders, orders_out) = mpsc::channel(gate.window());
        let (asking, asked) = mpsc::channel(MOST_ASKED);
        let (ordered, ordered_out) = watch::channel(None);
        let smsc_rate =
            smsc_rates.entry(settings.smsc.clone()).or_insert_with(|| SmscRate::new(settings.smsc_rate, now));
        let (name, smsc, bind, rate) = (settings.name.clone(), settings.smsc.clone(), settings.bind, settings.rate);
        let (priority, weight) = (settings.priority, settings.weight.clamp(1, 100));
        let wiring = Wiring {
            clock,
            gate: Arc::clone(&gate),
            orders: orders_out,
            asking: asked,
            smsc_rate: smsc_rate.clone(),
            answers: Answers::new(answers.clone(), Arc::clone(&gate)),
            inbound: inbound.clone(),
            drain: draining.clone(),
            ordered: ordered_out,
            seed: seed.wrapping_add(number << 32),
        };
        let (link, view) = Link::new(settings, wiring);
        tracker.spawn(link.run());
        ports.push(Arc::new(Port {
            name,
            smsc,
            bind,
            priority,
            step: STEP / u64::from(weight),
            turn: AtomicU64::new(0),
            last_turn: Arc::clone(&turn),
            rate,
            gate,
            orders,
            asking,
            ordered,
            answers: answers.downgrade(),
            view,
        }));
    }
    let shared = Arc::new(Shared { ports, turn, opened, drain });
    (Links { shared }, Arrivals { answers: answers_out, inbound: inbound_out })
}

fn window_of(settings: &LinkSettings) -> usize {
    settings.window.clamp(1, MAX_WINDOW)
}

impl Links {
    /// Waits for at least one free slot on a link that is bound and not throttled, and takes up to `at_most`, spread over links by their weights. Only
    /// the SMSCs of the best priority that has a link in service give any.
    ///
    /// Cancel safe: a permit is taken only in the same step in which it is returned. Once draining it waits for ever; so it does for `at_most` 0.
    pub async fn reserve(&self, at_most: usize) -> Vec<Permit> {
        loop {
            let opened = self.shared.opened.notified();
            tokio::pin!(opened);
            opened.as_mut().enable();
            if self.shared.drain.borrow().is_some() {
                std::future::pending::<()>().await;
            }
            let permits = self.take(at_most);
            if !permits.is_empty() {
                return permits;
            }
            opened.await;
        }
    }

    fn take(&self, at_most: usize) -> Vec<Permit> {
        let ports = &self.shared.ports;
        let in_service = ports.iter().filter(|port| port.gate.is_in_service());
        let Some(preferred) = in_service.map(|port| port.priority).min() else { return Vec::new() };
        let ready: Vec<_> =
            ports.iter().filter(|port| port.priority == preferred && port.gate.available() > 0).collect();
        let now = self.shared.turn.load(Ordering::Relaxed);
        let mut turns: Vec<Turn> = ready.iter().map(|port| port.turn(now)).collect();
        let order = turns_of(&mut turns, at_most);
        let mut slots: Vec<usize> = (ready.iter().enumerate())
            .map(|(place, port)| port.gate.take(order.iter().filter(|next| **next == place).count()))
            .collect();
        let permit = |place: usize| {
            let slots = slots.get_mut(place).filter(|slots| **slots > 0)?;
            *slots -= 1;
            Some(Permit { port: Some(Arc::clone(ready.get(place)?)) })
        };
        order.into_iter().filter_map(permit).collect()
    }

    /// Hands an order to the link of a permit; the answer comes by [`Arrivals::answers`]. Never waits.
    ///
    /// An order that is to avoid that SMSC goes to another one instead, of whatever priority, if one has a slot free now.
    pub fn submit(&self, permit: Permit, order: Submit) {
        let avoids = order.avoid.is_some() && order.avoid.as_ref() == permit.smsc();
        let other = if avoids { self.take_from_others(permit.smsc()) } else { None };
        other.unwrap_or(permit).submit(order);
    }

    fn take_from_others(&self, smsc: Option<&SmscName>) -> Option<Permit> {
        let others = self.shared.ports.iter().filter(|port| Some(&port.smsc) != smsc && port.gate.available() > 0);
        let port = others.min_by_key(|port| port.priority).filter(|port| port.gate.take(1) > 0)?;
        Some(Permit { port: Some(Arc::clone(port)) })
    }

    /// Asks an SMSC about a message that it has, by a link that is bound there; one that only submits is preferred, since some SMSCs let no transceiver
    /// replace, and before all one of which nobody knows that it can't. It takes a place in the link's pace; answered within twice its `update_timeout`, of
    /// which one is for the pace.
    pub async fn update(&self, smsc: &SmscName, message: Message, update: Update) -> Updated {
        let can = |port: &&Arc<Port>| port.smsc == *smsc && port.gate.is_in_service();
        let asks = update.asks();
        let rank = |port: &&Arc<Port>| {
            let cannot = port.view.borrow().abilities.of(asks) == Ability::Cannot;
            (cannot, port.bind != Bind::Transmitter)
        };
        let Some(port) = self.shared.ports.iter().filter(can).min_by_key(rank) else { return Updated::NotAsked };
        let (answer, answered) = oneshot::channel();
        if port.asking.try_send(Asking { message, update, answer }).is_err() {
            return Updated::NotAsked;
        }
        answered.await.unwrap_or(Updated::NotAsked)
    }

    /// Orders the link of that name, or every link; the last order to a link counts. It is taken up at once and carried out meanwhile, as the status shows. An
    /// order that keeps a link away ends by itself at its time, and does not outlive the program.
    ///
    /// # Errors
    ///
    /// When no link is called so, or all are closing.
    pub fn order(&self, link: Option<&str>, order: LinkOrder) -> Result<(), NotOrdered> {
        if self.shared.drain.borrow().is_some() {
            return Err(NotOrdered::Closing);
        }
        let meant = |port: &&Arc<Port>| link.is_none_or(|name| port.name.0 == name);
        let mut ports = self.shared.ports.iter().filter(meant).peekable();
        if ports.peek().is_none() && link.is_some() {
            return Err(NotOrdered::NoSuchLink);
        }
        for port in ports {
            // It fails when the task is gone, which only closing ends.
            let _ = port.ordered.send(Some(order));
        }
        Ok(())
    }

    /// Every link as it stands, in the order of the settings.
    #[must_use]
    pub fn status(&self) -> Vec<LinkStatus> {
        self.shared.ports.iter().map(|port| port.status()).collect()
    }

    /// Closes all links: no permits from now on; answers are awaited up to `deadline`, then what is unanswered is in doubt and what is
    /// unwritten not sent; every link unbinds and closes. Returns when all are closed; may be called again, and then only waits.
    ///
    /// Somebody must go on taking the answers meanwhile, and acknowledging what came in.
    pub async fn drain(&self, deadline: Duration) {
        let until = Instant::now() + deadline;
        self.shared.drain.send_if_modified(|drain| {
            let first = drain.is_none();
            drain.get_or_insert(until);
            first
        });
        for port in &self.shared.ports {
            // It fails when the task is gone, which is what is awaited.
            let _ = port.view.clone().wait_for(|view| view.state == LinkState::Closed).await;
        }
    }
}

/// Why an order was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOrdered {
    /// No link has that name.
    #[error("no link is called so")]
    NoSuchLink,
    /// All links are closing.
    #[error("all links are closing")]
    Closing,
}

/// When it is a link's turn. Each order moves its link back by a step, the longer the lighter the link; who is furthest in front is next.
#[derive(Clone, Copy, Debug)]
struct Turn {
    at: u64,
    step: u64,
    /// Slots that it can give.
    free: usize,
}

/// The step of a link of weight 1: many times the largest weight, so that steps are told apart.
const STEP: u64 = 1 << 20;

/// What a link may have saved up of turns that it missed: some tens of orders.
const SAVED_UP: u64 = 64 * STEP;

/// Which links get the next `at_most` orders, one after another, as far as they have slots.
fn turns_of(turns: &mut [Turn], at_most: usize) -> Vec<usize> {
    let free: usize = turns.iter().map(|turn| turn.free).sum();
    if turns.len() == 1 {
        return vec![0; at_most.min(free)];
    }
    let next = |_| {
        let ready = turns.iter_mut().enumerate().filter(|(_, turn)| turn.free > 0);
        let (place, turn) = ready.min_by_key(|(_, turn)| turn.at)?;
        turn.at += turn.step;
        turn.free -= 1;
        Some(place)
    };
    (0..at_most.min(free)).filter_map(next).collect()
}

impl Port {
    /// Its turn among those that had theirs at `now`: one that had no slots for a moment makes up for it, one that was out of service for long doesn't.
    fn turn(&self, now: u64) -> Turn {
        Turn { at: self.not_long_before(now), step: self.step, free: self.gate.available() }
    }

    fn not_long_before(&self, now: u64) -> u64 {
        self.turn.load(Ordering::Relaxed).max(now.saturating_sub(SAVED_UP))
    }

    /// An order goes to it. Only fairness depends on this: several who submit at a time may disturb it a little.
    fn takes_its_turn(&self) {
        let at = self.not_long_before(self.last_turn.load(Ordering::Relaxed));
        self.last_turn.fetch_max(at, Ordering::Relaxed);
        self.turn.store(at + self.step, Ordering::Relaxed);
    }

    fn status(&self) -> LinkStatus {
        let view = self.view.borrow();
        LinkStatus {
            name: self.name.clone(),
            smsc: self.smsc.clone(),
            state: view.state,
            since: view.since,
            last_closed: view.last_closed,
            ordered: view.ordered,
            round_trip: self.gate.meter.round_trip(),
            ends: self.gate.meter.ends(),
            bind: self.bind,
            window: self.gate.window(),
            rate: self.rate,
            slowed_to: view.slowed_to,
            throttled_for: view.throttled_for,
            in_flight: self.gate.meter.in_flight(),
            throttled: view.throttled,
            abilities: view.abilities,
            counts: self.gate.meter.counts(),
            answer_seconds: self.gate.meter.answer_seconds(),
        }
    }
}

impl Permit {
    /// The SMSC that will get the order.
    #[must_use]
    pub fn smsc(&self) -> Option<&SmscName> {
        self.port.as_ref().map(|port| &port.smsc)
    }

    /// Hands the order to the link; the answer comes by [`Arrivals::answers`]. Never waits.
    ///
    /// When the link isn't bound any more, the answer is [`SubmitOutcome::NotSent`].
    pub fn submit(mut self, order: Submit) {
        let Some(port) = self.port.take() else { return };
        port.takes_its_turn();
        let Err(mpsc::error::TrySendError::Full(order) | mpsc::error::TrySendError::Closed(order)) =
            port.orders.try_send(order)
        else {
            return;
        };
        port.gate.give_back_unused();
        let answer =
            Answer { alert: order.alert, attempt: order.attempt, outcome: SubmitOutcome::NotSent, late: false };
        let given = port.answers.upgrade().is_some_and(|answers| answers.try_send(answer).is_ok());
        if !given {
            tracing::warn!(link = %port.name, alert = %order.alert, "order given after the links were closed: it has no answer");
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(port) = self.port.take() {
            port.gate.give_back_unused();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turns(links: &[(usize, u64)]) -> Vec<Turn> {
        links.iter().map(|(free, weight)| Turn { at: 0, step: STEP / weight, free: *free }).collect()
    }

    fn shares(turns: &mut [Turn], at_most: usize) -> Vec<usize> {
        let order = turns_of(turns, at_most);
        (0..turns.len()).map(|place| order.iter().filter(|next| **next == place).count()).collect()
    }

    #[test]
    fn orders_are_shared_by_weight_as_far_as_there_are_slots() {
        for (links, at_most, expected) in [
            (&[(10, 1), (30, 1)][..], 100, &[10, 30][..]),
            (&[(10, 1), (30, 3)], 8, &[2, 6]),
            (&[(1, 1), (30, 1)], 8, &[1, 7]),
            (&[(10, 1), (10, 1), (10, 1)], 1, &[1, 0, 0]),
            (&[(0, 9), (5, 1)], 1, &[0, 1]),
            (&[(7, 1)], 5, &[5]),
            (&[], 5, &[]),
        ] {
            assert_eq!(shares(&mut turns(links), at_most), expected, "{links:?}");
        }
    }

    #[test]
    fn the_first_of_many_are_shared_like_all() {
        let order = turns_of(&mut turns(&[(100, 3), (100, 1)]), 100);
        for few in [4, 8, 40] {
            assert_eq!(order[..few].iter().filter(|place| **place == 0).count(), few * 3 / 4);
        }
    }

    proptest! {
        #[test]
        fn no_link_gives_more_than_it_has_and_nothing_is_left_over(
            links in proptest::collection::vec((0usize..1000, 1u64..100), 0..6), at_most in 0usize..3000,
        ) {
            let shares = shares(&mut turns(&links), at_most);
            prop_assert!(shares.iter().zip(&links).all(|(share, (free, _))| share <= free));
            prop_assert_eq!(shares.iter().sum::<usize>(), at_most.min(links.iter().map(|(free, _)| free).sum()));
        }
    }
}
