//! The command as an operator types it, on messages of operators.

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::Value;

use super::super::{CONFIGURATION, Next, OK, Terminal, USAGE, answer};
use crate::config::Sources;

const DENMARK: [(&str, &str); 3] = [
    ("AFTERRING_NUMBERING__COUNTRY_CODE", "45"),
    ("AFTERRING_NUMBERING__NATIONAL_PREFIX", ""),
    ("AFTERRING_SERVICE__NUMBERS", "91100100=prospects"),
];

/// Exit code, standard output, standard error.
fn explain(arguments: &[&str], environment: &[(&str, &str)]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let sources = |file, flags| Sources { file, flags, environment, ..Sources::default() };
    let arguments = ["afterring", "sip", "explain"].iter().chain(arguments).map(OsString::from);
    let mut terminal = Terminal { out: &mut out, err: &mut err };
    match answer(arguments, sources, || model::Timestamp::from_millis(0), &mut terminal).unwrap() {
        Next::Exit(code) => (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn operators(name: &str) -> String {
    format!("{}/../ingress/tests/fixtures/operator-invites/{name}.sip", env!("CARGO_MANIFEST_DIR"))
}

fn written(dir: &tempfile::TempDir, octets: &[u8]) -> PathBuf {
    let path = dir.path().join("message");
    std::fs::write(&path, octets).unwrap();
    path
}

const INVITE: &str = "INVITE sip:12599@mca SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:+4520112233@op>;tag=f\r\nTo: <sip:12599@mca>\r\n\
    Call-ID: call@h\r\nCSeq: 1 INVITE\r\nDiversion: <sip:+4530405060@op>;reason=user-busy\r\n\r\n";

#[test]
fn a_diversion_of_two_is_explained() {
    let expected = "\
INVITE sip:+4591100100@mca.op.example:5060;user=phone
from 127.0.0.1 (assumed; --from says another): peer local, trusted

The call that is made of it:

  called          +4511111111
                    by Diversion, 1 of 2: <sip:+4511111111@op.example>;reason=unconditional;counter=1
                    not by Diversion, 2 of 2: <sip:+4530405060@op.example>;reason=user-busy;counter=1
                      (not the last to forward)
                    not by To: <sip:+4591100100@mca.op.example;user=phone>
                      (something before it in the peer's order counts)
  original        +4530405060
                    by Diversion, number 2: <sip:+4530405060@op.example>;reason=user-busy;counter=1
  caller          +4520112233
                    by From: <sip:+4520112233@op.example;user=phone>;tag=a1
  reason          unconditional
                    by Diversion;reason: unconditional
  service_number  4591100100
                    by Request-URI: sip:+4591100100@mca.op.example:5060;user=phone
  id              sip:c1@127.0.0.1
                    by Call-ID: c1@127.0.0.1

By service.numbers, 4591100100 is for everybody: subscribers get details, and others teasers where a range has room.

The answer, once the call is on disk:

  SIP/2.0 480 Temporarily Unavailable
  Reason: Q.850;cause=31
";
    let (code, out, err) = explain(&[&operators("02_div_two_lines")], &DENMARK);
    assert_eq!((code, out.as_str(), err.as_str()), (OK, expected, ""));
}

#[test]
fn a_sip_i_call_is_explained() {
    let expected = "\
INVITE sip:+4591100100@mca.op.example:5060;user=phone
from 10.0.0.0 (assumed: the first peer's first address; --from says another): peer msc, not trusted

The call that is made of it:

  called          +4530405060
                    by ISUP, redirecting number: 4530405060 (national)
                    not by To: <sip:+4591100100@mca.op.example;user=phone>
                      (something before it in the peer's order counts)
  caller          +4520112233
                    by From: <sip:+4520112233@op.example;user=phone>;tag=a1
  reason          busy
                    by ISUP, redirecting reason: 1
  service_number  4591100100
                    by Request-URI: sip:+4591100100@mca.op.example:5060;user=phone
  id              sip:c1@127.0.0.1
                    by Call-ID: c1@127.0.0.1

By service.numbers, 4591100100 is for everybody: subscribers get details, and others teasers where a range has room.

The answer, once the call is on disk:

  SIP/2.0 302 Moved Temporarily
  Contact: <sip:busy@announcements.example>
";
    let peers = ("AFTERRING_SIP__PEERS", "10.0.0.0/8;name=msc;busy=302/sip:busy@announcements.example");
    let (code, out, err) = explain(&[&operators("22_sipi")], &[DENMARK.as_slice(), &[peers]].concat());
    assert_eq!((code, out.as_str(), err.as_str()), (OK, expected, ""));
}

#[test]
fn a_refusal_says_why_and_what_to_do() {
    let expected = "\
INVITE sip:1@2
from 127.0.0.1 (assumed; --from says another): peer local, trusted
note: its lines end in LF only, as tools save them; on the wire they end in CRLF, and it is read so.

No call is made of it: the called number can't be read, or is outside the numbering plan. [called_outside_plan]
Look at [numbering], or at country_code=, national_prefix= and international_prefix= of the peer; and whether the first header that names somebody is the right one (called=, diversion=).

What was looked at:

  called          -
                    not by Diversion, 1 of 1: <sip:3@x>;reason=no-answer
                      (outside the numbering plan: too short)
                    not by To: <sip:2@x>
                      (the call was forwarded by somebody who can't be read: this may be about another)
  original        -
                    not by Diversion, number 1: <sip:3@x>;reason=no-answer
                      (outside the numbering plan: too short)
  caller          1
                    by From: <sip:1@x>;tag=1
  reason          no_answer
                    by Diversion;reason: no-answer
  service_number  1
                    by Request-URI: sip:1@2
  id              sip:77
                    by Call-ID: 77

The answer:

  SIP/2.0 484 Address Incomplete
  Reason: Q.850;cause=28
  Warning: 399 afterring \"the called number can't be read, or is outside the numbering plan\"
";
    let (code, out, err) = explain(&[&operators("26_no_cl_lf_only")], &DENMARK);
    assert_eq!((code, out.as_str(), err.as_str()), (USAGE, expected, ""));
}

#[test]
fn each_operator_message_is_explained_as_json() {
    let directory = operators("x").replace("/x.sip", "");
    let files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 14);
    for file in files {
        let (code, out, _) = explain(&["--json", file.to_str().unwrap()], &DENMARK);
        let told: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code == OK, told["call"]["called"].is_string(), "{out}");
        assert_eq!(code == USAGE, told["refused"]["advice"].is_string(), "{out}");
        assert!(told["response"][0].as_str().is_some_and(|line| line.starts_with("SIP/2.0 ")), "{out}");
        let notes = told["notes"].as_array().unwrap();
        assert!(notes.iter().all(|note| note["taken"].is_string() != note["passed_over"].is_string()), "{out}");
        assert!(notes.iter().any(|note| note["field"] == "called"), "{out}");
    }
}

#[test]
fn the_sender_decides_how_a_message_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir, INVITE.as_bytes());
    let file = path.to_str().unwrap();
    let peers = ("AFTERRING_SIP__PEERS", "10.0.0.0/8;name=msc;trusted,192.0.2.7;name=sbc");
    let peer = |arguments: &[&str], environment: &[(&str, &str)]| {
        let (code, out, err) = explain(&[arguments, &["--json", file]].concat(), environment);
        let told: Value = serde_json::from_str(&out).unwrap_or_default();
        (
            code,
            told["peer"].as_str().unwrap_or(err.as_str()).to_owned(),
            told["from"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let told = |code, peer: &str, from: &str| (code, peer.to_owned(), from.to_owned());
    assert_eq!(peer(&[], &[]), told(OK, "local", "127.0.0.1"));
    assert_eq!(peer(&[], &[peers]), told(OK, "msc", "10.0.0.0"));
    assert_eq!(peer(&["--from", "192.0.2.7"], &[peers]), told(OK, "sbc", "192.0.2.7"));
    assert_eq!(peer(&["--from", "sbc"], &[peers]), told(OK, "sbc", "192.0.2.7"));
    assert_eq!(peer(&["--from", "192.0.2.8"], &[peers]), told(USAGE, "", "192.0.2.8"));
    let (code, problem, _) = peer(&["--from", "mcs"], &[peers]);
    assert_eq!((code, problem.trim()), (USAGE, "--from: \"mcs\" is neither an address nor a peer; peers: msc, sbc"));
    let (code, _, err) = explain(&[file], &[("AFTERRING_SIP__PEERS", "msc")]);
    assert!(code == CONFIGURATION && err.contains("sip.peers"), "{err}");
}

#[test]
fn no_certificates_are_needed() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(&dir, INVITE.as_bytes());
    let listen = ("AFTERRING_SIP__LISTEN", "tls://0.0.0.0:5061");
    let tls = [listen, ("AFTERRING_SIP__TLS_CERTIFICATE", "/nowhere"), ("AFTERRING_SIP__TLS_KEY", "/nowhere")];
    let (code, _, err) = explain(&[file.to_str().unwrap()], &[DENMARK.as_slice(), &tls].concat());
    assert_eq!((code, err.as_str()), (OK, ""));
}

#[test]
fn a_lost_body_does_not_hide_the_call() {
    let dir = tempfile::tempdir().unwrap();
    for (text, remarks) in [
        (INVITE.replace("CSeq", "Content-Length: 500\r\nCSeq"), 1),
        (INVITE.replace("CSeq", "Content-Length: 500\r\nCSeq").replace('\r', ""), 2),
        (INVITE.replace('\r', ""), 1),
        (INVITE.to_owned(), 0),
    ] {
        let file = written(&dir, text.as_bytes());
        let (code, out, err) = explain(&["--json", file.to_str().unwrap()], &DENMARK);
        let told: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &told["call"]["called"]), (OK, &Value::from("+4530405060")), "{out}{err}");
        assert_eq!(told["remarks"].as_array().unwrap().len(), remarks, "{out}");
    }
}

#[test]
fn a_strangers_message_can_not_play_with_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(&dir, INVITE.replace("user-busy", "\u{1b}[2J\u{7}busy").as_bytes());
    let (_, out, _) = explain(&[file.to_str().unwrap()], &DENMARK);
    assert!(out.contains("[2J") && !out.contains(['\u{1b}', '\u{7}']), "{out:?}");
    for (octets, words) in [(&b""[..], "nothing in it"), (b"hello", "no SIP message in it")] {
        let (code, _, err) = explain(&[written(&dir, octets).to_str().unwrap()], &DENMARK);
        assert!(code == USAGE && err.contains(words), "{err}");
    }
    let (code, _, err) = explain(&["/nowhere"], &DENMARK);
    assert!(code == USAGE && err.contains("can't be read"), "{err}");
}
