//! Messages in a file: as text, one after another, or in the packets of a capture.

mod packets;

use std::collections::BTreeSet;
use std::net::IpAddr;

/// What editors write before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A message as it was captured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Captured {
    /// Who sent it, where the file says so.
    pub source: Option<IpAddr>,
    pub octets: Vec<u8>,
}

/// The messages that are to be explained, and what else was in the file.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub messages: Vec<Captured>,
    pub remarks: Vec<String>,
}

/// Finds the INVITEs of a file, each once; the first message where there is none.
///
/// # Errors
/// When there is no SIP in it, with what to do.
pub(super) fn messages(octets: &[u8]) -> Result<Found, String> {
    let mut remarks = Vec::new();
    let all = match packets::messages(octets) {
        Some(captured) => {
            let captured = captured?;
            remarks.extend(captured.remark);
            captured.messages
        }
        None => {
            let text = octets.strip_prefix(BYTE_ORDER_MARK).unwrap_or(octets);
            in_text(text).into_iter().map(|octets| Captured { source: None, octets }).collect()
        }
    };
    let count = all.len();
    if count == 0 && octets.iter().all(u8::is_ascii_whitespace) {
        return Err("there is nothing in it".to_owned());
    }
    if count == 0 {
        return Err(format!(
            "there is no SIP message in it, no line such as INVITE sip:12599@host SIP/2.0{}",
            remarks.into_iter().map(|remark: String| format!("; {remark}")).collect::<String>()
        ));
    }
    let mut seen = BTreeSet::new();
    let invites: Vec<Captured> = (all.iter().filter(|message| message.octets.starts_with(b"INVITE ")))
        .filter(|message| seen.insert(transaction(&message.octets)))
        .cloned()
        .collect();
    let messages = if invites.is_empty() { all.into_iter().take(1).collect() } else { invites };
    if count > messages.len() {
        remarks.push(format!("{count} messages are in the file; {}", which(&messages)));
    }
    Ok(Found { messages, remarks })
}

fn which(chosen: &[Captured]) -> String {
    match chosen {
        [only] if !only.octets.starts_with(b"INVITE ") => "none is an INVITE, and the first is explained".to_owned(),
        [_] => "the INVITE is explained".to_owned(),
        several => format!("the {} INVITEs are explained, each once", several.len()),
    }
}

/// What repeats of a request have in common: the start line, the topmost Via and Call-ID.
fn transaction(message: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = message.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).take_while(|line| !line.is_empty());
    let start = lines.next().map(<[u8]>::to_vec);
    let named = |line: &&[u8], names: [&[u8]; 2]| {
        let name = line.split(|octet| *octet == b':').next().unwrap_or_default().trim_ascii_end();
        names.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let rest: Vec<&[u8]> = lines.collect();
    let via = rest.iter().copied().find(|line| named(line, [b"via", b"v"]));
    let id = rest.iter().copied().find(|line| named(line, [b"call-id", b"i"]));
    start.into_iter().chain([via, id].into_iter().flatten().map(<[u8]>::to_vec)).collect()
}

/// The messages of a text or a stream: each ends where its Content-Length says if another begins there or nothing follows, else where the next line
/// begins that starts a message. What precedes the first is passed over.
fn in_text(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let mut rest = octets.get(next_start(octets, 0)..).unwrap_or_default();
    while !rest.is_empty() {
        let next = next_start(rest, first_line(rest));
        let end = end_by_length(rest, next).unwrap_or(next);
        let (message, after) = rest.split_at(end);
        messages.push(message.to_vec());
        rest = after.get(next_start(after, 0)..).unwrap_or_default();
    }
    messages
}

/// Whether the first line starts a message.
fn begins_message(octets: &[u8]) -> bool {
    octets.get(..first_line(octets)).is_some_and(|line| is_start(line.trim_ascii_end()))
}

fn first_line(octets: &[u8]) -> usize {
    octets.iter().position(|octet| *octet == b'\n').map_or(octets.len(), |at| at + 1)
}

/// Where the next line begins that starts a message, at or after the line at `from`; the end where there is none.
fn next_start(octets: &[u8], from: usize) -> usize {
    let mut at = from;
    for line in octets.get(from..).unwrap_or_default().split_inclusive(|octet| *octet == b'\n') {
        if is_start(line.trim_ascii_end()) {
            return at;
        }
        at += line.len();
    }
    octets.len()
}

/// Where a message ends by its Content-Length, if that fits what follows; its head ends before `next`, where another may begin.
fn end_by_length(message: &[u8], next: usize) -> Option<usize> {
    let head = message.get(..next)?.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let mut lengths = message.get(..head)?.split(|octet| *octet == b'\n').filter_map(|line| {
        let colon = line.iter().position(|octet| *octet == b':')?;
        let (name, value) = line.split_at(colon);
        let named =
            [&b"content-length"[..], b"l"].iter().any(|known| name.trim_ascii_end().eq_ignore_ascii_case(known));
        std::str::from_utf8(value.get(1..)?).ok().filter(|_| named)?.trim().parse::<usize>().ok()
    });
    let end = head.checked_add(lengths.next()?)?;
    let after = message.get(end..)?.trim_ascii_start();
    (after.is_empty() || begins_message(after)).then_some(end)
}

/// `METHOD URI SIP/2.0`, or `SIP/2.0 200 OK`.
fn is_start(line: &[u8]) -> bool {
    const VERSION: &[u8] = b"SIP/";
    let mut words = line.split(|octet| *octet == b' ');
    let (first, second, last) = (words.next().unwrap_or_default(), words.next(), words.next_back());
    let method =
        !first.is_empty() && first.iter().all(|octet| octet.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(octet));
    let request = method && last.is_some_and(|last| last.starts_with(VERSION));
    let response = first.starts_with(VERSION)
        && second.is_some_and(|status| status.len() == 3 && status.iter().all(u8::is_ascii_digit));
    request || response
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:12599@mca SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nCall-ID: a@h\n\n";

    fn found(text: &str) -> (Vec<String>, Vec<String>) {
        let found = messages(text.as_bytes()).unwrap();
        let texts = found.messages.into_iter().map(|message| String::from_utf8(message.octets).unwrap());
        (texts.collect(), found.remarks)
    }

    #[test]
    fn each_invite_of_a_text_is_found_once() {
        assert_eq!(found(INVITE), (vec![INVITE.to_owned()], vec![]));
        let other = INVITE.replace("a@h", "b@h");
        let ok = "SIP/2.0 100 Trying\nCall-ID: a@h\n\n";
        let (texts, remarks) =
            found(&format!("2026/11/25 10.0.0.1:5060 -> 10.0.0.2:5060\n{INVITE}{ok}{INVITE}{other}"));
        assert_eq!(texts, [INVITE, &other]);
        assert_eq!(remarks, ["4 messages are in the file; the 2 INVITEs are explained, each once"]);
        let options = INVITE.replace("INVITE", "OPTIONS");
        let (texts, remarks) = found(&format!("{options}{ok}"));
        assert_eq!(texts, [options]);
        assert!(remarks[0].ends_with("none is an INVITE, and the first is explained"), "{remarks:?}");
        assert_eq!(found(&format!("\u{feff}{INVITE}")).0, [INVITE]);
        let wired = other.replace('\n', "\r\n").replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(found(&format!("{INVITE}{wired}")).0, [INVITE, &wired]);
        let (texts, _) = found(&INVITE.replace('\n', "\r\n").replace("SIP/2.0\r", "SIP/7.0\r"));
        assert!(texts[0].starts_with("INVITE sip:12599@mca SIP/7.0\r\n"));
    }

    #[test]
    fn a_file_without_sip_says_so() {
        for text in ["", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "hello", "SIP/2.0 OK"] {
            let problem = messages(text.as_bytes()).unwrap_err();
            assert!(problem.contains("nothing in it") || problem.contains("no SIP message"), "{problem}");
        }
    }
}
