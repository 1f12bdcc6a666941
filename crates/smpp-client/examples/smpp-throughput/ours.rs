//! This crate as the gateway uses it: one task reserves permits and submits, another takes answers and receipts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use model::{
    Address, AlertId, Kind, LinkName, Msisdn, Numbering, Receipt, ReceiptState, Secret, SmscName, Submit,
    SubmitOutcome, Timestamp,
};
use smpp_client::{Acknowledge, Answer, Arrivals, Inbound, LinkSettings, Links};
use tokio_util::task::TaskTracker;

use crate::load::{FROM, Load, Progress, TEXT, TO};

/// Permits, answers and receipts that are taken at a time.
const BATCH: usize = 1_000;

/// How often it is looked whether all receipts are there.
const LOOK: Duration = Duration::from_millis(2);

/// How long the links may take to close.
const DRAIN: Duration = Duration::from_secs(5);

/// Submits until it is told to stop, then waits until everything is answered, and receipts where they are awaited.
pub(crate) fn run(load: &Load, progress: &Arc<Progress>) -> Result<()> {
    load.runtime()?.block_on(submit(load, progress))
}

async fn submit(load: &Load, progress: &Arc<Progress>) -> Result<()> {
    let tracker = TaskTracker::new();
    let (links, arrivals) = smpp_client::start(settings(load), now, 1, &tracker);
    let dispatch = tokio::spawn(dispatch(links.clone(), Arc::clone(progress)));
    let taking = tokio::spawn(Taking::new(load.receipts, Arc::clone(progress)).take(arrivals));
    let submitted = dispatch.await??;
    // While they drain, links refuse receipts: the SMSC is to keep them.
    while progress.done() < submitted && !taking.is_finished() {
        tokio::time::sleep(LOOK).await;
    }
    links.drain(DRAIN).await;
    drop(links);
    let taken = taking.await??;
    ensure!(taken == submitted, "{submitted} submitted, {taken} done");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark has no binary to give it a clock")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn settings(load: &Load) -> Vec<LinkSettings> {
    let numbering = Numbering::new("49", "0", "00");
    let link = |number: usize| {
        let (smsc, secret) = (SmscName("sink".into()), Secret::new("secret".into()));
        LinkSettings {
            name: LinkName(format!("sink/{number}")),
            window: load.window,
            ..LinkSettings::new(smsc, "127.0.0.1", load.port, "afterring", secret, numbering.clone())
        }
    };
    (1..=load.binds).map(link).collect()
}

/// Orders as many as there are permits; gives how many.
async fn dispatch(links: Links, progress: Arc<Progress>) -> Result<u64> {
    let destination = Msisdn::international(TO)?;
    let source = Address::Alphanumeric(FROM.to_owned());
    let mut alert = 0;
    while !progress.is_over() {
        for permit in links.reserve(BATCH).await {
            alert += 1;
            let order = Submit {
                alert: AlertId(alert),
                attempt: 1,
                kind: Kind::Detail,
                source: source.clone(),
                destination,
                text: TEXT.to_owned(),
                validity: Duration::ZERO,
                avoid: None,
            };
            links.submit(permit, order);
        }
    }
    Ok(u64::try_from(alert)?)
}

/// What is taken, and what of it waits for its other half.
#[derive(Debug)]
struct Taking {
    receipts: bool,
    progress: Arc<Progress>,
    /// Alerts that the SMSC took, by its message id.
    unmatched: HashMap<String, AlertId>,
    /// Receipts that came before the answer.
    early: HashMap<String, Acknowledge>,
    done: u64,
}

impl Taking {
    fn new(receipts: bool, progress: Arc<Progress>) -> Self {
        Self { receipts, progress, unmatched: HashMap::new(), early: HashMap::new(), done: 0 }
    }

    /// Takes everything until the links are closed; gives how many messages are done.
    async fn take(mut self, mut arrivals: Arrivals) -> Result<u64> {
        let (mut answers, mut inbound) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        let (mut answering, mut delivering) = (true, true);
        while answering || delivering {
            let before = self.done;
            tokio::select! {
                count = arrivals.answers.recv_many(&mut answers, BATCH), if answering => {
                    answering = count > 0;
                    answers.drain(..).try_for_each(|answer| self.answered(answer))?;
                }
                count = arrivals.inbound.recv_many(&mut inbound, BATCH), if delivering => {
                    delivering = count > 0;
                    inbound.drain(..).try_for_each(|inbound| self.delivered(inbound))?;
                }
            }
            self.progress.add(self.done - before);
        }
        let (unmatched, early) = (self.unmatched.len(), self.early.len());
        ensure!(unmatched == 0 && early == 0, "{unmatched} without a receipt, {early} receipts of nothing");
        Ok(self.done)
    }

    fn answered(&mut self, answer: Answer) -> Result<()> {
        let SubmitOutcome::Accepted { message_ids, .. } = answer.outcome else {
            bail!("alert {} was not accepted: {:?}", answer.alert, answer.outcome)
        };
        if !self.receipts {
            self.done += 1;
            return Ok(());
        }
        for id in message_ids {
            match self.early.remove(&id) {
                Some(owed) => self.matched(owed),
                None => _ = self.unmatched.insert(id, answer.alert),
            }
        }
        Ok(())
    }

    fn delivered(&mut self, inbound: Inbound) -> Result<()> {
        let Inbound::Receipt(Receipt { message_id, state: ReceiptState::Delivered, .. }, owed) = inbound else {
            bail!("not a receipt of something delivered: {inbound:?}")
        };
        match self.unmatched.remove(&message_id) {
            Some(_) => self.matched(owed),
            None => _ = self.early.insert(message_id, owed),
        }
        Ok(())
    }

    fn matched(&mut self, owed: Acknowledge) {
        owed.accept();
        self.done += 1;
    }
}
