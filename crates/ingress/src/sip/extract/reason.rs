//! Why the call was missed: the words and causes of each source, and the order in which they are asked.

use std::fmt;

use model::Reason;

use super::Invite;
use crate::sip::explain::Field;
use crate::sip::lexer;
use crate::sip::message::Name;
use crate::sip::settings::CalledFrom;
use crate::sip::trail::{Trail, Written};

/// Values of Reason that are looked at: one a protocol (RFC 3326 §2).
const MAX_REASONS: usize = 8;

/// Why a word or cause does not count.
const SAYS_NOTHING: &str = "it says nothing of why the call was missed";

/// The reason of the forwarding by the one who missed the call, by the first of the peer's sources that has one; then the INVITE's Reason.
pub(super) fn reason(invite: &Invite<'_>, trail: &mut Trail) -> Reason {
    let forwardings = invite.rules.called.iter().find_map(|source| look(invite, *source, trail));
    forwardings.or_else(|| reason_header(invite, trail)).unwrap_or(Reason::Unknown)
}

fn look(invite: &Invite<'_>, source: CalledFrom, trail: &mut Trail) -> Option<Reason> {
    let (party, not_found) = (invite.rules.party, invite.rules.not_found);
    match source {
        CalledFrom::Diversion => {
            let word = invite.diversions.as_ref()?.of(party).reason?;
            note(format_args!("Diversion;reason"), &Written(word), by_word(word), trail)
        }
        CalledFrom::HistoryInfo => {
            let diverted = invite.history.as_ref()?.diverted(party)?;
            let caused = diverted
                .cause
                .and_then(|cause| note(format_args!("History-Info;cause"), &cause, by_cause(cause, not_found), trail));
            caused.or_else(|| {
                let escaped = diverted.from?.left_with()?;
                let values = lexer::unescape(&escaped);
                let found = lexer::split(&values, b',').find_map(|value| by_header(value, not_found));
                note(format_args!("History-Info?Reason"), &Written(&escaped), found, trail)
            })
        }
        CalledFrom::Target => {
            let written = invite.target.parameter(b"cause")?;
            let found = lexer::number(written).and_then(|cause| by_cause(cause, not_found));
            note(format_args!("Request-URI;cause"), &Written(written), found, trail)
        }
        CalledFrom::Isup => {
            let reason = invite.readable_iam()?.redirecting_reason(party)?;
            note(format_args!("ISUP, redirecting reason"), &reason, by_redirecting(reason), trail)
        }
        CalledFrom::ServedUser | CalledFrom::Prefix | CalledFrom::CalledPartyId | CalledFrom::To => None,
    }
}

fn reason_header(invite: &Invite<'_>, trail: &mut Trail) -> Option<Reason> {
    let mut values = invite.message.entries(Name::Reason, MAX_REASONS);
    values.find_map(|value| {
        note(format_args!("Reason"), &Written(value), by_header(value, invite.rules.not_found), trail)
    })
}

fn note(
    place: fmt::Arguments<'_>,
    written: &dyn fmt::Display,
    found: Option<Reason>,
    trail: &mut Trail,
) -> Option<Reason> {
    match found {
        Some(reason) => trail.taken(Field::Reason, place, written, format_args!("{reason}")),
        None => trail.passed(Field::Reason, place, written, SAYS_NOTHING),
    }
    found
}

/// The reason of a Diversion (RFC 5806 §4); `None` for `unknown` and for words that nobody defined, so that other evidence may speak.
fn by_word(word: &[u8]) -> Option<Reason> {
    let words: [(&[u8], Reason); 11] = [
        (b"user-busy", Reason::Busy),
        (b"busy", Reason::Busy),
        (b"no-answer", Reason::NoAnswer),
        (b"unavailable", Reason::Unreachable),
        (b"out-of-service", Reason::Unreachable),
        (b"away", Reason::Unreachable),
        (b"unconditional", Reason::Unconditional),
        (b"time-of-day", Reason::Unconditional),
        (b"do-not-disturb", Reason::Unconditional),
        (b"follow-me", Reason::Unconditional),
        (b"deflection", Reason::Rejected),
    ];
    words.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, reason)| reason)
}

/// What a SIP cause says (RFC 4458 §2, as mapped by 3GPP TS 24.604); `not_found` is what this network means by 404.
const fn by_cause(cause: u16, not_found: Reason) -> Option<Reason> {
    match cause {
        486 | 600 => Some(Reason::Busy),
        408 => Some(Reason::NoAnswer),
        503 => Some(Reason::Unreachable),
        302 => Some(Reason::Unconditional),
        480 | 487 | 603 => Some(Reason::Rejected),
        404 => Some(not_found),
        _ => None,
    }
}

/// What a Q.850 cause says (RFC 3326 §2).
const fn by_q850(cause: u16) -> Option<Reason> {
    match cause {
        17 => Some(Reason::Busy),
        18 | 19 => Some(Reason::NoAnswer),
        20 | 27 => Some(Reason::Unreachable),
        21 => Some(Reason::Rejected),
        _ => None,
    }
}

/// What a redirecting reason says (Q.763 §3.45 c).
const fn by_redirecting(reason: u8) -> Option<Reason> {
    match reason {
        1 => Some(Reason::Busy),
        2 => Some(Reason::NoAnswer),
        3 => Some(Reason::Unconditional),
        4 | 5 => Some(Reason::Rejected),
        6 => Some(Reason::Unreachable),
        _ => None,
    }
}

/// What one value of Reason says, such as `Q.850;cause=17;text="user busy"`.
fn by_header(value: &[u8], not_found: Reason) -> Option<Reason> {
    let (protocol, parameters) = value.split_at(value.iter().position(|byte| *byte == b';')?);
    let cause = lexer::parameter_value(parameters, b"cause").and_then(lexer::number)?;
    let protocol = protocol.trim_ascii();
    if protocol.eq_ignore_ascii_case(b"Q.850") {
        return by_q850(cause);
    }
    protocol.eq_ignore_ascii_case(b"SIP").then(|| by_cause(cause, not_found)).flatten()
}
