//! The History-Info header (RFC 7044) and the cause parameter (RFC 4458, RFC 8119): where the call has been, and why it left.

use model::Reason;

use super::lexer;
use super::message::{Message, Name};
use super::uri::{Address, Uri};

/// Most entries that are looked at: a call isn't retargeted more often.
const MAX_ENTRIES: usize = 32;

/// The cause of a number translation, which is no diversion (RFC 8119; 3GPP TS 29.163 annex L).
const TRANSLATED: u16 = 380;

/// One place where the call has been.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    uri: Uri<'a>,
    index: Option<&'a [u8]>,
    /// The index of the entry that was mapped to this one.
    mapped: Option<&'a [u8]>,
    /// Why the call came *to* this place.
    cause: Option<u16>,
    /// Why the call *left* this place: a Reason header escaped in its URI.
    left: Option<u16>,
}

/// Whom the call left last, and what is said of the reason.
#[derive(Debug, Clone, Copy)]
pub(super) struct Diverting<'a> {
    pub(super) uri: Uri<'a>,
    pub(super) cause: Option<u16>,
}

/// What History-Info says of a call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct History<'a> {
    /// Who forwarded the call here.
    pub(super) diverting: Option<Diverting<'a>>,
    /// Who was called first.
    pub(super) original: Option<Uri<'a>>,
}

/// Reads the history.
///
/// The diverting party is the entry that `mp` of the last entry with a cause names; without `mp`, or when nothing has that index, the
/// entry just before. Without any cause it is the last entry whose URI holds a Reason: that is where the call failed.
pub(super) fn history(message: &Message) -> History<'_> {
    let entries: Vec<Entry<'_>> = message.entries(Name::HistoryInfo, MAX_ENTRIES).filter_map(entry).collect();
    let original = entries.first().filter(|_| entries.len() > 1).map(|entry| entry.uri);
    History { diverting: by_cause(&entries).or_else(|| by_reason(&entries)), original }
}

fn by_cause<'a>(entries: &[Entry<'a>]) -> Option<Diverting<'a>> {
    let caused = |entry: &Entry<'_>| entry.cause.is_some_and(|cause| cause != TRANSLATED);
    let mapped = |entry: &Entry<'_>| entry.cause.is_none() && entry.mapped.is_some();
    let last = entries.iter().rposition(caused).or_else(|| entries.iter().rposition(mapped))?;
    let to = entries.get(last)?;
    let named = to.mapped.and_then(|index| entries.iter().find(|entry| entry.index == Some(index)));
    let from = named.or_else(|| entries.get(last.checked_sub(1)?))?;
    Some(Diverting { uri: from.uri, cause: to.cause.or(from.left) })
}

fn by_reason<'a>(entries: &[Entry<'a>]) -> Option<Diverting<'a>> {
    let failed = entries.iter().rfind(|entry| entry.left.is_some())?;
    Some(Diverting { uri: failed.uri, cause: failed.left })
}

fn entry(value: &[u8]) -> Option<Entry<'_>> {
    let address = Address::parse(value)?;
    let uri = Uri::parse(address.uri)?;
    Some(Entry {
        uri,
        index: lexer::parameter_value(address.parameters, b"index"),
        mapped: lexer::parameter_value(address.parameters, b"mp"),
        cause: uri.parameter(b"cause").and_then(lexer::number),
        left: escaped_cause(uri.headers),
    })
}

/// The cause in `?Reason=SIP%3Bcause%3D486&…`.
fn escaped_cause(headers: &[u8]) -> Option<u16> {
    headers.split(|byte| *byte == b'&').find_map(|header| {
        let at = header.iter().position(|byte| *byte == b'=')?;
        let is_reason = header.get(..at)?.eq_ignore_ascii_case(b"Reason");
        let value = lexer::unescape(header.get(at + 1..)?).into_owned();
        let sip = value.get(..3)?.eq_ignore_ascii_case(b"SIP");
        let cause = lexer::parameter_value(&value, b"cause").and_then(lexer::number)?;
        (is_reason && sip).then_some(cause)
    })
}

/// What a SIP cause says (RFC 4458 §2, as mapped by 3GPP TS 24.604); `not_found` is what this network means by 404.
pub(super) const fn reason(cause: u16, not_found: Reason) -> Option<Reason> {
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

/// What a Q.850 cause says, in the Reason header of the call (RFC 3326 §2).
pub(super) const fn reason_q850(cause: u16) -> Option<Reason> {
    match cause {
        17 => Some(Reason::Busy),
        18 | 19 => Some(Reason::NoAnswer),
        20 | 27 => Some(Reason::Unreachable),
        21 => Some(Reason::Rejected),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn diverting(headers: &str) -> Option<(String, Option<u16>)> {
        let message = Message::parse(Bytes::from(format!("INVITE sip:9@h SIP/2.0\r\n{headers}\r\n\r\n"))).unwrap();
        history(&message).diverting.map(|it| (it.uri.number().unwrap(), it.cause))
    }

    #[test]
    fn the_diverting_party_is_found() {
        for (headers, number, cause) in [
            ("History-Info: <sip:1@h>;index=1, <sip:9@h;cause=408>;index=1.1;mp=1", "1", Some(408)),
            ("History-Info: <sip:1@h>;index=1\r\nHistory-Info: <sip:9@h;cause=486>;index=1.1", "1", Some(486)),
            // Forwarded twice: the last to forward is the one who missed it.
            (
                "History-Info: <sip:1@h>;index=1,<sip:2@h;cause=302>;index=1.1;mp=1,<sip:9@h;cause=408>;index=1.1.1;mp=1.1",
                "2",
                Some(408),
            ),
            // A translated number in between isn't a diversion.
            (
                "History-Info: <sip:1@h>;index=1,<sip:9@h;cause=486>;index=1.1;mp=1,<sip:8@h;cause=380>;index=1.1.1;mp=1.1",
                "1",
                Some(486),
            ),
            ("History-Info: <sip:1@h>;index=1,<sip:9@h;cause=486>;index=1.1;mp=7", "1", Some(486)),
            ("History-Info: <sip:1@h?Reason=SIP%3Bcause%3D486>;index=1,<sip:9@h>;index=1.1", "1", Some(486)),
            ("History-Info: <sip:1@h?reason=sip;cause=408>;index=1,<sip:9@h>;index=1.1;mp=1", "1", Some(408)),
        ] {
            assert_eq!(diverting(headers), Some((number.to_owned(), cause)), "{headers}");
        }
    }

    #[test]
    fn a_history_without_a_diversion_names_nobody() {
        assert_eq!(diverting("History-Info: <sip:9@h>;index=1"), None);
        assert_eq!(diverting("History-Info: <sip:9@h;cause=486>;index=1"), None, "nothing stands before it");
        assert_eq!(diverting("History-Info: <sip:1@h>;index=1,<sip:9@h;cause=380>;index=1.1;mp=1"), None);
        assert_eq!(diverting("X: y"), None);
    }
}
