//! All links together: permits to submit, spread over them; their status; closing them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
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
use crate::state::{LinkState, LinkStatus};
use crate::updates::{Asking, MOST_ASKED, Message, Update, Updated};

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
    weight: u32,
    credit: AtomicI64,
    rate: u32,
    gate: Arc<Gate>,
    orders: mpsc::Sender<Submit>,
    asking: mpsc::Sender<Asking>,
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
    let mut smsc_rates: HashMap<SmscName, Option<Arc<SmscRate>>> = HashMap::new();
    for (number, settings) in (1_u64..).zip(settings) {
        let gate = Arc::new(Gate::new(window_of(&settings), Arc::clone(&opened)));
        // An order holds a slot, so that there are never more orders than slots.
        let (orders, orders_out) = mpsc::channel(gate.window());
        let (asking, asked) = mpsc::channel(MOST_ASKED);
        let smsc_rate =
            smsc_rates.entry(settings.smsc.clone()).or_insert_with(|| SmscRate::new(settings.smsc_rate, now));
        let (name, smsc, bind, rate) = (settings.name.clone(), settings.smsc.clone(), settings.bind, settings.rate);
        let (priority, weight) = (settings.priority, settings.weight.max(1));
        let wiring = Wiring {
            clock,
            gate: Arc::clone(&gate),
            orders: orders_out,
            asking: asked,
            smsc_rate: smsc_rate.clone(),
            answers: Answers::new(answers.clone(), Arc::clone(&gate)),
            inbound: inbound.clone(),
            drain: draining.clone(),
            seed: seed.wrapping_add(number << 32),
        };
        let (link, view) = Link::new(settings, wiring);
        tracker.spawn(link.run());
        ports.push(Arc::new(Port {
            name,
            smsc,
            bind,
            priority,
            weight,
            credit: AtomicI64::new(0),
            rate,
            gate,
            orders,
            asking,
            answers: answers.downgrade(),
            view,
        }));
    }
    let shared = Arc::new(Shared { ports, opened, drain });
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
        let mut ready: Vec<_> = (ports.iter().filter(|port| port.priority == preferred))
            .map(|port| (port, port.gate.available()))
            .filter(|(_, available)| *available > 0)
            .collect();
        let available: Vec<usize> = ready.iter().map(|(_, available)| *available).collect();
        let mut turns: Vec<Turn> = ready.iter().map(|(port, _)| port.turn()).collect();
        let shares = shares(&available, &mut turns, at_most);
        let mut permits = Vec::with_capacity(shares.iter().sum());
        for (((port, _), turn), share) in ready.drain(..).zip(turns).zip(shares) {
            port.credit.store(turn.credit, Ordering::Relaxed);
            permits.extend((0..port.gate.take(share)).map(|_| Permit { port: Some(Arc::clone(port)) }));
        }
        permits
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
        let mut others = self.shared.ports.iter().filter(|port| Some(&port.smsc) != smsc);
        let port = others.find(|port| port.gate.available() > 0 && port.gate.take(1) > 0)?;
        Some(Permit { port: Some(Arc::clone(port)) })
    }

    /// Asks an SMSC about a message that it has, by a link that is bound there; one that only submits is preferred, since some SMSCs let no transceiver
    /// replace. Answers within the link's `update_timeout`.
    pub async fn update(&self, smsc: &SmscName, message: Message, update: Update) -> Updated {
        let can = |port: &&Arc<Port>| port.smsc == *smsc && port.gate.is_in_service();
        let Some(port) = self.shared.ports.iter().filter(can).min_by_key(|port| port.bind != Bind::Transmitter) else {
            return Updated::NotAsked;
        };
        let (answer, answered) = oneshot::channel();
        if port.asking.try_send(Asking { message, update, answer }).is_err() {
            return Updated::NotAsked;
        }
        answered.await.unwrap_or(Updated::NotAsked)
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

/// A link's place in the order in which links take their turns.
#[derive(Clone, Copy, Debug)]
struct Turn {
    weight: i64,
    /// What it has waited for; the one with the most is next.
    credit: i64,
}

/// Shares `at_most` among links by their weights, as far as each has slots (smooth weighted round robin); what one can't take goes to the others.
fn shares(available: &[usize], turns: &mut [Turn], at_most: usize) -> Vec<usize> {
    let mut shares = vec![0; available.len()];
    if let ([available], [share]) = (available, shares.as_mut_slice()) {
        *share = at_most.min(*available);
        return shares;
    }
    for _ in 0..at_most {
        let mut next: Option<usize> = None;
        let mut all = 0;
        for place in 0..turns.len() {
            if shares.get(place) < available.get(place)
                && let Some(turn) = turns.get_mut(place)
            {
                turn.credit += turn.weight;
                all += turn.weight;
                let credit = turn.credit;
                next = next.filter(|next| turns.get(*next).is_some_and(|best| best.credit >= credit)).or(Some(place));
            }
        }
        let Some(place) = next else { break };
        if let (Some(turn), Some(share)) = (turns.get_mut(place), shares.get_mut(place)) {
            turn.credit -= all;
            *share += 1;
        }
    }
    shares
}

impl Port {
    fn turn(&self) -> Turn {
        Turn { weight: i64::from(self.weight), credit: self.credit.load(Ordering::Relaxed) }
    }

    fn status(&self) -> LinkStatus {
        let view = self.view.borrow();
        LinkStatus {
            name: self.name.clone(),
            smsc: self.smsc.clone(),
            state: view.state,
            since: view.since,
            last_closed: view.last_closed,
            bind: self.bind,
            window: self.gate.window(),
            rate: self.rate,
            slowed_to: view.slowed_to,
            throttled_for: view.throttled_for,
            in_flight: self.gate.meter.in_flight(),
            throttled: view.throttled,
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

    fn turns(weights: &[i64]) -> Vec<Turn> {
        weights.iter().map(|weight| Turn { weight: *weight, credit: 0 }).collect()
    }

    #[test]
    fn slots_are_shared_by_weight_as_far_as_they_go() {
        for (available, weights, at_most, expected) in [
            (&[10, 30][..], &[1, 1][..], 100, &[10, 30][..]),
            (&[10, 30], &[1, 3], 8, &[2, 6]),
            (&[1, 30], &[1, 1], 8, &[1, 7]),
            (&[10, 10, 10], &[1, 1, 1], 1, &[1, 0, 0]),
            (&[0, 5], &[9, 1], 1, &[0, 1]),
            (&[], &[], 5, &[]),
        ] {
            assert_eq!(shares(available, &mut turns(weights), at_most), expected, "{available:?} {weights:?}");
        }
    }

    #[test]
    fn one_after_the_other_they_come_to_the_same_shares() {
        let mut turns = turns(&[1, 3]);
        let mut all = [0, 0];
        for _ in 0..400 {
            let one = shares(&[5, 5], &mut turns, 1);
            (all[0], all[1]) = (all[0] + one[0], all[1] + one[1]);
        }
        assert_eq!(all, [100, 300]);
    }

    proptest! {
        #[test]
        fn no_link_gives_more_than_it_has_and_nothing_is_left_over(
            links in proptest::collection::vec((0usize..1000, 1i64..100), 0..6), at_most in 0usize..3000,
        ) {
            let (available, weights): (Vec<usize>, Vec<i64>) = links.into_iter().unzip();
            let shares = shares(&available, &mut turns(&weights), at_most);
            prop_assert!(shares.iter().zip(&available).all(|(share, free)| share <= free));
            prop_assert_eq!(shares.iter().sum::<usize>(), at_most.min(available.iter().sum()));
        }
    }
}
