//! The way that a request came, which is the way that its responses go.

use crate::sip::envelope::Via;
use crate::sip::line::{Line, Origin, Route};
use crate::sip::message::{Message, Name};
use crate::sip::response::{Echo, destination};
use crate::sip::settings::ReplyTo;

/// A request of which at least the topmost Via can be read.
#[derive(Clone, Copy)]
pub(super) struct Hop<'a> {
    pub(super) message: &'a Message,
    pub(super) via: Via<'a>,
    pub(super) origin: Origin,
    pub(super) reply_to: ReplyTo,
}

impl<'a> Hop<'a> {
    /// `None` when there is nowhere to send an answer.
    pub(super) fn of(message: &'a Message, origin: Origin, reply_to: ReplyTo) -> Option<Self> {
        let via = Via::topmost(message).or_else(|| broken_via(message))?;
        Some(Self { message, via, origin, reply_to })
    }

    /// Where responses go.
    pub(super) fn route(&self) -> Route {
        let to = match self.origin.line {
            Line::Datagrams(_) => destination(&self.via, self.origin.source, self.reply_to),
            Line::Connection(_) => self.origin.source,
        };
        Route { line: self.origin.line, to }
    }

    /// What responses give back; `None` when it is too much.
    pub(super) fn echo(&self) -> Option<Echo> {
        Echo::new(self.message, &self.via, self.origin.source)
    }

    /// What is too large to be given back is answered with the topmost Via alone: that is all its sender needs.
    pub(super) fn least_echo(&self) -> Option<Echo> {
        Echo::topmost(self.message, &self.via, self.origin.source)
    }
}

/// A Via of which only the beginning can be read is enough to say so to its sender, at its source port.
fn broken_via(message: &Message) -> Option<Via<'_>> {
    let entry =
        message.first(Name::Via).filter(|value| value.get(..4).is_some_and(|it| it.eq_ignore_ascii_case(b"SIP/")))?;
    Some(Via { entry, host: b"", port: None, branch: None, rport: true })
}
