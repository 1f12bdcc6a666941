//! Messages that a person wrote in parts: what has come of each.

use std::time::Duration;

use model::{ReplyPart, ShortNumber, Timestamp};
use serde::{Deserialize, Serialize};

/// Messages of one person that are collected at a time; a part of a further one is a message of its own. People write one at a time.
pub const MAX_MESSAGES: usize = 3;

/// Parts that a message may have; a part of a longer one is a message of its own. No keyword needs a second part: ten let people explain themselves.
pub const MAX_PARTS: u8 = 10;

/// Characters of a part that is collected, the most that `short_message` holds (SMPP 3.4 §5.2.21: 254 octets).
pub const MAX_PART_CHARACTERS: usize = 254;

/// How long the next part is waited for. A handset sends all within seconds, and an SMSC repeats one that failed within the minute; the person waits for
/// the answer as long.
pub const PARTS_WAIT: Duration = Duration::from_secs(60);

/// One part of a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MessagePart {
    /// Which, from 1.
    #[serde(rename = "n")]
    pub number: u8,
    /// What it says.
    #[serde(rename = "t")]
    pub text: String,
}

/// A message of which parts have come. The number it went to, reference and total name it among one person's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Joins the parts.
    pub reference: u16,
    /// How many there are.
    pub total: u8,
    /// The number of ours that it went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ShortNumber>,
    /// Those that have come, in order, each once.
    pub parts: Vec<MessagePart>,
    /// Until when the others are waited for, or repeats are known once it was read.
    pub until: Timestamp,
    /// Whether it was read whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read: bool,
}

/// What a part completes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Collected {
    /// The message: its whole text.
    Whole(String),
    /// Nothing yet.
    Waiting,
    /// Nothing: it came before.
    Repeated,
    /// Nothing that could be collected: it is a message of its own.
    Alone,
}

impl Message {
    /// Whether it has every part.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.parts.len() >= usize::from(self.total)
    }

    /// What there is of it, in order.
    #[must_use]
    pub fn text(&self) -> String {
        self.parts.iter().map(|part| part.text.as_str()).collect()
    }

    fn is_named_like(&self, other: &Self) -> bool {
        (self.reference, self.total, &self.to) == (other.reference, other.total, &other.to)
    }

    fn has(&self, part: &MessagePart) -> bool {
        self.parts.contains(part)
    }

    fn has_room_for(&self, part: &MessagePart) -> bool {
        self.parts.iter().all(|known| known.number != part.number)
    }

    fn insert(&mut self, part: MessagePart) {
        let place = self.parts.partition_point(|known| known.number < part.number);
        self.parts.insert(place, part);
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.until <= now || (self.is_whole() && !self.read)
    }
}

/// Takes a part in. A part with the number of another and a different text belongs to a later message with the same name: references are few.
pub(crate) fn collect(
    messages: &mut Vec<Message>,
    part: ReplyPart,
    to: &ShortNumber,
    text: &str,
    now: Timestamp,
) -> Collected {
    let ReplyPart { reference, total, number } = part;
    let fits = (2..=MAX_PARTS).contains(&total) && (1..=total).contains(&number);
    if !fits || text.chars().count() > MAX_PART_CHARACTERS {
        return Collected::Alone;
    }
    let part = MessagePart { number, text: text.to_owned() };
    let same =
        |message: &Message| (message.reference, message.total, message.to.as_ref()) == (reference, total, Some(to));
    let named = |message: &&mut Message| same(message);
    if messages.iter_mut().filter(named).any(|message| message.has(&part)) {
        return Collected::Repeated;
    }
    let until = now + PARTS_WAIT;
    if let Some(message) = messages.iter_mut().filter(named).find(|message| message.has_room_for(&part)) {
        message.until = until;
        message.insert(part);
        if message.is_whole() {
            message.read = true;
            return Collected::Whole(message.text());
        }
        return Collected::Waiting;
    }
    if messages.len() >= MAX_MESSAGES {
        forget_read(messages, MAX_MESSAGES - 1);
    }
    if messages.len() >= MAX_MESSAGES {
        return Collected::Alone;
    }
    messages.push(Message { reference, total, to: Some(to.clone()), parts: vec![part], until, read: false });
    Collected::Waiting
}

/// Takes the next message that is not waited for any longer: its text as far as it came. Forgets those that were read long enough ago.
pub(crate) fn take_due(messages: &mut Vec<Message>, now: Timestamp) -> Option<(String, Option<ShortNumber>)> {
    messages.retain(|message| !message.read || message.until > now);
    let place = messages.iter().position(|message| !message.read && message.is_due(now))?;
    let message = messages.get_mut(place)?;
    if message.is_whole() {
        message.read = true;
        message.until = now + PARTS_WAIT;
        return Some((message.text(), message.to.clone()));
    }
    let message = messages.remove(place);
    Some((message.text(), message.to))
}

/// When one of them is to be looked at.
pub(crate) fn next_look(messages: &[Message], now: Timestamp) -> Option<Timestamp> {
    messages.iter().map(|message| if message.is_due(now) { now } else { message.until }).min()
}

/// Brings together what two nodes collected of one person's messages since both knew `base`. Parts that one of them read are read, and a message that
/// both have parts of may be whole now: the next look reads it. Beyond twice [`MAX_MESSAGES`] the oldest are forgotten: so many at once come from a fault.
pub(crate) fn merge(base: &[Message], mine: &[Message], theirs: &[Message]) -> Vec<Message> {
    let mut merged = theirs.to_vec();
    for message in base {
        for part in message.parts.iter().filter(|part| !named(mine, message).any(|known| known.has(part))) {
            take_away(&mut merged, message, part);
        }
    }
    for message in mine {
        if message.read {
            for part in &message.parts {
                take_away(&mut merged, message, part);
            }
            if !named(&merged, message).any(|known| known.read && known.parts == message.parts) {
                merged.push(message.clone());
            }
            continue;
        }
        for part in message.parts.iter().filter(|part| !named(base, message).any(|known| known.has(part))) {
            put(&mut merged, message, part);
        }
    }
    merged.retain(|message| !message.parts.is_empty());
    forget_read(&mut merged, 2 * MAX_MESSAGES);
    merged.sort_by_key(|message| message.until);
    merged.drain(..merged.len().saturating_sub(2 * MAX_MESSAGES));
    merged
}

fn named<'a>(messages: &'a [Message], like: &'a Message) -> impl Iterator<Item = &'a Message> {
    messages.iter().filter(move |message| message.is_named_like(like))
}

fn take_away(messages: &mut [Message], of: &Message, part: &MessagePart) {
    for message in messages.iter_mut().filter(|message| message.is_named_like(of) && !message.read) {
        message.parts.retain(|known| known != part);
    }
}

fn put(messages: &mut Vec<Message>, of: &Message, part: &MessagePart) {
    if named(messages, of).any(|message| message.has(part)) {
        return;
    }
    let place = messages.iter().position(|message| message.is_named_like(of) && message.has_room_for(part));
    if let Some(message) = place.and_then(|place| messages.get_mut(place)) {
        message.until = message.until.max(of.until);
        message.insert(part.clone());
    } else {
        messages.push(Message { parts: vec![part.clone()], ..of.clone() });
    }
}

/// Forgets messages that were read, the oldest first, until as few are left.
fn forget_read(messages: &mut Vec<Message>, few: usize) {
    while messages.len() > few
        && let Some(place) = messages.iter().position(|message| message.read)
    {
        messages.remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn code() -> ShortNumber {
        ShortNumber::parse("12599").unwrap()
    }

    /// `7/3 1a 2b`: of message 7, which has three parts, the first and the second; with `!`, it was read.
    fn messages(text: &str) -> Vec<Message> {
        let message = |text: &str| {
            let (name, parts) = text.trim().split_once(' ').unwrap();
            let (reference, total) = name.trim_end_matches('!').split_once('/').unwrap();
            let part = |part: &str| MessagePart { number: part[..1].parse().unwrap(), text: part[1..].to_owned() };
            let parts = parts.split(' ').map(part).collect();
            let (reference, total) = (reference.parse().unwrap(), total.parse().unwrap());
            Message { reference, total, to: Some(code()), parts, until: NOW, read: name.ends_with('!') }
        };
        text.split(',').filter(|text| !text.is_empty()).map(message).collect()
    }

    fn written(messages: &[Message]) -> String {
        let message = |message: &Message| {
            let parts: Vec<_> = message.parts.iter().map(|part| format!("{}{}", part.number, part.text)).collect();
            let read = if message.read { "!" } else { "" };
            format!("{}/{}{read} {}", message.reference, message.total, parts.join(" "))
        };
        messages.iter().map(message).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn what_two_nodes_collected_is_brought_together_and_nothing_twice() {
        for (name, base, mine, theirs, expected) in [
            ("a part at each", "", "7/2 1a", "7/2 2b", "7/2 1a 2b"),
            ("the other part was known to both", "7/3 1a", "7/3 1a 2b", "7/3 1a 3c", "7/3 1a 2b 3c"),
            ("one part at both", "", "7/2 1a", "7/2 1a", "7/2 1a"),
            ("other messages", "", "7/2 1a", "8/2 1a", "8/2 1a,7/2 1a"),
            ("one name, other texts", "", "7/2 1a", "7/2 1b", "7/2 1b,7/2 1a"),
            ("this one waited no longer", "7/3 1a", "", "7/3 1a 2b", "7/3 2b"),
            ("they waited no longer", "7/3 1a", "7/3 1a 2b", "", "7/3 2b"),
            ("this one read it", "7/2 1a", "7/2! 1a 2b", "7/2 1a,8/2 1x", "8/2 1x,7/2! 1a 2b"),
            ("they read it", "7/2 1a", "7/2 1a,8/2 1x", "7/2! 1a 2b", "7/2! 1a 2b,8/2 1x"),
            ("both read it", "7/2 1a", "7/2! 1a 2b", "7/2! 1a 2b", "7/2! 1a 2b"),
            ("they read what this one has a part of", "", "7/2 1a,9/2 1z", "7/2! 1a 2b", "7/2! 1a 2b,9/2 1z"),
            ("this one read what they no longer waited for", "7/2 1a", "7/2! 1a 2b", "", "7/2! 1a 2b"),
        ] {
            let merged = merge(&messages(base), &messages(mine), &messages(theirs));
            assert_eq!(written(&merged), expected, "{name}");
            let again = merge(&messages(mine), &messages(mine), &merged);
            assert_eq!(written(&again), expected, "{name}, handed over twice");
        }
    }

    #[test]
    fn a_message_that_a_merge_made_whole_is_read_by_the_next_look_once() {
        let mut merged = merge(&[], &messages("7/2 1a"), &messages("7/2 2b"));
        assert_eq!(next_look(&merged, NOW - PARTS_WAIT), Some(NOW - PARTS_WAIT), "at once");
        assert_eq!(take_due(&mut merged, NOW - PARTS_WAIT), Some(("ab".to_owned(), Some(code()))));
        assert_eq!(take_due(&mut merged, NOW - PARTS_WAIT), None);
        let repeated = ReplyPart { reference: 7, total: 2, number: 2 };
        assert_eq!(collect(&mut merged, repeated, &code(), "b", NOW - PARTS_WAIT), Collected::Repeated);
        assert_eq!((take_due(&mut merged, NOW), merged.len()), (None, 0), "forgotten");
    }

    #[test]
    fn what_is_merged_is_bounded_and_keeps_what_was_not_read() {
        let many =
            |from: u16, read: &str| (from..from + 3).map(|n| format!("{n}/2{read} 1a")).collect::<Vec<_>>().join(",");
        let merged = merge(&[], &messages(&many(10, "")), &messages(&format!("{},{}", many(20, ""), many(30, "!"))));
        assert_eq!(merged.len(), 2 * MAX_MESSAGES);
        assert!(merged.iter().all(|message| !message.read));
        let merged = merge(&[], &messages(&many(40, "")), &merged);
        assert_eq!(merged.len(), 2 * MAX_MESSAGES);
    }
}
