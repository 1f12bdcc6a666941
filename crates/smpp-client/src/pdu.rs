//! Writes PDUs field by field (SMPP 3.4 §3.1). What goes into a field was checked to fit it.

use bytes::{BufMut, BytesMut};
use rusmpp::CommandId;

use crate::frame::HEADER;

/// A request that is being written.
#[derive(Clone, Debug)]
pub(crate) struct Pdu(BytesMut);

impl Pdu {
    /// The header, with sequence number 0; `body` is how many octets are expected to follow.
    pub(crate) fn begin(id: CommandId, body: usize) -> Self {
        let mut octets = BytesMut::with_capacity(HEADER + body);
        octets.put_u32(0);
        octets.put_u32(id.into());
        octets.put_u64(0);
        Self(octets)
    }

    /// An integer of one octet.
    pub(crate) fn octet(&mut self, octet: u8) -> &mut Self {
        self.0.put_u8(octet);
        self
    }

    /// A C-octet string: the NUL that ends it is added.
    pub(crate) fn text(&mut self, text: &[u8]) -> &mut Self {
        self.0.put_slice(text);
        self.octet(0)
    }

    /// Octets without an end of their own.
    pub(crate) fn octets(&mut self, octets: &[u8]) -> &mut Self {
        self.0.put_slice(octets);
        self
    }

    /// An optional parameter (SMPP 3.4 §3.2.4.1) of at most 65,535 octets.
    pub(crate) fn tlv(&mut self, tag: u16, value: &[u8]) -> &mut Self {
        self.0.put_u16(tag);
        self.0.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        self.octets(value)
    }

    /// The whole PDU, with its length where that belongs.
    pub(crate) fn end(mut self) -> BytesMut {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        if let Some(field) = self.0.first_chunk_mut::<4>() {
            *field = length.to_be_bytes();
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusmpp::Command;
    use rusmpp::decode::DecodeWithLength;

    use super::*;

    #[test]
    fn a_pdu_begins_with_its_length() {
        let mut pdu = Pdu::begin(CommandId::QuerySm, 0);
        pdu.text(b"7").octet(1).tlv(0x0424, b"ab");
        let expected = b"\0\0\0\x19\0\0\0\x03\0\0\0\0\0\0\0\x007\0\x01\x04\x24\0\x02ab";
        assert_eq!(pdu.end()[..], expected[..]);
    }

    proptest! {
        #[test]
        fn the_codec_reads_headers_and_responses(
            id in prop::sample::select(vec![
                CommandId::EnquireLink, CommandId::EnquireLinkResp, CommandId::Unbind, CommandId::UnbindResp,
                CommandId::GenericNack, CommandId::DeliverSmResp, CommandId::DataSmResp,
            ]),
            status in any::<u32>(), sequence in 1..=0x7fff_ffff_u32,
        ) {
            let answers_delivery = matches!(id, CommandId::DeliverSmResp | CommandId::DataSmResp);
            let mut octets = BytesMut::new();
            crate::frame::put(&mut octets, id, status, sequence, if answers_delivery { &[0] } else { &[] });
            let length = octets.len() - 4;
            let (command, read) = Command::decode(&mut octets.split_off(4), length).unwrap();
            prop_assert_eq!((read, command.id(), command.sequence_number()), (length, id, sequence));
            prop_assert_eq!(u32::from(command.status()), status);
        }
    }
}
