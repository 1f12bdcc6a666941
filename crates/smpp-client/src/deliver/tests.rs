//! Receipts and replies in every form that is met.

use model::ReceiptState;
use proptest::prelude::*;

use super::*;

/// Tag and value.
type Tlv<'a> = (u16, &'a [u8]);

struct Sent<'a> {
    source: (u8, &'a str),
    class: u8,
    coding: u8,
    message: &'a [u8],
    tlvs: &'a [Tlv<'a>],
}

const REPLY: Sent<'_> = Sent { source: (1, "8613800000001"), class: 0, coding: 0, message: b"C", tlvs: &[] };

fn body(sent: &Sent<'_>) -> Vec<u8> {
    let mut body = vec![0, sent.source.0, 1];
    body.extend(sent.source.1.as_bytes());
    body.extend(b"\0\x03\x0012599\0");
    body.extend([sent.class, 0, 0, 0, 0, 0, 0, sent.coding, 0, u8::try_from(sent.message.len()).unwrap()]);
    body.extend(sent.message);
    for (tag, value) in sent.tlvs {
        body.extend(tag.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
    }
    body
}

fn meaning(sent: &Sent<'_>) -> Meaning {
    let body = body(sent);
    Delivery::read_deliver_sm(&body).unwrap().meaning(&crate::settings_for_tests(), Timestamp::from_millis(5))
}

fn receipt(sent: &Sent<'_>) -> Receipt {
    match meaning(sent) {
        Meaning::Receipt { receipt, .. } => receipt,
        other => panic!("{other:?}"),
    }
}

fn reply(sent: &Sent<'_>) -> Reply {
    match meaning(sent) {
        Meaning::Reply(reply) => reply,
        other => panic!("{other:?}"),
    }
}

const TEXT: &[u8] =
    b"id:4A5F sub:001 dlvrd:001 submit date:2611230800 done date:2611230801 stat:DELIVRD err:000 text:Y";

/// A row of the matrix of odd input: what arrives, and what is to be made of it.
struct Row<'a> {
    id: &'a str,
    sent: Sent<'a>,
    message_id: &'a str,
    state: ReceiptState,
    error: &'a str,
    disagrees: bool,
}

const ROW: Row<'_> = Row {
    id: "",
    sent: Sent { class: 4, message: TEXT, ..REPLY },
    message_id: "4A5F",
    state: ReceiptState::Delivered,
    error: "000",
    disagrees: false,
};

/// One receipt for each row of a table; both PDUs, since an SMSC may use either.
fn check(rows: &[Row<'_>]) {
    for row in rows {
        let (deliver_sm, data_sm) = (body(&row.sent), data_sm(&row.sent));
        let mut read = vec![Delivery::read_deliver_sm(&deliver_sm).unwrap()];
        read.extend(data_sm.as_ref().map(|body| Delivery::read_data_sm(body).unwrap()));
        for delivery in read {
            match delivery.meaning(&crate::settings_for_tests(), Timestamp::default()) {
                Meaning::Receipt { receipt, disagrees } => {
                    let said = (&*receipt.message_id, receipt.state, &*receipt.error, disagrees);
                    assert_eq!(said, (row.message_id, row.state, row.error, row.disagrees), "{}", row.id);
                    assert_eq!(receipt.handset, Msisdn::international("8613800000001").ok(), "{}", row.id);
                }
                other => panic!("{}: {other:?}", row.id),
            }
        }
    }
}

/// The same by `data_sm`, whose text is a payload; `None` where there is one already.
fn data_sm(sent: &Sent<'_>) -> Option<Vec<u8>> {
    let mut tlvs = sent.tlvs.to_vec();
    if !sent.message.is_empty() {
        tlvs.iter().all(|(tag, _)| *tag != MESSAGE_PAYLOAD).then(|| tlvs.push((MESSAGE_PAYLOAD, sent.message)))?;
    }
    let mut body = vec![0, sent.source.0, 1];
    body.extend(sent.source.1.as_bytes());
    body.extend(b"\0\x03\x0012599\0");
    body.extend([sent.class, 0, sent.coding]);
    for (tag, value) in tlvs {
        body.extend(tag.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value);
    }
    Some(body)
}

const ID: (u16, &[u8]) = (0x001e, b"4A5F\0");
const UNDELIVERABLE: (u16, &[u8]) = (0x0427, &[5]);

#[test]
fn receipts_are_found_in_every_place() {
    use ReceiptState::{Delivered, Undeliverable, Unknown};
    check(&[
        Row { id: "R09 text", ..ROW },
        Row { id: "R10 payload", sent: Sent { class: 4, message: b"", tlvs: &[(0x0424, TEXT)], ..REPLY }, ..ROW },
        Row {
            id: "R11 parameters only",
            sent: Sent { class: 4, message: b"", tlvs: &[ID, UNDELIVERABLE, (0x0423, &[3, 0, 34])], ..REPLY },
            state: Undeliverable,
            error: "3:34",
            ..ROW
        },
        Row {
            id: "R12 id without state",
            sent: Sent { class: 4, message: b"", tlvs: &[ID], ..REPLY },
            state: Unknown,
            error: "",
            ..ROW
        },
        Row {
            id: "R12 id without state, which the text has",
            sent: Sent { class: 4, message: TEXT, tlvs: &[ID], ..REPLY },
            ..ROW
        },
        Row {
            id: "R12 a state that stands for nothing",
            sent: Sent { class: 4, message: TEXT, tlvs: &[ID, (0x0427, &[77])], ..REPLY },
            ..ROW
        },
        Row { id: "R13 data_sm", sent: Sent { class: 4, message: TEXT, tlvs: &[(0x0427, &[2])], ..REPLY }, ..ROW },
        Row {
            id: "R14 ids disagree",
            sent: Sent { class: 4, message: TEXT, tlvs: &[(0x001e, b"77")], ..REPLY },
            message_id: "77",
            disagrees: true,
            ..ROW
        },
        Row {
            id: "R14 states disagree",
            sent: Sent { class: 4, message: TEXT, tlvs: &[UNDELIVERABLE], ..REPLY },
            state: Undeliverable,
            disagrees: true,
            ..ROW
        },
        Row {
            id: "R14 the same id in another form agrees",
            sent: Sent { class: 4, message: TEXT, tlvs: &[(0x001e, b"19039"), (0x0427, &[2])], ..REPLY },
            message_id: "19039",
            ..ROW
        },
        Row {
            id: "R14 the same id with zeros and in lower case agrees",
            sent: Sent { class: 4, message: TEXT, tlvs: &[(0x001e, b"004a5f")], ..REPLY },
            message_id: "004a5f",
            state: Delivered,
            ..ROW
        },
    ]);
}

#[test]
fn receipts_are_known_by_class_or_parameter_or_text() {
    let behind_header = [b"\x05\0\x03\x01\x01\x01", TEXT].concat();
    let long = [TEXT, &[b'x'; 100]].concat();
    check(&[
        Row { id: "R15 04", sent: Sent { class: 0x04, message: TEXT, ..REPLY }, ..ROW },
        Row { id: "R16 44", sent: Sent { class: 0x44, message: &behind_header, ..REPLY }, ..ROW },
        Row { id: "R16 44 without a header", sent: Sent { class: 0x44, message: TEXT, ..REPLY }, ..ROW },
        Row { id: "R16 44 without a header, long", sent: Sent { class: 0x44, message: &long, ..REPLY }, ..ROW },
        Row { id: "R17 05", sent: Sent { class: 0x05, message: TEXT, ..REPLY }, ..ROW },
        Row { id: "R17 06", sent: Sent { class: 0x06, message: TEXT, ..REPLY }, ..ROW },
        Row { id: "R17 07", sent: Sent { class: 0x07, message: TEXT, ..REPLY }, ..ROW },
        Row {
            id: "R18 00 and a parameter",
            sent: Sent { class: 0, message: b"", tlvs: &[ID, UNDELIVERABLE], ..REPLY },
            state: ReceiptState::Undeliverable,
            error: "",
            ..ROW
        },
        Row { id: "R19 00 and a text", sent: Sent { class: 0, message: TEXT, ..REPLY }, ..ROW },
        Row { id: "R19 08 and a text", sent: Sent { class: 0x08, message: TEXT, ..REPLY }, ..ROW },
        Row {
            id: "R20 intermediate",
            sent: Sent { class: 0x20, message: b"id:4A5F stat:ENROUTE err:000", ..REPLY },
            state: ReceiptState::Enroute,
            ..ROW
        },
    ]);
}

#[test]
fn the_texts_of_receipts_are_read_in_every_form() {
    use ReceiptState::{Undeliverable, Unknown};
    let text = |id, message| Row { id, sent: Sent { class: 4, message, ..REPLY }, ..ROW };
    let wide: Vec<u8> =
        String::from_utf8_lossy(TEXT).replace('Y', "查").encode_utf16().flat_map(u16::to_be_bytes).collect();
    let little: Vec<u8> = String::from_utf8_lossy(TEXT).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cut = wide.get(..wide.len() - 1).unwrap();
    check(&[
        text("R21 no sub, no dlvrd", b"id:4A5F submit date:2611230800 done date:2611230801 stat:DELIVRD err:000 text:"),
        text("R21 no dates", b"id:4A5F sub:001 dlvrd:001 stat:DELIVRD err:000 text:Hi"),
        Row { error: "", ..text("R21 no err", b"id:4A5F sub:001 dlvrd:001 stat:DELIVRD") },
        Row { state: Unknown, ..text("R21 no stat", b"id:4A5F err:000 text:stat:EXPIRED") },
        Row { error: "0042", ..text("R22 long err", b"id:4A5F stat:DELIVRD err:0042") },
        Row { error: "A12x", ..text("R23 alphanumeric err", b"id:4A5F stat:DELIVRD err:A12x") },
        text("R24 12 digits", b"id:4A5F submit date:261123080000 done date:261123080100 stat:DELIVRD err:000"),
        text("R24 14 digits", b"id:4A5F submit date:20261123080000 done date:20261123080100 stat:DELIVRD err:000"),
        text("R24 no date", b"id:4A5F submit date:YYMMDDhhmm done date:9913329999 stat:DELIVRD err:000"),
        text("R24 empty dates", b"id:4A5F submit date: done date: stat:DELIVRD err:000"),
        Row { sent: Sent { coding: 8, class: 4, message: TEXT, ..REPLY }, ..text("R25 ASCII under 8", b"") },
        Row { sent: Sent { coding: 8, class: 4, message: &wide, ..REPLY }, ..text("R26 UTF-16", b"") },
        Row { sent: Sent { coding: 8, class: 0, message: &wide, ..REPLY }, ..text("R26 UTF-16, class 0", b"") },
        Row { sent: Sent { coding: 0, class: 4, message: cut, ..REPLY }, ..text("R26 UTF-16, cut", b"") },
        Row { sent: Sent { coding: 8, class: 4, message: &little, ..REPLY }, ..text("R26 UTF-16, little endian", b"") },
        Row { error: "", ..text("R27 Vodafone", b"00,0210021543,0210021500,,447887123456,10110200000000,4A5F") },
        Row {
            state: ReceiptState::Enroute,
            error: "9",
            ..text("R27 Vodafone", b"01,0210021543,0210021500,9,447887123456,1011,4A5F")
        },
        Row { state: Undeliverable, error: "CA:0051", ..text("R28 Chinese", b"id:4A5F stat:CA:0051 err:000") },
        Row { state: Undeliverable, error: "IB:0008", ..text("R28 Chinese", b"id:4A5F stat:IB:0008") },
        Row { state: Undeliverable, error: "MK:0001", ..text("R28 Chinese", b"id:4A5F sub:001 stat:MK:0001 err:") },
        text("a zero before the text", b"\0id:4A5F stat:DELIVRD err:000"),
        text("a zero behind the text", b"id:4A5F stat:DELIVRD err:000\0"),
        Row { error: "00", ..text("the last octet cut", b"id:4A5F stat:DELIVRD err:00") },
        Row { error: "", ..text("the last octet of the state cut", b"id:4A5F stat:DELIVR") },
        text("any case", b"ID:4A5F Stat:delivrd Err:000 Text:id:8"),
        Row {
            sent: Sent { class: 4, message: b"id:4A5F stat:DELIVRD err:000 text:\xe4\xff", ..REPLY },
            ..text("no UTF-8", b"")
        },
    ]);
}

#[test]
fn a_receipt_of_a_packing_smsc_may_be_packed_or_not() {
    let mut settings = crate::settings_for_tests();
    (settings.writing.packed, settings.id_form) = (true, Some(model::IdForm::Decimal));
    let packed = crate::septets::pack(TEXT, 0);
    for (class, message) in [(4, TEXT), (4, &packed), (0, TEXT)] {
        let body = body(&Sent { class, message, ..REPLY });
        match Delivery::read_deliver_sm(&body).unwrap().meaning(&settings, Timestamp::default()) {
            Meaning::Receipt { receipt, disagrees: false } => {
                assert_eq!((&*receipt.message_id, receipt.state), ("4A5F", ReceiptState::Delivered));
                assert_eq!(receipt.id_form, Some(model::IdForm::Decimal));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_keyword_is_never_taken_for_a_receipt() {
    for class in [0x00, 0x01, 0x02, 0x03, 0x08, 0x10, 0x18, 0x80] {
        for message in [&b"STOP"[..], b"id:7", b"stat:DELIVRD", b"paid:7 stat:DELIVRD", b"00,1,2,,4,5,7"] {
            let sent = Sent { class, message, ..REPLY };
            assert_eq!(reply(&sent).text.as_bytes(), message, "{class:#x}");
        }
    }
    let unnamed = Sent { message: b"STOP", tlvs: &[(0x001e, b"\0"), (0x0427, &[2]), (0x1400, b"")], ..REPLY };
    assert_eq!(reply(&unnamed).text, "STOP");
}

#[test]
fn a_receipt_that_kept_the_addresses_of_the_submit_names_the_handset_too() {
    let handset = Msisdn::international("8613800000001").ok();
    for (source, expected) in [
        (&b"\x03\x0012599\0"[..], handset),
        (b"\x00\x01460001234567890\0", None),
        (b"\x05\0SMSC\0", None),
        (b"\0\0\0", None),
    ] {
        let mut body = [b"\0", source, b"\x01\x018613800000001\0\x04\0\0\0\0\0\0\0\0"].concat();
        body.push(u8::try_from(TEXT.len()).unwrap());
        body.extend(TEXT);
        match Delivery::read_deliver_sm(&body).unwrap().meaning(&crate::settings_for_tests(), Timestamp::default()) {
            Meaning::Receipt { receipt, .. } => assert_eq!(receipt.handset, expected, "{source:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_part_of_a_reply_says_which_it_is() {
    let some = |reference, total, number| Some(ReplyPart { reference, total, number });
    let sar: &[(u16, &[u8])] = &[(0x020c, &[1, 7]), (0x020e, &[2]), (0x020f, &[1])];
    for (class, message, tlvs, part) in [
        (0x40, &b"\x05\0\x03\x07\x02\x01a\0"[..], &[][..], some(7, 2, 1)),
        (0x40, b"\x06\x08\x04\x01\x07\x02\x01a\0", &[], some(0x107, 2, 1)),
        (0x43, b"\x05\0\x03\x07\x02\x01a\0", sar, some(7, 2, 1)),
        (0x00, b"a\0", sar, some(0x107, 2, 1)),
        (0x40, b"\x06\x05\x04\x0b\x84\x23\xf0a\0", sar, some(0x107, 2, 1)),
    ] {
        let reply = reply(&Sent { class, message, tlvs, ..REPLY });
        assert_eq!((reply.part, &*reply.text), (part, "a@"), "{message:?}");
    }
    let nonsense: [(u8, &[u8], &[Tlv<'_>]); 6] = [
        (0x40, b"\x05\0\x03\x07\x02\x03a", &[]),
        (0x40, b"\x05\0\x03\x07\x01\x01a", &[]),
        (0x40, b"\x06\x05\x04\x0b\x84\x23\xf0a", &[]),
        (0x00, b"a", &[(0x020c, &[1, 7]), (0x020e, &[2]), (0x020f, &[3])]),
        (0x00, b"a", &[(0x020c, &[1, 7]), (0x020e, &[2])]),
        (0x00, b"a", &[(0x020c, &[7]), (0x020e, &[2]), (0x020f, &[1])]),
    ];
    for (class, message, tlvs) in nonsense {
        let reply = reply(&Sent { class, message, tlvs, ..REPLY });
        assert_eq!((reply.part, &*reply.text), (None, "a"), "{message:?}");
    }
    let last = reply(&Sent { class: 0x40, message: b"\x05\0\x03\x07\x02\x02a\0", ..REPLY });
    assert_eq!((last.part, &*last.text), (some(7, 2, 2), "a"));
}

#[test]
fn a_receipt_is_known_by_its_class_whatever_the_mode_bits() {
    for class in [0x04, 0x05, 0x06, 0x07, 0x20, 0x00] {
        let receipt = receipt(&Sent { class, message: TEXT, ..REPLY });
        assert_eq!((receipt.message_id.as_str(), receipt.state), ("4A5F", ReceiptState::Delivered), "{class:#x}");
        assert_eq!(receipt.handset, Msisdn::international("8613800000001").ok());
    }
    let with_header = [b"\x05\0\x03\x01\x01\x01", TEXT].concat();
    assert_eq!(receipt(&Sent { class: 0x44, message: &with_header, ..REPLY }).message_id, "4A5F");
}

#[test]
fn a_receipt_may_be_told_by_tlvs_alone_or_in_a_payload() {
    let tlvs: &[(u16, &[u8])] = &[(0x1400, b""), (0x001e, b"77\0"), (0x0427, &[5]), (0x0423, &[3, 0, 34])];
    let by_tlvs = receipt(&Sent { message: b"", tlvs, ..REPLY });
    assert_eq!((by_tlvs.message_id.as_str(), by_tlvs.state), ("77", ReceiptState::Undeliverable));
    assert_eq!(by_tlvs.error, "3:34");
    let both = receipt(&Sent { class: 4, message: TEXT, tlvs, ..REPLY });
    assert_eq!((both.message_id.as_str(), both.state), ("77", ReceiptState::Undeliverable));
    let nameless_state = receipt(&Sent { class: 4, message: b"", tlvs: &[(0x001e, b"77")], ..REPLY });
    assert_eq!(nameless_state.state, ReceiptState::Unknown);
    let payload = receipt(&Sent { class: 4, message: b"", tlvs: &[(0x0424, TEXT)], ..REPLY });
    assert_eq!(payload.message_id, "4A5F");
    assert_eq!(meaning(&Sent { class: 4, message: b"delivered", ..REPLY }), Meaning::NamelessReceipt);
}

#[test]
fn a_receipt_may_name_its_message_by_the_reference_that_we_gave_it() {
    let mut settings = crate::settings_for_tests();
    for (references, value, id, form) in [
        (true, &[1, 2][..], "reference 2", Some(model::IdForm::Same)),
        (true, &[7], "reference 7", Some(model::IdForm::Same)),
        (true, &[], "4A5F", None),
        (false, &[1, 2], "4A5F", None),
    ] {
        settings.references = references;
        let body = body(&Sent { class: 4, message: TEXT, tlvs: &[(0x0204, value)], ..REPLY });
        let meaning = Delivery::read_deliver_sm(&body).unwrap().meaning(&settings, Timestamp::from_millis(5));
        let Meaning::Receipt { receipt, .. } = meaning else { panic!("{meaning:?}") };
        assert_eq!((receipt.message_id.as_str(), receipt.id_form), (id, form));
    }
}

#[test]
fn a_receipt_comes_by_data_sm_too() {
    let mut body = b"\0\x01\x018613800000001\0\0\x0012599\0\x04\0\0".to_vec();
    body.extend(b"\x04\x24\0\x15id:9 stat:DELIVRD err");
    let delivery = Delivery::read_data_sm(&body).unwrap();
    let Meaning::Receipt { receipt, .. } = delivery.meaning(&crate::settings_for_tests(), Timestamp::default()) else {
        panic!()
    };
    assert_eq!((receipt.message_id.as_str(), receipt.state), ("9", ReceiptState::Delivered));
}

#[test]
fn a_receipt_from_an_imsi_or_a_name_names_no_handset() {
    for source in [(5, "SMSC"), (1, "001010000000001"), (0, "001010000000001"), (0, "460001234567890"), (0, "")] {
        assert_eq!(receipt(&Sent { source, class: 4, message: TEXT, ..REPLY }).handset, None, "{source:?}");
    }
}

#[test]
fn a_reply_is_read_in_its_coding_behind_its_header() {
    assert_eq!(reply(&Sent { class: 1, ..REPLY }).text, "C");
    assert_eq!(reply(&Sent { coding: 8, message: &[0x67, 0xe5], ..REPLY }).text, "查");
    let header = reply(&Sent { class: 0x41, message: b"\x06\x05\x04\x0b\x84\x23\xf0STOP", ..REPLY });
    assert_eq!((header.text.as_str(), header.to.as_str()), ("STOP", "12599"));
    assert_eq!(header.part, None);
    assert_eq!(reply(&Sent { class: 0x40, message: b"\x40STOP", ..REPLY }).text, "¡STOP");
    assert_eq!(reply(&Sent { message: b"", tlvs: &[(0x0424, b"KT")], ..REPLY }).text, "KT");
    assert_eq!(reply(&Sent { message: b"ON", tlvs: &[(0x0424, b"KT")], ..REPLY }).text, "ON");
    assert_eq!(reply(&Sent { message: b"", ..REPLY }).text, "");
}

#[test]
fn only_a_subscriber_replies() {
    for source in [
        (3, "8613800000001"),
        (1, "8613800000001"),
        (1, "+8613800000001"),
        (0, "8613800000001"),
        (0, "13800000001"),
        (2, "13800000001"),
        (2, "013800000001"),
    ] {
        assert_eq!(reply(&Sent { source, ..REPLY }).from.reveal(), "8613800000001");
    }
    for source in
        [(5, "Bank"), (5, "8613800000001"), (3, "10086"), (3, "4530682554"), (1, "10086"), (0, "10086"), (0, "")]
    {
        assert_eq!(meaning(&Sent { source, ..REPLY }), Meaning::NotFromASubscriber, "{source:?}");
    }
}

#[test]
fn a_wrong_length_costs_only_what_it_covers() {
    let mut long = body(&Sent { message: b"STOP", ..REPLY });
    let at = long.len() - 5;
    long[at] = 200;
    let delivery = Delivery::read_deliver_sm(&long).unwrap();
    assert_eq!(delivery.message, b"STOP");
    let mut cut = body(&Sent { tlvs: &[(0x0427, &[2]), (0x001e, b"77")], ..REPLY });
    cut.truncate(cut.len() - 1);
    let delivery = Delivery::read_deliver_sm(&cut).unwrap();
    assert_eq!((delivery.tlvs.state, delivery.tlvs.message_id), (Some(2), None));
    assert_eq!(Delivery::read_deliver_sm(b"\0\x01\x01861"), Err(Truncated));
}

const TAGS: [u16; 8] = [0x001e, 0x020c, 0x020e, 0x020f, 0x0423, 0x0424, 0x0427, 0x1400];

proptest! {
    #[test]
    fn no_octets_make_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let settings = crate::settings_for_tests();
        for delivery in [Delivery::read_deliver_sm(&body), Delivery::read_data_sm(&body)].into_iter().flatten() {
            let _ = delivery.meaning(&settings, Timestamp::default());
        }
    }

    #[test]
    fn no_text_and_no_tlvs_make_the_reader_panic(
        class in any::<u8>(), coding in any::<u8>(), ton in 0u8..8, source in "[0-9+A-Z]{0,20}",
        message in proptest::collection::vec(any::<u8>(), 0..255),
        tags in proptest::collection::vec(prop::sample::select(TAGS.to_vec()), 0..4),
        value in proptest::collection::vec(any::<u8>(), 0..80), cut in 0usize..40, packed in any::<bool>(),
    ) {
        let tlvs: Vec<Tlv<'_>> = tags.into_iter().map(|tag| (tag, &*value)).collect();
        let mut body = body(&Sent { source: (ton, &source), class, coding, message: &message, tlvs: &tlvs });
        body.truncate(body.len().saturating_sub(cut));
        let mut settings = crate::settings_for_tests();
        settings.writing.packed = packed;
        if let Ok(delivery) = Delivery::read_deliver_sm(&body) {
            let _ = delivery.meaning(&settings, Timestamp::default());
        }
    }
}
