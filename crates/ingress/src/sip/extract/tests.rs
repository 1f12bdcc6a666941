//! What is understood of real messages, of every order and switch, and of anything at all.

use itu_isup::Number;
use model::Numbering;
use proptest::prelude::*;

use super::*;
use crate::sip::isup::tests::iam;
use crate::sip::settings::{CallerFrom, Last, Party};

fn denmark() -> Rules {
    let numbering = Numbering::new("45", "", "00");
    Rules { trusted: true, ..Rules::new(numbering) }
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

fn invite(uri: &str, headers: &str) -> Vec<u8> {
    let headers = headers.trim_end();
    format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCall-ID: call@h\r\nCSeq: 1 INVITE\r\n{headers}\r\n\r\n"
    )
    .into_bytes()
}

fn read(uri: &str, headers: &str, rules: &Rules) -> Result<Understood, Refusal> {
    understand(&invite(uri, headers), rules)
}

/// An INVITE with an IAM for its body.
fn with_iam(uri: &str, headers: &str, iam: &[u8]) -> Vec<u8> {
    let mut message = invite(uri, &format!("{headers}Content-Type: application/isup;version=itu-t92+"));
    message.extend_from_slice(iam);
    message
}

/// From 20112233 to the service number 12599, which is short, redirected by 11111111 first and 30405060 last, who did not answer.
fn redirected(presentation: u8) -> Vec<u8> {
    let number = |presentation, digits| Number::calling(3, 1, false, presentation, 3, digits).encode().unwrap();
    let parameters = [
        (0x0a, number(presentation, "20112233")),
        (0x0b, number(0, "30405060")),
        (0x28, number(0, "11111111")),
        (0x13, vec![0x13, 0x22]),
    ];
    iam(&Number::called(3, 1, false, "12599"), &parameters)
}

const SERVICE: &str = "sip:12599@mca";
const FROM: &str = "From: <sip:+4520112233@op>;tag=f\r\nTo: <sip:12599@mca>\r\n";
const BUSY: &str = "Diversion: <sip:+4530405060@op>;reason=user-busy\r\n";
const HISTORY: &str = "History-Info: <sip:+4540404040@op>;index=1,<sip:12599@mca;cause=408>;index=1.1;mp=1\r\n";
const TWICE: &str = "Diversion: <sip:30405060@op>;reason=no-answer, <sip:11111111@op>;reason=unconditional\r\n";
const TWICE_HISTORY: &str = "History-Info: <sip:11111111@op>;index=1,<sip:30405060@op;cause=302>;index=1.1;mp=1,<sip:12599@mca;cause=408>;index=1.1.1;mp=1.1\r\n";
const SERVED: &str = "P-Served-User: <sip:+4550505050@op>;sescase=term\r\n";
const CALLED_ID: &str = "P-Called-Party-ID: <tel:+4560606060>\r\n";

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
        // Its gateway writes the country code in national numbers, as the called party number shows.
        ("22_sipi", Ok("4530405060 4520112233 busy 4591100100")),
        ("23_from_notag", Ok("4530405060 4520112233 no_answer 4591100100")),
        ("26_no_cl_lf_only", Err(Refusal::CalledOutsidePlan)),
    ];
    for (name, expected) in table {
        let message = std::fs::read(format!("{directory}/{name}.sip")).unwrap();
        let read = understand(&message, &denmark()).map(|understood| summary(&understood));
        assert_eq!(read.as_deref().map_err(|why| *why), expected, "{name}");
    }
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), table.len(), "every fixture is in the table");
}

#[test]
fn what_the_field_sends_is_understood() {
    let plan = |country: &str, national: &str, international: &str| Numbering::new(country, national, international);
    let [russia, australia, usa] = [plan("7", "8", "810"), plan("61", "0", "0011"), plan("1", "1", "011")];
    let reversed = |numbering: &Numbering| Rules { diversion: Last::Bottom, ..Rules::new(numbering.clone()) };
    let plain = |numbering: &Numbering| Rules::new(numbering.clone());
    for (name, rules, headers, expected) in [
        (
            "two tel: Diversions, national without +",
            plain(&russia),
            "From: <sip:9161234567@op>;tag=f\r\nTo: <sip:12599@mca>\r\nDiversion: <tel:74951667226>;reason=unconditional;counter=1;privacy=off\r\nDiversion: <tel:9670572182>;reason=unknown;counter=1",
            "74951667226 79161234567 unconditional 12599",
        ),
        (
            "the same from a peer that reverses the order, whose last reason says nothing",
            reversed(&russia),
            "From: <sip:9161234567@op>;tag=f\r\nTo: <sip:12599@mca>\r\nDiversion: <tel:74951667226>;reason=unconditional;counter=1;privacy=off\r\nDiversion: <tel:9670572182>;reason=unknown;counter=1\r\nReason: Q.850;cause=19;text=\"no answer\"",
            "79670572182 79161234567 no_answer 12599",
        ),
        (
            "national, bare and international forms in one INVITE",
            plain(&australia),
            "From: <sip:0298765432@op>;tag=f\r\nTo: <sip:12599@mca>\r\nP-Asserted-Identity: <sip:+61298765432@op>\r\nDiversion: <sip:0493363501@op;user=phone>;reason=no-answer\r\nDiversion: <sip:61400000001@op>;reason=unconditional",
            "61493363501 61298765432 no_answer 12599",
        ),
        (
            "a local number with a context, cut off by others at its semicolon",
            plain(&australia),
            "From: <sip:+61298765432@op>;tag=f\r\nTo: <sip:12599@mca>\r\nDiversion: <sip:0493363501;phone-context=+61@op;user=phone>;reason=time-of-day",
            "61493363501 61298765432 unconditional 12599",
        ),
        (
            "a reason in capitals",
            plain(&usa),
            "From: \"+12025550147\" <sip:+12025550147@op>;tag=f\r\nTo: <sip:12599@mca>\r\nDiversion: <sip:12025550100@op>;reason=USER-BUSY;privacy=off;screen=no",
            "12025550100 12025550147 busy 12599",
        ),
        (
            "a call manager that lists the last to forward and the first, and drops those between",
            plain(&usa),
            "From: <sip:2025550147@10.1.2.3>;tag=f\r\nTo: <sip:12599@mca>\r\nRemote-Party-ID: \"A\" <sip:2025550147@10.1.2.3>;party=calling;screen=yes;privacy=off\r\nDiversion: \"B, C\" <sip:2025550100@10.1.2.3>;privacy=off;reason=no-answer;screen=yes,\"D\" <sip:2025550101@10.1.2.3>;privacy=off;reason=unconditional;screen=yes",
            "12025550100 12025550147 no_answer 12599",
        ),
        (
            "a switch whose cause for not reachable is an unregistered subscriber's",
            plain(&usa),
            "From: <sip:2025550147@op>;tag=f\r\nTo: <sip:12599@mca>\r\nHistory-Info: <sip:+12025550100@ims.example;user=phone?Privacy=none&Reason=SIP%3Bcause%3D404>;index=1\r\nHistory-Info: <sip:12599@mca;cause=404>;index=1.1;mp=1",
            "12025550100 12025550147 unreachable 12599",
        ),
        (
            "an application server that writes why the call left among the parameters",
            plain(&usa),
            "From: <sip:+12025550147@op>;tag=f\r\nTo: <sip:12599@mca>\r\nHistory-Info: <sip:2025550101@op;Reason=SIP;cause=302>;index=1,<sip:2025550100@op;text=Busy%20Here;cause=486;Reason=SIP>;index=1.1,<sip:12599@mca>;index=1.1.1",
            "12025550100 12025550147 busy 12599",
        ),
        (
            "a served user whose diversion began the session",
            Rules { trusted: true, ..plain(&usa) },
            "From: <sip:+12025550147@op>;tag=f\r\nTo: <sip:12599@mca>\r\nP-Served-User: <sip:+12025550100@ims.example>;sescase=orig;orig-cdiv\r\nReason: SIP;cause=408",
            "12025550100 12025550147 no_answer 12599",
        ),
    ] {
        let found = read(SERVICE, headers, &rules).map(|it| summary(&it));
        assert_eq!(found.as_deref(), Ok(expected), "{name}");
    }
}

#[test]
fn the_called_party_is_found_by_precedence() {
    let strange = |value: &str| format!("{FROM}Diversion: {value}\r\n{SERVED}{CALLED_ID}Reason: SIP;cause=408");
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
            false,
            Ok((CalledFrom::Target, "4530405060 4520112233 busy 12599")),
        ),
        (
            SERVICE,
            format!("{FROM}{BUSY}{HISTORY}{SERVED}"),
            true,
            Ok((CalledFrom::Diversion, "4530405060 4520112233 busy 12599")),
        ),
        (
            SERVICE,
            format!("{FROM}Diversion: <sip:30405060@op>\r\n{HISTORY}"),
            true,
            Ok((CalledFrom::Diversion, "4530405060 4520112233 no_answer 12599")),
        ),
        (
            SERVICE,
            format!("{FROM}Diversion: <sip:anonymous@op>;reason=user-busy\r\n{HISTORY}"),
            true,
            Ok((CalledFrom::HistoryInfo, "4540404040 4520112233 busy 12599")),
        ),
        (
            SERVICE,
            format!("{FROM}{SERVED}{CALLED_ID}Reason: Q.850;cause=20"),
            true,
            Ok((CalledFrom::ServedUser, "4550505050 4520112233 unreachable 12599")),
        ),
        (SERVICE, format!("{FROM}{SERVED}{CALLED_ID}"), false, Err(Refusal::NoCalled)),
        (SERVICE, format!("{FROM}P-Served-User: <sip:+4520112233@op>;sescase=orig"), true, Err(Refusal::NoCalled)),
        // Without a session case it may be the one who rang,
        (SERVICE, format!("{FROM}P-Served-User: <tel:20112233>"), true, Err(Refusal::NoCalled)),
        (
            SERVICE,
            format!("{FROM}P-Asserted-Identity: <tel:+4550505050>\r\n{}", SERVED.replace(";sescase=term", "")),
            true,
            Err(Refusal::NoCalled),
        ),
        // but anybody else is the one who missed the call.
        (
            SERVICE,
            format!("{FROM}{}", SERVED.replace(";sescase=term", "")),
            true,
            Ok((CalledFrom::ServedUser, "4550505050 4520112233 unknown 12599")),
        ),
        (
            SERVICE,
            format!("{FROM}{CALLED_ID}Reason: SIP;cause=486, Q.850;cause=17"),
            true,
            Ok((CalledFrom::CalledPartyId, "4560606060 4520112233 busy 12599")),
        ),
        (SERVICE, format!("{FROM}P-Called-Party-ID: <sip:12599@mca>"), true, Err(Refusal::NoCalled)),
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
        // A forwarding that can't be read may be another's than what is left: nobody is told rather than the wrong one.
        (SERVICE, strange("<sip:3@x>;reason=no-answer"), true, Err(Refusal::CalledOutsidePlan)),
        (SERVICE, strange("<sip:+123456789012345678901234567890@op>"), true, Err(Refusal::CalledOutsidePlan)),
        (SERVICE, strange("<sip:op.example>"), true, Err(Refusal::CalledOutsidePlan)),
        (SERVICE, strange("\"open <sip:+4530405060@op>"), true, Err(Refusal::CalledOutsidePlan)),
        (SERVICE, strange("<mailto:b@op>, <sip:+4530405060@op>"), true, Err(Refusal::CalledOutsidePlan)),
        (
            SERVICE,
            strange("\"A 5\" b\" <sip:+4530405060@op>, \"C 7\" d\" <sip:+4511111111@op>"),
            true,
            Err(Refusal::CalledOutsidePlan),
        ),
        (
            SERVICE,
            format!("{FROM}{SERVED}History-Info: <sip:12599@mca;cause=486>;index=1.1;mp=1"),
            true,
            Err(Refusal::CalledOutsidePlan),
        ),
        (
            SERVICE,
            format!("{FROM}{SERVED}History-Info: <sip:+4540404040@op>;index=1, <sip:12599@mca"),
            true,
            Err(Refusal::CalledOutsidePlan),
        ),
        ("sip:12599@mca;target=urn:x", format!("{FROM}{SERVED}"), true, Err(Refusal::CalledOutsidePlan)),
        // A history that tells of no diversion says nothing.
        (
            SERVICE,
            format!("{FROM}{SERVED}History-Info: <sip:12599@mca>;index=1"),
            true,
            Ok((CalledFrom::ServedUser, "4550505050 4520112233 unknown 12599")),
        ),
        ("http://12599", format!("{FROM}{BUSY}"), true, Err(Refusal::Scheme)),
    ] {
        let found = read(uri, &headers, &Rules { trusted, ..denmark() }).map(|it| (it.from, summary(&it)));
        let found = found.as_ref().map(|(from, it)| (*from, it.as_str())).map_err(|why| *why);
        assert_eq!(found, expected, "{uri} {headers}");
    }
}

#[test]
fn every_switch_of_a_peer_counts() {
    let last = denmark;
    let first = || Rules { party: Party::First, ..denmark() };
    let called = |order: &[CalledFrom]| Rules { called: order.to_vec(), ..denmark() };
    let bottom = |party| Rules { diversion: Last::Bottom, party, ..denmark() };
    let prefix = |prefix: &str| Rules { prefix: Some(prefix.into()), ..denmark() };
    let all = format!("{FROM}{BUSY}{HISTORY}{SERVED}{CALLED_ID}");
    for (rules, uri, headers, expected) in [
        (last(), SERVICE, format!("{FROM}{TWICE}"), Ok("4530405060 no_answer 12599 4511111111")),
        (first(), SERVICE, format!("{FROM}{TWICE}"), Ok("4511111111 unconditional 12599 -")),
        (bottom(Party::Last), SERVICE, format!("{FROM}{TWICE}"), Ok("4511111111 unconditional 12599 4530405060")),
        (bottom(Party::First), SERVICE, format!("{FROM}{TWICE}"), Ok("4530405060 no_answer 12599 -")),
        (last(), SERVICE, format!("{FROM}{TWICE_HISTORY}"), Ok("4530405060 no_answer 12599 4511111111")),
        (first(), SERVICE, format!("{FROM}{TWICE_HISTORY}"), Ok("4511111111 unconditional 12599 -")),
        (
            called(&[CalledFrom::HistoryInfo, CalledFrom::Diversion]),
            SERVICE,
            all.clone(),
            Ok("4540404040 no_answer 12599 -"),
        ),
        (
            called(&[CalledFrom::CalledPartyId, CalledFrom::Diversion]),
            SERVICE,
            all.clone(),
            Ok("4560606060 busy 12599 4530405060"),
        ),
        (called(&[CalledFrom::ServedUser]), SERVICE, all.clone(), Ok("4550505050 unknown 12599 -")),
        (called(&[]), SERVICE, all.clone(), Err(Refusal::NoCalled)),
        (
            Rules { not_found: Reason::Unknown, ..denmark() },
            "sip:12599@mca;cause=404;target=sip:30405060@op",
            FROM.into(),
            Ok("4530405060 unknown 12599 -"),
        ),
        (prefix("12599"), "sip:12599+8613800000001@mca", FROM.into(), Ok("8613800000001 unknown 12599 -")),
        (prefix("12599"), "sip:+1259930405060@mca", FROM.into(), Ok("4530405060 unknown 12599 -")),
        (prefix("12599"), "sip:1259930405060@mca", format!("{FROM}{BUSY}"), Ok("4530405060 busy 12599 -")),
        (prefix("12599"), SERVICE, FROM.into(), Err(Refusal::NoCalled)),
        (prefix("12599"), "sip:12599anna@mca", FROM.into(), Err(Refusal::CalledOutsidePlan)),
        (prefix(""), SERVICE, FROM.into(), Err(Refusal::NoCalled)),
        (last(), "sip:+4591100100@mca", format!("{FROM}{BUSY}"), Ok("4530405060 busy 4591100100 -")),
        (last(), "sip:004591100100@mca", format!("{FROM}{BUSY}"), Ok("4530405060 busy 4591100100 -")),
        (last(), "tel:91-100-100", format!("{FROM}{BUSY}"), Ok("4530405060 busy 4591100100 -")),
        (last(), "sip:0012@mca", format!("{FROM}{BUSY}"), Ok("4530405060 busy 0012 -")),
        (last(), "sip:mca", format!("{FROM}{BUSY}"), Ok("4530405060 busy - -")),
        (last(), "sip:mailbox@mca", format!("{FROM}{BUSY}"), Ok("4530405060 busy - -")),
    ] {
        let found = read(uri, &headers, &rules).map(|it| {
            let original = it.original.map_or("-".to_owned(), Msisdn::reveal);
            summary(&it).replace(" 4520112233", "") + " " + &original
        });
        assert_eq!(found.as_deref().map_err(|why| *why), expected, "{uri} {headers} {rules:?}");
    }
}

#[test]
fn an_isup_body_is_read() {
    let order = |caller: &[CallerFrom]| Rules { caller: caller.to_vec(), ..denmark() };
    let silent = iam(&Number::called(3, 1, false, "12599"), &[]);
    let first = Rules { party: Party::First, ..denmark() };
    let no_from = FROM.replace("+4520112233", "pbx");
    let private = Number::redirecting(3, 5, 0, "30405060").encode().unwrap();
    let private = iam(&Number::called(3, 1, false, "12599"), &[(0x0b, private)]);
    for (rules, headers, iam, expected) in [
        (denmark(), FROM.to_owned(), redirected(0), Ok("4530405060 4520112233 no_answer 12599")),
        (first, FROM.to_owned(), redirected(0), Ok("4511111111 4520112233 busy 12599")),
        (denmark(), format!("{FROM}{BUSY}"), redirected(0), Ok("4530405060 4520112233 busy 12599")),
        (denmark(), FROM.to_owned(), redirected(1), Ok("4530405060 withheld no_answer 12599")),
        // Restricted by the network.
        (denmark(), no_from.clone(), redirected(3), Ok("4530405060 withheld no_answer 12599")),
        (denmark(), no_from.clone(), redirected(0), Ok("4530405060 4520112233 no_answer 12599")),
        (order(&[CallerFrom::From]), no_from.clone(), redirected(0), Ok("4530405060 unknown no_answer 12599")),
        (order(&[CallerFrom::From]), FROM.to_owned(), redirected(1), Ok("4530405060 withheld no_answer 12599")),
        (denmark(), FROM.to_owned(), silent.clone(), Err(Refusal::NoCalled)),
        (denmark(), format!("{FROM}{SERVED}"), silent, Ok("4550505050 4520112233 unknown 12599")),
        (denmark(), format!("{FROM}{SERVED}"), private, Err(Refusal::CalledOutsidePlan)),
        (denmark(), format!("{FROM}{SERVED}"), b"\x01\x02".to_vec(), Err(Refusal::UnreadableIsup)),
        (denmark(), format!("{FROM}{BUSY}"), b"\x01\x02".to_vec(), Ok("4530405060 4520112233 busy 12599")),
    ] {
        let found = understand(&with_iam(SERVICE, &headers, &iam), &rules).map(|it| summary(&it));
        assert_eq!(found.as_deref().map_err(|why| *why), expected, "{headers} {iam:?}");
    }
}

#[test]
fn the_caller_is_believed_only_as_far_as_the_peer_is() {
    let from = |from: &str, more: &str| format!("From: {from};tag=f\r\nTo: <sip:12599@mca>\r\n{BUSY}{more}");
    let plain = "<sip:+4520112233@op>";
    let asserted = "P-Asserted-Identity: \"A, B\" <sip:20999999@op>, <tel:+4520888888>";
    let remote = "Remote-Party-ID: <sip:+4520777777@op>;party=called, <sip:+4520666666@op>;party=calling;privacy=off";
    for (headers, trusted, expected) in [
        (from(plain, asserted), true, "4520888888"),
        (from(plain, asserted), false, "4520112233"),
        (from(plain, &format!("{asserted}\r\nPrivacy: none")), true, "4520888888"),
        (from(plain, &format!("{asserted}\r\nPrivacy: critical; ID")), true, "withheld"),
        (from(plain, "Privacy: \"user\""), false, "withheld"),
        (from(plain, "Privacy: header"), false, "withheld"),
        (from(plain, "Privacy: critical id"), false, "withheld"),
        (from(plain, "Privacy: \"history;id\""), false, "withheld"),
        (from(plain, &format!("{asserted}\r\nPrivacy: history;session")), true, "4520888888"),
        (from("<sip:anonymous@anonymous.invalid>", asserted), true, "withheld"),
        (from("<sip:c8oqz84zk7z@anonymous.invalid:5060>", ""), true, "withheld"),
        (from("\"Anonymous\" <sip:Restricted@op>", ""), true, "withheld"),
        (from("<sip:unavailable:x@op>", ""), true, "withheld"),
        (from("Anonymous <sip:anonymous:5060>", asserted), true, "withheld"),
        (from(plain, "P-Asserted-Identity: <sip:anonymous@anonymous.invalid>"), true, "withheld"),
        (from(plain, "P-Asserted-Identity: <sip:anonymous@anonymous.invalid>"), false, "4520112233"),
        (from(plain, "P-Asserted-Identity: <sip:desk@op>"), true, "4520112233"),
        (from(plain, remote), true, "4520666666"),
        (from(plain, remote), false, "4520112233"),
        (from(plain, &remote.replace("off", "full")), true, "withheld"),
        (from(plain, &remote.replace("off", "\"name,uri-network\"")), false, "withheld"),
        (from(plain, "Remote-Party-ID: <sip:+4530405060@op>;party=called;privacy=full"), true, "4520112233"),
        (
            from(
                plain,
                &format!("{}{remote}", "Remote-Party-ID: <sip:1@op>;party=called\r\n".repeat(9)).replace("off", "full"),
            ),
            true,
            "withheld",
        ),
        (from(plain, "Remote-Party-ID: \"A <sip:+4520666666@op>;party=calling;privacy=full"), true, "withheld"),
        (from("<sip:2233@op>", ""), true, "2233"),
        (from("<sip:alice@op>", ""), true, "unknown"),
        (from("<sip:op>", ""), true, "unknown"),
        (from("<mailto:a@b>", ""), true, "unknown"),
    ] {
        let caller = vec![CallerFrom::AssertedIdentity, CallerFrom::RemotePartyId, CallerFrom::From];
        let summary = summary(&read(SERVICE, &headers, &Rules { trusted, caller, ..denmark() }).unwrap());
        assert_eq!(summary, format!("4530405060 {expected} busy 12599"), "{headers}");
    }
    let headers = from(plain, &format!("{asserted}\r\n{remote}"));
    for (order, expected) in [
        (vec![CallerFrom::From, CallerFrom::AssertedIdentity], "4520112233"),
        (vec![CallerFrom::RemotePartyId, CallerFrom::AssertedIdentity], "4520666666"),
        (vec![], "unknown"),
    ] {
        let summary = summary(&read(SERVICE, &headers, &Rules { caller: order, ..denmark() }).unwrap());
        assert_eq!(summary, format!("4530405060 {expected} busy 12599"));
    }
}

#[test]
fn a_call_is_named_by_its_charging_id_or_call_id() {
    let id = |from, more: &str| {
        let rules = Rules { id: from, ..denmark() };
        read(SERVICE, &format!("{FROM}{BUSY}{more}"), &rules).unwrap().id.as_str().to_owned()
    };
    let vector = "P-Charging-Vector: icid-value=\"AyretyU0dm+6O2IrT5tAFrbHLso=\";orig-ioi=x";
    assert_eq!(id(IdFrom::ChargingVector, ""), "sip:call@h");
    assert_eq!(id(IdFrom::ChargingVector, vector), "sip:AyretyU0dm+6O2IrT5tAFrbHLso=");
    assert_eq!(id(IdFrom::CallId, vector), "sip:call@h");
    assert_eq!(id(IdFrom::ChargingVector, "P-Charging-Vector: icid-value=;orig-ioi=x"), "sip:call@h");
    for constant in ["0", "\"0\"", "0000000000000000"] {
        let vector = format!("P-Charging-Vector: icid-value={constant}");
        assert_eq!(id(IdFrom::ChargingVector, &vector), "sip:call@h", "{constant}");
    }
    let long = |octets: usize| {
        let icid = "x".repeat(octets);
        id(IdFrom::ChargingVector, &format!("P-Charging-Vector: icid-value={icid}y"))
    };
    assert!(long(124).starts_with("sip:sha256:") && long(124).len() == 75, "{}", long(124));
    assert_ne!(long(124), long(125));
}

/// The numbers that are in what was understood.
fn numbers(understood: &Understood) -> String {
    let original = understood.original.map(Msisdn::reveal).unwrap_or_default();
    format!("{} {original}", summary(understood))
}

/// Header values that make sense here and there, and those that don't.
fn value() -> impl Strategy<Value = String> {
    let uri =
        "(sip|tel|sips|urn):(\\+45|0045|45|)[0-9]{1,9}(@op|@anonymous.invalid|)(;user=phone|;cause=(408|486|380)|)";
    let parameters = "(;(reason|index|mp|cause|privacy|party|sescase)=(user-busy|1|1.1|full|calling|term|\"x\")){0,3}";
    let entries = format!("<{uri}>{parameters}(, <{uri}>{parameters}){{0,2}}");
    prop_oneof![proptest::string::string_regex(&entries).unwrap(), "[ -~]{0,60}"]
}

proptest! {
    #[test]
    fn an_explanation_of_any_header_value_says_what_is_read(
        headers in proptest::collection::vec(("Diversion|History-Info|P-Asserted-Identity|Remote-Party-ID|Privacy|Reason|P-Charging-Vector|P-Served-User|P-Called-Party-ID|Content-Type", value()), 0..6),
        uri in "[!-~]{1,40}",
    ) {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        for uri in [SERVICE, &uri] {
            let headers = format!("{FROM}{headers}");
            let read = read(uri, &headers, &denmark());
            let settings = crate::sip::SipSettings::new(denmark().numbering);
            let told = crate::sip::explain::explain(&invite(uri, &headers), &settings, std::net::Ipv4Addr::LOCALHOST.into());
            prop_assert_eq!(told.outcome, read);
        }
    }

    #[test]
    fn no_mutation_of_a_real_message_panics(at in 0usize..500, by: u8, more in any::<[(u8, u8); 3]>()) {
        let mut message = with_iam(SERVICE, &format!("{FROM}{TWICE}{TWICE_HISTORY}"), &redirected(0));
        let end = message.len();
        let body = more.iter().map(|(at, by)| (end.saturating_sub(usize::from(*at % 60)), *by));
        for (at, by) in body.chain([(at, by)]) {
            if let Some(byte) = message.get_mut(at) {
                *byte = by;
            }
        }
        let _ = understand(&message, &denmark());
    }

    #[test]
    fn an_untrusted_peers_assertions_change_nothing(asserted in value(), served in value(), called_id in value(), plain in value()) {
        let rules = Rules { trusted: false, caller: CallerFrom::ALL.to_vec(), ..denmark() };
        let headers = format!("{FROM}Diversion: {plain}\r\n");
        let without = read(SERVICE, &headers, &rules);
        let with = format!("{headers}P-Asserted-Identity: {asserted}\r\nP-Served-User: {served}\r\nP-Called-Party-ID: {called_id}");
        prop_assert_eq!(&read(SERVICE, &with, &rules), &without);
        // A Remote-Party-ID may still hide the number, but never be it.
        let remote = read(SERVICE, &format!("{headers}Remote-Party-ID: {asserted}"), &rules);
        let hidden = without.map(|it| Understood { caller: Caller::Withheld, ..it });
        prop_assert!(remote == hidden || remote == read(SERVICE, &headers, &rules));
    }

    #[test]
    fn a_forwarding_that_can_not_be_read_never_tells_another(diversion in value(), history in value()) {
        let rules = Rules { prefix: Some("12599".into()), ..denmark() };
        let headers = format!("From: <sip:+4520112233@op>;tag=f\r\nTo: <sip:+4570707070@op>\r\n{SERVED}{CALLED_ID}");
        let forwarded = format!("{headers}Diversion: {diversion}\r\nHistory-Info: {history}");
        let diverted = !diversion.trim_matches([' ', ',']).is_empty();
        if let Ok(understood) = read("sip:1259980808080@mca", &forwarded, &rules) {
            prop_assert!(!diverted || matches!(understood.from, CalledFrom::Diversion | CalledFrom::HistoryInfo));
        }
    }

    #[test]
    fn a_withheld_callers_number_is_nowhere(
        privacy in proptest::sample::select(vec!["Privacy: id", "Privacy: none;user", "Remote-Party-ID: <sip:+4520112233@op>;privacy=full", "P-Asserted-Identity: <sip:anonymous@anonymous.invalid>"]),
        diversion in value(),
    ) {
        let headers = format!("{FROM}P-Asserted-Identity: <tel:+4520112233>\r\n{privacy}\r\nDiversion: {diversion}");
        for presentation in [0, 1, 3] {
            if let Ok(understood) = understand(&with_iam(SERVICE, &format!("{headers}\r\n"), &redirected(presentation)), &denmark()) {
                prop_assert!(!numbers(&understood).contains("20112233"), "{}", numbers(&understood));
                prop_assert_eq!(understood.caller, Caller::Withheld);
            }
        }
    }
}
