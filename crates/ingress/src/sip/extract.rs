//! What a forwarded call says: who missed it, who rang, and why. Where it is looked for, and in which order, is the peer's [`Rules`].
//!
//! | wanted | taken from, the first that holds it, by default |
//! |---|---|
//! | called | Diversion; History-Info; `target` of the Request-URI (RFC 4458); an ISUP body; and only when none of these is there: P-Served-User, a prefix in the Request-URI, P-Called-Party-ID, To |
//! | reason | where a forwarding is told of, in the order of `called`; Reason (RFC 3326); else unknown |
//! | caller | withheld by whatever says so; P-Asserted-Identity; From; an ISUP body; else unknown |
//! | service number | the user of the Request-URI |
//! | id | `icid-value` of P-Charging-Vector; else Call-ID |

mod called;
mod caller;
mod reason;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use model::{CallId, Caller, MissedCall, Msisdn, NumberError, Reason, ShortNumber, Source, Timestamp};
use sha2::{Digest, Sha256};

use super::body;
use super::diversion::Diversions;
use super::envelope::{Envelope, Fault};
use super::explain::Field;
use super::history_info::History;
use super::isup::Iam;
use super::lexer;
use super::message::{Message, Name};
use super::settings::{CalledFrom, IdFrom, Rules};
use super::trail::{Trail, Written};
use super::uri::{Address, Uri};
use crate::{Refusal, read_service_number};

/// Why something that was looked at does not count.
const SETTLED: &str = "something before it in the peer's order counts";
const UNTRUSTED: &str = "the peer is not trusted";
const UNNAMED: &str = "the peer's settings do not name it";

/// What a call says, before it has a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Understood {
    /// Names the call.
    pub id: CallId,
    /// Who rang.
    pub caller: Caller,
    /// Who missed it.
    pub called: Msisdn,
    /// What told who missed the call.
    pub from: CalledFrom,
    /// Who was called first, where the call was forwarded more than once.
    pub original: Option<Msisdn>,
    /// Why it was missed.
    pub reason: Reason,
    /// The number the call was forwarded to, as [`read_service_number`] reads it.
    pub service_number: Option<ShortNumber>,
}

impl Understood {
    /// The call, as of a time.
    #[must_use]
    pub fn into_call(self, at: Timestamp) -> MissedCall {
        let Self { id, caller, called, reason, service_number, .. } = self;
        MissedCall { id, caller, called, at, reason, service_number, source: Source::Sip }
    }
}

/// Reads one INVITE as the door would: what it says, or why it would be refused.
///
/// # Errors
/// The refusal that the peer would get and that would be counted.
pub fn understand(message: &[u8], rules: &Rules) -> Result<Understood, Refusal> {
    let message = Message::parse(Bytes::copy_from_slice(message)).map_err(|_| Refusal::Unreadable)?;
    let envelope = message.envelope().map_err(refusal_of)?;
    if envelope.method != b"INVITE" {
        return Err(Refusal::Method);
    }
    extract(&message, &envelope, rules, &mut Trail::off())
}

/// The refusal that a broken rule is counted as.
pub(super) const fn refusal_of(fault: Fault) -> Refusal {
    match fault {
        Fault::Version => Refusal::Version,
        Fault::Via
        | Fault::StartLine
        | Fault::Headers
        | Fault::From
        | Fault::To
        | Fault::CallId
        | Fault::CSeq
        | Fault::ContentLength => Refusal::Unreadable,
    }
}

/// An INVITE, with what more than one answer is read from.
struct Invite<'a> {
    message: &'a Message,
    rules: &'a Rules,
    target: Uri<'a>,
    /// The number in the Request-URI, as written.
    user: Option<Cow<'a, str>>,
    diversions: Option<Diversions<'a>>,
    history: Option<History<'a>>,
    /// The IAM in its body, or why that can't be read.
    iam: Option<Result<Iam, &'static str>>,
}

impl<'a> Invite<'a> {
    fn cut(message: &'a Message, rules: &'a Rules) -> Option<Self> {
        let isup = body::isup(message);
        let target = Uri::parse(message.uri())?;
        Some(Self {
            message,
            rules,
            target,
            user: target.number(&rules.numbering.country_code),
            diversions: Diversions::read(message, rules.diversion),
            history: History::read(message),
            iam: isup.map(|isup| Iam::read(&isup?)),
        })
    }

    /// The IAM, where there is one that can be read.
    fn readable_iam(&self) -> Option<&Iam> {
        self.iam.as_ref()?.as_ref().ok()
    }

    /// The number of a URI in international form, or why there is none.
    fn number(&self, uri: Option<Uri<'_>>) -> Result<Msisdn, &'static str> {
        let Some(uri) = uri else { return Err("not a sip, sips or tel URI") };
        let numbering = &self.rules.numbering;
        let number = uri.number(&numbering.country_code).ok_or(why(NumberError::Empty))?;
        numbering.normalise(&number).map_err(why)
    }

    /// The user of the Request-URI behind the prefix, where it begins with it and goes on.
    fn behind_prefix(&self) -> Option<&str> {
        let prefix = self.rules.prefix.as_deref().filter(|prefix| !prefix.is_empty())?;
        let user = self.user.as_deref()?;
        let rest = user.strip_prefix('+').unwrap_or(user).strip_prefix(prefix)?;
        (!rest.is_empty()).then_some(rest)
    }

    /// The number that the call was forwarded to, as written.
    fn forwarded_to(&self) -> Option<&str> {
        match self.behind_prefix() {
            Some(_) => self.rules.prefix.as_deref(),
            None => self.user.as_deref(),
        }
    }

    /// The number that the call was forwarded to, where it is one of the plan.
    fn service(&self) -> Option<Msisdn> {
        self.rules.numbering.normalise(self.forwarded_to()?).ok()
    }
}

/// Why a number can't be used, for whoever reads an explanation.
pub(super) const fn why(error: NumberError) -> &'static str {
    match error {
        NumberError::Empty => "no number in it",
        NumberError::NotDigits => "not a telephone number",
        NumberError::TooShort => "outside the numbering plan: too short",
        NumberError::TooLong => "outside the numbering plan: too long",
        NumberError::LeadingZero => "outside the numbering plan: no country code begins with 0",
    }
}

/// Reads an INVITE, and notes on the way what was looked at.
pub(super) fn extract(
    message: &Message,
    envelope: &Envelope<'_>,
    rules: &Rules,
    trail: &mut Trail,
) -> Result<Understood, Refusal> {
    let invite = Invite::cut(message, rules).ok_or(Refusal::Scheme)?;
    let missed = called::called(&invite, trail);
    let original = called::original(&invite, missed.ok().map(|(from, _)| from), trail);
    let caller = caller::caller(&invite, trail);
    let reason = reason::reason(&invite, trail);
    let service_number = service_number(&invite, trail);
    let id = id(message, envelope, rules.id, trail);
    let (from, called) = missed?;
    let original = original.filter(|original| *original != called);
    Ok(Understood { id: id?, caller, called, from, original, reason, service_number })
}

fn service_number(invite: &Invite<'_>, trail: &mut Trail) -> Option<ShortNumber> {
    let (place, written) = (format_args!("Request-URI"), Written(invite.message.uri()));
    match read_service_number(invite.forwarded_to()?, &invite.rules.numbering) {
        Ok(number) => {
            trail.taken(Field::ServiceNumber, place, &written, format_args!("{}", number.as_str()));
            Some(number)
        }
        Err(error) => {
            trail.passed(Field::ServiceNumber, place, &written, why(error));
            None
        }
    }
}

fn uri_in(value: &[u8]) -> Option<Uri<'_>> {
    Address::parse(value).and_then(|address| Uri::parse(address.uri))
}

/// Most octets of an id that is kept as it is: a `CallId` has 128 characters, `sip:` among them.
const MAX_PLAIN_ID: usize = 124;

/// Whether an `icid-value` can be what it is to be, globally unique (RFC 7315 §4.6): gateways are about that always write `0` or nothing
/// but zeros, and by that all calls to one person would be one.
fn is_unique(icid: &[u8]) -> bool {
    icid.iter().any(|octet| Some(octet) != icid.first())
}

/// `sip:` and the id; one too long or not printable is replaced by its SHA-256, the same on every node.
fn id(message: &Message, envelope: &Envelope<'_>, from: IdFrom, trail: &mut Trail) -> Result<CallId, Refusal> {
    let charging = message.first(Name::ChargingVector);
    let icid = charging.and_then(|vector| lexer::parameter_value(vector, b"icid-value"));
    let (place, named) = match (from, icid) {
        (IdFrom::ChargingVector, Some(icid)) if is_unique(icid) => ("P-Charging-Vector;icid-value", icid),
        (_, Some(icid)) => {
            let why = match from {
                IdFrom::ChargingVector => "it can't name one call",
                IdFrom::CallId => "the peer's settings name Call-ID",
            };
            trail.passed(Field::Id, format_args!("P-Charging-Vector;icid-value"), &Written(icid), why);
            ("Call-ID", envelope.call_id)
        }
        (IdFrom::ChargingVector | IdFrom::CallId, None) => ("Call-ID", envelope.call_id),
    };
    let plain = std::str::from_utf8(named).ok().filter(|text| text.len() <= MAX_PLAIN_ID);
    let id = match plain.and_then(|text| CallId::parse(&format!("sip:{text}")).ok()) {
        Some(id) => Ok(id),
        None => {
            let digest: String = Sha256::digest(named).iter().map(|byte| format!("{byte:02x}")).collect();
            CallId::parse(&format!("sip:sha256:{digest}")).map_err(|_| Refusal::BadId)
        }
    };
    if let Ok(id) = &id {
        trail.taken(Field::Id, format_args!("{place}"), &Written(named), format_args!("{}", id.as_str()));
    }
    id
}
