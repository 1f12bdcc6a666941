//! The test itself: bind, submit, answer, receipts, unbind.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use model::{Address, Clock, IdForm, NoAnswer, Receipt, ReceiptState, Submit, SubmitOutcome, id_key};
use smpp_client::{
    Acknowledge, Answer, Arrivals, Bind, Inbound, LinkSettings, LinkState, LinkStatus, Links, Status, StatusClass,
    Version, Why,
};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use super::advice;
use super::step::{Step, Teller};

/// Between two looks at the links.
const LOOK: Duration = Duration::from_millis(10);
/// How long unbinding may take.
const UNBIND: Duration = Duration::from_secs(5);
/// Receipts for the number that are kept while the answer is out; more than its parts can have.
const EARLY: usize = 1000;

/// What is to be tried.
pub(super) struct Test {
    /// One that sends, and perhaps one that receives beside it.
    pub links: Vec<LinkSettings>,
    pub order: Submit,
    /// Whether a second message is asked about, replaced and cancelled.
    pub updates: bool,
    /// How long the receipt may take, and an SMSC that connects by itself.
    pub patience: Duration,
    pub clock: Clock,
}

/// A message that the SMSC took.
pub(super) struct Taken {
    /// One for each part.
    pub message_ids: Vec<String>,
    /// When the answer came.
    pub answered: Instant,
}

/// A receipt that may be about this message, not acknowledged yet.
struct Early {
    receipt: Receipt,
    owed: Acknowledge,
    at: Instant,
}

/// A test that runs.
pub(super) struct Running<'a, 'b> {
    pub test: &'a Test,
    pub links: Links,
    arrivals: Arrivals,
    early: Vec<Early>,
    others: u64,
    pub teller: &'a mut Teller<'b>,
}

impl Test {
    /// Gives whether the message was delivered, or taken where no receipt is asked for.
    pub(super) async fn run(&self, teller: &mut Teller<'_>) -> io::Result<bool> {
        let tracker = TaskTracker::new();
        // It only spreads reconnections, and there are none.
        let (links, arrivals) = smpp_client::start(self.links.clone(), self.clock, 0, &tracker);
        let mut running = Running { test: self, links, arrivals, early: Vec::new(), others: 0, teller };
        let delivered = running.talk().await;
        let Running { links, mut arrivals, early, mut others, teller, .. } = running;
        // Not about this message, or not looked at any more: refused while there is a session to say it on.
        others += u64::try_from(early.len()).unwrap_or(u64::MAX);
        drop(early);
        tokio::join!(links.drain(UNBIND), async {
            // What still comes is not ours to take: it is refused, and the SMSC delivers it again.
            while arrivals.inbound.recv().await.is_some() {}
        });
        let delivered = delivered?;
        if others > 0 {
            teller.tell(&Step::Others { count: others })?;
        }
        if let Some(delivered) = delivered {
            teller.tell(&Step::Unbound { delivered })?;
        }
        Ok(delivered == Some(true))
    }

    pub(super) fn asks_for_receipts(&self) -> bool {
        self.links.iter().any(|link| link.writing.of(self.order.kind).registered_delivery != 0)
    }

    fn receives(&self) -> bool {
        self.links.iter().any(|link| link.bind != Bind::Transmitter)
    }

    fn class(&self, status: u32) -> StatusClass {
        self.links.first().map_or(StatusClass::Refused, |link| link.statuses.class(status))
    }
}

impl Running<'_, '_> {
    /// `None` when it did not come to a session.
    async fn talk(&mut self) -> io::Result<Option<bool>> {
        if !self.bind().await? {
            return Ok(None);
        }
        let Some(taken) = self.submit(self.test.order.clone()).await? else { return Ok(Some(false)) };
        let delivered = if self.test.asks_for_receipts() {
            self.delivered(&taken).await?
        } else {
            self.teller.tell(&Step::NoReceiptAsked)?;
            true
        };
        if self.test.updates {
            self.update().await?;
        }
        Ok(Some(delivered))
    }

    /// Waits for the receipts; whether all parts were delivered.
    async fn delivered(&mut self, taken: &Taken) -> io::Result<bool> {
        let delivered = self.receipts(taken, self.test.patience).await?;
        if delivered.is_none() {
            let advice = if self.test.receives() { advice::NO_RECEIPT } else { advice::NO_RECEIVER };
            self.teller.tell(&Step::NoReceipt { within: self.test.patience, advice })?;
        }
        Ok(delivered == Some(true))
    }

    /// Waits until every link is bound, or one says why not.
    async fn bind(&mut self) -> io::Result<bool> {
        for link in &self.test.links {
            self.teller.tell(&connecting(link))?;
        }
        let start = Instant::now();
        let until = start
            + self.test.links.iter().map(|link| bind_patience(link, self.test.patience)).max().unwrap_or_default();
        let mut bound = vec![false; self.test.links.len()];
        while bound.contains(&false) {
            for (link, bound) in self.links.status().into_iter().zip(&mut bound) {
                if let Some(step) = not_bound(&link, Instant::now() >= until) {
                    self.teller.tell(&step)?;
                    return Ok(false);
                }
                if link.state == LinkState::Bound && !std::mem::replace(bound, true) {
                    self.teller.tell(&Step::Bound { link: link.name.0, after: start.elapsed() })?;
                }
            }
            sleep(LOOK).await;
        }
        Ok(true)
    }

    /// Submits a message and waits for the answer.
    pub(super) async fn submit(&mut self, order: Submit) -> io::Result<Option<Taken>> {
        let response_timeout = self.test.links.iter().map(|link| link.response_timeout).max().unwrap_or_default();
        let patience = self.test.patience.max(response_timeout + LOOK);
        let start = Instant::now();
        self.teller.tell(&submitted(&order))?;
        match timeout(patience, self.links.reserve(1)).await.ok().and_then(|permits| permits.into_iter().next()) {
            Some(permit) => self.links.submit(permit, order),
            None => return self.not_accepted("nothing was sent".to_owned(), advice::LOST, start).map(|()| None),
        }
        let answer = self.answer(start + patience).await?;
        let late = answer.as_ref().is_some_and(|answer| answer.late);
        let Some(Answer { outcome, .. }) = answer else {
            return self.not_accepted("none".to_owned(), advice::NO_ANSWER, start).map(|()| None);
        };
        match outcome {
            SubmitOutcome::Accepted { message_ids, .. } => {
                let answered = Instant::now();
                let step = Step::Accepted { message_ids: message_ids.clone(), after: answered - start, late };
                self.teller.tell(&step)?;
                return Ok(Some(Taken { message_ids, answered }));
            }
            SubmitOutcome::Later { status, .. } | SubmitOutcome::Refused { status } => {
                let advice = advice::not_accepted(status, self.test.class(status));
                self.not_accepted(Status(status).to_string(), advice, start)?;
            }
            SubmitOutcome::NotSent => self.not_accepted(self.why_closed("not sent"), advice::LOST, start)?,
            SubmitOutcome::InDoubt(NoAnswer::Timeout) => {
                self.not_accepted("none in time".to_owned(), advice::NO_ANSWER, start)?;
            }
            SubmitOutcome::InDoubt(NoAnswer::LinkLost | NoAnswer::Restart) => {
                self.not_accepted(self.why_closed("none"), advice::LOST, start)?;
            }
        }
        Ok(None)
    }

    fn not_accepted(&mut self, why: String, advice: &'static str, start: Instant) -> io::Result<()> {
        self.teller.tell(&Step::NotAccepted { why, advice, after: start.elapsed() })
    }

    /// Why a session ended, where one did.
    fn why_closed(&self, what: &str) -> String {
        let closed = self.links.status().into_iter().find_map(|link| link.last_closed);
        closed.map_or_else(|| what.to_owned(), |closed| format!("{what}, {}", closed.why))
    }

    /// The answer to the submit; receipts that overtake it are kept meanwhile. Where none comes in time, a late one is waited for.
    async fn answer(&mut self, until: Instant) -> io::Result<Option<Answer>> {
        let mut doubt = None;
        loop {
            tokio::select! {
                answer = self.arrivals.answers.recv() => match answer {
                    Some(answer) if matches!(answer.outcome, SubmitOutcome::InDoubt(NoAnswer::Timeout)) => {
                        self.teller.tell(&Step::NoAnswerYet)?;
                        doubt = Some(answer);
                    }
                    answer => return Ok(answer),
                },
                Some(inbound) = self.arrivals.inbound.recv() => self.keep(inbound),
                () = sleep_until(until) => return Ok(doubt),
            }
        }
    }

    /// Keeps what may be about this message; what isn't is dropped, which refuses it, so that the SMSC delivers it to those whom it is for.
    fn keep(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Receipt(receipt, owed)
                if receipt.handset.is_none_or(|handset| handset == self.test.order.destination)
                    && self.early.len() < EARLY =>
            {
                self.early.push(Early { receipt, owed, at: Instant::now() });
            }
            Inbound::Receipt(..) | Inbound::Reply(..) => self.others += 1,
        }
    }

    /// Waits until each part has its last receipt; whether all were delivered, `None` when it took too long.
    pub(super) async fn receipts(&mut self, taken: &Taken, patience: Duration) -> io::Result<Option<bool>> {
        let Taken { message_ids, answered } = taken;
        let until = Instant::now().max(*answered) + patience;
        let mut missing: Vec<String> = message_ids.iter().map(|id| id_key(id)).collect();
        let mut strangers = BTreeSet::new();
        let mut delivered = true;
        loop {
            for Early { receipt, owed, at } in std::mem::take(&mut self.early) {
                let Some((form, key)) = about(&receipt, message_ids) else {
                    self.stranger(&receipt, &mut strangers)?;
                    continue;
                };
                owed.accept();
                if receipt.state.is_final() {
                    missing.retain(|missing| *missing != key);
                    delivered &= receipt.state == ReceiptState::Delivered;
                }
                let Receipt { message_id, state, error, .. } = receipt;
                let after = at.saturating_duration_since(*answered);
                self.teller.tell(&Step::Receipt { message_id, form, state, error, after })?;
            }
            if missing.is_empty() {
                return Ok(Some(delivered));
            }
            let Ok(Some(inbound)) = timeout_at(until, self.arrivals.inbound.recv()).await else { return Ok(None) };
            self.keep(inbound);
        }
    }

    /// A receipt that is about none of the ids: told when it names the number, each id once, however often the SMSC repeats it.
    fn stranger(&mut self, receipt: &Receipt, told: &mut BTreeSet<String>) -> io::Result<()> {
        self.others += 1;
        if receipt.handset.is_none() || !told.insert(receipt.message_id.clone()) {
            return Ok(());
        }
        self.teller.tell(&Step::OtherReceipt { message_id: receipt.message_id.clone(), state: receipt.state })
    }
}

/// Which of the ids a receipt is about, and how it writes it.
fn about(receipt: &Receipt, message_ids: &[String]) -> Option<(IdForm, String)> {
    receipt.answers().into_iter().find(|(_, key)| message_ids.iter().any(|id| id_key(id) == *key))
}

/// Twice the timeout of connecting and binding, since either may take it; an SMSC that connects by itself may take as long as a receipt.
fn bind_patience(link: &LinkSettings, patience: Duration) -> Duration {
    let bind = link.bind_timeout * 2 + Duration::from_secs(1);
    if link.outbind.is_some() { patience.max(bind) } else { bind }
}

fn not_bound(link: &LinkStatus, overdue: bool) -> Option<Step> {
    let name = link.name.0.clone();
    match link.state {
        LinkState::Down { why, .. } => {
            Some(Step::NotBound { link: name, why: why.to_string(), advice: advice::not_bound(why) })
        }
        LinkState::Awaiting if overdue => {
            let why = "the SMSC did not connect".to_owned();
            Some(Step::NotBound { link: name, why, advice: advice::NO_OUTBIND })
        }
        LinkState::Connecting
        | LinkState::Binding
        | LinkState::Draining
        | LinkState::Away { .. }
        | LinkState::Closed
            if overdue =>
        {
            let why = Why::ConnectTimeout;
            Some(Step::NotBound { link: name, why: why.to_string(), advice: advice::not_bound(why) })
        }
        LinkState::Awaiting
        | LinkState::Connecting
        | LinkState::Binding
        | LinkState::Draining
        | LinkState::Away { .. }
        | LinkState::Closed
        | LinkState::Bound => None,
    }
}

fn connecting(link: &LinkSettings) -> Step {
    let to = match link.outbind {
        Some(listen) => format!("us at {listen}, by the SMSC itself"),
        None => format!("{}:{}", link.host, link.port),
    };
    let version = match link.version {
        Version::V3_3 => "3.3",
        Version::V3_4 => "3.4",
        Version::V5_0 => "5.0",
    };
    let tls = if link.tls.is_some() { ", TLS" } else { "" };
    Step::Connecting {
        link: link.name.0.clone(),
        to,
        how: format!("{} as {}, SMPP {version}{tls}", link.bind.as_str(), link.system_id),
    }
}

/// The number was typed by whoever reads this.
fn submitted(order: &Submit) -> Step {
    let source = match &order.source {
        Address::International(number) => format!("+{}", number.reveal()),
        Address::ShortCode(code) => code.as_str().to_owned(),
        Address::Alphanumeric(name) => name.clone(),
    };
    Step::Submitted {
        to: format!("+{}", order.destination.reveal()),
        source,
        kind: order.kind.as_str(),
        text: order.text.clone(),
    }
}
