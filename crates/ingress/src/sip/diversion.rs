//! The Diversion header (RFC 5806): who forwarded the call.

use super::lexer;
use super::message::{Message, Name};
use super::settings::{Last, Party};
use super::uri::{Address, Uri};

/// One who forwarded the call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Diversion<'a> {
    /// Its place among the entries, from zero.
    pub(super) place: usize,
    /// As it stands in the message.
    pub(super) written: &'a [u8],
    /// `None` when there is no sip or tel URI in it: then nobody else's entry may stand for it.
    pub(super) uri: Option<Uri<'a>>,
    /// The reason as written, quotes taken off.
    pub(super) reason: Option<&'a [u8]>,
}

/// The two ends of the entries; in between are those through whom the call only passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Diversions<'a> {
    last: Diversion<'a>,
    first: Diversion<'a>,
}

impl<'a> Diversions<'a> {
    /// Reads the entries, where there are any; the last one to forward stands at this end.
    pub(super) fn read(message: &'a Message, end: Last) -> Option<Self> {
        let mut entries = message.entries(Name::Diversion, usize::MAX).enumerate();
        let top = entries.next().map(Diversion::read)?;
        let bottom = entries.last().map_or(top, Diversion::read);
        Some(match end {
            Last::Top => Self { last: top, first: bottom },
            Last::Bottom => Self { last: bottom, first: top },
        })
    }

    /// The one who counts as having missed the call.
    pub(super) const fn of(&self, party: Party) -> &Diversion<'a> {
        match party {
            Party::Last => &self.last,
            Party::First => &self.first,
        }
    }
}

impl<'a> Diversion<'a> {
    fn read((place, entry): (usize, &'a [u8])) -> Self {
        let address = Address::parse(entry);
        Self {
            place,
            written: entry,
            uri: address.and_then(|address| Uri::parse(address.uri)),
            reason: address.and_then(|address| lexer::parameter_value(address.parameters, b"reason")),
        }
    }
}
