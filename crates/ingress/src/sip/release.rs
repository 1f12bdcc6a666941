//! How calls are released: a SIP status and a Q.850 cause for each reason, so that the network plays its own announcement.

use std::sync::Arc;

use model::Reason;

use super::uri::Uri;

/// A final response to a missed call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Release(Kind);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    /// A status and a Q.850 cause (RFC 6432).
    Cause { status: u16, cause: u8 },
    /// 302: the peer goes on to this URI, where an announcement is played.
    Redirect { contact: Arc<str> },
}

/// Why a release can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// A class of responses that answers, redirects or goes on.
    #[error("status {0}: a call is released with 400 to 699")]
    Class(u16),
    /// Switches take it for an overload, and route around or block the gateway.
    #[error("status {0}: peers would treat the gateway as broken, or ask for a password; use 480, 486, 404 or 603")]
    Misleading(u16),
    /// Q.850 §2.2 has seven bits.
    #[error("cause {0}: Q.850 causes are 1 to 127")]
    Cause(u8),
    /// A peer could not follow it.
    #[error("a redirect needs the SIP or tel URI of an announcement, such as sip:busy@announcements.example")]
    Contact,
}

impl Release {
    /// A release with a SIP status of 400 to 699 and a Q.850 cause of 1 to 127.
    ///
    /// # Errors
    /// When the status or the cause would not release the call, or would tell the peer something else.
    pub const fn new(status: u16, cause: u8) -> Result<Self, ReleaseError> {
        match (status, cause) {
            (400..=699, 0 | 128..) => Err(ReleaseError::Cause(cause)),
            (401 | 407 | 481 | 482 | 500 | 503 | 504, _) => Err(ReleaseError::Misleading(status)),
            (400..=699, _) => Ok(Self(Kind::Cause { status, cause })),
            _ => Err(ReleaseError::Class(status)),
        }
    }

    /// A 302 to the URI of an announcement, for peers that follow one: many gateways to circuit-switched networks don't.
    ///
    /// # Errors
    /// When it is no URI that can stand in a Contact.
    pub fn redirect(contact: &str) -> Result<Self, ReleaseError> {
        let plain = contact.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"'));
        let uri = Uri::parse(contact.as_bytes()).filter(|uri| plain && !(uri.user.is_empty() && uri.host.is_empty()));
        uri.map(|_| Self(Kind::Redirect { contact: contact.into() })).ok_or(ReleaseError::Contact)
    }

    /// The SIP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.0 {
            Kind::Cause { status, .. } => status,
            Kind::Redirect { .. } => 302,
        }
    }

    /// The Q.850 cause; none in a redirect, which releases nothing.
    #[must_use]
    pub const fn cause(&self) -> Option<u8> {
        match self.0 {
            Kind::Cause { cause, .. } => Some(cause),
            Kind::Redirect { .. } => None,
        }
    }

    /// Where a redirect leads to.
    #[must_use]
    pub fn contact(&self) -> Option<&str> {
        match &self.0 {
            Kind::Cause { .. } => None,
            Kind::Redirect { contact } => Some(contact),
        }
    }
}

/// A release for every reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReleaseTable {
    /// Default 486, 17 user busy.
    pub busy: Release,
    /// Default 480, 19 no answer from user.
    pub no_answer: Release,
    /// Default 480, 20 subscriber absent.
    pub unreachable: Release,
    /// Default 480, 31 normal, unspecified.
    pub unconditional: Release,
    /// Default 480, 21 call rejected.
    pub rejected: Release,
    /// Default 480, 31 normal, unspecified.
    pub unknown: Release,
}

impl Default for ReleaseTable {
    fn default() -> Self {
        let unavailable = |cause| Release(Kind::Cause { status: 480, cause });
        Self {
            busy: Release(Kind::Cause { status: 486, cause: 17 }),
            no_answer: unavailable(19),
            unreachable: unavailable(20),
            unconditional: unavailable(31),
            rejected: unavailable(21),
            unknown: unavailable(31),
        }
    }
}

impl ReleaseTable {
    /// The release for a reason.
    #[must_use]
    pub const fn of(&self, reason: Reason) -> &Release {
        match reason {
            Reason::Busy => &self.busy,
            Reason::NoAnswer => &self.no_answer,
            Reason::Unreachable => &self.unreachable,
            Reason::Unconditional => &self.unconditional,
            Reason::Rejected => &self.rejected,
            Reason::Unknown => &self.unknown,
        }
    }

    /// Puts another release in the place of the one for a reason.
    pub fn set(&mut self, reason: Reason, release: Release) {
        *match reason {
            Reason::Busy => &mut self.busy,
            Reason::NoAnswer => &mut self.no_answer,
            Reason::Unreachable => &mut self.unreachable,
            Reason::Unconditional => &mut self.unconditional,
            Reason::Rejected => &mut self.rejected,
            Reason::Unknown => &mut self.unknown,
        } = release;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_releases_a_call_is_a_release() {
        for (status, cause, expected) in [
            (486, 17, None),
            (603, 21, None),
            (200, 16, Some(ReleaseError::Class(200))),
            (302, 16, Some(ReleaseError::Class(302))),
            (700, 16, Some(ReleaseError::Class(700))),
            (503, 34, Some(ReleaseError::Misleading(503))),
            (480, 0, Some(ReleaseError::Cause(0))),
            (480, 128, Some(ReleaseError::Cause(128))),
        ] {
            assert_eq!(Release::new(status, cause).err(), expected, "{status} {cause}");
        }
        for reason in Reason::ALL {
            let table = ReleaseTable::default();
            let release = table.of(reason);
            let again = Release::new(release.status(), release.cause().unwrap());
            assert_eq!(again.as_ref(), Ok(release), "the default for {reason}");
        }
        for (contact, usable) in [
            ("sip:busy@announcements.example", true),
            ("sip:+4591100199@announcements.example;user=phone", true),
            ("tel:+4591100199", true),
            ("", false),
            ("sip:", false),
            ("http://announcements.example", false),
            ("sip:busy@announcements.example>\r\nX: y", false),
        ] {
            assert_eq!(Release::redirect(contact).is_ok(), usable, "{contact}");
        }
    }
}
