//! All links together: permits to submit, spread over them; their status; closing them.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, LinkName, SmscName, Submit, SubmitOutcome};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::answers::{Answer, Answers};
use crate::gate::Gate;
use crate::inbound::Inbound;
use crate::link::{Link, View, Wiring};
use crate::settings::{Bind, LinkSettings};
use crate::state::{LinkState, LinkStatus};

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
    rate: u32,
    gate: Arc<Gate>,
    orders: mpsc::Sender<Submit>,
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
    for (number, settings) in (1_u64..).zip(settings) {
        let gate = Arc::new(Gate::new(window_of(&settings), Arc::clone(&opened)));
        // An order holds a slot, so that there are never more orders than slots.
        let (orders, orders_out) = mpsc::channel(gate.window());
        let (name, smsc, bind, rate) = (settings.name.clone(), settings.smsc.clone(), settings.bind, settings.rate);
        let wiring = Wiring {
            clock,
            gate: Arc::clone(&gate),
            orders: orders_out,
            answers: Answers::new(answers.clone(), Arc::clone(&gate)),
            inbound: inbound.clone(),
            drain: draining.clone(),
            seed: seed.wrapping_add(number << 32),
        };
        let (link, view) = Link::new(settings, wiring);
        tracker.spawn(link.run());
        ports.push(Arc::new(Port { name, smsc, bind, rate, gate, orders, answers: answers.downgrade(), view }));
    }
    let shared = Arc::new(Shared { ports, opened, drain });
    (Links { shared }, Arrivals { answers: answers_out, inbound: inbound_out })
}

fn window_of(settings: &LinkSettings) -> usize {
    settings.window.clamp(1, MAX_WINDOW)
}

impl Links {
    /// Waits for at least one free slot on a link that is bound and not throttled, and takes up to `at_most`, spread over the links by what they have free.
    ///
    /// Cancel safe: a permit is taken only in the same step in which it is returned. Once draining it waits for ever; so it does for `at_most` 0.
    pub async fn reserve(&self, at_most: usize) -> Vec<Permit> {
        loop {
            let opened = self.shared.opened.notified();
            tokio::pin!(opened);
            opened.as_mut().enable();
            if self.shared.drain.borrow().is_some() {
                pending::<()>().await;
            }
            let permits = self.take(at_most);
            if !permits.is_empty() {
                return permits;
            }
            opened.await;
        }
    }

    fn take(&self, at_most: usize) -> Vec<Permit> {
        let available: Vec<usize> = self.shared.ports.iter().map(|port| port.gate.available()).collect();
        let total: usize = available.iter().sum();
        let mut permits = Vec::with_capacity(at_most.min(total));
        for (port, share) in self.shared.ports.iter().zip(shares(&available, at_most)) {
            for _ in 0..port.gate.take(share) {
                permits.push(Permit { port: Some(Arc::clone(port)) });
            }
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

/// Shares `at_most` among links in proportion to what each has; what rounding leaves goes to the first that have more.
fn shares(available: &[usize], at_most: usize) -> Vec<usize> {
    let total: usize = available.iter().sum();
    if total <= at_most {
        return available.to_vec();
    }
    let mut shares: Vec<usize> = available.iter().map(|free| free * at_most / total).collect();
    let mut left = at_most - shares.iter().sum::<usize>();
    for (share, free) in shares.iter_mut().zip(available) {
        if left > 0 && *share < *free {
            *share += 1;
            left -= 1;
        }
    }
    shares
}

impl Port {
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

    #[test]
    fn slots_are_shared_by_what_is_free() {
        assert_eq!(shares(&[10, 30], 100), [10, 30]);
        assert_eq!(shares(&[10, 30], 4), [1, 3]);
        assert_eq!(shares(&[10, 10, 10], 1), [1, 0, 0]);
        assert_eq!(shares(&[0, 5], 1), [0, 1]);
        assert_eq!(shares(&[], 5), [0; 0]);
    }

    proptest! {
        #[test]
        fn no_link_gives_more_than_it_has_and_nothing_is_left_over(
            available in proptest::collection::vec(0usize..1000, 0..6), at_most in 0usize..3000,
        ) {
            let shares = shares(&available, at_most);
            prop_assert!(shares.iter().zip(&available).all(|(share, free)| share <= free));
            prop_assert_eq!(shares.iter().sum::<usize>(), at_most.min(available.iter().sum()));
        }
    }
}
