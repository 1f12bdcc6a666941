//! Cutting the octet stream into PDUs by their `command_length`, and the PDUs that are a header only (SMPP 3.4 §3.2).

use bytes::{BufMut, BytesMut};
use rusmpp::CommandId;

/// Octets of the header: length, id, status, sequence number.
pub(crate) const HEADER: usize = 16;

/// The longest PDU taken: a `message_payload` may fill 64 KiB, nothing that is longer is SMPP.
const LONGEST: usize = 64 * 1024;

/// A PDU up to here is passed over whole, and the session goes on; a length beyond is no length at all.
const LONGEST_PASSED_OVER: usize = 1024 * 1024;

/// The highest sequence number (SMPP 3.4 §3.2).
const LAST_SEQUENCE: u32 = 0x7fff_ffff;

/// One PDU; its body ends where the header says, whatever the body says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) id: CommandId,
    pub(crate) status: u32,
    pub(crate) sequence: u32,
    pub(crate) body: &'a [u8],
}

/// A `command_length` that no PDU can have: where the next one begins is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PDU of {length} octets")]
pub(crate) struct LengthError {
    pub(crate) length: u32,
}

/// Cuts the first PDU off; with it comes its length. `None` until all of it is there.
///
/// # Errors
/// When it announces fewer than 16 octets, or more than 64 KiB.
pub(crate) fn cut(stream: &[u8]) -> Result<Option<(Frame<'_>, usize)>, LengthError> {
    let Some((&octets, _)) = stream.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(octets);
    let whole = usize::try_from(length).unwrap_or(usize::MAX);
    if !(HEADER..=LONGEST).contains(&whole) {
        return Err(LengthError { length });
    }
    let Some(pdu) = stream.get(..whole) else { return Ok(None) };
    let Some((header, body)) = pdu.split_first_chunk::<HEADER>() else { return Ok(None) };
    let [_, _, _, _, a, b, c, d, e, f, g, h, i, j, k, l] = *header;
    let frame = Frame {
        id: CommandId::from(u32::from_be_bytes([a, b, c, d])),
        status: u32::from_be_bytes([e, f, g, h]),
        sequence: u32::from_be_bytes([i, j, k, l]),
        body,
    };
    Ok(Some((frame, whole)))
}

/// The header of a PDU that is too long to be taken and short enough to be passed over, its body left out; and how many octets it has.
/// `None` until the header is there, and for lengths that nothing can have.
pub(crate) fn oversized(stream: &[u8]) -> Option<(Frame<'_>, usize)> {
    let header = stream.get(..HEADER)?;
    let length = usize::try_from(u32::from_be_bytes(*header.first_chunk()?)).ok()?;
    if !(LONGEST + 1..=LONGEST_PASSED_OVER).contains(&length) {
        return None;
    }
    let field = |at: usize| header.get(at..)?.first_chunk().map(|octets| u32::from_be_bytes(*octets));
    Some((Frame { id: CommandId::from(field(4)?), status: field(8)?, sequence: field(12)?, body: &[] }, length))
}

/// Whether octets that begin so may yet become the header of a PDU that is passed over.
pub(crate) fn may_be_oversized(error: LengthError, stream: &[u8]) -> bool {
    let length = usize::try_from(error.length).unwrap_or(usize::MAX);
    stream.len() < HEADER && (LONGEST + 1..=LONGEST_PASSED_OVER).contains(&length)
}

/// Appends a PDU; `body` is at most what this crate writes, some 300 octets.
pub(crate) fn put(out: &mut BytesMut, id: CommandId, status: u32, sequence: u32, body: &[u8]) {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    out.reserve(HEADER + body.len());
    out.put_u32(length);
    out.put_u32(id.into());
    out.put_u32(status);
    out.put_u32(sequence);
    out.put_slice(body);
}

/// Appends a PDU that was encoded before, under the sequence number it gets now.
pub(crate) fn put_numbered(out: &mut BytesMut, pdu: &[u8], sequence: u32) {
    let Some((header, body)) = pdu.split_first_chunk::<HEADER>() else { return };
    out.reserve(pdu.len());
    out.put_slice(&header[..12]);
    out.put_u32(sequence);
    out.put_slice(body);
}

/// Gives the sequence numbers of one session: 1 to 0x7FFFFFFF, then from 1 again.
#[derive(Debug, Default)]
pub(crate) struct Sequence(u32);

impl Sequence {
    /// The next number.
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = if self.0 >= LAST_SEQUENCE { 1 } else { self.0 + 1 };
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> BytesMut {
        let mut stream = BytesMut::new();
        put(&mut stream, CommandId::SubmitSmResp, 0x58, 7, b"id\0");
        put(&mut stream, CommandId::EnquireLink, 0, 8, b"");
        stream
    }

    #[test]
    fn a_pdu_cut_at_any_octet_is_whole_only_at_its_end() {
        let stream = two();
        for end in 0..stream.len() {
            let cut = cut(&stream[..end]).unwrap();
            assert_eq!(cut.is_some(), end >= 19, "{end}");
        }
        let (frame, length) = cut(&stream).unwrap().unwrap();
        assert_eq!(frame, Frame { id: CommandId::SubmitSmResp, status: 0x58, sequence: 7, body: b"id\0" });
        let (frame, rest) = cut(&stream[length..]).unwrap().unwrap();
        assert_eq!((frame.id, frame.sequence, frame.body.len(), rest), (CommandId::EnquireLink, 8, 0, 16));
    }

    #[test]
    fn impossible_lengths_are_refused_before_the_rest_arrives() {
        for length in [0, 1, 15, 64 * 1024 + 1, u32::MAX] {
            assert_eq!(cut(&length.to_be_bytes()), Err(LengthError { length }));
        }
        for length in [16, 64 * 1024_u32] {
            assert_eq!(cut(&length.to_be_bytes()), Ok(None));
        }
    }

    #[test]
    fn what_is_too_long_to_be_taken_is_told_from_what_is_no_pdu() {
        for (length, passed_over) in
            [(64 * 1024, false), (64 * 1024 + 1, true), (1024 * 1024, true), (1024 * 1024 + 1, false)]
        {
            let octets = [length, 5, 0, 9_u32].map(u32::to_be_bytes).concat();
            let whole = oversized(&octets).map(|(frame, length)| (frame.id, frame.sequence, length));
            let expected = (CommandId::DeliverSm, 9, usize::try_from(length).unwrap());
            assert_eq!(whole, passed_over.then_some(expected));
            assert_eq!(oversized(&octets[..15]), None);
            assert_eq!(may_be_oversized(LengthError { length }, &octets[..15]), passed_over);
        }
    }

    #[test]
    fn sequence_numbers_wrap_to_one() {
        let mut sequence = Sequence(LAST_SEQUENCE - 1);
        assert_eq!([sequence.next(), sequence.next(), sequence.next()], [LAST_SEQUENCE, 1, 2]);
    }

    #[test]
    fn a_number_replaces_only_the_number() {
        let stream = two();
        let mut out = BytesMut::new();
        put_numbered(&mut out, &stream[..19], 0x0102_0304);
        assert_eq!(out[..12], stream[..12]);
        assert_eq!(out[12..], [1, 2, 3, 4, b'i', b'd', 0]);
    }
}
