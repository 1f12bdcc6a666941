//! Who missed the call, and who was called first.

use std::fmt::{Arguments, Display};

use model::Msisdn;

use super::{Invite, SETTLED, UNNAMED, UNTRUSTED, uri_in, why};
use crate::Refusal;
use crate::sip::explain::Field;
use crate::sip::lexer;
use crate::sip::message::{Message, Name};
use crate::sip::settings::{CalledFrom, Party};
use crate::sip::trail::{Trail, Written};
use crate::sip::uri::{Address, Uri};

/// What one source says.
enum Told {
    /// Nothing: it isn't there, or it is about somebody else.
    Nothing,
    /// Who missed the call.
    Number(Msisdn),
    /// That the call was forwarded, but not by whom.
    Unreadable(Refusal),
}

const UNREADABLE: &str = "the call was forwarded by somebody who can't be read: this may be about another";
const SERVICE: &str = "it is the number that was forwarded to";

/// Who missed the call, and what told it.
///
/// A forwarding that is there but can't be read may be another's than what the weaker sources name: then they count for nothing.
pub(super) fn called(invite: &Invite<'_>, trail: &mut Trail) -> Result<(CalledFrom, Msisdn), Refusal> {
    let (mut found, mut unreadable, mut forwarded) = (None, None, false);
    for &source in &invite.rules.called {
        let passed_over = match (found.is_some(), tells_of_forwarding(source)) {
            (true, _) if !trail.is_on() => break,
            (true, _) => Some(SETTLED),
            (false, false) if forwarded => Some(UNREADABLE),
            (false, false) if needs_trust(source) && !invite.rules.trusted => Some(UNTRUSTED),
            (false, true | false) => None,
        };
        if let Some(why) = passed_over {
            pass_over(invite, source, why, trail);
            continue;
        }
        match look(invite, source, trail) {
            Told::Nothing => {}
            Told::Number(number) => found = Some((source, number)),
            Told::Unreadable(refusal) => {
                unreadable = unreadable.or(Some(refusal));
                forwarded |= tells_of_forwarding(source);
            }
        }
    }
    if trail.is_on() {
        let unnamed = CalledFrom::ALL.into_iter().filter(|source| !invite.rules.called.contains(source));
        unnamed.for_each(|source| pass_over(invite, source, UNNAMED, trail));
    }
    found.ok_or(unreadable.unwrap_or(Refusal::NoCalled))
}

/// Whether a source says that, and by whom, the call was forwarded; the others only name somebody.
pub(super) const fn tells_of_forwarding(source: CalledFrom) -> bool {
    match source {
        CalledFrom::Diversion | CalledFrom::HistoryInfo | CalledFrom::Target | CalledFrom::Isup => true,
        CalledFrom::ServedUser | CalledFrom::Prefix | CalledFrom::CalledPartyId | CalledFrom::To => false,
    }
}

const fn needs_trust(source: CalledFrom) -> bool {
    matches!(source, CalledFrom::ServedUser | CalledFrom::CalledPartyId)
}

fn look(invite: &Invite<'_>, source: CalledFrom, trail: &mut Trail) -> Told {
    match source {
        CalledFrom::Diversion => diversion(invite, trail),
        CalledFrom::HistoryInfo => history(invite, trail),
        CalledFrom::Target => target(invite, trail),
        CalledFrom::Isup => isup(invite, trail),
        CalledFrom::ServedUser => served_user(invite, trail),
        CalledFrom::Prefix => prefix(invite, trail),
        CalledFrom::CalledPartyId => header(invite, Name::CalledPartyId, "P-Called-Party-ID", trail),
        CalledFrom::To => header(invite, Name::To, "To", trail),
    }
}

fn diversion(invite: &Invite<'_>, trail: &mut Trail) -> Told {
    let Some(diversions) = &invite.diversions else { return Told::Nothing };
    let chosen = diversions.of(invite.rules.party);
    let number = invite.number(chosen.uri);
    let entries = Entries { name: Name::Diversion, text: "Diversion", chosen: Some(chosen.place) };
    entries.note(invite, &number, trail);
    told(number)
}

fn history(invite: &Invite<'_>, trail: &mut Trail) -> Told {
    let Some(history) = &invite.history else { return Told::Nothing };
    let diverted = history.diverted(invite.rules.party);
    let from = diverted.and_then(|diverted| diverted.from);
    let number = match (history.is_whole(), diverted, from) {
        (false, _, _) => Err("an entry of the history can't be read, or there are too many"),
        (true, Some(_), Some(entry)) => invite.number(entry.uri),
        (true, Some(_), None) => Err("the history tells of a diversion, but not by whom"),
        (true, None, _) => {
            pass_over(invite, CalledFrom::HistoryInfo, "the history tells of no diversion", trail);
            return Told::Nothing;
        }
    };
    let chosen = from.filter(|_| history.is_whole()).map(|entry| entry.place);
    let entries = Entries { name: Name::HistoryInfo, text: "History-Info", chosen };
    entries.note(invite, &number, trail);
    told(number)
}

/// The entries of a header, one of which counts.
struct Entries {
    name: Name,
    text: &'static str,
    /// Its place; `None`: what is found is about all of them.
    chosen: Option<usize>,
}

impl Entries {
    fn note(&self, invite: &Invite<'_>, number: &Result<Msisdn, &'static str>, trail: &mut Trail) {
        if !trail.is_on() {
            return;
        }
        let Self { name, text, chosen } = *self;
        let others = match invite.rules.party {
            Party::Last => "not the last to forward",
            Party::First => "not the first to forward",
        };
        let of = invite.message.entries(name, usize::MAX).count();
        for (place, entry) in invite.message.entries(name, usize::MAX).enumerate() {
            let at = place + 1;
            let found = if chosen.is_none_or(|chosen| chosen == place) { *number } else { Err(others) };
            note(Field::Called, format_args!("{text}, {at} of {of}"), &Written(entry), &found, trail);
        }
    }
}

fn target(invite: &Invite<'_>, trail: &mut Trail) -> Told {
    let Some(written) = invite.target.parameter(b"target") else { return Told::Nothing };
    let number = invite.number(Uri::parse(&lexer::unescape(written)));
    note(Field::Called, format_args!("Request-URI;target"), &Written(written), &number, trail);
    told(number)
}

fn isup(invite: &Invite<'_>, trail: &mut Trail) -> Told {
    let iam = match &invite.iam {
        None => return Told::Nothing,
        Some(Err(why)) => {
            trail.passed(Field::Called, format_args!("ISUP"), &"", why);
            return Told::Unreadable(Refusal::UnreadableIsup);
        }
        Some(Ok(iam)) => iam,
    };
    let Some((number, name)) = iam.diverting(invite.rules.party) else {
        trail.passed(Field::Called, format_args!("ISUP"), &"", "the IAM tells of no redirection");
        return Told::Nothing;
    };
    let read = iam.international(number, invite.service(), &invite.rules.numbering);
    note(Field::Called, format_args!("ISUP, {name}"), number, &read, trail);
    told(read)
}

/// P-Served-User names who rang in a session of its own (RFC 5502 §4.4), unless that is one that a diversion began (RFC 8498). Where it
/// doesn't say whose session it is, whoever rang is not taken for the one who missed the call.
fn served_user(invite: &Invite<'_>, trail: &mut Trail) -> Told {
    let Some(value) = invite.message.first(Name::ServedUser) else { return Told::Nothing };
    let parameters = Address::parse(value).map_or(&b""[..], |address| address.parameters);
    let case = lexer::parameter_value(parameters, b"sescase").unwrap_or_default();
    let is_caller = case.eq_ignore_ascii_case(b"orig") || (case.is_empty() && names_caller(invite, value));
    if is_caller && lexer::parameter(parameters, b"orig-cdiv").is_none() {
        let why = "the served user is the one who rang";
        trail.passed(Field::Called, format_args!("P-Served-User"), &Written(value), why);
        return Told::Nothing;
    }
    header(invite, Name::ServedUser, "P-Served-User", trail)
}

/// Whether a header names the same number as From or P-Asserted-Identity, shown or not.
fn names_caller(invite: &Invite<'_>, value: &[u8]) -> bool {
    let Ok(named) = invite.number(uri_in(value)) else { return false };
    let callers =
        [Name::From, Name::AssertedIdentity].into_iter().flat_map(|name| invite.message.entries(name, usize::MAX));
    callers.into_iter().any(|caller| invite.number(uri_in(caller)) == Ok(named))
}

fn prefix(invite: &Invite<'_>, trail: &mut Trail) -> Told {
    if invite.rules.prefix.is_none() {
        return Told::Nothing;
    }
    let (place, written) = (format_args!("Request-URI, behind the prefix"), Written(invite.message.uri()));
    let Some(behind) = invite.behind_prefix() else {
        trail.passed(Field::Called, place, &written, "it does not begin with the prefix, or ends there");
        return Told::Nothing;
    };
    let number = invite.rules.numbering.normalise(behind).map_err(why);
    note(Field::Called, place, &written, &number, trail);
    told(number)
}

/// A header that names somebody, if that is not the number that was forwarded to.
fn header(invite: &Invite<'_>, name: Name, text: &'static str, trail: &mut Trail) -> Told {
    let Some(value) = invite.message.first(name) else { return Told::Nothing };
    let uri = uri_in(value);
    let written = uri.and_then(|uri| uri.number(&invite.rules.numbering.country_code));
    let number =
        written.as_deref().ok_or("no number in it").and_then(|it| invite.rules.numbering.normalise(it).map_err(why));
    let same = match (number, invite.service()) {
        (Ok(number), Some(service)) => number == service,
        // One of them is no number of the plan: they are compared as they are written.
        _ => written.as_deref() == invite.forwarded_to(),
    };
    let number = if same { Err(SERVICE) } else { number };
    note(Field::Called, format_args!("{text}"), &Written(value), &number, trail);
    if same || written.is_none() { Told::Nothing } else { told(number) }
}

fn told(number: Result<Msisdn, &'static str>) -> Told {
    number.map_or(Told::Unreadable(Refusal::CalledOutsidePlan), Told::Number)
}

fn note(
    field: Field,
    place: Arguments<'_>,
    written: &dyn Display,
    number: &Result<Msisdn, &'static str>,
    trail: &mut Trail,
) {
    match number {
        Ok(_) if !trail.is_on() => {}
        Ok(number) => trail.taken(field, place, written, format_args!("{}", number.reveal())),
        Err(why) => trail.passed(field, place, written, why),
    }
}

/// Notes everything that a source says as passed over for one reason.
fn pass_over(invite: &Invite<'_>, source: CalledFrom, why: &'static str, trail: &mut Trail) {
    if !trail.is_on() {
        return;
    }
    let mut all = |message: &Message, name: Name, text: &str| {
        for entry in message.entries(name, usize::MAX) {
            trail.passed(Field::Called, format_args!("{text}"), &Written(entry), why);
        }
    };
    let message = invite.message;
    match source {
        CalledFrom::Diversion => all(message, Name::Diversion, "Diversion"),
        CalledFrom::HistoryInfo => all(message, Name::HistoryInfo, "History-Info"),
        CalledFrom::ServedUser => all(message, Name::ServedUser, "P-Served-User"),
        CalledFrom::CalledPartyId => all(message, Name::CalledPartyId, "P-Called-Party-ID"),
        CalledFrom::To => all(message, Name::To, "To"),
        CalledFrom::Target => {
            if let Some(written) = invite.target.parameter(b"target") {
                trail.passed(Field::Called, format_args!("Request-URI;target"), &Written(written), why);
            }
        }
        CalledFrom::Isup => match &invite.iam {
            Some(Ok(iam)) => {
                if let Some((number, name)) = iam.diverting(invite.rules.party) {
                    trail.passed(Field::Called, format_args!("ISUP, {name}"), number, why);
                }
            }
            Some(Err(unreadable)) => trail.passed(Field::Called, format_args!("ISUP"), &"", unreadable),
            None => {}
        },
        CalledFrom::Prefix => {
            if invite.behind_prefix().is_some() {
                let place = format_args!("Request-URI, behind the prefix");
                trail.passed(Field::Called, place, &Written(message.uri()), why);
            }
        }
    }
}

/// Who was called first, by the first of the peer's sources that tells of a forwarding.
pub(super) fn original(invite: &Invite<'_>, found: Option<CalledFrom>, trail: &mut Trail) -> Option<Msisdn> {
    let forwardings = invite.rules.called.iter().filter(|source| tells_of_forwarding(**source));
    forwardings.copied().find_map(|source| first_to_forward(invite, source, found, trail))?
}

/// `None` where the source is silent; `Some(None)` where it tells of a forwarding, but the first is the one who missed the call or can't
/// be read.
fn first_to_forward(
    invite: &Invite<'_>,
    source: CalledFrom,
    found: Option<CalledFrom>,
    trail: &mut Trail,
) -> Option<Option<Msisdn>> {
    let party = invite.rules.party;
    let is_missed = |first_is_chosen: bool| first_is_chosen && found == Some(source);
    let mut settle = |place: Arguments<'_>, written: &dyn Display, number: Result<Msisdn, &'static str>| {
        note(Field::Original, place, written, &number, trail);
        Some(number.ok())
    };
    match source {
        CalledFrom::Diversion => {
            let diversions = invite.diversions.as_ref()?;
            let first = diversions.of(Party::First);
            if is_missed(first.place == diversions.of(party).place) {
                return Some(None);
            }
            let at = first.place + 1;
            settle(format_args!("Diversion, number {at}"), &Written(first.written), invite.number(first.uri))
        }
        CalledFrom::HistoryInfo => {
            let history = invite.history.as_ref().filter(|history| history.is_whole())?;
            let first = history.diverted(Party::First)?.from?;
            let chosen = history.diverted(party)?.from;
            if is_missed(chosen.is_some_and(|chosen| chosen.place == first.place)) {
                return Some(None);
            }
            let at = first.place + 1;
            settle(format_args!("History-Info, number {at}"), &Written(first.written), invite.number(first.uri))
        }
        CalledFrom::Isup => {
            let iam = invite.readable_iam()?;
            let (first, name) = iam.diverting(Party::First)?;
            if is_missed(iam.diverting(party).is_some_and(|(chosen, _)| chosen == first)) {
                return Some(None);
            }
            let read = iam.international(first, invite.service(), &invite.rules.numbering);
            settle(format_args!("ISUP, {name}"), first, read)
        }
        CalledFrom::Target
        | CalledFrom::ServedUser
        | CalledFrom::Prefix
        | CalledFrom::CalledPartyId
        | CalledFrom::To => None,
    }
}
