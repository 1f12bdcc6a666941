//! The way of a message to its phone, and of what a phone writes to the peers.

use std::collections::hash_map::Entry;

use bytes::BytesMut;
use model::{Msisdn, Timestamp};
use tokio::time::Instant;

use super::center::Center;
use super::desk::{Desk, Outgoing, REPLIES};
use super::handset::{Direction, Handset, PhoneChange, Sms};
use super::receipt::{Facts, Final};
use super::session::SessionId;
use super::shape::Delivery;
use super::timers::{Due, TimerId};
use crate::pdu::{Address, Deliver, Part};
use crate::text::{self, Alphabet};

/// What `query_sm` can still tell about: the latest so many.
const FINALS: usize = 4096;

/// Characters of the message that a receipt repeats (SMPP 3.4 appendix B).
const BEGINNING: usize = 20;

/// Characters of an address on the wire (SMPP 3.4 §5.2.8).
const ADDRESS: usize = 20;

/// A source address, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Originator {
    ton: u8,
    npi: u8,
    pub(crate) digits: Box<str>,
}

impl Originator {
    pub(crate) fn new(address: Address<'_>) -> Self {
        Self { ton: address.ton, npi: address.npi, digits: String::from_utf8_lossy(address.digits).into() }
    }

    fn address(&self) -> Address<'_> {
        Address { ton: self.ton, npi: self.npi, digits: self.digits.as_bytes() }
    }
}

/// A message (one part) that was taken and has not reached its phone.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: u64,
    /// Where it came from.
    pub(crate) session: SessionId,
    pub(crate) desk: usize,
    pub(crate) service_type: Box<[u8]>,
    pub(crate) source: Originator,
    pub(crate) destination: Msisdn,
    pub(crate) alphabet: Alphabet,
    pub(crate) part: Option<Part>,
    pub(crate) body: Box<[u8]>,
    pub(crate) registered: u8,
    pub(crate) submitted: Timestamp,
    /// Not brought to the phone before.
    pub(crate) due: Instant,
    /// Not brought to the phone after.
    pub(crate) expires: Instant,
    /// What happens to it next, while it waits.
    pub(crate) timer: Option<TimerId>,
}

impl Center {
    /// Brings a message to its phone, or keeps it until its time or until the phone is on.
    pub(crate) fn bring(&mut self, message: Message) {
        let number = message.destination;
        let on = match self.phones.get(&number) {
            Some(phone) => phone.on,
            None => {
                if self.options.keep_inboxes && self.phones.len() < self.options.max_phones {
                    self.phones.insert(number, Handset::new(true));
                }
                true
            }
        };
        if on && message.due <= self.instant {
            return self.deliver(&message);
        }
        let id = message.id;
        self.messages.insert(id, message);
        self.reset_timer(id);
        if let Some(phone) = self.phones.get_mut(&number) {
            phone.waiting.push_back(id);
            let pending = phone.waiting.len();
            self.tell(number, || PhoneChange::Pending(pending));
        }
    }

    /// Sets what happens next to a waiting message: its time comes, or it expires.
    pub(crate) fn reset_timer(&mut self, id: u64) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        if let Some(timer) = message.timer.take() {
            self.timers.cancel(timer);
        }
        message.timer = Some(if message.due > self.instant {
            self.timers.set(message.due, Due::Deliver(id))
        } else {
            self.timers.set(message.expires, Due::Expire(id))
        });
    }

    /// The time of a waiting message has come.
    pub(crate) fn try_phone(&mut self, id: u64) {
        let Some(message) = self.messages.get(&id) else { return };
        if message.expires < self.instant {
            return self.expire(id);
        }
        if self.phones.get(&message.destination).is_none_or(|phone| phone.on) {
            if let Some(message) = self.take_waiting(id) {
                self.deliver(&message);
            }
        } else {
            self.reset_timer(id);
        }
    }

    /// The validity of a waiting message has passed.
    pub(crate) fn expire(&mut self, id: u64) {
        if let Some(message) = self.take_waiting(id) {
            self.counts.expired += 1;
            self.finish(&message, Final::Expired);
        }
    }

    /// A waiting message is cancelled.
    pub(crate) fn delete(&mut self, id: u64) {
        if let Some(message) = self.take_waiting(id) {
            self.counts.cancelled += 1;
            self.finish(&message, Final::Deleted);
        }
    }

    /// Takes a message out of the waiting ones.
    pub(crate) fn take_waiting(&mut self, id: u64) -> Option<Message> {
        let mut message = self.messages.remove(&id)?;
        if let Some(timer) = message.timer.take() {
            self.timers.cancel(timer);
        }
        if let Some(phone) = self.phones.get_mut(&message.destination) {
            // Nearly always the first.
            if let Some(place) = phone.waiting.iter().position(|waiting| *waiting == id) {
                phone.waiting.remove(place);
            }
            let pending = phone.waiting.len();
            self.tell(message.destination, || PhoneChange::Pending(pending));
        }
        Some(message)
    }

    fn deliver(&mut self, message: &Message) {
        self.counts.delivered += 1;
        if let Some(phone) = self.phones.get_mut(&message.destination) {
            let text = message.alphabet.decode(&message.body);
            let part = message.part.unwrap_or(Part { reference: 0, total: 1, number: 1 });
            if let Some(text) = phone.join(&message.source.digits, part, text) {
                let sms = Sms {
                    id: message.id,
                    from: message.source.digits.to_string(),
                    text,
                    at: self.now,
                    direction: Direction::In,
                    parts: part.total.max(1),
                };
                phone.keep(sms.clone(), self.options.inbox_limit);
                self.tell(message.destination, || PhoneChange::Received(sms));
            }
        }
        self.finish(message, Final::Delivered);
    }

    /// Remembers what became of a message, and writes the receipt if one was asked for.
    fn finish(&mut self, message: &Message, became: Final) {
        if self.finals.len() >= FINALS {
            self.finals.pop_front();
        }
        self.finals.push_back((message.id, became));
        let covered = self.faults.receipts_for.covers(message.part);
        if !self.options.receipts || !became.asked_for(message.registered) || !covered {
            return;
        }
        let printable = message.body.iter().copied().filter(|octet| matches!(octet, b' '..=b'~'));
        let beginning: Vec<u8> = match message.alphabet {
            Alphabet::Gsm | Alphabet::Latin1 | Alphabet::Recoded(_) => printable.take(BEGINNING).collect(),
            Alphabet::Ucs2 | Alphabet::Octets | Alphabet::Packed { .. } => Vec::new(),
        };
        let (id, phone) = (self.name(message.id), message.destination.reveal());
        let facts = Facts {
            id: &id,
            phone: phone.as_bytes(),
            originator: message.source.address(),
            submitted: message.submitted,
            done: self.now,
            became,
            beginning: &beginning,
        };
        let not_by = self.faults.receipts_elsewhere.then_some(message.session);
        if self.faults.receipts.is_empty() {
            let body = facts.body(&mut self.dates);
            return self.post(Outgoing { not_by, ..Outgoing::new(message.desk, body) });
        }
        let shaped: Vec<_> =
            self.faults.receipts.iter().map(|shape| (shape.carrier.command(), shape.body(&facts))).collect();
        for (command, body) in shaped {
            self.post(Outgoing { not_by, command, ..Outgoing::new(message.desk, body) });
        }
    }

    /// Takes a message to an ESME that is described field by field; `false` when too many wait.
    pub(crate) fn post_delivery(&mut self, delivery: &Delivery) -> bool {
        if self.desks.get(REPLIES).is_none_or(Desk::is_full) {
            return false;
        }
        self.post(Outgoing { command: delivery.carrier.command(), ..Outgoing::new(REPLIES, delivery.body()) });
        true
    }

    /// Switches a phone, adding it if need be; what waits for it is delivered when it is on.
    pub(crate) fn switch(&mut self, number: Msisdn, on: bool) {
        let full = self.phones.len() >= self.options.max_phones;
        let phone = match self.phones.entry(number) {
            Entry::Occupied(phone) => phone.into_mut(),
            Entry::Vacant(_) if full => return,
            Entry::Vacant(place) => place.insert(Handset::new(!on)),
        };
        if phone.on == on {
            return;
        }
        phone.on = on;
        let waiting: Vec<u64> = phone.waiting.iter().copied().collect();
        self.tell(number, || PhoneChange::Switched(on));
        for id in waiting.into_iter().filter(|_| on) {
            if self.messages.get(&id).is_some_and(|message| message.due <= self.instant) {
                self.try_phone(id);
            }
        }
    }

    /// Texts from a phone; `false` when `to` can't be written or too much waits already.
    pub(crate) fn reply(&mut self, from: Msisdn, to: &str, text: String) -> bool {
        let writable = to.len() <= ADDRESS && !to.contains('\0');
        if !writable || self.desks.get(REPLIES).is_none_or(Desk::is_full) {
            return false;
        }
        self.last_reference = self.last_reference.wrapping_add(1);
        let written = text::write(&text, self.last_reference);
        let digits = from.reveal();
        let (ton, npi, to_digits) = match to.strip_prefix('+') {
            Some(international) => (1, 1, international),
            None => (3, 0, to),
        };
        for part in &written.parts {
            let deliver = Deliver {
                source: Address { ton: 1, npi: 1, digits: digits.as_bytes() },
                destination: Address { ton, npi, digits: to_digits.as_bytes() },
                esm_class: if written.header { 0x40 } else { 0 },
                data_coding: written.data_coding,
                user_data: part,
            };
            let mut body = BytesMut::with_capacity(200);
            deliver.put(&mut body);
            self.post(Outgoing::new(REPLIES, body[..].into()));
        }
        self.last_id += 1;
        let sms = Sms {
            id: self.last_id,
            from: to.to_owned(),
            text,
            at: self.now,
            direction: Direction::Out,
            parts: u8::try_from(written.parts.len()).unwrap_or(u8::MAX),
        };
        let room = self.phones.len() < self.options.max_phones;
        if room && self.options.keep_inboxes {
            self.phones.entry(from).or_insert_with(|| Handset::new(true));
        }
        if let Some(phone) = self.phones.get_mut(&from) {
            phone.keep(sms.clone(), self.options.inbox_limit);
        }
        self.tell(from, || PhoneChange::Sent(sms));
        true
    }
}
