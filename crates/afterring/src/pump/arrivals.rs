//! What comes from SMSCs: answers to submits, receipts and replies, into the journal; then `deliver_sm_resp`.

use routing::Event;
use smpp_client::{Acknowledge, Answer, Inbound};
use store::{Embedded, Owed};
use tokio::sync::mpsc;

use super::Patience;
use crate::traces::Traces;

/// Arrivals taken into one append.
const BATCH: usize = 1_000;

/// Journals answers to submits until the links are closed. Nobody sends them again, so they are kept until the journal takes them;
/// meanwhile the links fill up and wait.
pub async fn answers(mut answers: mpsc::Receiver<Answer>, journal: Embedded, traces: Traces) {
    let mut batch = Vec::with_capacity(BATCH);
    while answers.recv_many(&mut batch, BATCH).await > 0 {
        traces.answered(&batch);
        let events: Vec<Event> = batch.drain(..).map(event).collect();
        let mut patience = Patience::new();
        while let Err(error) = journal.append(events.clone()).await {
            tracing::error!(error = %error, waiting = events.len(), "the journal can't take answers of an SMSC: trying again");
            patience.wait().await;
        }
    }
}

/// Journals replies and receipts until the links are closed; each is acknowledged once it is durable, refused when it can't be.
pub async fn inbound(mut arrivals: mpsc::Receiver<Inbound>, journal: Embedded) {
    let mut batch = Vec::with_capacity(BATCH);
    while arrivals.recv_many(&mut batch, BATCH).await > 0 {
        let (events, owed): (Vec<Event>, Vec<Owed<Acknowledge>>) = batch.drain(..).map(split).unzip();
        match journal.append(events).await {
            Ok(appended) => owed.into_iter().for_each(|ack| ack.settle(&appended.committed).accept()),
            Err(error) => {
                tracing::error!(error = %error, refused = owed.len(), "the journal can't take what SMSCs deliver: they are told to send it again");
                // What is owed and dropped is refused.
                drop(owed);
            }
        }
    }
}

fn event(answer: Answer) -> Event {
    Event::Submitted { alert: answer.alert, attempt: answer.attempt, outcome: answer.outcome }
}

fn split(inbound: Inbound) -> (Event, Owed<Acknowledge>) {
    match inbound {
        Inbound::Reply(reply, ack) => (Event::Reply(reply), Owed::new(ack)),
        Inbound::Receipt(receipt, ack) => (Event::Receipt(receipt), Owed::new(ack)),
    }
}
