//! The History-Info header (RFC 7044): where the call has been, and how it came from one place to the next.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::lexer;
use super::message::{Message, Name};
use super::settings::Party;
use super::uri::{Address, Uri};

/// Most entries that are read: Max-Forwards ends a call long before. A longer history can't be read.
const MAX_ENTRIES: usize = 100;

/// The cause of a number translation, which is no diversion (RFC 8119; 3GPP TS 29.163 annex L).
const TRANSLATED: u16 = 380;

const REASON: &[u8] = b"Reason";

/// One place where the call has been.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// Its place in the message, from zero.
    pub(super) place: usize,
    /// As it stands in the message.
    pub(super) written: &'a [u8],
    /// `None` when it is no sip or tel URI.
    pub(super) uri: Option<Uri<'a>>,
    index: Option<&'a [u8]>,
    /// The index of the entry that was mapped to this one.
    mapped: Option<&'a [u8]>,
    /// The index of the entry whose contact this is.
    contact_of: Option<&'a [u8]>,
    /// Why the call came *to* this place (RFC 4458).
    cause: Option<u16>,
}

/// A diversion: the call left one place for another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Diverted<'a> {
    /// Whom the call left; `None` when the history doesn't hold it.
    pub(super) from: Option<Entry<'a>>,
    /// The SIP cause with which the call came to the next place.
    pub(super) cause: Option<u16>,
}

/// What History-Info says of a call.
#[derive(Debug, Clone)]
pub(super) struct History<'a> {
    /// By index, where every entry has one.
    entries: Vec<Entry<'a>>,
    is_whole: bool,
}

impl<'a> History<'a> {
    /// Reads the entries, where there are any.
    pub(super) fn read(message: &'a Message) -> Option<Self> {
        let mut values = message.entries(Name::HistoryInfo, usize::MAX).enumerate().peekable();
        values.peek()?;
        let (mut entries, mut is_whole) = (Vec::with_capacity(4), true);
        for value in values {
            match Entry::read(value) {
                Some(entry) if entries.len() < MAX_ENTRIES => entries.push(entry),
                Some(_) => return Some(Self { entries, is_whole: false }),
                None => is_whole = false,
            }
        }
        order(&mut entries);
        Some(Self { entries, is_whole })
    }

    /// Whether every entry could be read: else one that could not may be the one that counts.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The last diversion or the first; `None` when the call was never diverted.
    ///
    /// Whom the call left is the entry that `mp` of an entry with a cause names; without `mp`, or when nothing has that index, the entry
    /// just before. Without any cause it is `mp` alone, then an entry whose URI holds a Reason: that is where the call failed.
    /// A place that was only tried for somebody, such as a contact, is never whom the call left where the history tells for whom.
    pub(super) fn diverted(&self, party: Party) -> Option<Diverted<'a>> {
        let caused = |entry: &Entry<'_>| entry.cause.is_some_and(|cause| cause != TRANSLATED);
        let mapped = |entry: &Entry<'_>| entry.cause.is_none() && entry.mapped.is_some();
        if let Some(at) = self.find(party, caused).or_else(|| self.find(party, mapped)) {
            let to = self.entries.get(at)?;
            return Some(Diverted { from: self.left(at, to), cause: to.cause });
        }
        let failed = |entry: &Entry<'_>| entry.left_with().is_some();
        let at = self.find(party, failed)?;
        let from = self.entries.get(at).map(|entry| self.named(entry.contact_of, at).unwrap_or(*entry));
        Some(Diverted { from, cause: None })
    }

    /// Whom the call left for the entry `to`, which stands at `at`.
    fn left(&self, at: usize, to: &Entry<'a>) -> Option<Entry<'a>> {
        if let Some(named) = self.named(to.mapped, at) {
            return Some(named);
        }
        let before = *self.entries.get(at.checked_sub(1)?)?;
        let is_tried = before.cause.is_none() && before.mapped.is_none();
        let for_whom = || self.named(before.contact_of, at).or_else(|| self.named(parent(to.index?), at));
        if is_tried { for_whom().or(Some(before)) } else { Some(before) }
    }

    /// The entry with an index: the last of them before a place, else the first behind it.
    fn named(&self, index: Option<&[u8]>, at: usize) -> Option<Entry<'a>> {
        let has_it = |entry: &&Entry<'_>| index.is_some() && entry.index == index;
        let (before, behind) = self.entries.split_at_checked(at)?;
        before.iter().rfind(has_it).or_else(|| behind.iter().skip(1).find(has_it)).copied()
    }

    fn find(&self, party: Party, wanted: impl Fn(&Entry<'_>) -> bool) -> Option<usize> {
        match party {
            Party::Last => self.entries.iter().rposition(wanted),
            Party::First => self.entries.iter().position(wanted),
        }
    }
}

impl<'a> Entry<'a> {
    fn read((place, value): (usize, &'a [u8])) -> Option<Self> {
        let address = Address::parse(value)?;
        let uri = Uri::parse(address.uri);
        let written = uri.filter(|uri| uri.parameter(REASON).is_none()).and_then(|uri| uri.parameter(b"cause"));
        let cause = written.map(lexer::number);
        if cause == Some(None) {
            return None;
        }
        Some(Self {
            place,
            written: value,
            uri,
            index: lexer::parameter_value(address.parameters, b"index"),
            mapped: lexer::parameter_value(address.parameters, b"mp"),
            contact_of: lexer::parameter_value(address.parameters, b"rc"),
            cause: cause.flatten(),
        })
    }

    /// The Reason with which the call *left* this place: `SIP;cause=486`, escaped in `?Reason=SIP%3Bcause%3D486&…`, or in parts,
    /// which some servers write among the parameters: `;Reason=SIP;cause=486`.
    pub(super) fn left_with(&self) -> Option<Cow<'a, [u8]>> {
        let uri = self.uri?;
        if let (Some(protocol), Some(cause)) = (uri.parameter(REASON), uri.parameter(b"cause")) {
            return Some(Cow::Owned([protocol, b";cause=", cause].concat()));
        }
        uri.headers.split(|byte| *byte == b'&').find_map(|header| {
            let at = header.iter().position(|byte| *byte == b'=')?;
            let is_reason = header.get(..at)?.eq_ignore_ascii_case(REASON);
            header.get(at + 1..).filter(|_| is_reason).map(Cow::Borrowed)
        })
    }
}

/// Brings the entries into the order of their indexes. One that is missing or stands twice, as when a network begins anew at 1, says
/// nothing of the order: then it stays that of the message.
fn order(entries: &mut [Entry<'_>]) {
    let indexed = entries.iter().all(|entry| entry.index.is_some());
    if !indexed || entries.is_sorted_by(|a, b| by_index(a, b).is_lt()) {
        return;
    }
    entries.sort_by(by_index);
    if !entries.is_sorted_by(|a, b| by_index(a, b).is_lt()) {
        entries.sort_by_key(|entry| entry.place);
    }
}

/// `1.2` of `1.2.3`.
fn parent(index: &[u8]) -> Option<&[u8]> {
    index.get(..index.iter().rposition(|byte| *byte == b'.')?)
}

/// `1.2` before `1.10`, and a place before those that were tried from it (RFC 7044 §10.3).
fn by_index(a: &Entry<'_>, b: &Entry<'_>) -> Ordering {
    levels(a).cmp(levels(b))
}

fn levels<'a>(entry: &Entry<'a>) -> impl Iterator<Item = Option<u32>> + 'a {
    entry.index.unwrap_or_default().split(|byte| *byte == b'.').map(lexer::number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// The number that the call left, and the cause with which it came to the next.
    fn diverted(headers: &str, party: Party) -> Option<(String, Option<u16>)> {
        let message = Message::parse(Bytes::from(format!("INVITE sip:9@h SIP/2.0\r\n{headers}\r\n\r\n"))).unwrap();
        let diverted = History::read(&message)?.diverted(party)?;
        let number = diverted.from.map(|entry| entry.uri.unwrap().number("45").unwrap().into_owned());
        Some((number.unwrap_or_default(), diverted.cause))
    }

    #[test]
    fn the_diverting_party_is_found() {
        for (headers, number, cause, first) in [
            ("History-Info: <sip:1@h>;index=1, <sip:9@h;cause=408>;index=1.1;mp=1", "1", Some(408), "1"),
            ("History-Info: <sip:1@h>;index=1\r\nHistory-Info: <sip:9@h;cause=486>;index=1.1", "1", Some(486), "1"),
            // Forwarded twice.
            (
                "History-Info: <sip:1@h>;index=1,<sip:2@h;cause=302>;index=1.1;mp=1,<sip:9@h;cause=408>;index=1.1.1;mp=1.1",
                "2",
                Some(408),
                "1",
            ),
            // The same in another order: the index says which was first, as numbers.
            (
                "History-Info: <sip:9@h;cause=408>;index=1.1.10;mp=1.1.2,<sip:2@h;cause=302>;index=1.1.2,<sip:1@h>;index=1.1",
                "2",
                Some(408),
                "1",
            ),
            // Without an index the order of the message counts.
            ("History-Info: <sip:1@h>,<sip:2@h;cause=302>,<sip:9@h;cause=408>;mp=1.1", "2", Some(408), "1"),
            // A translated number isn't a diversion, neither after one nor before.
            (
                "History-Info: <sip:1@h>;index=1,<sip:9@h;cause=486>;index=1.1;mp=1,<sip:8@h;cause=380>;index=1.1.1;mp=1.1",
                "1",
                Some(486),
                "1",
            ),
            (
                "History-Info: <sip:1@h>;index=1,<sip:2@h;cause=380>;index=1.1;mp=1,<sip:9@h;cause=486>;index=1.1.1;mp=1.1",
                "2",
                Some(486),
                "2",
            ),
            ("History-Info: <sip:1@h>;index=1,<sip:9@h;cause=486>;index=1.1;mp=7", "1", Some(486), "1"),
            ("History-Info: <sip:1@h>;index=1,<sip:9@h>;index=1.1;mp=1", "1", None, "1"),
            ("History-Info: <sip:1@h?Reason=SIP%3Bcause%3D486>;index=1,<sip:9@h>;index=1.1", "1", None, "1"),
            // A second network begins the index anew.
            (
                "History-Info: <sip:1@h>;index=1,<sip:2@h;cause=302>;index=1.1;mp=1\r\nHistory-Info: <sip:2@h>;index=1,<sip:9@h;cause=408>;index=1.1;mp=1",
                "2",
                Some(408),
                "1",
            ),
            // A contact was tried first, with `rc` and `mp` and without.
            (
                "History-Info: <sip:1@h>;index=1,<sip:7@c?Reason=SIP%3Bcause%3D408>;index=1.1,<sip:9@h;cause=408>;index=1.2",
                "1",
                Some(408),
                "1",
            ),
            (
                "History-Info: <sip:1@h>;index=1,<sip:7@c>;index=1.1;rc=1,<sip:9@h;cause=408>;index=1.1.1",
                "1",
                Some(408),
                "1",
            ),
            (
                "History-Info: <sip:1@h>;index=1,<sip:7@c?Reason=SIP%3Bcause%3D408>;index=1.1;rc=1,<sip:9@h>;index=1.2",
                "1",
                None,
                "1",
            ),
            // The same indexes, where the entry between was forwarded to.
            (
                "History-Info: <sip:1@h>;index=1,<sip:2@h;cause=302>;index=1.1,<sip:9@h;cause=408>;index=1.2",
                "2",
                Some(408),
                "1",
            ),
            // `mp` in a circle.
            (
                "History-Info: <sip:1@h;cause=302>;index=1;mp=1.1,<sip:9@h;cause=408>;index=1.1;mp=1",
                "1",
                Some(408),
                "9",
            ),
            // The reason of leaving among the parameters.
            (
                "History-Info: <sip:1@h;Reason=SIP;cause=302>;index=1,<sip:2@h;text=Busy%20Here;cause=486;Reason=SIP>;index=1.1,<sip:9@h>;index=1.1.1",
                "2",
                None,
                "1",
            ),
            ("History-Info: <sip:9@h;cause=486>;index=1", "", Some(486), ""),
        ] {
            assert_eq!(diverted(headers, Party::Last), Some((number.to_owned(), cause)), "{headers}");
            assert_eq!(diverted(headers, Party::First).map(|it| it.0).as_deref(), Some(first), "{headers}");
        }
    }

    #[test]
    fn a_history_without_a_diversion_names_nobody() {
        for headers in [
            "History-Info: <sip:9@h>;index=1",
            "History-Info: <sip:1@h>;index=1,<sip:9@h>;index=1.1",
            "History-Info: <sip:1@h>;index=1,<sip:9@h;cause=380>;index=1.1;mp=1",
            "X: y",
        ] {
            assert_eq!(diverted(headers, Party::Last), None, "{headers}");
        }
    }

    #[test]
    fn what_can_not_be_read_makes_the_history_less_than_whole() {
        let long = vec!["<sip:1@h>;index=1"; MAX_ENTRIES + 1].join(",");
        for (value, whole) in [
            ("<sip:1@h>;index=1, <urn:service:sos>;index=1.1", true),
            ("<sip:1@h>;index=1, <sip:2@h", false),
            ("<sip:1@h>;index=1, <sip:2@h;cause=302>;index=1.1;mp=1, <sip:9@h;cause=48x>;index=1.1.1;mp=1.1", false),
            (long.as_str(), false),
        ] {
            let text = format!("INVITE sip:9@h SIP/2.0\r\nHistory-Info: {value}\r\n\r\n");
            let message = Message::parse(Bytes::from(text)).unwrap();
            assert_eq!(History::read(&message).map(|history| history.is_whole()), Some(whole), "{value}");
        }
    }
}
