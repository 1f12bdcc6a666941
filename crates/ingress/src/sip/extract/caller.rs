//! Who rang, as far as the peer may be believed and the caller wants it known.

use std::fmt;

use model::Caller;

use super::{Invite, SETTLED, UNNAMED, UNTRUSTED, uri_in, why};
use crate::caller::read_caller;
use crate::sip::explain::Field;
use crate::sip::lexer;
use crate::sip::message::Name;
use crate::sip::settings::CallerFrom;
use crate::sip::trail::{Trail, Written};
use crate::sip::uri::{Address, Uri};

/// Identities that are looked at: a sip and a tel URI is all that RFC 3325 §9.1 allows.
const MAX_IDENTITIES: usize = 4;

const HIDDEN: &str = "the caller withheld the number";

/// Who rang. A caller whose number can't be read is unknown: that is no reason to lose the call.
pub(super) fn caller(invite: &Invite<'_>, trail: &mut Trail) -> Caller {
    let hidden = is_withheld(invite, trail);
    let mut found = if hidden { Some(Caller::Withheld) } else { None };
    for &source in &invite.rules.caller {
        let passed_over = match found {
            Some(_) if !trail.is_on() => break,
            Some(Caller::Withheld) => Some(HIDDEN),
            Some(_) => Some(SETTLED),
            None if needs_trust(source) && !invite.rules.trusted => Some(UNTRUSTED),
            None => None,
        };
        match passed_over {
            Some(why) => pass_over(invite, source, why, trail),
            None => found = look(invite, source, trail),
        }
    }
    if trail.is_on() {
        let unnamed = CallerFrom::ALL.into_iter().filter(|source| !invite.rules.caller.contains(source));
        unnamed.for_each(|source| pass_over(invite, source, UNNAMED, trail));
    }
    found.unwrap_or(Caller::Unknown)
}

const fn needs_trust(source: CallerFrom) -> bool {
    match source {
        CallerFrom::AssertedIdentity | CallerFrom::RemotePartyId => true,
        CallerFrom::From | CallerFrom::Isup => false,
    }
}

/// Whether anything says that the caller's number is not to be shown. Whoever says so is believed, trusted or not, and wherever the
/// number itself is taken from: a number shown against its owner's will can't be taken back.
fn is_withheld(invite: &Invite<'_>, trail: &mut Trail) -> bool {
    let message = invite.message;
    let mut hides = |place: fmt::Arguments<'_>, written: &dyn fmt::Display| {
        trail.taken(Field::Caller, place, written, format_args!("withheld"));
        true
    };
    if let Some(value) = message.all(Name::Privacy).find(|value| wants_privacy(value)) {
        return hides(format_args!("Privacy"), &Written(value));
    }
    let asserted = message.entries(Name::AssertedIdentity, usize::MAX);
    let names = [
        ("From", message.first(Name::From).filter(|value| is_anonymous(value))),
        ("P-Asserted-Identity", asserted.filter(|_| invite.rules.trusted).find(|value| is_anonymous(value))),
        ("Remote-Party-ID", message.entries(Name::RemotePartyId, usize::MAX).find(|value| is_restricted(value))),
    ];
    for (name, value) in names {
        if let Some(value) = value {
            return hides(format_args!("{name}"), &Written(value));
        }
    }
    match invite.readable_iam().and_then(|iam| iam.calling.as_ref()) {
        Some(calling) if calling.is_restricted() => return hides(format_args!("ISUP, calling party number"), calling),
        Some(_) | None => {}
    }
    for value in message.all(Name::Privacy) {
        trail.passed(Field::Caller, format_args!("Privacy"), &Written(value), "it does not hide the caller's number");
    }
    false
}

/// `history` and `session` are not about the caller's number (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1.2).
fn wants_privacy(value: &[u8]) -> bool {
    // Whatever stands between the words.
    let mut values = value.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
    values.any(|value| [&b"id"[..], b"header", b"user"].iter().any(|private| value.eq_ignore_ascii_case(private)))
}

fn is_anonymous(value: &[u8]) -> bool {
    let Some(uri) = uri_in(value) else { return false };
    let names = [&b"anonymous"[..], b"restricted", b"unavailable"];
    // Some leave the host away: then the name stands in its place.
    let named = if uri.user.is_empty() { uri.host } else { uri.user };
    let user = named.split(|byte| matches!(byte, b';' | b':')).next().unwrap_or_default();
    let user = lexer::unescape(user);
    let hidden = b"anonymous.invalid";
    names.iter().any(|name| user.eq_ignore_ascii_case(name))
        || uri.host.get(..hidden.len()).is_some_and(|host| host.eq_ignore_ascii_case(hidden))
}

/// A Remote-Party-ID of the caller with `privacy=full` or `uri`, with or without `-network` or `-user` (draft-ietf-sip-privacy-04 §5.2);
/// one that can't be read may be that.
fn is_restricted(value: &[u8]) -> bool {
    if Address::parse(value).is_none() {
        return true;
    }
    let Some(privacy) = of_caller(value).and_then(|address| lexer::parameter_value(address.parameters, b"privacy"))
    else {
        return false;
    };
    privacy.split(|byte| *byte == b',').any(|wish| {
        let wish = wish.split(|byte| *byte == b'-').next().unwrap_or_default().trim_ascii();
        wish.eq_ignore_ascii_case(b"full") || wish.eq_ignore_ascii_case(b"uri")
    })
}

/// A Remote-Party-ID, if it isn't about another party.
fn of_caller(value: &[u8]) -> Option<Address<'_>> {
    let address = Address::parse(value)?;
    let party = lexer::parameter_value(address.parameters, b"party");
    party.is_none_or(|party| party.eq_ignore_ascii_case(b"calling")).then_some(address)
}

fn look(invite: &Invite<'_>, source: CallerFrom, trail: &mut Trail) -> Option<Caller> {
    let message = invite.message;
    match source {
        CallerFrom::AssertedIdentity => asserted(invite, trail),
        CallerFrom::RemotePartyId => {
            let value =
                message.entries(Name::RemotePartyId, MAX_IDENTITIES).find(|value| of_caller(value).is_some())?;
            named(invite, "Remote-Party-ID", value, trail)
        }
        CallerFrom::From => named(invite, "From", message.first(Name::From)?, trail),
        CallerFrom::Isup => {
            let iam = invite.readable_iam()?;
            let calling = iam.calling.as_ref()?;
            let place = format_args!("ISUP, calling party number");
            match iam.international(calling, invite.service(), &invite.rules.numbering) {
                Ok(number) => {
                    if trail.is_on() {
                        trail.taken(Field::Caller, place, calling, format_args!("{}", number.reveal()));
                    }
                    Some(Caller::Number(number))
                }
                Err(why) => {
                    trail.passed(Field::Caller, place, calling, why);
                    None
                }
            }
        }
    }
}

/// A global number before others (RFC 3325 §9.1 has one of each kind).
fn asserted(invite: &Invite<'_>, trail: &mut Trail) -> Option<Caller> {
    let is_global = |value: &[u8]| uri_in(value).is_some_and(|uri| lexer::unescape(uri.user).starts_with(b"+"));
    let identities = || invite.message.entries(Name::AssertedIdentity, MAX_IDENTITIES);
    let global = identities().position(is_global);
    let mut found = None;
    for (place, value) in identities().enumerate() {
        match (&found, global) {
            (Some(_), _) => trail.passed(Field::Caller, format_args!("P-Asserted-Identity"), &Written(value), SETTLED),
            (None, Some(global)) if place < global => {
                let why = "another asserted identity is a global number";
                trail.passed(Field::Caller, format_args!("P-Asserted-Identity"), &Written(value), why);
            }
            (None, _) => found = named(invite, "P-Asserted-Identity", value, trail),
        }
    }
    found
}

fn named(invite: &Invite<'_>, name: &str, value: &[u8], trail: &mut Trail) -> Option<Caller> {
    let found = read(invite, uri_in(value));
    let place = format_args!("{name}");
    match &found {
        Ok(caller) if trail.is_on() => {
            let shown = match caller {
                Caller::Number(number) => number.reveal(),
                Caller::Short(number) => number.as_str().to_owned(),
                Caller::Withheld | Caller::Unknown => String::new(),
            };
            trail.taken(Field::Caller, place, &Written(value), format_args!("{shown}"));
        }
        Ok(_) => {}
        Err(why) => trail.passed(Field::Caller, place, &Written(value), why),
    }
    found.ok()
}

fn read(invite: &Invite<'_>, uri: Option<Uri<'_>>) -> Result<Caller, &'static str> {
    let numbering = &invite.rules.numbering;
    let uri = uri.ok_or("not a sip, sips or tel URI")?;
    let number = uri.number(&numbering.country_code).ok_or("no number in it")?;
    read_caller(&number, numbering).map_err(why)
}

/// Notes everything that a source says as passed over for one reason.
fn pass_over(invite: &Invite<'_>, source: CallerFrom, why: &'static str, trail: &mut Trail) {
    if !trail.is_on() {
        return;
    }
    let (name, text) = match source {
        CallerFrom::AssertedIdentity => (Name::AssertedIdentity, "P-Asserted-Identity"),
        CallerFrom::RemotePartyId => (Name::RemotePartyId, "Remote-Party-ID"),
        CallerFrom::From => (Name::From, "From"),
        CallerFrom::Isup => {
            if let Some(calling) = invite.readable_iam().and_then(|iam| iam.calling.as_ref()) {
                trail.passed(Field::Caller, format_args!("ISUP, calling party number"), calling, why);
            }
            return;
        }
    };
    for value in invite.message.entries(name, usize::MAX) {
        trail.passed(Field::Caller, format_args!("{text}"), &Written(value), why);
    }
}
