//! Cuts what comes on a stream into messages (RFC 3261 §18.3): octets in, frames out.

use bytes::{Buf, Bytes, BytesMut};

use crate::Refusal;

/// Most octets of a message: what a datagram can hold, so that no transport takes more than another.
pub const MAX_MESSAGE: usize = 65_535;

/// Room that is made at a time: some ten messages.
const ROOM: usize = 16 * 1024;

/// Room that is enough for a read: no more is made while there is as much.
const ENOUGH: usize = 4 * 1024;

/// What asks for a line end as a sign of life (RFC 5626 §4.4.1).
const PING: &[u8] = b"\r\n\r\n";

/// What a stream was cut into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A request, whole.
    Request(Bytes),
    /// A keepalive, which is answered with a line end.
    Ping,
    /// The head of a request that has more than [`MAX_MESSAGE`] octets; its body is passed over, and the stream goes on.
    TooLarge(Bytes),
    /// From here on the stream can't be cut any more.
    Lost {
        /// The head of the request where it happened, as far as it came; empty where there is none.
        head: Bytes,
        /// Why.
        why: Lost,
    },
}

/// Why a stream can't be cut any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Lost {
    /// A message would have to begin here, and this is none.
    #[error("what came is not SIP")]
    NotSip,
    /// No end of the head within [`MAX_MESSAGE`] octets.
    #[error("a message's header is too long")]
    Head,
    /// Content-Length is no number, or there are two that differ: where the next message begins can't be known.
    #[error("a message's Content-Length can't be read")]
    ContentLength,
}

impl Lost {
    /// What the peer is told.
    pub(super) const fn refusal(self) -> Refusal {
        match self {
            Self::NotSip | Self::ContentLength => Refusal::Unreadable,
            Self::Head => Refusal::TooLarge,
        }
    }
}

/// Where in the stream the next octet belongs.
///
/// ```text
///            octet            empty line             all there
///  ┌───────┐ ────▶ ┌──────┐ ──────────▶ ┌─────────┐ ──────────▶ between, and a request
///  │between│       │ head │             │  body   │
///  └───────┘       └──┬───┘ ──────────▶ ┌─────────┐ ──────────▶ between
///      │              │      too large  │ passing │
///      └──▶ lost ◀────┘                 └─────────┘
/// ```
#[derive(Debug, Default)]
enum Place {
    /// Behind a message and before the next.
    #[default]
    Between,
    /// In a head; `line` is where its last line begins, `seen` how far it was looked at.
    Head { line: usize, seen: usize },
    /// In a body; `total` is the message's length.
    Body { total: usize },
    /// In the body of a message that is too large; so many octets are to come.
    Passing { left: u64 },
    /// Nothing means anything any more.
    Lost,
}

/// Cuts one stream. Responses are cut out and passed over, since nothing is ever asked; so are line ends and NULs between messages.
///
/// It keeps what has come of one message, and never looks at an octet of a head more than twice, however small the pieces that it comes in.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    place: Place,
    begun: u64,
    /// Octets of [`PING`] that came one after another.
    ping: usize,
}

impl Framer {
    /// Takes what came next. All frames are to be taken before more is given: that bounds what is kept.
    pub fn push(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// Where to read what comes next, instead of [`Framer::push`]; it has room.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() - self.buffer.len() < ENOUGH {
            self.buffer.reserve(ROOM);
        }
        &mut self.buffer
    }

    /// Which message of the stream has begun and not ended.
    #[must_use]
    pub const fn begun(&self) -> Option<u64> {
        match self.place {
            Place::Between | Place::Lost => None,
            Place::Head { .. } | Place::Body { .. } | Place::Passing { .. } => Some(self.begun),
        }
    }

    /// Octets kept.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Cuts off the next frame; `None` until more has come.
    pub fn take(&mut self) -> Option<Frame> {
        loop {
            match self.place {
                Place::Between => {
                    if self.skip_blanks() {
                        return Some(Frame::Ping);
                    }
                    if self.buffer.is_empty() {
                        return None;
                    }
                    self.begun += 1;
                    self.place = Place::Head { line: 0, seen: 0 };
                }
                Place::Head { line, seen } => match self.look_for_end(line, seen) {
                    Ok(Some(end)) => {
                        if let Some(frame) = self.end_head(end) {
                            return Some(frame);
                        }
                    }
                    Ok(None) => return None,
                    Err(why) => return Some(self.lose(MAX_MESSAGE, why)),
                },
                Place::Body { total } => {
                    if self.buffer.len() < total {
                        return None;
                    }
                    self.place = Place::Between;
                    let message = self.buffer.split_to(total).freeze();
                    if !is_response(&message) {
                        return Some(Frame::Request(message));
                    }
                }
                Place::Passing { left } => {
                    let here = usize::try_from(left).map_or(self.buffer.len(), |left| left.min(self.buffer.len()));
                    self.buffer.advance(here);
                    let left = left.saturating_sub(u64::try_from(here).unwrap_or(u64::MAX));
                    if left > 0 {
                        self.place = Place::Passing { left };
                        return None;
                    }
                    self.place = Place::Between;
                }
                Place::Lost => {
                    self.buffer.clear();
                    return None;
                }
            }
        }
    }

    /// Passes over line ends and NULs; whether that completed a keepalive.
    fn skip_blanks(&mut self) -> bool {
        while let Some(octet) = self.buffer.first().copied().filter(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
            self.buffer.advance(1);
            self.ping = match PING.get(self.ping) {
                Some(expected) if *expected == octet => self.ping + 1,
                _ => usize::from(octet == b'\r'),
            };
            if self.ping == PING.len() {
                self.ping = 0;
                return true;
            }
        }
        if !self.buffer.is_empty() {
            self.ping = 0;
        }
        false
    }

    /// Where the head ends, once that has come. A line of blanks alone goes on with the line before it (RFC 3261 §7.3.1).
    fn look_for_end(&mut self, mut line: usize, mut seen: usize) -> Result<Option<usize>, Lost> {
        let head = self.buffer.get(..MAX_MESSAGE).unwrap_or(&self.buffer);
        if head.first().is_some_and(|octet| !is_token(*octet)) {
            return Err(Lost::NotSip);
        }
        while let Some(at) = head.get(seen..).and_then(|rest| rest.iter().position(|octet| *octet == b'\n')) {
            let text = head.get(line..seen + at).unwrap_or_default();
            seen += at + 1;
            if line == 0 && !can_begin(text) {
                return Err(Lost::NotSip);
            }
            if text.iter().all(|octet| *octet == b'\r') {
                return Ok(Some(seen));
            }
            line = seen;
        }
        if head.len() == MAX_MESSAGE {
            return Err(Lost::Head);
        }
        self.place = Place::Head { line, seen: head.len() };
        Ok(None)
    }

    /// Decides by the head what becomes of its message.
    fn end_head(&mut self, end: usize) -> Option<Frame> {
        let head = self.buffer.get(..end).unwrap_or_default();
        let body = match content_length(head) {
            Some(Length::Known(body)) => body,
            Some(Length::Unbounded) => u64::MAX,
            None => return Some(self.lose(end, Lost::ContentLength)),
        };
        match usize::try_from(body).ok().and_then(|body| end.checked_add(body)) {
            Some(total) if total <= MAX_MESSAGE => {
                self.place = Place::Body { total };
                None
            }
            _ => {
                self.place = Place::Passing { left: body };
                let head = self.buffer.split_to(end).freeze();
                (!is_response(&head)).then_some(Frame::TooLarge(head))
            }
        }
    }

    fn lose(&mut self, end: usize, why: Lost) -> Frame {
        self.place = Place::Lost;
        let head = self.buffer.split_to(end.min(self.buffer.len())).freeze();
        self.buffer.clear();
        Frame::Lost { head: if why == Lost::NotSip { Bytes::new() } else { head }, why }
    }
}

/// What Content-Length says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Length {
    Known(u64),
    /// More octets than can be counted, and so than will ever come.
    Unbounded,
}

/// The length of the body; none where the head doesn't say one; `None` when that can't be read or is said in two ways.
fn content_length(head: &[u8]) -> Option<Length> {
    let mut lines = head.split(|octet| *octet == b'\n').skip(1).peekable();
    let mut found = None;
    while let Some(line) = lines.next() {
        let Some(mut value) = length_value(line) else { continue };
        while let Some(folded) = lines.next_if(|line| matches!(line.first(), Some(b' ' | b'\t'))) {
            let folded = folded.trim_ascii();
            if !value.is_empty() && !folded.is_empty() {
                return None;
            }
            value = if value.is_empty() { folded } else { value };
        }
        let length = number(value)?;
        if found.is_some_and(|found| found != length) {
            return None;
        }
        found = Some(length);
    }
    Some(found.unwrap_or(Length::Known(0)))
}

fn length_value(line: &[u8]) -> Option<&[u8]> {
    // Most lines begin with another letter: they cost no search.
    if !matches!(line.first(), Some(b'C' | b'c' | b'L' | b'l')) {
        return None;
    }
    let colon = line.iter().position(|octet| *octet == b':')?;
    let name = line.get(..colon)?.trim_ascii_end();
    let is_length = name.eq_ignore_ascii_case(b"Content-Length") || name.eq_ignore_ascii_case(b"l");
    is_length.then(|| line.get(colon + 1..).unwrap_or_default().trim_ascii())
}

fn number(digits: &[u8]) -> Option<Length> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse();
    Some(number.map_or(Length::Unbounded, Length::Known))
}

/// Whether a first line can be that of a request or a response: a method and, at the end, a version; or a version first.
fn can_begin(line: &[u8]) -> bool {
    if is_response(line) {
        return true;
    }
    let line = line.trim_ascii_end();
    let method = line.iter().position(u8::is_ascii_whitespace).and_then(|end| line.get(..end));
    let last = line.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default();
    method.is_some_and(|method| method.iter().all(|octet| is_token(*octet))) && is_response(last)
}

fn is_response(message: &[u8]) -> bool {
    message.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
}

/// RFC 3261 §25.1.
const fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(octet, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(pieces: &[&[u8]]) -> Vec<Frame> {
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        for piece in pieces {
            framer.push(piece);
            frames.extend(std::iter::from_fn(|| framer.take()));
            assert!(framer.held() < MAX_MESSAGE, "one message at most is kept");
        }
        frames
    }

    fn request(text: &[u8]) -> Frame {
        Frame::Request(Bytes::copy_from_slice(text))
    }

    #[test]
    fn messages_are_cut_however_they_are_written() {
        for message in [
            &b"A sip:b SIP/2.0\r\n\r\n"[..],
            b"A sip:b SIP/2.0\n\n",
            b"!odd-Method0_*+`.%'~  sip:b;  lr  sip/7.0  \r\n\r\n",
            b"A sip:b SIP/2.0\r\nContent-Length: 4\r\n\r\nbody",
            b"A sip:b SIP/2.0\r\ncontent-length \t :4\r\n\r\nbody",
            b"A sip:b SIP/2.0\r\nl:\r\n 4\r\n\r\nbody",
            b"A sip:b SIP/2.0\r\nl: 4\r\n \r\nX: y\r\n\r\nbody",
            b"A sip:b SIP/2.0\nl:0004\nL: 4\nX: \0\xff\n\nbody",
            b"A sip:b SIP/2.0\r\nX: l: 9\r\n l: 9\r\nLa: 9\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        ] {
            assert_eq!(cut(&[message]), [request(message)], "{}", message.escape_ascii());
            let twice = [message, message].concat();
            assert_eq!(cut(&[&twice]), [request(message), request(message)], "{}", message.escape_ascii());
        }
    }

    #[test]
    fn what_is_between_messages_is_passed_over_and_pings_are_told() {
        let message = b"A sip:b SIP/2.0\r\n\r\n";
        let response = b"SIP/2.0 200 OK\r\nl: 9\r\n\r\nA sip:b S";
        assert_eq!(cut(&[b"\r\n\0\0\n", message, b"\r\n", response, message]), [request(message), request(message)]);
        assert_eq!(
            cut(&[b"\r\n\r", b"\n", message, b"\r\n\r\n\r\n\r\n"]),
            [Frame::Ping, request(message), Frame::Ping, Frame::Ping]
        );
        assert_eq!(cut(&[b"\r\n", message, b"\r\n"]), [request(message)], "two halves with a message between");
    }

    #[test]
    fn a_body_that_is_too_large_is_passed_over() {
        let head = b"A sip:b SIP/2.0\r\nl: 70000\r\n\r\n";
        let after = b"B sip:b SIP/2.0\r\n\r\n";
        let (first, rest) = (vec![b'x'; 60_000], vec![b'\r'; 10_000]);
        assert_eq!(cut(&[head, &first, &rest, after]), [Frame::TooLarge(Bytes::from_static(head)), request(after)]);
        let response = b"SIP/2.0 200 OK\r\nl: 70000\r\n\r\n";
        assert_eq!(cut(&[response, &first, &rest, after]), [request(after)]);
        let endless = b"A sip:b SIP/2.0\r\nl: 99999999999999999999999\r\n\r\n";
        assert_eq!(cut(&[endless, &first, after]), [Frame::TooLarge(Bytes::from_static(endless))]);
    }

    #[test]
    fn the_largest_message_is_taken_and_one_octet_more_is_not() {
        let head = b"A sip:b SIP/2.0\r\nl: 65506\r\n\r\n";
        assert_eq!(head.len() + 65_506, MAX_MESSAGE);
        let whole = [&head[..], &[b'x'; 65_506]].concat();
        let mut framer = Framer::default();
        framer.push(&whole);
        assert_eq!(framer.take(), Some(request(&whole)));
        let larger = String::from_utf8_lossy(head).replace("65506", "65507");
        assert!(matches!(cut(&[larger.as_bytes()])[..], [Frame::TooLarge(_)]));
    }

    #[test]
    fn framing_is_lost_where_the_next_message_can_not_be_found() {
        for (text, why) in [
            ("A sip:b SIP/2.0\r\nl: 4\r\nContent-Length: 5\r\n\r\n", Lost::ContentLength),
            ("A sip:b SIP/2.0\r\nl: 4, 4\r\n\r\n", Lost::ContentLength),
            ("A sip:b SIP/2.0\r\nl: -1\r\n\r\n", Lost::ContentLength),
            ("A sip:b SIP/2.0\r\nl: +1\r\n\r\n", Lost::ContentLength),
            ("A sip:b SIP/2.0\r\nl:\r\n\r\n", Lost::ContentLength),
            ("A sip:b SIP/2.0\r\nl: 4\r\n 4\r\n\r\n", Lost::ContentLength),
            ("GET / HTTP/1.1\r\n", Lost::NotSip),
            ("v=0\r\n", Lost::NotSip),
            ("hello\r\n", Lost::NotSip),
            ("\u{16}\u{3}\u{1}", Lost::NotSip),
            (" A sip:b SIP/2.0", Lost::NotSip),
        ] {
            let frames = cut(&[text.as_bytes(), b"A sip:b SIP/2.0\r\n\r\n"]);
            let [Frame::Lost { head, why: found }] = &frames[..] else { panic!("{text}: {frames:?}") };
            assert_eq!(*found, why, "{text}");
            assert!(why == Lost::NotSip || head == text, "{head:?}");
        }
        let long = format!("A sip:b SIP/2.0\r\nX: {}", "y".repeat(MAX_MESSAGE));
        let frames = cut(&[&long.as_bytes()[..40_000], &long.as_bytes()[40_000..]]);
        assert!(matches!(&frames[..], [Frame::Lost { head, why: Lost::Head }] if head.len() == MAX_MESSAGE));
    }

    #[test]
    fn a_message_that_comes_octet_by_octet_is_looked_at_once() {
        let text = format!("A sip:b SIP/2.0\r\n{}l: 20000\r\n\r\n{}", "X: y\r\n".repeat(7_000), "z".repeat(20_000));
        let mut framer = Framer::default();
        for octet in &text.as_bytes()[..text.len() - 1] {
            framer.push(&[*octet]);
            assert_eq!((framer.take(), framer.begun()), (None, Some(1)));
            if let Place::Head { line, seen } = framer.place {
                assert!(seen == framer.held() && line <= seen, "nothing behind `seen` is looked for again");
            }
        }
        framer.push(b"z");
        assert_eq!((framer.take(), framer.begun()), (Some(request(text.as_bytes())), None));
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let body = |kind: usize| match kind {
            0 => b"A sip:b SIP/2.0\r\nVia: x\r\n\r\n".to_vec(),
            1 => b"A sip:b SIP/2.0\nl: 7\n\n\r\n\r\nA b".to_vec(),
            2 => b"\r\n\r\n".to_vec(),
            3 => b"\r\n\0".to_vec(),
            4 => b"SIP/2.0 200 OK\r\nl : 3\r\n\r\nabc".to_vec(),
            5 => [&b"A sip:b SIP/2.0\r\nContent-Length:\r\n 66000\r\n\r\n"[..], &[b'\n'; 66_000]].concat(),
            _ => b"A sip:b SIP/2.0\r\nl: x\r\n\r\n".to_vec(),
        };
        proptest::collection::vec((0_usize..28).prop_map(move |kind| body(kind % 28 / 4)), 0..12)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn any_split_of_a_stream_gives_the_same_frames(
            stream in stream(),
            places in proptest::collection::vec(any::<proptest::sample::Index>(), 0..40),
        ) {
            let mut places: Vec<usize> = places.iter().map(|place| place.index(stream.len() + 1)).collect();
            places.extend([0, stream.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(cut(&pieces), cut(&[&stream]));
        }

        #[test]
        fn no_octets_panic_and_little_is_kept(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20),
        ) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            cut(&pieces);
        }

        #[test]
        fn no_text_that_looks_like_sip_panics(
            pieces in proptest::collection::vec("(A sip:b SIP/2.0|SIP/2.0 1|l: ?[0-9]{0,6}|\r\n|\n|X:y| )", 0..40),
        ) {
            let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
            cut(&pieces);
        }
    }
}
