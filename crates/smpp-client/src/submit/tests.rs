//! What is written, octet by octet, and as the codec reads it.

use std::time::Duration;

use bytes::BytesMut;
use model::{Address, AlertId, Coding, Kind, Msisdn, ShortNumber, Submit, Timestamp};
use proptest::prelude::*;
use rusmpp::decode::DecodeWithLength;
use rusmpp::pdus::SubmitSm;
use rusmpp::tlvs::TlvValue;
use rusmpp::values::DataCoding;
use rusmpp::{Command, Pdu};

use super::update::Unsayable;
use super::{Flag, SourceFault, Unsendable, bind, pdus, update};
use crate::septets;
use crate::settings::{Bind, LinkSettings, Version};
use crate::updates::{Message, Update};
use crate::writing::{Charset, KindWriting, Long, TonNpi, ValidityForm};

const CHARSETS: [Charset; 4] = [Charset::Gsm, Charset::Latin1, Charset::Ascii, Charset::Utf8];
const LONG: [Long; 4] = [Long::Udh8, Long::Udh16, Long::Sar, Long::Payload];
const NOW: Timestamp = Timestamp::from_millis(1_795_629_600_000);

fn code() -> Address {
    Address::ShortCode(ShortNumber::parse("12599").unwrap())
}

fn order(source: Address, text: &str) -> Submit {
    Submit {
        alert: AlertId(1),
        attempt: 1,
        kind: Kind::Detail,
        source,
        destination: Msisdn::international("8613800000001").unwrap(),
        text: text.to_owned(),
        validity: Duration::from_secs(90_061),
        avoid: None,
    }
}

fn written(text: &str, reference: u16, settings: &LinkSettings) -> Vec<BytesMut> {
    pdus(&order(code(), text), reference, Flag::New, settings, NOW).unwrap()
}

fn settings(charset: Charset, packed: bool, long: Long) -> LinkSettings {
    let mut settings = crate::settings_for_tests();
    (settings.writing.charset, settings.writing.packed, settings.writing.long) = (charset, packed, long);
    settings
}

fn decoded(pdu: &BytesMut) -> Pdu {
    assert_eq!(pdu[..4], u32::try_from(pdu.len()).unwrap().to_be_bytes(), "command_length");
    let (command, read) = Command::decode(&mut BytesMut::from(&pdu[4..]), pdu.len() - 4).unwrap();
    assert_eq!((read, command.sequence_number()), (pdu.len() - 4, 0));
    command.pdu().unwrap().clone()
}

fn submit(pdu: &BytesMut) -> SubmitSm {
    match decoded(pdu) {
        Pdu::SubmitSm(submit) => submit,
        other => panic!("{other:?}"),
    }
}

/// What a submit carries: its header, the joining parameters, and its text as the SMSC would read it.
#[derive(Debug)]
struct Carried {
    header: Vec<u8>,
    joined: Vec<u32>,
    text: String,
    octets: usize,
}

fn carried(submit: &SubmitSm, settings: &LinkSettings) -> Carried {
    let message = submit.short_message().as_ref();
    let header = if u8::from(submit.esm_class) & 0x40 == 0 { 0 } else { usize::from(message[0]) + 1 };
    let (header, mut body) = message.split_at(header);
    let mut joined = Vec::new();
    for tlv in submit.tlvs() {
        match tlv.value().unwrap() {
            TlvValue::SarMsgRefNum(reference) => joined.push(u32::from(*reference)),
            TlvValue::SarTotalSegments(octet) | TlvValue::SarSegmentSeqnum(octet) => joined.push(u32::from(*octet)),
            TlvValue::MessagePayload(payload) => body = payload.value.as_ref(),
            other => panic!("{other:?}"),
        }
    }
    let text = match submit.data_coding {
        DataCoding::Ucs2 => model::decode_ucs2(body),
        DataCoding::McSpecific if settings.writing.packed && settings.writing.charset == Charset::Gsm => {
            model::decode_gsm(&septets::unpack(body, septets::fill(header.len())))
        }
        DataCoding::McSpecific => settings.writing.charset.decode(body),
        other => panic!("{other:?}"),
    };
    Carried { header: header.to_vec(), joined, text, octets: message.len() }
}

#[test]
fn a_submit_is_laid_out_octet_by_octet() {
    let pdus = written("C@", 9, &crate::settings_for_tests());
    let mut expected = b"\0\0\0\x4b\0\0\0\x04\0\0\0\0\0\0\0\0".to_vec();
    expected.extend(b"\0\x03\x0012599\0\x01\x018613800000001\0\0\0\0\x00000001010101000R\0\x01\0\0\0\x02C\0");
    expected[3] = u8::try_from(expected.len()).unwrap();
    assert_eq!(pdus.len(), 1);
    assert_eq!(pdus[0][..], expected);
}

#[test]
fn what_is_set_for_a_kind_is_written_for_it_and_for_no_other() {
    let mut settings = crate::settings_for_tests();
    settings.writing.validity = ValidityForm::Absolute;
    *settings.writing.of_mut(Kind::Detail) = KindWriting {
        registered_delivery: 0x11,
        priority_flag: 2,
        service_type: "MCA".into(),
        protocol_id: 0x41,
        source: Some(TonNpi { ton: 0, npi: 8 }),
        destination: TonNpi { ton: 2, npi: 0 },
    };
    let pdus = pdus(&order(code(), "C"), 9, Flag::New, &settings, NOW).unwrap();
    let expected = b"MCA\0\0\x0812599\0\x02\x0013800000001\0\0\x41\x02\x00261126190101000+\0\x11\0\0\0\x01C";
    assert_eq!(pdus[0][16..], expected[..]);
    let other = Submit { kind: Kind::Notice, ..order(code(), "C") };
    let pdus = super::pdus(&other, 9, Flag::New, &settings, NOW).unwrap();
    let expected = b"\0\x03\x0012599\0\x01\x018613800000001\0\0\0\0\x00261126190101000+\0\x01\0\0\0\x01C";
    assert_eq!(pdus[0][16..], expected[..]);
}

#[test]
fn parts_share_a_reference_and_say_so_in_the_class_or_the_parameters() {
    let text = "查".repeat(70 + 67);
    for (long, header, joined) in [
        (Long::Udh8, vec![5, 0, 3, 0xc8, 3], vec![]),
        (Long::Udh16, vec![6, 8, 4, 1, 0xc8, 3], vec![]),
        (Long::Sar, vec![], vec![0x01c8, 3]),
    ] {
        let settings = settings(Charset::Gsm, false, long);
        let parts = written(&text, 0x01c8, &settings);
        assert_eq!(parts.len(), 3, "{long:?}");
        for (number, part) in (1..).zip(&parts) {
            let submit = submit(part);
            assert_eq!(u8::from(submit.esm_class), if header.is_empty() { 0 } else { 0x40 });
            let carried = carried(&submit, &settings);
            let place = if header.is_empty() { vec![] } else { [&header[..], &[number]].concat() };
            assert_eq!(carried.header, place);
            let place = if joined.is_empty() { vec![] } else { [&joined[..], &[u32::from(number)]].concat() };
            assert_eq!(carried.joined, place);
        }
    }
}

/// E09 and E10 of the matrix of odd input: 160/161 septets and 153 a part, 70/71 units and 67 a part.
#[test]
fn every_part_has_a_reference_of_its_own_where_ids_say_nothing() {
    for long in [Long::Udh8, Long::Udh16, Long::Sar, Long::Payload] {
        for text in ["C".to_owned(), "a".repeat(161 + 153)] {
            let mut settings = settings(Charset::Gsm, false, long);
            let references = |settings: &LinkSettings| -> Vec<Option<u16>> {
                let pdus = written(&text, u16::MAX, settings);
                let reference = |pdu: &BytesMut| {
                    let at = pdu.windows(4).position(|octets| octets == [0x02, 0x04, 0, 2])?;
                    Some(u16::from_be_bytes([pdu[at + 4], pdu[at + 5]]))
                };
                pdus.iter().map(reference).collect()
            };
            assert!(references(&settings).iter().all(Option::is_none));
            settings.references = true;
            let all = [Some(u16::MAX), Some(0), Some(1)];
            let expected = if text.len() == 1 || long == Long::Payload { &all[..1] } else { &all[..] };
            assert_eq!(references(&settings), expected, "{long:?}");
        }
    }
}

#[test]
fn parts_hold_exactly_what_the_air_interface_does() {
    for (long, septets, units) in [(Long::Udh8, 153, 67), (Long::Udh16, 152, 66), (Long::Sar, 153, 67)] {
        for packed in [false, true] {
            let settings = settings(Charset::Gsm, packed, long);
            let count = |character: &str, repeated: usize| written(&character.repeat(repeated), 0, &settings).len();
            assert_eq!([count("a", 160), count("a", 161), count("€", 80), count("€", 81)], [1, 2, 1, 2]);
            assert_eq!([count("a", 2 * septets), count("a", 2 * septets + 1)], [2, 3]);
            assert_eq!([count("查", 70), count("查", 71), count("😀", 35), count("😀", 36)], [1, 2, 1, 2]);
            assert_eq!([count("查", 2 * units), count("查", 2 * units + 1)], [2, 3]);
        }
    }
}

#[test]
fn packed_septets_begin_behind_the_fill_bits() {
    let text = "a".repeat(161);
    for (long, fill, octets) in [(Long::Udh8, 1, 140), (Long::Udh16, 0, 140), (Long::Sar, 0, 134)] {
        let settings = settings(Charset::Gsm, true, long);
        let first = submit(&written(&text, 0, &settings)[0]);
        let carried = carried(&first, &settings);
        assert_eq!(carried.octets, octets, "{long:?}");
        assert_eq!(first.short_message().as_ref()[carried.header.len()], if fill == 1 { 0xc2 } else { 0xe1 });
    }
}

#[test]
fn a_payload_stands_outside_the_message_and_only_when_the_text_is_long() {
    let settings = settings(Charset::Gsm, false, Long::Payload);
    let short = submit(&written(&"a".repeat(160), 0, &settings)[0]);
    assert_eq!((short.sm_length(), short.tlvs().len()), (160, 0));
    let pdus = written(&"a".repeat(161), 0, &settings);
    let mut tail = b"\0\x04\x24\0\xa1".to_vec();
    tail.extend([b'a'; 161]);
    assert_eq!(pdus.len(), 1);
    assert_eq!(pdus[0][pdus[0].len() - tail.len()..], tail);
    assert_eq!(u8::from(submit(&pdus[0]).esm_class), 0);
}

#[test]
fn a_text_goes_as_ucs2_when_the_charset_or_the_handset_lacks_a_character() {
    for (text, codings) in
        [("Call", [0, 0, 0, 0]), ("é", [0, 0, 8, 0]), ("€", [0, 8, 8, 0]), ("`", [8, 8, 8, 8]), ("查😀", [8, 8, 8, 8])]
    {
        let found = CHARSETS.map(|charset| {
            let settings = settings(charset, false, Long::Udh8);
            let submit = submit(&written(text, 0, &settings)[0]);
            assert_eq!(carried(&submit, &settings).text, text);
            u8::from(submit.data_coding)
        });
        assert_eq!(found, codings, "{text}");
    }
}

#[test]
fn utf8_never_passes_the_field_though_it_would_fit_the_air() {
    let settings = settings(Charset::Utf8, false, Long::Udh8);
    assert_eq!(written(&"Ω".repeat(127), 0, &settings).len(), 1);
    let parts = written(&"Ω".repeat(160), 0, &settings);
    assert_eq!(parts.iter().map(|part| submit(part).sm_length()).collect::<Vec<_>>(), [254, 78]);
}

#[test]
fn what_can_not_be_sent_is_told() {
    let at_most = |long, text: String| {
        pdus(&order(code(), &text), 0, Flag::New, &settings(Charset::Utf8, false, long), NOW).map(|pdus| pdus.len())
    };
    for (long, most, count) in [
        (Long::Udh8, 153 * 255, 255),
        (Long::Udh16, 152 * 255, 255),
        (Long::Sar, 153 * 255, 255),
        (Long::Payload, 153 * 255, 1),
    ] {
        assert_eq!(at_most(long, "a".repeat(most)), Ok(count), "{long:?}");
        assert_eq!(at_most(long, "a".repeat(most + 1)), Err(Unsendable::TooLong), "{long:?}");
    }
    assert_eq!(at_most(Long::Payload, "Ω".repeat(32_768)), Err(Unsendable::TooLong));
    let name = order(Address::Alphanumeric("Caf\u{e9}".into()), "C");
    let refused = pdus(&name, 0, Flag::New, &crate::settings_for_tests(), NOW);
    assert_eq!(refused, Err(Unsendable::Source(SourceFault::Character('\u{e9}'))));
}

fn message() -> Message {
    Message {
        id: "4A5F".into(),
        source: code(),
        destination: Msisdn::international("8613800000001").unwrap(),
        kind: Kind::Detail,
    }
}

fn replace(before: &str, text: &str) -> Update {
    Update::Replace { before: before.into(), text: text.into(), validity: Duration::from_secs(60) }
}

#[test]
fn what_is_asked_about_a_message_is_laid_out_octet_by_octet() {
    let settings = crate::settings_for_tests();
    for (asked, id, body) in [
        (Update::Query, 3, &b"4A5F\0\x03\x0012599\0"[..]),
        (Update::Cancel, 8, b"\x004A5F\0\x03\x0012599\0\x01\x018613800000001\0"),
        (replace("A", "B@"), 7, b"4A5F\0\x03\x0012599\0\x00000000000100000R\0\x01\0\x02B\0"),
    ] {
        let pdu = update(&message(), &asked, 9, &settings, NOW).unwrap();
        assert_eq!((pdu[7], &pdu[16..]), (id, body), "{asked:?}");
        match (asked, decoded(&pdu)) {
            (Update::Query, Pdu::QuerySm(query)) => assert_eq!(query.message_id.as_str(), "4A5F"),
            (Update::Cancel, Pdu::CancelSm(cancel)) => assert_eq!(cancel.destination_addr.as_str(), "8613800000001"),
            (Update::Replace { .. }, Pdu::ReplaceSm(replace)) => {
                assert_eq!(replace.short_message().as_ref(), b"B\0");
                assert_eq!(replace.validity_period.as_str(), "000000000100000R");
            }
            (asked, other) => panic!("{asked:?} {other:?}"),
        }
    }
}

#[test]
fn what_replace_sm_has_no_field_for_is_unsayable() {
    let mut settings = crate::settings_for_tests();
    let fault =
        |message: &Message, asked: &Update, settings: &LinkSettings| update(message, asked, 9, settings, NOW).err();
    for (before, text, expected) in [
        ("A", "查", Some(Unsayable::Coding)),
        ("查", "A", Some(Unsayable::Coding)),
        ("查", "询", None),
        (&*"a".repeat(161), "A", Some(Unsayable::Parts)),
        ("A", &*"a".repeat(161), Some(Unsayable::Parts)),
        ("A", &*"a".repeat(160), None),
        ("查", &*"查".repeat(71), Some(Unsayable::Parts)),
    ] {
        assert_eq!(fault(&message(), &replace(before, text), &settings), expected, "{before} {text}");
    }
    settings.writing.charset = Charset::Utf8;
    assert_eq!(fault(&message(), &replace("A", &"Ω".repeat(128)), &settings), Some(Unsayable::Parts));
    for id in ["", "a\0b", "é", &"7".repeat(65)] {
        let message = Message { id: id.into(), ..message() };
        assert_eq!(fault(&message, &Update::Query, &settings), Some(Unsayable::Id), "{id:?}");
    }
    let nameless = Message { source: Address::Alphanumeric(String::new()), ..message() };
    assert_eq!(fault(&nameless, &Update::Cancel, &settings), Some(Unsayable::Source(SourceFault::Empty)));
}

fn sources() -> impl Strategy<Value = Address> {
    prop_oneof![
        (1_000_000_u64..1_000_000_000_000_000).prop_map(|n| Address::International(Msisdn::try_from(n).unwrap())),
        "[0-9]{1,15}".prop_map(|digits| Address::ShortCode(ShortNumber::parse(&digits).unwrap())),
        "[A-Za-z][A-Za-z0-9 ._-]{0,10}".prop_map(Address::Alphanumeric),
    ]
}

fn kind_writings() -> impl Strategy<Value = KindWriting> {
    let pair = || (0_u8..8, 0_u8..20).prop_map(|(ton, npi)| TonNpi { ton, npi });
    (any::<u8>(), 0_u8..4, "[A-Z]{0,5}", any::<u8>(), proptest::option::of(pair()), pair()).prop_map(
        |(registered_delivery, priority_flag, service_type, protocol_id, source, destination)| KindWriting {
            registered_delivery,
            priority_flag,
            service_type,
            protocol_id,
            source,
            destination,
        },
    )
}

fn digits_of(address: &Address) -> String {
    match address {
        Address::International(number) => number.reveal(),
        Address::ShortCode(code) => code.as_str().to_owned(),
        Address::Alphanumeric(name) => name.clone(),
    }
}

proptest! {
    #[test]
    fn the_codec_reads_every_field_of_a_submit_as_it_was_meant(
        source in sources(), writing in kind_writings(), text in "[a-z €查😀]{0,300}", reference in any::<u16>(),
        charset in prop::sample::select(&CHARSETS[..]), packed in any::<bool>(), long in prop::sample::select(&LONG[..]),
    ) {
        let mut settings = settings(charset, packed, long);
        *settings.writing.of_mut(Kind::Detail) = writing.clone();
        let order = order(source, &text);
        for pdu in pdus(&order, reference, Flag::New, &settings, NOW).unwrap() {
            let submit = submit(&pdu);
            prop_assert_eq!(submit.service_type.value().as_str(), writing.service_type.as_str());
            prop_assert_eq!(u8::from(submit.registered_delivery), writing.registered_delivery);
            prop_assert_eq!(u8::from(submit.priority_flag), writing.priority_flag);
            prop_assert_eq!(submit.protocol_id, writing.protocol_id);
            prop_assert_eq!(submit.validity_period.as_str(), "000001010101000R");
            prop_assert_eq!(submit.schedule_delivery_time.as_str(), "");
            prop_assert_eq!((u8::from(submit.replace_if_present_flag), submit.sm_default_msg_id), (0, 0));
            let digits = digits_of(&order.source);
            prop_assert!(digits.ends_with(submit.source_addr.as_str()));
            if let Some(kind) = writing.source.filter(|kind| kind.ton != 2) {
                prop_assert_eq!((u8::from(submit.source_addr_ton), u8::from(submit.source_addr_npi)), (kind.ton, kind.npi));
                prop_assert_eq!(submit.source_addr.as_str(), digits);
            }
            let national = writing.destination.ton == 2;
            prop_assert_eq!(submit.destination_addr.as_str(), if national { "13800000001" } else { "8613800000001" });
            prop_assert_eq!(u8::from(submit.dest_addr_ton), writing.destination.ton);
            prop_assert_eq!(u8::from(submit.dest_addr_npi), writing.destination.npi);
        }
    }

    #[test]
    fn parts_join_to_the_text_and_each_fits_the_air_and_the_field(
        text in "[a-z{}€Ωé查😀 ]{0,600}|[a-z{}€Ω ]{0,600}|[a-zé]{0,600}",
        charset in prop::sample::select(&CHARSETS[..]), packed in any::<bool>(), long in prop::sample::select(&LONG[..]),
    ) {
        let settings = settings(charset, packed, long);
        let pdus = written(&text, 7, &settings);
        let mut whole = String::new();
        for (number, pdu) in (1..).zip(&pdus) {
            let submit = submit(pdu);
            let carried = carried(&submit, &settings);
            prop_assert!(carried.octets <= 254);
            let coding = if submit.data_coding == DataCoding::Ucs2 { Coding::Ucs2 } else { Coding::Gsm7 };
            let units: usize = carried.text.chars().map(|c| coding.units_of(c).unwrap()).sum();
            let room = match (pdus.len(), long) {
                (1, Long::Payload) => usize::MAX,
                (1, _) => coding.single(),
                (_, Long::Udh16) => coding.beside(7),
                _ => coding.part(),
            };
            prop_assert!(units <= room, "{} of {}", units, room);
            if pdus.len() > 1 {
                let place = carried.header.last().map_or_else(|| carried.joined[2], |&number| number.into());
                prop_assert_eq!(place, number);
            }
            whole.push_str(&carried.text);
        }
        prop_assert_eq!(whole, text);
    }

    #[test]
    fn the_codec_reads_every_field_of_a_bind(
        system_id in "[!-~]{0,15}", password in "[!-~]{0,8}", system_type in "[!-~]{0,12}", address_range in "[!-~]{0,40}",
        (way, id, version, octet) in prop::sample::select(vec![
            (Bind::Receiver, 1, Version::V5_0, 0x50_u8),
            (Bind::Transmitter, 2, Version::V3_3, 0x33),
            (Bind::Transceiver, 9, Version::V3_4, 0x34),
        ]),
    ) {
        let settings = LinkSettings {
            system_id: system_id.clone(),
            password: model::Secret::new(password.clone()),
            system_type: system_type.clone(),
            address_range: address_range.clone(),
            version,
            bind: way,
            ..crate::settings_for_tests()
        };
        let mut pdu = bind(&settings).unwrap();
        prop_assert_eq!(pdu[7], id);
        // The three PDUs differ in their id only.
        pdu[7] = 9;
        let Pdu::BindTransceiver(read) = decoded(&pdu) else { panic!("{pdu:?}") };
        let kinds = (u8::from(read.addr_ton), u8::from(read.addr_npi), u8::from(read.interface_version));
        prop_assert_eq!(kinds, (0, 0, octet));
        let texts = [read.system_id.as_str(), read.password.as_str(), read.system_type.as_str(), read.address_range.as_str()];
        prop_assert_eq!(texts, [&system_id[..], &password, &system_type, &address_range]);
    }

    #[test]
    fn the_codec_reads_what_is_asked_about_a_message(
        id in "[ -~]{1,64}", source in sources(), writing in kind_writings(), text in "[a-z]{0,160}",
    ) {
        let mut settings = crate::settings_for_tests();
        *settings.writing.of_mut(Kind::Teaser) = writing.clone();
        let submit = submit(&pdus(&Submit { kind: Kind::Teaser, ..order(source.clone(), "C") }, 0, Flag::New, &settings, NOW).unwrap()[0]);
        let sent_from = (submit.source_addr_ton, submit.source_addr_npi, submit.source_addr.clone());
        let message = Message { id: id.clone(), source, kind: Kind::Teaser, ..message() };
        for asked in [Update::Query, Update::Cancel, replace("a", &text)] {
            let (read, from) = match decoded(&update(&message, &asked, 9, &settings, NOW).unwrap()) {
                Pdu::QuerySm(query) => (query.message_id, (query.source_addr_ton, query.source_addr_npi, query.source_addr)),
                Pdu::CancelSm(cancel) => {
                    prop_assert_eq!(&cancel.destination_addr, &submit.destination_addr);
                    prop_assert_eq!(cancel.dest_addr_ton, submit.dest_addr_ton);
                    (cancel.message_id, (cancel.source_addr_ton, cancel.source_addr_npi, cancel.source_addr))
                }
                Pdu::ReplaceSm(replace) => {
                    prop_assert_eq!(replace.short_message().as_ref(), text.as_bytes());
                    prop_assert_eq!(u8::from(replace.registered_delivery), writing.registered_delivery);
                    (replace.message_id, (replace.source_addr_ton, replace.source_addr_npi, replace.source_addr))
                }
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(read.as_str(), id.as_str());
            prop_assert_eq!(&from, &sent_from);
        }
    }
}
