//! A phone: what it shows, what waits for it, and the parts it puts together.

use std::collections::{BTreeMap, VecDeque};

use model::{Msisdn, Timestamp};
use serde::Serialize;

use crate::pdu::Part;

/// Messages in parts that a phone puts together at a time; the one begun first gives way.
const PARTIAL_MESSAGES: usize = 8;

/// A phone as it can be looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Phone {
    /// Its number.
    pub number: Msisdn,
    /// Whether it is on.
    pub on: bool,
    /// What it received and sent, oldest first; the latest [`inbox_limit`](crate::SmscOptions::inbox_limit).
    pub inbox: Vec<Sms>,
    /// Messages (parts) that wait for it at the centre.
    pub pending: usize,
}

/// A short message on a phone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Sms {
    /// Names it within the centre; a received one has the id of the part that completed it.
    pub id: u64,
    /// The other side: who sent what came in, who gets what goes out.
    pub from: String,
    /// The whole text.
    pub text: String,
    /// When it arrived on, or left, the phone.
    pub at: Timestamp,
    /// Which way it went.
    pub direction: Direction,
    /// How many parts it had.
    pub parts: u8,
}

/// Which way a message went, seen from the phone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Received.
    In,
    /// Sent.
    Out,
}

/// Something happened on a phone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PhoneEvent {
    /// Which phone.
    pub number: Msisdn,
    /// What happened.
    pub what: PhoneChange,
}

/// What happened on a phone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneChange {
    /// A message arrived, whole.
    Received(Sms),
    /// A message left.
    Sent(Sms),
    /// It was switched on or off.
    Switched(bool),
    /// So many messages (parts) wait for it now.
    Pending(usize),
}

/// A message that isn't whole yet.
#[derive(Debug)]
struct Partial {
    from: String,
    reference: u16,
    total: u8,
    texts: BTreeMap<u8, String>,
}

/// A phone as the centre keeps it.
#[derive(Debug)]
pub(crate) struct Handset {
    pub(crate) on: bool,
    /// Ids of the messages that wait for it, in order of arrival.
    pub(crate) waiting: VecDeque<u64>,
    inbox: VecDeque<Sms>,
    partial: VecDeque<Partial>,
}

impl Handset {
    pub(crate) const fn new(on: bool) -> Self {
        Self { on, waiting: VecDeque::new(), inbox: VecDeque::new(), partial: VecDeque::new() }
    }

    pub(crate) fn view(&self, number: Msisdn) -> Phone {
        Phone { number, on: self.on, inbox: self.inbox.iter().cloned().collect(), pending: self.waiting.len() }
    }

    /// Puts a message into the inbox; the oldest gives way when there are `limit`.
    pub(crate) fn keep(&mut self, sms: Sms, limit: usize) {
        while self.inbox.len() >= limit.max(1) {
            self.inbox.pop_front();
        }
        self.inbox.push_back(sms);
    }

    /// Takes one part; the whole text once it is the last that was missing.
    pub(crate) fn join(&mut self, from: &str, part: Part, text: String) -> Option<String> {
        if part.total <= 1 {
            return Some(text);
        }
        let same = |p: &Partial| p.from == from && p.reference == part.reference && p.total == part.total;
        let place = match self.partial.iter().position(same) {
            Some(place) => place,
            None => {
                if self.partial.len() >= PARTIAL_MESSAGES {
                    self.partial.pop_front();
                }
                let texts = BTreeMap::new();
                self.partial.push_back(Partial {
                    from: from.to_owned(),
                    reference: part.reference,
                    total: part.total,
                    texts,
                });
                self.partial.len() - 1
            }
        };
        let partial = self.partial.get_mut(place)?;
        partial.texts.insert(part.number, text);
        if partial.texts.len() < usize::from(partial.total) {
            return None;
        }
        self.partial.remove(place).map(|whole| whole.texts.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(reference: u16, number: u8) -> Part {
        Part { reference, total: 2, number }
    }

    #[test]
    fn parts_are_joined_in_their_order_whatever_the_order_of_arrival() {
        let mut phone = Handset::new(true);
        assert_eq!(phone.join("a", part(1, 2), "b".into()), None);
        assert_eq!(phone.join("b", part(1, 1), "x".into()), None);
        assert_eq!(phone.join("a", part(1, 2), "b".into()), None);
        assert_eq!(phone.join("a", part(1, 1), "a".into()).as_deref(), Some("ab"));
        assert_eq!(phone.partial.len(), 1);
    }

    #[test]
    fn messages_that_never_become_whole_give_way() {
        let mut phone = Handset::new(true);
        for reference in 0..100 {
            assert_eq!(phone.join("a", part(reference, 1), String::new()), None);
        }
        assert_eq!(phone.partial.len(), PARTIAL_MESSAGES);
    }
}
