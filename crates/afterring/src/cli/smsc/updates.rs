//! What an SMSC lets us do about a message that it has: ask, replace, cancel.

use std::io;
use std::time::Duration;

use model::{AlertId, Submit};
use smpp_client::{Message, Status, Update, Updated};

use super::conversation::Running;
use super::step::{Step, word};

/// How long the receipt of the second message is waited for at the end: it is taken where it comes, and not missed where it doesn't.
const LAST_RECEIPT: Duration = Duration::from_secs(3);

impl Running<'_, '_> {
    /// Sends a second message, and tries all three on it.
    pub(super) async fn update(&mut self) -> io::Result<()> {
        let first = &self.test.order;
        let before = format!("{} [2]", first.text);
        let second = Submit { alert: AlertId(2), text: before.clone(), ..first.clone() };
        let Some(taken) = self.submit(second).await? else { return Ok(()) };
        let (text, validity) = (format!("{} [3]", self.test.order.text), self.test.order.validity);
        let updates = [
            ("query_sm", Update::Query),
            ("replace_sm", Update::Replace { before, text, validity }),
            ("cancel_sm", Update::Cancel),
        ];
        for (what, update) in updates {
            let updated = self.ask(&taken.message_ids, update).await;
            let (said, advice) = told(&updated);
            self.teller.tell(&Step::Update { what, said, advice })?;
        }
        if self.test.asks_for_receipts() {
            self.receipts(&taken, self.test.patience.min(LAST_RECEIPT)).await?;
        }
        Ok(())
    }

    async fn ask(&self, message_ids: &[String], update: Update) -> Updated {
        let order = &self.test.order;
        let (Some(link), Some(id)) = (self.test.links.first(), message_ids.first()) else { return Updated::NotAsked };
        let message =
            Message { id: id.clone(), source: order.source.clone(), destination: order.destination, kind: order.kind };
        self.links.update(&link.smsc, message, update).await
    }
}

/// What came of it, and what that means where it isn't what one hopes for.
fn told(updated: &Updated) -> (String, Option<&'static str>) {
    match updated {
        Updated::Done | Updated::Taken(_) => ("done".to_owned(), None),
        Updated::State(state) => (word(*state).to_owned(), None),
        Updated::Refused(status) => (
            format!("refused with {}", Status(*status)),
            Some("Mostly since the message is delivered, or was cancelled: try it with the phone off."),
        ),
        Updated::PutOff(status) => (
            format!("not now: {}", Status(*status)),
            Some("The SMSC has too much to do. The gateway tries again a little later."),
        ),
        Updated::Unsupported(Some(status)) => (
            format!("it can't: {}", Status(*status)),
            Some("Some SMSCs can on a transmitter, and not on a transceiver: bind=pair."),
        ),
        Updated::Unsupported(None) => (
            "not answered within update_timeout=".to_owned(),
            Some("The SMSC can't, or takes longer. The gateway goes on without."),
        ),
        Updated::Unsayable => (
            "it can't be said: the text has several parts, or another coding".to_owned(),
            Some("Try a shorter --text."),
        ),
        Updated::Unanswered => ("not answered within update_timeout=, though it was before".to_owned(), None),
        Updated::InDoubt => ("the session ended before the answer".to_owned(), None),
        Updated::NotAsked => ("not asked: no session is in service".to_owned(), None),
    }
}
