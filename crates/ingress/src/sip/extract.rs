//! What a forwarded call says: who missed it, who rang, and why, by the order of precedence below.
//!
//! | wanted | taken from, the first that holds it |
//! |---|---|
//! | called | topmost Diversion; the diverting entry of History-Info; `target` of the Request-URI (RFC 4458); and only when none of these is there: P-Served-User, P-Called-Party-ID (trusted peers), To when it is not the Request-URI |
//! | reason | Diversion; `cause` of History-Info, then of the Request-URI; Reason (RFC 3326); else unknown |
//! | caller | withheld by Privacy or an anonymous From; P-Asserted-Identity (trusted peers), a global number before others; From; else unknown |
//! | service number | the user of the Request-URI |
//! | id | `icid-value` of P-Charging-Vector; else Call-ID |

use bytes::Bytes;
use model::{CallId, Caller, MissedCall, Msisdn, Numbering, Reason, ShortNumber, Source, Timestamp};
use sha2::{Digest, Sha256};

use super::envelope::{Envelope, Fault};
use super::history_info::{History, history};
use super::message::{Message, Name};
use super::settings::{CalledFrom, Rules};
use super::uri::{Address, Uri};
use super::{diversion, history_info, lexer};
use crate::Refusal;
use crate::caller::read_caller;

/// Identities that are looked at: a sip and a tel URI is all that RFC 3325 §9.1 allows.
const MAX_IDENTITIES: usize = 4;

/// What a call says, before it has a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Understood {
    /// Names the call.
    pub id: CallId,
    /// Who rang.
    pub caller: Caller,
    /// Who missed it.
    pub called: Msisdn,
    /// What told who missed it.
    pub from: CalledFrom,
    /// Who was called first, where the call was forwarded more than once.
    pub original: Option<Msisdn>,
    /// Why it was missed.
    pub reason: Reason,
    /// The number the call was forwarded to, without `+`.
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
    extract(&message, &envelope, rules)
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

pub(super) fn extract(message: &Message, envelope: &Envelope<'_>, rules: &Rules) -> Result<Understood, Refusal> {
    let trusted = rules.trusted;
    let target = Uri::parse(message.uri()).ok_or(Refusal::Scheme)?;
    let history = history(message);
    let (from, called) = called(message, &target, &history, &rules.numbering, trusted)?;
    Ok(Understood {
        id: id(message, envelope)?,
        caller: caller(message, &rules.numbering, trusted),
        called,
        from,
        original: original(message, &history, &rules.numbering).filter(|original| *original != called),
        reason: reason(message, &target, &history, rules.not_found),
        service_number: target.number().and_then(|number| ShortNumber::parse(number.trim_start_matches('+')).ok()),
    })
}

fn called(
    message: &Message,
    target: &Uri<'_>,
    history: &History<'_>,
    numbering: &Numbering,
    trusted: bool,
) -> Result<(CalledFrom, Msisdn), Refusal> {
    let top = diversion::diversions(message).next().and_then(|diversion| diversion.uri.number());
    let diverting = history.diverting.and_then(|diverting| diverting.uri.number());
    let named = target.parameter(b"target").map(lexer::unescape);
    let named = named.as_deref().and_then(Uri::parse).and_then(|uri| uri.number());
    let strong = [(CalledFrom::Diversion, top), (CalledFrom::HistoryInfo, diverting), (CalledFrom::Target, named)];
    if let Some(found) = first_number(strong, numbering) {
        return found;
    }
    // These name the one whom the call was meant for in the beginning; a forwarding that is there but can't be read may be another's.
    let header = |name| message.first(name).filter(|_| trusted).and_then(uri_in).and_then(|uri| uri.number());
    let weak = [
        (CalledFrom::ServedUser, header(Name::ServedUser)),
        (CalledFrom::CalledPartyId, header(Name::CalledPartyId)),
        (CalledFrom::To, to_other_than(target, message, numbering)),
    ];
    let none = if has_isup(message) { Refusal::IsupOnly } else { Refusal::NoCalled };
    first_number(weak, numbering).unwrap_or(Err(none))
}

/// The first that is a number of the plan; else that one was outside it; else nothing.
fn first_number<const N: usize>(
    candidates: [(CalledFrom, Option<String>); N],
    numbering: &Numbering,
) -> Option<Result<(CalledFrom, Msisdn), Refusal>> {
    let mut outside = None;
    for (from, number) in candidates {
        match number.map(|number| numbering.normalise(&number)) {
            Some(Ok(called)) => return Some(Ok((from, called))),
            Some(Err(_)) => outside = Some(Err(Refusal::CalledOutsidePlan)),
            None => {}
        }
    }
    outside
}

fn to_other_than(target: &Uri<'_>, message: &Message, numbering: &Numbering) -> Option<String> {
    let to = message.first(Name::To).and_then(uri_in)?.number()?;
    let service = target.number()?;
    let same =
        to == service || matches!((numbering.normalise(&to), numbering.normalise(&service)), (Ok(a), Ok(b)) if a == b);
    (!same).then_some(to)
}

fn has_isup(message: &Message) -> bool {
    let holds = |text: &[u8]| text.windows(16).any(|part| part.eq_ignore_ascii_case(b"application/isup"));
    let kind = message.first(Name::ContentType).unwrap_or_default();
    holds(kind) || (kind.get(..10).is_some_and(|it| it.eq_ignore_ascii_case(b"multipart/")) && holds(message.body()))
}

fn original(message: &Message, history: &History<'_>, numbering: &Numbering) -> Option<Msisdn> {
    let bottom = diversion::diversions(message).last().map(|diversion| diversion.uri);
    let number = bottom.or(history.original)?.number()?;
    numbering.normalise(&number).ok()
}

fn reason(message: &Message, target: &Uri<'_>, history: &History<'_>, not_found: Reason) -> Reason {
    let by_cause = |cause: u16| history_info::reason(cause, not_found);
    let diverted = diversion::diversions(message).next().and_then(|it| it.reason).and_then(diversion::reason);
    diverted
        .or_else(|| history.diverting.and_then(|diverting| diverting.cause).and_then(by_cause))
        .or_else(|| target.parameter(b"cause").and_then(lexer::number).and_then(by_cause))
        .or_else(|| message.entries(Name::Reason, MAX_IDENTITIES).find_map(|value| reason_header(value, not_found)))
        .unwrap_or(Reason::Unknown)
}

fn reason_header(value: &[u8], not_found: Reason) -> Option<Reason> {
    let (protocol, parameters) = value.split_at(value.iter().position(|byte| *byte == b';')?);
    let cause = lexer::parameter_value(parameters, b"cause").and_then(lexer::number)?;
    if protocol.trim_ascii().eq_ignore_ascii_case(b"Q.850") {
        return history_info::reason_q850(cause);
    }
    protocol.trim_ascii().eq_ignore_ascii_case(b"SIP").then(|| history_info::reason(cause, not_found)).flatten()
}

/// Who rang. A caller whose number can't be read is unknown: that is no reason to lose the call.
fn caller(message: &Message, numbering: &Numbering, trusted: bool) -> Caller {
    let from = message.first(Name::From).and_then(uri_in);
    if wants_privacy(message) || from.is_some_and(|uri| is_anonymous(&uri)) {
        return Caller::Withheld;
    }
    let asserted = message.entries(Name::AssertedIdentity, MAX_IDENTITIES).filter(|_| trusted);
    let mut numbers: Vec<String> = asserted.filter_map(uri_in).filter_map(|uri| uri.number()).collect();
    numbers.sort_by_key(|number| !number.starts_with('+'));
    numbers.extend(from.and_then(|uri| uri.number()));
    numbers.iter().find_map(|number| read_caller(number, numbering).ok()).unwrap_or(Caller::Unknown)
}

/// `history` and `session` are not about the caller's number (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1.2).
fn wants_privacy(message: &Message) -> bool {
    let values = message.all(Name::Privacy).flat_map(|value| value.split(|byte| matches!(byte, b';' | b',')));
    values
        .map(<[u8]>::trim_ascii)
        .any(|value| [&b"id"[..], b"header", b"user"].iter().any(|private| value.eq_ignore_ascii_case(private)))
}

fn is_anonymous(uri: &Uri<'_>) -> bool {
    let names = [&b"anonymous"[..], b"restricted", b"unavailable"];
    let user = lexer::unescape(uri.user);
    let (host, hidden) = (uri.host.to_ascii_lowercase(), b"anonymous.invalid");
    names.iter().any(|name| user.eq_ignore_ascii_case(name)) || host.starts_with(hidden)
}

fn uri_in(value: &[u8]) -> Option<Uri<'_>> {
    Address::parse(value).and_then(|address| Uri::parse(address.uri))
}

/// Most octets of an id that is kept as it is: a `CallId` has 128 characters, `sip:` among them.
const MAX_PLAIN_ID: usize = 124;

/// `sip:` and the id; one too long or not printable is replaced by its SHA-256, the same on every node.
fn id(message: &Message, envelope: &Envelope<'_>) -> Result<CallId, Refusal> {
    let charging = message.first(Name::ChargingVector);
    let icid = charging.and_then(|vector| lexer::parameter_value(vector, b"icid-value"));
    let named = icid.unwrap_or(envelope.call_id);
    let plain = std::str::from_utf8(named).ok().filter(|text| text.len() <= MAX_PLAIN_ID);
    let id = match plain.and_then(|text| CallId::parse(&format!("sip:{text}")).ok()) {
        Some(id) => return Ok(id),
        None => Sha256::digest(named).iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    };
    CallId::parse(&format!("sip:sha256:{id}")).map_err(|_| Refusal::BadId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn denmark() -> Rules {
        Rules::new(Numbering {
            country_code: "45".into(),
            national_prefix: String::new(),
            international_prefix: "00".into(),
        })
    }

    /// Called, caller, reason and service number in the clear.
    fn summary(understood: &Understood) -> String {
        let caller = match &understood.caller {
            Caller::Number(number) => number.reveal(),
            Caller::Short(number) => number.as_str().to_owned(),
            Caller::Withheld => "withheld".to_owned(),
            Caller::Unknown => "unknown".to_owned(),
        };
        let service = understood.service_number.as_ref().map_or("-", ShortNumber::as_str);
        format!("{} {caller} {} {service}", understood.called.reveal(), understood.reason)
    }

    #[test]
    fn what_operators_send_is_understood() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/operator-invites");
        let table = [
            ("01_div_noanswer", Ok("4530405060 4520112233 no_answer 4591100100")),
            ("02_div_two_lines", Ok("4511111111 4520112233 unconditional 4591100100")),
            ("04_div_tel", Ok("4530405060 4520112233 unreachable 4591100100")),
            ("06_div_quoted_reason", Ok("4530405060 4520112233 no_answer 4591100100")),
            ("08_hi_basic", Ok("4530405060 4520112233 no_answer 4591100100")),
            ("09_hi_reason_hdr", Ok("4530405060 4520112233 busy 4591100100")),
            ("12_ruri_tel", Ok("4530405060 4520112233 no_answer 4591100100")),
            ("14_anon_pai", Ok("4530405060 withheld no_answer 4591100100")),
            ("15_latin1_display", Ok("4530405060 4520112233 no_answer 4591100100")),
            ("18_compact", Ok("4530405060 4520112233 no_answer 4591100100")),
            ("19_fold", Ok("4530405060 4520112233 no_answer 4591100100")),
            ("22_sipi", Err(Refusal::IsupOnly)),
            ("23_from_notag", Ok("4530405060 4520112233 no_answer 4591100100")),
            ("26_no_cl_lf_only", Err(Refusal::CalledOutsidePlan)),
        ];
        for (name, expected) in table {
            let message = std::fs::read(format!("{directory}/{name}.sip")).unwrap();
            let read =
                understand(&message, &Rules { trusted: true, ..denmark() }).map(|understood| summary(&understood));
            assert_eq!(read.as_deref().map_err(|why| *why), expected, "{name}");
        }
        assert_eq!(std::fs::read_dir(directory).unwrap().count(), table.len(), "every fixture is in the table");
    }

    fn invite(uri: &str, headers: &str) -> Vec<u8> {
        format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCall-ID: call@h\r\nCSeq: 1 INVITE\r\n{headers}\r\n\r\n"
        )
        .into_bytes()
    }

    fn read(uri: &str, headers: &str, trusted: bool) -> Result<Understood, Refusal> {
        understand(&invite(uri, headers), &Rules { trusted, ..denmark() })
    }

    const SERVICE: &str = "sip:12599@mca";
    const FROM: &str = "From: <sip:+4520112233@op>;tag=f\r\nTo: <sip:12599@mca>\r\n";
    const BOTH: &str = "From: <sip:+4520112233@op>;tag=f\r\nTo: <sip:12599@mca>\r\nDiversion: <sip:+4530405060@op>;reason=user-busy\r\n";

    #[test]
    fn the_called_party_is_found_by_precedence() {
        for (uri, headers, trusted, expected) in [
            (
                "sip:12599@mca;target=sip%3A%2B4530405060%40op;cause=408",
                FROM.to_owned(),
                true,
                Ok((CalledFrom::Target, "4530405060 4520112233 no_answer 12599")),
            ),
            (
                "sip:12599@mca;target=tel:30405060;cause=486",
                FROM.to_owned(),
                true,
                Ok((CalledFrom::Target, "4530405060 4520112233 busy 12599")),
            ),
            (
                SERVICE,
                format!("{BOTH}History-Info: <sip:+4599999999@op>;index=1,<sip:12599@mca;cause=408>;index=1.1;mp=1"),
                true,
                Ok((CalledFrom::Diversion, "4530405060 4520112233 busy 12599")),
            ),
            (
                SERVICE,
                format!(
                    "{FROM}Diversion: <sip:30405060@op>\r\nHistory-Info: <sip:30405060@op>;index=1,<sip:12599@mca;cause=408>;index=1.1;mp=1"
                ),
                true,
                Ok((CalledFrom::Diversion, "4530405060 4520112233 no_answer 12599")),
            ),
            (
                SERVICE,
                format!(
                    "{FROM}Diversion: <sip:anonymous@op>;reason=user-busy\r\nHistory-Info: <sip:30405060@op>;index=1,<sip:12599@mca;cause=408>;index=1.1;mp=1"
                ),
                true,
                Ok((CalledFrom::HistoryInfo, "4530405060 4520112233 busy 12599")),
            ),
            (
                SERVICE,
                format!("{FROM}P-Served-User: <sip:+4530405060@op>;sescase=term\r\nReason: Q.850;cause=20"),
                true,
                Ok((CalledFrom::ServedUser, "4530405060 4520112233 unreachable 12599")),
            ),
            (SERVICE, format!("{FROM}P-Served-User: <sip:+4530405060@op>;sescase=term"), false, Err(Refusal::NoCalled)),
            (
                SERVICE,
                format!("{FROM}P-Called-Party-ID: <tel:+4530405060>\r\nReason: SIP;cause=486, Q.850;cause=17"),
                true,
                Ok((CalledFrom::CalledPartyId, "4530405060 4520112233 busy 12599")),
            ),
            (
                SERVICE,
                "From: <sip:+4520112233@op>;tag=f\r\nTo: <sip:+4530405060@op>".to_owned(),
                false,
                Ok((CalledFrom::To, "4530405060 4520112233 unknown 12599")),
            ),
            (
                "sip:+4591100100@mca",
                "From: <sip:+4520112233@op>;tag=f\r\nTo: <sip:91100100@op>".to_owned(),
                true,
                Err(Refusal::NoCalled),
            ),
            (SERVICE, FROM.to_owned(), true, Err(Refusal::NoCalled)),
            // A Diversion that can't be read may be of another person than To: nobody is told rather than the wrong one.
            (
                SERVICE,
                "From: <sip:1@h>;tag=f\r\nTo: <sip:+4530405060@op>\r\nDiversion: <sip:3@x>;reason=no-answer".to_owned(),
                true,
                Err(Refusal::CalledOutsidePlan),
            ),
            (
                SERVICE,
                format!("{FROM}Diversion: <sip:+123456789012345678901234567890@op>"),
                true,
                Err(Refusal::CalledOutsidePlan),
            ),
            ("http://12599", BOTH.to_owned(), true, Err(Refusal::Scheme)),
        ] {
            let found = read(uri, &headers, trusted).map(|it| (it.from, summary(&it)));
            assert_eq!(
                found.as_ref().map(|(from, it)| (*from, it.as_str())).map_err(|why| *why),
                expected,
                "{uri} {headers}"
            );
        }
    }

    #[test]
    fn the_caller_is_believed_only_as_far_as_the_peer_is() {
        let from = |from: &str, more: &str| {
            format!(
                "From: {from};tag=f\r\nTo: <sip:12599@mca>\r\nDiversion: <sip:30405060@op>;reason=deflection\r\n{more}"
            )
        };
        let plain = "<sip:+4520112233@op>";
        let asserted = "P-Asserted-Identity: \"A, B\" <sip:20999999@op>, <tel:+4520888888>";
        for (headers, trusted, expected) in [
            (from(plain, asserted), true, "4520888888"),
            (from(plain, asserted), false, "4520112233"),
            (from(plain, &format!("{asserted}\r\nPrivacy: none")), true, "4520888888"),
            (from(plain, &format!("{asserted}\r\nPrivacy: critical; ID")), true, "withheld"),
            (from(plain, &format!("{asserted}\r\nPrivacy: history;session")), true, "4520888888"),
            (from("<sip:anonymous@anonymous.invalid>", asserted), true, "withheld"),
            (from("\"Anonymous\" <sip:Restricted@op>", ""), true, "withheld"),
            (from("<sip:2233@op>", ""), true, "2233"),
            (from("<sip:alice@op>", ""), true, "unknown"),
            (from("<sip:op>", ""), true, "unknown"),
            (from("<mailto:a@b>", ""), true, "unknown"),
        ] {
            let summary = summary(&read(SERVICE, &headers, trusted).unwrap());
            assert_eq!(summary, format!("4530405060 {expected} rejected 12599"), "{headers}");
        }
    }

    #[test]
    fn the_first_called_is_kept_when_it_is_another() {
        let twice =
            format!("{FROM}Diversion: <sip:30405060@op>;reason=no-answer, <sip:11111111@op>;reason=unconditional");
        assert_eq!(read(SERVICE, &twice, true).unwrap().original.map(Msisdn::reveal).as_deref(), Some("4511111111"));
        assert_eq!(read(SERVICE, BOTH, true).unwrap().original, None);
    }

    #[test]
    fn a_call_is_named_by_its_charging_id_or_call_id() {
        let id = |more: &str| read(SERVICE, &format!("{BOTH}{more}"), true).unwrap().id.as_str().to_owned();
        assert_eq!(id(""), "sip:call@h");
        assert_eq!(
            id("P-Charging-Vector: icid-value=\"AyretyU0dm+6O2IrT5tAFrbHLso=\";orig-ioi=x"),
            "sip:AyretyU0dm+6O2IrT5tAFrbHLso="
        );
        assert_eq!(id("P-Charging-Vector: icid-value=;orig-ioi=x"), "sip:call@h");
        let (long, longer) = (id(&format!("P-Charging-Vector: icid-value={}", "x".repeat(125))), "x".repeat(126));
        assert!(long.starts_with("sip:sha256:") && long.len() == 75, "{long}");
        assert_ne!(long, id(&format!("P-Charging-Vector: icid-value={longer}")));
    }

    proptest! {
        #[test]
        fn no_header_value_panics(name in "Diversion|History-Info|From|To|P-Asserted-Identity|Privacy|Reason|P-Charging-Vector",
                                  value in "[ -~]{0,80}", uri in "[!-~]{1,40}") {
            let _ = read(&uri, &format!("{BOTH}{name}: {value}"), true);
            let _ = read(&uri, &format!("{name}: {value}"), true);
        }

        #[test]
        fn no_mutation_of_a_real_message_panics(at in 0usize..500, by: u8) {
            let mut message = invite(SERVICE, BOTH);
            if let Some(byte) = message.get_mut(at) {
                *byte = by;
            }
            let _ = understand(&message, &Rules { trusted: true, ..denmark() });
        }
    }
}
