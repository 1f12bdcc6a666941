//! The torture tests of RFC 4475, each with what becomes of it and why.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::tests::{Bench, DATAGRAMS, SOURCE, settings, status_of};
use super::*;
use crate::Stored;
use crate::sip::message::Name;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// A valid INVITE: with a Diversion added, as a forwarding switch would, it is a call. Without one it names nobody to be told.
    Call,
    /// It is answered with this status.
    Answered(u16),
    /// It is not answered.
    Silence,
}

use Expected::{Answered, Call, Silence};

/// Port of sent-by, or the default one.
const VIA: u16 = 5060;

/// The port that the message comes from.
const FROM: u16 = 4000;

/// File, outcome, the port that the answer goes to, and why.
const TABLE: [(&str, Expected, u16, &str); 50] = [
    // §3.1.1: valid messages.
    ("wsinv", Answered(481), VIA, "read whole, folds and all; its To has a tag, and there is no such dialog"),
    ("intmeth", Answered(501), VIA, "every octet of its odd names is allowed; the method is nobody's"),
    ("esc01", Call, VIA, "escapes in URIs are the user's"),
    ("escnull", Answered(405), VIA, "nobody registers here; an escaped NUL is not decoded"),
    ("esc02", Answered(501), VIA, "escapes are not read in a method: this is not REGISTER"),
    ("lwsdisp", Answered(200), VIA, "no white space is needed before <"),
    ("longreq", Call, VIA, "34 Vias, all given back"),
    ("dblreq", Answered(405), VIA, "what follows the body in a datagram is no message"),
    ("semiuri", Answered(200), VIA, "a user may hold a semicolon"),
    ("transports", Answered(200), VIA, "transports that nobody knows are given back"),
    ("mpart01", Answered(405), FROM, "MESSAGE is not served; its Via asks for the source port"),
    ("unreason", Silence, VIA, "a response: nothing was asked"),
    ("noreason", Silence, VIA, "a response"),
    // §3.1.2: invalid messages.
    (
        "badinv01",
        Answered(400),
        FROM,
        "its Via can't be read beyond the beginning, so that the source port is all there is",
    ),
    ("clerr", Answered(400), VIA, "the body is shorter than Content-Length"),
    ("ncl", Answered(400), VIA, "a negative Content-Length"),
    ("scalar02", Answered(400), VIA, "CSeq is beyond 2^31"),
    ("scalarlg", Silence, VIA, "a response"),
    ("quotbal", Answered(400), 5050, "a quote in To is never closed"),
    ("ltgtruri", Answered(400), VIA, "a Request-URI in brackets"),
    ("lwsruri", Answered(400), VIA, "white space in the Request-URI"),
    ("lwsstart", Call, VIA, "the RFC lets one be generous: more than one space in the start line loses no call"),
    ("trws", Answered(200), VIA, "the RFC lets one be generous: white space after the version"),
    ("escruri", Call, VIA, "headers in the Request-URI are passed over, as the RFC allows: nothing is routed by them"),
    ("baddate", Call, VIA, "400 is allowed; Date is not read, so that a wrong time zone loses no call"),
    ("regbadct", Answered(405), VIA, "nobody registers here, whatever Contact holds"),
    ("badaspec", Answered(200), VIA, "the RFC lets one be generous: spaces within <>"),
    ("baddn", Answered(200), VIA, "the RFC lets one be generous: a display name without quotes"),
    ("badvers", Answered(505), VIA, "SIP/7.0"),
    ("mismatch01", Answered(400), VIA, "CSeq is of another method"),
    ("mismatch02", Answered(400), VIA, "CSeq is of another method; 501 would be as right"),
    ("bigcode", Silence, VIA, "a response"),
    // §3.2: transactions.
    ("badbranch", Answered(200), VIA, "a branch that is the cookie alone is no branch: matched as in RFC 2543"),
    // §3.3: applications.
    ("insuf", Answered(400), VIA, "no From, To, Call-ID"),
    ("unkscm", Answered(416), VIA, "a scheme that nobody knows"),
    ("novelsc", Answered(416), VIA, "a scheme that can't be called"),
    ("unksm2", Answered(405), VIA, "nobody registers here, so that the schemes of To and From don't matter"),
    ("bext01", Answered(420), VIA, "extensions that nobody knows are required"),
    (
        "invut",
        Call,
        VIA,
        "415 in the RFC: here no media is ever agreed on, and a body of another kind must lose no call",
    ),
    ("regaut01", Answered(405), VIA, "nobody registers here"),
    ("multi01", Answered(400), VIA, "two of what there may be one of"),
    ("mcl01", Answered(400), VIA, "two lengths"),
    ("bcast", Silence, VIA, "a response, and of another's"),
    ("zeromf", Answered(200), VIA, "Max-Forwards is for those who forward"),
    ("cparam01", Answered(405), VIA, "nobody registers here"),
    ("cparam02", Answered(405), VIA, "nobody registers here"),
    ("regescrt", Answered(405), VIA, "nobody registers here"),
    ("sdp01", Call, VIA, "406 in the RFC: no session is ever described, so that Accept doesn't matter"),
    // §3.4: before RFC 3261.
    ("inv2543", Call, VIA, "no branch, no tag, no Content-Length: a switch of before RFC 3261 forwards calls too"),
    ("test", Silence, VIA, "no Via: there is nowhere to send an answer"),
];

/// Beside the project, where there is such a thing.
fn directory() -> Option<PathBuf> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    Some(root.join("../../../shared/fixtures/sip/rfc4475")).filter(|directory| directory.is_dir())
}

/// What is sent for a message that comes as a datagram; a call is stored at once.
fn answers(message: &[u8]) -> (Vec<Outgoing>, usize) {
    let mut bench = Bench::new(settings());
    let mut sent = bench.receive_from(message.to_vec(), DATAGRAMS, SOURCE);
    let mut calls = 0;
    if let Some((batch, handed)) = bench.server.take_batch() {
        calls = batch.len();
        let stored = Stored { duplicate: vec![false; calls] };
        bench.server.settle(handed, Outcome::Answered(stored), bench.now);
        sent.extend(bench.server.take_outgoing());
    }
    (sent, calls)
}

fn diverted(message: &[u8]) -> Vec<u8> {
    let start = message.windows(2).position(|end| end == b"\r\n").unwrap() + 2;
    let diversion = &b"Diversion: <sip:+4530405060@op>;reason=user-busy\r\n"[..];
    [&message[..start], diversion, &message[start..]].concat()
}

/// Everything that the sender needs to find its request again is in the answer, octet for octet, and our words about its address.
fn assert_given_back(name: &str, raw: &[u8], response: &[u8]) {
    let message = Message::parse(Bytes::copy_from_slice(raw)).unwrap();
    let contains = |wanted: &[u8]| response.windows(wanted.len()).any(|part| part == wanted);
    for (place, value) in message.all(Name::Via).enumerate() {
        let top = crate::sip::Via::topmost(&message).map_or(value, |via| via.entry);
        let (entry, rest) = if place == 0 { value.split_at(top.len()) } else { (&b""[..], value) };
        let entry = String::from_utf8_lossy(entry).replace(";rport", ";rport=4000");
        let received = if place == 0 { ";received=192.0.2.99" } else { "" };
        let line = [b"Via: ", entry.as_bytes(), received.as_bytes(), rest, b"\r\n"].concat();
        assert!(contains(&line), "{name}: {}", String::from_utf8_lossy(&line));
    }
    for (header, text) in [(Name::From, "From"), (Name::CallId, "Call-ID"), (Name::CSeq, "CSeq")] {
        if let Some(value) = message.first(header) {
            assert!(contains(&[text.as_bytes(), b": ", value, b"\r\n"].concat()), "{name}: {text}");
        }
    }
    let without_body = response.windows(4).position(|end| end == b"\r\n\r\n") == Some(response.len() - 4);
    assert!(without_body && contains(b"\r\nContent-Length: 0\r\n"), "{name}");
}

#[test]
fn the_torture_tests_of_rfc_4475_come_out_as_the_table_says() {
    let Some(directory) = directory() else {
        println!("skipped: the messages of RFC 4475 are not beside the project");
        return;
    };
    for (name, expected, port, why) in TABLE {
        let raw = std::fs::read(directory.join(format!("{name}.dat"))).unwrap();
        let (sent, calls) = answers(&raw);
        let answered: Vec<u16> = sent.iter().map(|outgoing| status_of(&outgoing.bytes)).collect();
        match expected {
            Silence => assert_eq!((answered.as_slice(), calls), (&[][..], 0), "{name}: {why}"),
            Answered(status) => assert_eq!((answered.as_slice(), calls), (&[status][..], 0), "{name}: {why}"),
            Call => {
                assert!(matches!(answered.as_slice(), [400..=699]), "{name}: {answered:?}");
                let (released, calls) = answers(&diverted(&raw));
                let released: Vec<u16> = released.iter().map(|outgoing| status_of(&outgoing.bytes)).collect();
                assert_eq!((released.as_slice(), calls), (&[486][..], 1), "{name}: {why}");
            }
        }
        for outgoing in &sent {
            assert_eq!(outgoing.route.to, format!("192.0.2.99:{port}").parse().unwrap(), "{name}: {why}");
            assert_given_back(name, &raw, &outgoing.bytes);
        }
    }
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let known: BTreeSet<String> = TABLE.iter().map(|(name, ..)| format!("{name}.dat")).collect();
    assert_eq!(files.collect::<BTreeSet<_>>(), known, "every message is in the table");
}
