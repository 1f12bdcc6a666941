//! The ways in which SMS centres differ from a plain one, over the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod wire;

use std::net::TcpListener;
use std::time::Duration;

use model::{Msisdn, Timestamp};
use simulator::{
    AnswerForm, Binds, Carrier, DefaultAlphabet, Delivery, Faults, Hex, Life, MessageIds, Mode, ReceiptIdForm,
    ReceiptShape, ReceiptsFor, Smsc, SmscOptions, TextPlace, TlsFiles, Updates, WireAddress,
};
use wire::{Esme, pdu, submit, text, until};

const B: &str = "8613800000001";

fn clock() -> Timestamp {
    Timestamp::parse("2026-11-23T08:00:00Z").unwrap()
}

async fn start() -> Smsc {
    let options = SmscOptions {
        resend_pause: Duration::from_millis(5),
        keep_answers: 100,
        keep_submitted: 10,
        ..SmscOptions::new(clock)
    };
    Smsc::start(options).await.unwrap()
}

fn plain() -> Faults {
    Faults::default()
}

#[tokio::test]
async fn binds_are_refused_left_unanswered_or_closed_and_what_they_said_is_shown() {
    let smsc = start().await;
    smsc.set_faults(Faults { binds: Binds::Closed, ..plain() });
    let mut esme = Esme::connect(smsc.addr());
    assert_eq!(esme.ask(9, 1, b"tester\0secret\0\0\x34\0\0\0").status, 0);
    assert_eq!(esme.try_get(), None);
    smsc.set_faults(Faults { binds: Binds::Silent, ..plain() });
    let mut esme = Esme::connect(smsc.addr());
    esme.send(9, 1, b"tester\0secret\0\0\x34\0\0\0");
    esme.expect_silence();
    smsc.set_faults(plain());
    let old = Esme::connect(smsc.addr()).ask(2, 1, b"tester\0secret\0VMS\0\x33\0\0\x31259\0");
    assert_eq!(old.shown(), "SIMULATOR\\x00", "3.3 knows no optional parameters");
    let mut esme = Esme::connect(smsc.addr());
    assert_eq!(
        esme.ask(9, 1, b"tester\0secret\0VMS\0\x50\0\0\x31259\0").shown(),
        "SIMULATOR\\x00\\x02\\x10\\x00\\x01P"
    );
    let sessions = smsc.sessions();
    let last = sessions.last().unwrap();
    assert_eq!((last.mode, last.interface_version), (Mode::Transceiver, 0x50));
    assert_eq!(
        (last.system_id.as_str(), last.system_type.as_str(), last.address_range.as_str()),
        ("tester", "VMS", "1259")
    );
}

#[tokio::test]
async fn tls_files_that_can_not_be_used_are_told_by_name() {
    let missing = |name: &str| format!("/no/such/{name}.pem").into();
    let tls = Some(TlsFiles { certificate: missing("certificate"), key: missing("key"), client_ca: None });
    let error = Smsc::start(SmscOptions { tls, ..SmscOptions::new(clock) }).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/key.pem"), "{error}");
}

#[tokio::test]
async fn an_outbind_makes_a_session_of_a_connection_to_the_esme() {
    let smsc = start().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    smsc.outbind(listener.local_addr().unwrap(), "SMSC", "pw");
    let mut esme = Esme::accepted(listener.accept().unwrap().0);
    let outbind = esme.get();
    assert_eq!((outbind.command, outbind.shown().as_str()), (0x0b, "SMSC\\x00pw\\x00"));
    assert_eq!(esme.ask(9, 1, b"tester\0secret\0\0\x34\0\0\0").status, 0);
    assert_eq!(esme.ask(4, 2, &text(B, "x")).status, 0);
    assert_eq!(smsc.counts().binds, 1);
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    smsc.outbind(nobody, "SMSC", "pw");
    until("nobody is there", || smsc.counts().outbinds_failed == 1);
}

#[tokio::test]
async fn answers_are_written_in_every_form_and_order() {
    let smsc = start().await;
    let mut esme = Esme::bound(smsc.addr());
    let silent = |faults: Faults| Faults { receipts_for: ReceiptsFor::None, ..faults };
    smsc.set_faults(silent(Faults { answer_form: AnswerForm::NoBody, ..plain() }));
    assert_eq!(esme.ask(4, 2, &text(B, "x")).body, b"");
    smsc.set_faults(silent(Faults { answer_form: AnswerForm::NoNul, message_ids: MessageIds::Constant, ..plain() }));
    assert_eq!(esme.ask(4, 3, &text(B, "x")).body, b"1");
    let refuse_next = Some((8, 1));
    smsc.set_faults(silent(Faults { answer_form: AnswerForm::BodyAlways, refuse_next, ..plain() }));
    let refused = esme.ask(4, 4, &text(B, "x"));
    assert_eq!((refused.status, refused.body), (8, b"0\0".to_vec()));
    let next_ids = ["seven".to_owned()].into();
    smsc.set_faults(silent(Faults { congestion: Some(90), next_ids, message_ids: MessageIds::TooLong, ..plain() }));
    assert_eq!(esme.ask(4, 5, &text(B, "x")).body, b"seven\0\x04\x28\0\x01\x5a");
    assert_eq!(esme.ask(4, 6, &text(B, "x")).id().len(), 70);
    smsc.set_faults(silent(Faults { stray_answers: true, answers_reversed: 2, ..plain() }));
    for sequence in [7, 8] {
        esme.send(4, sequence, &text(B, "x"));
    }
    let order: Vec<u32> = (0..4).map(|_| esme.get().sequence).collect();
    assert_eq!(order, [0x4000_0007, 0x4000_0008, 8, 7]);
    esme.send(4, 9, &text(B, "x"));
    assert_eq!(esme.get().sequence, 0x4000_0009);
    esme.expect_silence();
    smsc.set_faults(plain());
    assert_eq!(esme.get().sequence, 9, "what was held back is written when the fault is over");
}

#[tokio::test]
async fn receipts_take_any_shape_one_after_the_other() {
    let smsc = start().await;
    let mut esme = Esme::bound(smsc.addr());
    let accepted = ReceiptShape { text: "id:{id} stat:ACCEPTD".into(), state: Some(6), ..ReceiptShape::default() };
    let place = TextPlace::Payload;
    let delivered =
        ReceiptShape { carrier: Carrier::DataSm, id: ReceiptIdForm::Hexadecimal, place, ..ReceiptShape::default() };
    smsc.set_faults(Faults { message_ids: MessageIds::Decimal, receipts: vec![accepted, delivered], ..plain() });
    let id = esme.ask(4, 2, &text(B, "x")).id();
    let [first, second] = [esme.get(), esme.get()];
    assert!(first.command == 5 && first.shown().contains(&format!("id:{id} stat:ACCEPTD")), "{first:?}");
    let hexadecimal = format!("id:{:x} sub:001", id.parse::<u64>().unwrap());
    assert!(second.command == 0x103 && second.shown().contains(&hexadecimal), "{second:?}");
    esme.answer(&first, 0);
    esme.answer(&second, 0);
    until("both are acknowledged", || smsc.counts().receipts_acked == 2);
    let answers = smsc.answers();
    assert_eq!((answers[1].command, answers[1].status, answers[1].sequence), (0x8000_0103, 0, second.sequence));
}

#[tokio::test]
async fn receipts_come_by_another_session_and_for_one_part_only() {
    let smsc = start().await;
    let (mut first, mut second) = (Esme::bound(smsc.addr()), Esme::bound(smsc.addr()));
    smsc.set_faults(Faults { receipts_elsewhere: true, receipts_for: ReceiptsFor::Last, ..plain() });
    for (sequence, part) in [(2, 1), (3, 2)] {
        assert_eq!(first.ask(4, sequence, &submit(B, 0x40, "", 0, &[5, 0, 3, 1, 2, part, b'x'])).status, 0);
    }
    let receipt = second.get();
    second.answer(&receipt, 0);
    until("the receipt is acknowledged", || smsc.counts().receipts_acked == 1);
    first.expect_silence();
    drop(second);
    until("the other is gone", || smsc.counts().bound == 1);
    let answer = first.ask(4, 4, &text(B, "x"));
    assert!(first.get().shown().contains(&answer.id()), "there is no other session");
}

#[tokio::test]
async fn a_deaf_session_lives_and_says_nothing_until_it_is_served_again() {
    let smsc = start().await;
    let mut esme = Esme::bound(smsc.addr());
    for (life, ignored) in [(Life::Deaf, 2), (Life::Stalled, 4)] {
        smsc.set_faults(Faults { sessions: life, ..plain() });
        assert!(smsc.reply(Msisdn::international(B).unwrap(), "12599", "hello"));
        esme.send(0x15, 2, &[]);
        esme.send(4, 3, &text(B, "x"));
        until("both are thrown away", || smsc.counts().ignored == ignored);
    }
    smsc.set_faults(plain());
    assert_eq!([esme.get().command, esme.get().command], [5, 5], "what waited goes on, and nothing else was answered");
    assert_eq!((smsc.counts().submits, smsc.counts().bound), (0, 1));
    esme.expect_silence();
}

#[tokio::test]
async fn octets_are_written_as_they_are_and_the_session_closed_in_the_middle() {
    let smsc = start().await;
    assert!(!smsc.write_raw(None, b"x", false), "nobody is bound");
    let mut esme = Esme::bound(smsc.addr());
    assert!(smsc.write_raw(None, &pdu(0x15, 0, 77, &[]), false));
    let enquire = esme.get();
    esme.answer(&enquire, 0);
    until("it is answered", || {
        smsc.answers().iter().any(|answer| answer.command == 0x8000_0015 && answer.sequence == 77)
    });
    assert!(!smsc.write_raw(Some(99), b"x", false));
    let session = smsc.sessions()[0].id;
    assert!(smsc.write_raw(Some(session), &[0, 0, 0, 16, 0, 0], true));
    assert_eq!(esme.rest(), [0, 0, 0, 16, 0, 0]);
    let mut esme = Esme::bound(smsc.addr());
    assert!(smsc.write_raw(None, &pdu(6, 0, 5, &[]), false));
    let unbind = esme.get();
    esme.answer(&unbind, 0);
    assert_eq!(esme.try_get(), None, "closed once the unbind is answered");
    assert_eq!(smsc.counts().bad_pdus, 0);
}

#[tokio::test]
async fn a_delivery_is_sent_until_it_is_acknowledged() {
    let smsc = start().await;
    let mut esme = Esme::bound(smsc.addr());
    let delivery = Delivery {
        carrier: Carrier::DeliverSm,
        source: WireAddress { ton: 2, npi: 1, digits: "13800000001".into() },
        destination: WireAddress { ton: 3, npi: 0, digits: "12599".into() },
        esm_class: 0,
        data_coding: 8,
        message: Hex(vec![0x67]),
        options: vec![(0x1400, Hex(Vec::new()))],
    };
    assert!(smsc.deliver(delivery));
    let first = esme.get();
    assert!(first.body.ends_with(b"\x08\0\x01g\x14\0\0\0"), "{first:?}");
    esme.answer(&first, 0x64);
    let second = esme.get();
    assert_eq!(second.body, first.body);
    esme.answer(&second, 0);
    until("it is acknowledged", || smsc.counts().replies_acked == 1);
}

#[tokio::test]
async fn the_default_alphabet_is_what_it_is_said_to_be() {
    let smsc = start().await;
    let mut esme = Esme::bound(smsc.addr());
    let cases: [(DefaultAlphabet, &[u8], &str); 5] = [
        (DefaultAlphabet::Gsm, b"\0", "@"),
        (DefaultAlphabet::Packed, &[0xe8, 0x32, 0x9b, 0xfd, 0x06], "hello"),
        (DefaultAlphabet::Latin1, &[0xe9, b'@'], "é@"),
        (DefaultAlphabet::Ascii, b"@", "@"),
        (DefaultAlphabet::Utf8, "é".as_bytes(), "é"),
    ];
    for (alphabet, octets, text) in cases {
        smsc.set_faults(Faults { alphabet, receipts_for: ReceiptsFor::None, ..plain() });
        assert_eq!(esme.ask(4, 2, &submit(B, 0, "", 0, octets)).status, 0, "{alphabet:?}");
        let submitted = smsc.submitted().pop().unwrap();
        assert_eq!((submitted.text.as_str(), submitted.user_data.0), (text, octets.to_vec()), "{alphabet:?}");
    }
}

#[tokio::test]
async fn updates_are_late_refused_or_for_transmitters_only_and_know_messages_by_any_id() {
    let smsc = start().await;
    smsc.switch(Msisdn::international(B).unwrap(), false);
    let mut esme = Esme::bound(smsc.addr());
    smsc.set_faults(Faults { message_ids: MessageIds::Uuid, updates: Updates::TransmittersOnly, ..plain() });
    let id = esme.ask(4, 2, &text(B, "old")).id();
    let about = [id.as_bytes(), b"\0\x03\x0012599\0"].concat();
    assert_eq!(esme.ask(3, 3, &about).status, 0x04);
    let mut transmitter = Esme::connect(smsc.addr());
    assert_eq!(transmitter.ask(2, 1, b"tester\0secret\0\0\x34\0\0\0").status, 0);
    assert_eq!(transmitter.ask(3, 2, &about).shown(), format!("{id}\\x00\\x00\\x01\\x00"));
    smsc.set_faults(Faults { message_ids: MessageIds::Uuid, updates: Updates::Late(30), ..plain() });
    esme.send(3, 4, &about);
    esme.send(0x15, 5, &[]);
    assert_eq!([esme.get().command, esme.get().command], [0x8000_0015, 0x8000_0003]);
}
