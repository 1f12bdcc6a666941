//! The octets of SMPP 3.4: framing, the bodies that an SMS centre reads, and the ones it writes.

use bytes::{BufMut, BytesMut};

/// Octets of every header (SMPP 3.4 §3.2).
pub(crate) const HEADER: usize = 16;

/// The longest PDU taken: a `message_payload` of 64 KiB and the fields around it.
pub(crate) const LONGEST: usize = 66 * 1024;

/// The highest sequence number (SMPP 3.4 §5.1.4).
pub(crate) const LAST_SEQUENCE: u32 = 0x7fff_ffff;

/// `command_id` (SMPP 3.4 §5.1.2.1).
pub(crate) mod command {
    pub(crate) const RESPONSE: u32 = 0x8000_0000;
    pub(crate) const GENERIC_NACK: u32 = 0x8000_0000;
    pub(crate) const BIND_RECEIVER: u32 = 0x01;
    pub(crate) const BIND_TRANSMITTER: u32 = 0x02;
    pub(crate) const QUERY_SM: u32 = 0x03;
    pub(crate) const SUBMIT_SM: u32 = 0x04;
    pub(crate) const DELIVER_SM: u32 = 0x05;
    pub(crate) const UNBIND: u32 = 0x06;
    pub(crate) const REPLACE_SM: u32 = 0x07;
    pub(crate) const CANCEL_SM: u32 = 0x08;
    pub(crate) const BIND_TRANSCEIVER: u32 = 0x09;
    pub(crate) const OUTBIND: u32 = 0x0b;
    pub(crate) const ENQUIRE_LINK: u32 = 0x15;
    pub(crate) const DATA_SM: u32 = 0x103;
}

/// `command_status` (SMPP 3.4 §5.1.3).
pub(crate) mod status {
    pub(crate) const OK: u32 = 0x00;
    pub(crate) const INVALID_MESSAGE_LENGTH: u32 = 0x01;
    pub(crate) const INVALID_COMMAND_LENGTH: u32 = 0x02;
    pub(crate) const INVALID_COMMAND: u32 = 0x03;
    pub(crate) const WRONG_BIND_STATE: u32 = 0x04;
    pub(crate) const ALREADY_BOUND: u32 = 0x05;
    pub(crate) const SYSTEM_ERROR: u32 = 0x08;
    pub(crate) const INVALID_DESTINATION: u32 = 0x0b;
    pub(crate) const INVALID_MESSAGE_ID: u32 = 0x0c;
    pub(crate) const INVALID_PASSWORD: u32 = 0x0e;
    pub(crate) const INVALID_SYSTEM_ID: u32 = 0x0f;
    pub(crate) const CANCEL_FAILED: u32 = 0x11;
    pub(crate) const REPLACE_FAILED: u32 = 0x13;
    pub(crate) const QUEUE_FULL: u32 = 0x14;
    pub(crate) const INVALID_ESM_CLASS: u32 = 0x43;
    pub(crate) const THROTTLED: u32 = 0x58;
    pub(crate) const INVALID_EXPIRY: u32 = 0x62;
    pub(crate) const INVALID_PARAMETER_LENGTH: u32 = 0xc2;
}

/// Optional parameters (SMPP 3.4 §5.3.2).
pub(crate) mod tag {
    pub(crate) const RECEIPTED_MESSAGE_ID: u16 = 0x001e;
    pub(crate) const SAR_REFERENCE: u16 = 0x020c;
    pub(crate) const SAR_TOTAL: u16 = 0x020e;
    pub(crate) const SAR_NUMBER: u16 = 0x020f;
    pub(crate) const INTERFACE_VERSION: u16 = 0x0210;
    pub(crate) const MESSAGE_PAYLOAD: u16 = 0x0424;
    pub(crate) const MESSAGE_STATE: u16 = 0x0427;
    pub(crate) const CONGESTION_STATE: u16 = 0x0428;
}

/// A `command_length` that can't be: there is no way to find the next PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadLength {
    /// Octets of whole PDUs before it.
    pub(crate) good: usize,
}

/// How many octets at the beginning of `buffer` are whole PDUs.
pub(crate) fn whole(buffer: &[u8]) -> Result<usize, BadLength> {
    let mut good = 0;
    while let Some(word) = buffer.get(good..).and_then(|rest| rest.first_chunk::<4>()) {
        let length = usize::try_from(u32::from_be_bytes(*word)).unwrap_or(usize::MAX);
        if !(HEADER..=LONGEST).contains(&length) {
            return Err(BadLength { good });
        }
        if buffer.len() - good < length {
            break;
        }
        good += length;
    }
    Ok(good)
}

/// One PDU as it lies in the buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pdu<'a> {
    pub(crate) command: u32,
    pub(crate) status: u32,
    pub(crate) sequence: u32,
    pub(crate) body: &'a [u8],
}

/// Takes the first PDU off `octets`, which [`whole`] has measured; `None` at the end.
pub(crate) fn next<'a>(octets: &mut &'a [u8]) -> Option<Pdu<'a>> {
    let length = usize::try_from(u32::from_be_bytes(*octets.first_chunk()?)).ok()?;
    let (this, rest) = octets.split_at_checked(length)?;
    let mut fields = Fields(this);
    fields.u32().ok()?;
    let pdu =
        Pdu { command: fields.u32().ok()?, status: fields.u32().ok()?, sequence: fields.u32().ok()?, body: fields.0 };
    *octets = rest;
    Some(pdu)
}

/// A body that breaks off or has a text without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Reads a body field by field.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(Malformed)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.take(2)?.first_chunk().map(|octets| u16::from_be_bytes(*octets)).ok_or(Malformed)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.take(4)?.first_chunk().map(|octets| u32::from_be_bytes(*octets)).ok_or(Malformed)
    }

    /// A C-octet string of at most `size` octets, its NUL included.
    fn text(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let end = self.0.iter().take(size).position(|octet| *octet == 0).ok_or(Malformed)?;
        let text = self.take(end)?;
        self.take(1)?;
        Ok(text)
    }

    fn address(&mut self) -> Result<Address<'a>, Malformed> {
        Ok(Address { ton: self.u8()?, npi: self.u8()?, digits: self.text(21)? })
    }
}

/// An address with its type of number and numbering plan (SMPP 3.4 §5.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    pub(crate) ton: u8,
    pub(crate) npi: u8,
    pub(crate) digits: &'a [u8],
}

/// A bind of any kind (SMPP 3.4 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bind<'a> {
    pub(crate) system_id: &'a [u8],
    pub(crate) password: &'a [u8],
    pub(crate) system_type: &'a [u8],
    pub(crate) interface_version: u8,
    pub(crate) address_range: &'a [u8],
}

impl<'a> Bind<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields(body);
        let (system_id, password, system_type) = (fields.text(16)?, fields.text(9)?, fields.text(13)?);
        let interface_version = fields.u8()?;
        fields.take(2)?; // addr_ton, addr_npi
        Ok(Bind { system_id, password, system_type, interface_version, address_range: fields.text(41)? })
    }
}

/// Which part of how many (3GPP TS 23.040 §9.2.3.24.1, SMPP 3.4 §5.3.2.22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) reference: u16,
    pub(crate) total: u8,
    pub(crate) number: u8,
}

/// `submit_sm` (SMPP 3.4 §4.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Submit<'a> {
    pub(crate) service_type: &'a [u8],
    pub(crate) source: Address<'a>,
    pub(crate) destination: Address<'a>,
    pub(crate) esm_class: u8,
    pub(crate) protocol_id: u8,
    pub(crate) priority: u8,
    pub(crate) validity: &'a [u8],
    pub(crate) registered: u8,
    pub(crate) replace: u8,
    pub(crate) data_coding: u8,
    /// The user data: `short_message`, or `message_payload` when that is empty.
    pub(crate) user_data: &'a [u8],
    /// Whether the user data came as `message_payload`: then the centre cuts it, and it may be long.
    pub(crate) payload: bool,
    pub(crate) sar: Option<Part>,
}

impl<'a> Submit<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields(body);
        let service_type = fields.text(6)?;
        let source = fields.address()?;
        let destination = fields.address()?;
        let esm_class = fields.u8()?;
        let protocol_id = fields.u8()?;
        let priority = fields.u8()?;
        fields.text(17)?; // schedule_delivery_time
        let validity = fields.text(17)?;
        let registered = fields.u8()?;
        let replace = fields.u8()?;
        let data_coding = fields.u8()?;
        fields.u8()?; // sm_default_msg_id
        let length = usize::from(fields.u8()?);
        let short_message = fields.take(length)?;
        let options = Options::read(fields)?;
        let payload = options.payload.filter(|_| short_message.is_empty());
        Ok(Submit {
            service_type,
            source,
            destination,
            esm_class,
            protocol_id,
            priority,
            validity,
            registered,
            replace,
            data_coding,
            user_data: payload.unwrap_or(short_message),
            payload: payload.is_some(),
            sar: options.part(),
        })
    }
}

/// The optional parameters that matter to a handset.
#[derive(Default)]
struct Options<'a> {
    payload: Option<&'a [u8]>,
    reference: Option<u16>,
    total: Option<u8>,
    number: Option<u8>,
}

impl<'a> Options<'a> {
    fn read(mut fields: Fields<'a>) -> Result<Self, Malformed> {
        let mut options = Self::default();
        while !fields.0.is_empty() {
            let tag = fields.u16()?;
            let length = usize::from(fields.u16()?);
            let value = fields.take(length)?;
            match tag {
                tag::MESSAGE_PAYLOAD => options.payload = Some(value),
                tag::SAR_REFERENCE => options.reference = Some(Fields(value).u16()?),
                tag::SAR_TOTAL => options.total = Some(Fields(value).u8()?),
                tag::SAR_NUMBER => options.number = Some(Fields(value).u8()?),
                _ => {}
            }
        }
        Ok(options)
    }

    fn part(&self) -> Option<Part> {
        Some(Part { reference: self.reference?, total: self.total?, number: self.number? })
    }
}

/// `query_sm`, `cancel_sm` or `replace_sm`: which message is meant, and by what (SMPP 3.4 §4.8 to §4.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct About<'a> {
    pub(crate) message_id: &'a [u8],
    pub(crate) source: Address<'a>,
}

impl<'a> About<'a> {
    pub(crate) fn read_query(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields(body);
        Ok(About { message_id: fields.text(65)?, source: fields.address()? })
    }
}

/// `cancel_sm` (SMPP 3.4 §4.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cancel<'a> {
    pub(crate) service_type: &'a [u8],
    pub(crate) about: About<'a>,
    pub(crate) destination: Address<'a>,
}

impl<'a> Cancel<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields(body);
        let service_type = fields.text(6)?;
        let about = About { message_id: fields.text(65)?, source: fields.address()? };
        Ok(Cancel { service_type, about, destination: fields.address()? })
    }
}

/// `replace_sm` (SMPP 3.4 §4.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Replace<'a> {
    pub(crate) about: About<'a>,
    pub(crate) validity: &'a [u8],
    pub(crate) registered: u8,
    pub(crate) user_data: &'a [u8],
}

impl<'a> Replace<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields(body);
        let about = About { message_id: fields.text(65)?, source: fields.address()? };
        fields.text(17)?; // schedule_delivery_time
        let validity = fields.text(17)?;
        let registered = fields.u8()?;
        fields.u8()?; // sm_default_msg_id
        let length = usize::from(fields.u8()?);
        Ok(Replace { about, validity, registered, user_data: fields.take(length)? })
    }
}

/// Writes one PDU: its header, what `body` adds, and then its length.
pub(crate) fn write(out: &mut BytesMut, command: u32, status: u32, sequence: u32, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    out.put_u32(command);
    out.put_u32(status);
    out.put_u32(sequence);
    body(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes a C-octet string.
pub(crate) fn put_text(out: &mut BytesMut, text: &[u8]) {
    out.put_slice(text);
    out.put_u8(0);
}

/// Writes an optional parameter.
pub(crate) fn put_option(out: &mut BytesMut, tag: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.put_u16(tag);
    out.put_u16(length);
    out.put_slice(value.get(..usize::from(length)).unwrap_or(value));
}

/// `deliver_sm` (SMPP 3.4 §4.6.1), mandatory parameters only.
pub(crate) struct Deliver<'a> {
    pub(crate) source: Address<'a>,
    pub(crate) destination: Address<'a>,
    pub(crate) esm_class: u8,
    pub(crate) data_coding: u8,
    /// At most 254 octets; what is beyond is not written.
    pub(crate) user_data: &'a [u8],
}

impl Deliver<'_> {
    /// Writes the body.
    pub(crate) fn put(&self, out: &mut BytesMut) {
        self.put_addresses(out);
        // protocol_id, priority_flag, schedule_delivery_time, validity_period, registered_delivery, replace_if_present_flag
        out.put_slice(&[self.esm_class, 0, 0, 0, 0, 0, 0, self.data_coding, 0]);
        let user_data = self.user_data.get(..254).unwrap_or(self.user_data);
        out.put_u8(u8::try_from(user_data.len()).unwrap_or(254));
        out.put_slice(user_data);
    }

    /// Writes the body of a `data_sm` (SMPP 3.4 §4.7.1) instead, which has no place for user data.
    pub(crate) fn put_data_sm(&self, out: &mut BytesMut) {
        self.put_addresses(out);
        out.put_slice(&[self.esm_class, 0, self.data_coding]); // registered_delivery
    }

    fn put_addresses(&self, out: &mut BytesMut) {
        out.put_u8(0); // service_type
        for address in [self.source, self.destination] {
            out.put_u8(address.ton);
            out.put_u8(address.npi);
            put_text(out, address.digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_pdus_are_told_from_the_beginning_of_one() {
        let mut octets = vec![0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 7];
        assert_eq!(whole(&octets), Ok(16));
        octets.extend([0, 0, 0, 20, 1]);
        assert_eq!(whole(&octets), Ok(16));
        let mut rest = &octets[..16];
        let pdu = next(&mut rest).unwrap();
        assert_eq!((pdu.command, pdu.sequence, pdu.body.len(), rest.len()), (command::ENQUIRE_LINK, 7, 0, 0));
    }

    #[test]
    fn an_impossible_length_is_found_after_the_good_ones() {
        let mut octets = vec![0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 7];
        octets.extend([0, 0, 0, 15]);
        assert_eq!(whole(&octets), Err(BadLength { good: 16 }));
        assert_eq!(whole(&[0xff; 4]), Err(BadLength { good: 0 }));
    }

    #[test]
    fn a_submit_is_read_field_by_field() {
        let mut body =
            b"CMT\0\x05\0Afterring\0\x01\x018613800000001\0\x40\0\0\x00000000010000000R\0\x01\x01\x08\0".to_vec();
        body.extend([2, 0x4f, 0x60]);
        body.extend([0x02, 0x0c, 0, 2, 1, 2, 0x02, 0x0e, 0, 1, 3, 0x02, 0x0f, 0, 1, 2]);
        let submit = Submit::read(&body).unwrap();
        assert_eq!(submit.service_type, b"CMT");
        assert_eq!(submit.source, Address { ton: 5, npi: 0, digits: b"Afterring" });
        assert_eq!(submit.destination, Address { ton: 1, npi: 1, digits: b"8613800000001" });
        assert_eq!((submit.esm_class, submit.registered, submit.replace, submit.data_coding), (0x40, 1, 1, 8));
        assert_eq!(submit.validity, b"000000010000000R");
        assert_eq!(submit.user_data, [0x4f, 0x60]);
        assert_eq!(submit.sar, Some(Part { reference: 0x102, total: 3, number: 2 }));
        for end in 0..body.len() - 16 {
            if end != 0 {
                assert_eq!(Submit::read(&body[..end]).err(), Some(Malformed), "{end} octets");
            }
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let good = whole(&octets).unwrap_or_else(|bad| bad.good);
            let mut rest = &octets[..good];
            while next(&mut rest).is_some() {}
            let mut loose = &octets[..];
            let _ = next(&mut loose);
            let _ = Bind::read(&octets);
            let _ = Submit::read(&octets);
            let _ = About::read_query(&octets);
            let _ = Cancel::read(&octets);
            let _ = Replace::read(&octets);
        }

        #[test]
        fn what_is_written_is_framed_and_found_again(body in proptest::collection::vec(any::<u8>(), 0..300), sequence: u32) {
            let mut out = BytesMut::new();
            write(&mut out, command::SUBMIT_SM, 5, sequence, |out| out.put_slice(&body));
            prop_assert_eq!(whole(&out), Ok(out.len()));
            let mut rest = &out[..];
            let pdu = next(&mut rest).unwrap();
            prop_assert_eq!((pdu.command, pdu.status, pdu.sequence, pdu.body), (command::SUBMIT_SM, 5, sequence, &body[..]));
        }
    }
}
