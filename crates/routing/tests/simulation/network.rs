//! An SMSC that throttles, refuses, loses answers and receipts' order, keeps messages and updates them in every way, late or never, and the handsets
//! behind it.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{
    Caller, Kind, Msisdn, NoAnswer, Receipt, ReceiptState, SmscName, Submit, SubmitOutcome, Timestamp, UpdateOrder,
    UpdateOutcome, UpdateWay, split,
};
use routing::Alert;

use crate::rng::Rng;

/// A message that the SMSC took.
struct Message {
    to: Msisdn,
    /// Each part's id and what is to become of it, until its final receipt was sent.
    parts: Vec<(String, ReceiptState, bool)>,
    told: Alert,
    /// Every id that its first part ever had.
    ids: Vec<String>,
    /// Whether it left the SMSC: nothing changes it any more.
    gone: bool,
}

/// How long an answer to an update is waited for.
const UPDATE_TIMEOUT: Duration = Duration::from_secs(60);

/// An update that is not answered yet.
struct Asked {
    order: UpdateOrder,
    /// The alert as it would be.
    told: Alert,
    since: Timestamp,
}

/// A submit that is not answered yet.
struct InFlight {
    submit: Submit,
    told: Alert,
}

#[derive(Default)]
pub(crate) struct Network {
    messages: Vec<Message>,
    in_flight: Vec<InFlight>,
    /// Answers that come when nobody waits for them any more.
    late: Vec<(Submit, SubmitOutcome)>,
    asked: Vec<Asked>,
    late_updates: Vec<(UpdateOrder, UpdateOutcome)>,
    next_id: u64,
}

fn smsc() -> SmscName {
    SmscName("smsc1".to_owned())
}

impl Network {
    pub(crate) fn submit(&mut self, submit: Submit, told: Alert) {
        self.in_flight.push(InFlight { submit, told });
    }

    /// Takes a message; what becomes of each part is settled now and told later.
    fn take(&mut self, rng: &mut Rng, sent: InFlight, reachable: bool) -> SubmitOutcome {
        let mut ids = Vec::new();
        let mut parts = Vec::new();
        for _ in split(&sent.submit.text).parts {
            self.next_id += 1;
            let fates = [ReceiptState::Expired, ReceiptState::Undeliverable, ReceiptState::Rejected];
            let fate = if reachable || rng.percent(80) { ReceiptState::Delivered } else { rng.pick(&fates) };
            ids.push(format!("m{}", self.next_id));
            parts.push((format!("m{}", self.next_id), fate, false));
        }
        let of_first = ids.iter().take(1).cloned().collect();
        self.messages.push(Message { to: sent.submit.destination, parts, told: sent.told, ids: of_first, gone: false });
        SubmitOutcome::Accepted { smsc: smsc(), message_ids: ids }
    }

    /// What becomes of one submit on its way.
    pub(crate) fn answer(&mut self, rng: &mut Rng) -> Option<(Submit, SubmitOutcome)> {
        if self.in_flight.is_empty() {
            return None;
        }
        let sent = self.in_flight.swap_remove(rng.place(self.in_flight.len()));
        let submit = sent.submit.clone();
        let later = SubmitOutcome::Later { status: 0x58, avoid: None, after: Duration::from_secs(rng.below(120)) };
        let refused = SubmitOutcome::Refused { status: 0x0b };
        let outcome = match rng.below(20) {
            0..12 => self.take(rng, sent, false),
            12..14 => later,
            14 => refused,
            15 => SubmitOutcome::NotSent,
            // Taken, and the answer is late or lost.
            16 | 17 => {
                let taken = self.take(rng, sent, false);
                self.late.push((submit.clone(), taken));
                SubmitOutcome::InDoubt(rng.pick(&[NoAnswer::Timeout, NoAnswer::LinkLost]))
            }
            // Not taken, and the answer is late or lost.
            _ => {
                self.late.push((submit.clone(), rng.pick(&[later, refused])));
                SubmitOutcome::InDoubt(NoAnswer::Timeout)
            }
        };
        Some((submit, outcome))
    }

    pub(crate) fn late_answer(&mut self, rng: &mut Rng) -> Option<(Submit, SubmitOutcome)> {
        if self.late.is_empty() {
            return None;
        }
        let answer = self.late.swap_remove(rng.place(self.late.len()));
        // Some are never given.
        rng.percent(70).then_some(answer)
    }

    /// The gateway stopped: nobody hears the answers, and some submits had not arrived.
    pub(crate) fn cut(&mut self, rng: &mut Rng) {
        for sent in std::mem::take(&mut self.in_flight) {
            if rng.percent(50) {
                let submit = sent.submit.clone();
                let taken = self.take(rng, sent, false);
                self.late.push((submit, taken));
            }
        }
        for asked in std::mem::take(&mut self.asked) {
            if rng.percent(50) {
                let done = self.update(rng, &asked);
                self.late_updates.push((asked.order, done));
            }
        }
    }

    pub(crate) fn ask(&mut self, order: UpdateOrder, told: Alert, since: Timestamp) {
        self.asked.push(Asked { order, told, since });
    }

    /// What becomes of one update on its way.
    pub(crate) fn answer_update(&mut self, rng: &mut Rng) -> Option<(UpdateOrder, UpdateOutcome)> {
        if self.asked.is_empty() {
            return None;
        }
        let asked = self.asked.swap_remove(rng.place(self.asked.len()));
        let order = asked.order.clone();
        let outcome = match rng.below(20) {
            0..12 => self.update(rng, &asked),
            12 | 13 => UpdateOutcome::NotNow,
            14 => UpdateOutcome::Impossible,
            15..18 => {
                let done = self.update(rng, &asked);
                self.late_updates.push((order.clone(), done));
                UpdateOutcome::InDoubt(rng.pick(&[NoAnswer::Timeout, NoAnswer::LinkLost]))
            }
            _ => UpdateOutcome::InDoubt(NoAnswer::Timeout),
        };
        Some((order, outcome))
    }

    /// Some are never given, but for those that tell an id: receipts by one that nobody told could not be matched.
    pub(crate) fn late_update(&mut self, rng: &mut Rng) -> Option<(UpdateOrder, UpdateOutcome)> {
        while !self.late_updates.is_empty() {
            let answer = self.late_updates.swap_remove(rng.place(self.late_updates.len()));
            if matches!(answer.1, UpdateOutcome::Replaced { message_id: Some(_) }) || rng.percent(40) {
                return Some(answer);
            }
        }
        None
    }

    /// Updates that were asked long ago were done by now or never are; nobody is told in time, or at all.
    pub(crate) fn forget_updates(&mut self, rng: &mut Rng, now: Timestamp) {
        for asked in std::mem::take(&mut self.asked) {
            if now.since(asked.since) < UPDATE_TIMEOUT {
                self.asked.push(asked);
            } else if rng.percent(50) {
                let done = self.update(rng, &asked);
                self.late_updates.push((asked.order, done));
            }
        }
    }

    /// Does what is asked, unless the message has left meanwhile: perhaps at this moment, before its receipt is sent.
    fn update(&mut self, rng: &mut Rng, asked: &Asked) -> UpdateOutcome {
        let refused = UpdateOutcome::TooLate { status: 0x13 };
        let Asked { order, told, .. } = asked;
        let id = order.message_ids.first().unwrap();
        let Some(message) = self.messages.iter_mut().find(|message| message.ids.contains(id)) else { return refused };
        message.gone |= message.parts.iter().any(|(.., told)| *told) || rng.percent(15);
        if message.gone {
            return refused;
        }
        if order.way == UpdateWay::Replace && rng.percent(20) {
            return UpdateOutcome::Impossible;
        }
        if order.way == UpdateWay::Cancel {
            assert!(order.kind != Kind::Teaser, "a teaser is taken back");
            message.gone = true;
            for (_, fate, told) in &mut message.parts {
                // Some SMSCs say so in a receipt, others say nothing.
                (*fate, *told) = (ReceiptState::Deleted, rng.percent(80));
            }
            return UpdateOutcome::Cancelled;
        }
        assert_eq!((split(&order.text).parts.len(), message.parts.len()), (1, 1), "replaced by more parts");
        message.told = told.clone();
        if order.way != UpdateWay::ReplaceIfPresent {
            return UpdateOutcome::Replaced { message_id: None };
        }
        self.next_id += 1;
        let new = format!("m{}", self.next_id);
        message.ids.push(new.clone());
        if rng.percent(50) {
            message.parts[0].0.clone_from(&new);
        }
        UpdateOutcome::Replaced { message_id: Some(new) }
    }

    /// All is well from now on: what can be done is done, and said.
    pub(crate) fn answer_update_well(&mut self, rng: &mut Rng) -> Option<(UpdateOrder, UpdateOutcome)> {
        let asked = self.asked.pop()?;
        let outcome = self.update(rng, &asked);
        Some((asked.order, outcome))
    }

    /// One receipt: on the way, final, or a final one again.
    pub(crate) fn receipt(&mut self, rng: &mut Rng, now: Timestamp) -> Option<Receipt> {
        if self.messages.is_empty() {
            return None;
        }
        // Mostly of late messages.
        let back = rng.place(self.messages.len().min(12));
        let place = self.messages.len() - 1 - back;
        let parts = &mut self.messages[place].parts;
        let part = rng.place(parts.len());
        let (id, fate, told) = &mut parts[part];
        let passing = [ReceiptState::Enroute, ReceiptState::Accepted, ReceiptState::Unknown];
        let state = if rng.percent(20) { rng.pick(&passing) } else { *fate };
        *told |= state.is_final();
        Some(receipt(id, state, now))
    }

    /// All is well from now on: every submit is taken, every phone reachable.
    pub(crate) fn answer_well(&mut self, rng: &mut Rng) -> Option<(Submit, SubmitOutcome)> {
        let sent = self.in_flight.pop()?;
        let submit = sent.submit.clone();
        let outcome = self.take(rng, sent, true);
        Some((submit, outcome))
    }

    /// All final receipts not sent yet.
    pub(crate) fn remaining_receipts(&mut self, now: Timestamp) -> Vec<Receipt> {
        let parts = self.messages.iter_mut().flat_map(|message| &mut message.parts).filter(|(.., told)| !*told);
        parts
            .map(|(id, fate, told)| {
                *told = true;
                receipt(id, *fate, now)
            })
            .collect()
    }

    /// How often each caller's calls were shown on a person's phone, and how many calls in all.
    pub(crate) fn shown_to(&self, called: Msisdn) -> (BTreeMap<Caller, u32>, u32) {
        let (mut by_caller, mut all) = (BTreeMap::new(), 0);
        let arrived = |message: &&Message| message.parts.iter().all(|(_, fate, _)| *fate == ReceiptState::Delivered);
        for message in self.messages.iter().filter(|message| message.to == called).filter(arrived) {
            for tally in &message.told.told {
                *by_caller.entry(tally.caller.clone()).or_default() += tally.count;
                all += tally.count;
            }
            all += message.told.more;
        }
        (by_caller, all)
    }

    pub(crate) fn teasers_to(&self, called: Msisdn) -> usize {
        self.messages.iter().filter(|message| message.to == called && message.told.kind == Kind::Teaser).count()
    }
}

fn receipt(id: &str, state: ReceiptState, at: Timestamp) -> Receipt {
    Receipt { smsc: smsc(), message_id: id.to_owned(), id_form: None, state, handset: None, error: String::new(), at }
}
