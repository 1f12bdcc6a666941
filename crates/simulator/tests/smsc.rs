//! The SMS centre over the wire, spoken to in bytes written by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod wire;

use std::time::Duration;

use model::{Msisdn, Timestamp};
use simulator::{
    Binds, Direction, Faults, PhoneChange, ReceiptIdForm, ReceiptOptions, ReceiptShape, Sms, Smsc, SmscOptions, Updates,
};
use wire::{Esme, Got, pdu, submit, text, until};

const B: &str = "8613800000001";

fn clock() -> Timestamp {
    Timestamp::parse("2026-11-23T08:00:00Z").unwrap()
}

fn options() -> SmscOptions {
    SmscOptions { resend_pause: Duration::from_millis(5), ..SmscOptions::new(clock) }
}

fn number(digits: &str) -> Msisdn {
    Msisdn::international(digits).unwrap()
}

fn inbox(smsc: &Smsc, digits: &str) -> Vec<String> {
    let phone = smsc.phone(number(digits)).unwrap();
    phone.inbox.into_iter().filter(|sms| sms.direction == Direction::In).map(|sms| sms.text).collect()
}

fn is_receipt_of(got: &Got, id: &str, stat: &str) -> bool {
    got.command == 5 && got.shown().contains(&format!("id:{id} ")) && got.shown().contains(&format!("stat:{stat} "))
}

#[tokio::test]
async fn a_submit_is_answered_then_delivered_then_receipted() {
    let smsc = Smsc::start(options()).await.unwrap();
    let mut watch = smsc.watch();
    let mut esme = Esme::bound(smsc.addr());
    let answer = esme.ask(4, 7, &text(B, "Missed call \x1b\x65"));
    assert_eq!((answer.command, answer.status), (0x8000_0004, 0));
    let receipt = esme.get();
    let id = answer.id();
    assert_eq!(
        receipt.shown(),
        format!(
            "\\x00\\x01\\x018613800000001\\x00\\x03\\x0012599\\x00\\x04\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00{}\
             id:{id} sub:001 dlvrd:001 submit date:2611230800 done date:2611230800 stat:DELIVRD err:000 text:Missed call e\
             \\x00\\x1e\\x00\\x{:02x}{id}\\x00\\x04\\'\\x00\\x01\\x02",
            [92 + u8::try_from(id.len()).unwrap() + 13].escape_ascii(),
            id.len() + 1
        )
    );
    esme.answer(&receipt, 0);
    until("the receipt is acknowledged", || smsc.counts().receipts_acked == 1);
    let expected = Sms {
        id: u64::from_str_radix(&id, 16).unwrap(),
        from: "12599".into(),
        text: "Missed call €".into(),
        at: clock(),
        direction: Direction::In,
        parts: 1,
    };
    assert_eq!(smsc.phone(number(B)).unwrap().inbox, std::slice::from_ref(&expected));
    assert_eq!(watch.recv().await.unwrap().what, PhoneChange::Received(expected));
    let counts = smsc.counts();
    assert_eq!((counts.submits, counts.accepted, counts.delivered, counts.unacknowledged), (1, 1, 1, 0));
    smsc.stop().await;
}

#[tokio::test]
async fn only_known_accounts_bind_and_only_bound_sessions_submit() {
    let accounts = vec![("tester".to_owned(), "secret".to_owned())];
    let smsc = Smsc::start(SmscOptions { accounts, ..options() }).await.unwrap();
    let mut esme = Esme::connect(smsc.addr());
    assert_eq!(esme.ask(4, 1, &text(B, "x")).status, 0x04);
    assert_eq!(esme.ask(9, 2, b"tester\0wrong\0\0\x34\0\0\0").status, 0x0e);
    assert_eq!(esme.ask(9, 3, b"nobody\0secret\0\0\x34\0\0\0").status, 0x0f);
    assert_eq!(esme.ask(1, 4, b"tester\0secret\0\0\x34\0\0\0").shown(), "SIMULATOR\\x00\\x02\\x10\\x00\\x014");
    assert_eq!(esme.ask(9, 5, b"tester\0secret\0\0\x34\0\0\0").status, 0x05);
    assert_eq!(esme.ask(4, 6, &text(B, "x")).status, 0x04, "a receiver doesn't submit");
    assert_eq!(esme.ask(6, 7, &[]).command, 0x8000_0006);
    assert_eq!(esme.try_get(), None, "closed after unbind");
    smsc.set_faults(Faults { binds: Binds::Refused(0x0d), ..Faults::default() });
    assert_eq!(Esme::connect(smsc.addr()).ask(9, 1, b"tester\0secret\0\0\x34\0\0\0").status, 0x0d);
    assert_eq!((smsc.counts().binds, smsc.counts().binds_refused), (1, 4));
}

#[tokio::test]
async fn messages_for_a_phone_that_is_off_wait_and_arrive_in_order() {
    let smsc = Smsc::start(SmscOptions { inbox_limit: 3, ..options() }).await.unwrap();
    smsc.add_phone(number(B), false);
    let mut esme = Esme::bound(smsc.addr());
    let ids: Vec<String> = ["one", "two", "three"].iter().map(|word| esme.ask(4, 2, &text(B, word)).id()).collect();
    assert_eq!(esme.ask(4, 3, &text(B, "four")).status, 0x14, "no room for a fourth");
    assert_eq!(smsc.phone(number(B)).unwrap().pending, 3);
    esme.expect_silence();
    smsc.switch(number(B), true);
    for id in &ids {
        let receipt = esme.get();
        assert!(is_receipt_of(&receipt, id, "DELIVRD"), "{receipt:?}");
    }
    assert_eq!(inbox(&smsc, B), ["one", "two", "three"]);
    assert_eq!(smsc.phone(number(B)).unwrap().pending, 0);
    assert_eq!((smsc.counts().queue_full, smsc.counts().waiting), (1, 0));
}

#[tokio::test]
async fn a_message_that_waits_too_long_expires() {
    let smsc = Smsc::start(options()).await.unwrap();
    smsc.switch(number(B), false);
    let mut esme = Esme::bound(smsc.addr());
    let id = esme.ask(4, 2, &submit(B, 0, "000000000001000R", 0, b"short-lived")).id();
    let receipt = esme.get();
    assert!(is_receipt_of(&receipt, &id, "EXPIRED"), "{receipt:?}");
    assert_eq!(esme.ask(4, 3, &submit(B, 0, "tomorrow", 0, b"x")).status, 0x62);
    smsc.switch(number(B), true);
    assert!(inbox(&smsc, B).is_empty());
    assert_eq!(smsc.counts().expired, 1);
}

#[tokio::test]
async fn parts_in_any_order_become_one_message() {
    let smsc = Smsc::start(options()).await.unwrap();
    let mut esme = Esme::bound(smsc.addr());
    let part = |number: u8, words: &str| {
        let mut data = vec![5, 0, 3, 0x2a, 3, number];
        data.extend(words.encode_utf16().flat_map(u16::to_be_bytes));
        submit(B, 0x40, "", 8, &data)
    };
    for (sequence, body) in [(2, part(3, "来电📞")), (3, part(1, "您有")), (4, part(2, "三个未接"))] {
        esme.send(4, sequence, &body);
        assert_eq!(esme.get().status, 0);
        assert_eq!(esme.get().command, 5, "each part has its receipt");
    }
    let phone = smsc.phone(number(B)).unwrap();
    assert_eq!(phone.inbox.len(), 1);
    assert_eq!((phone.inbox[0].text.as_str(), phone.inbox[0].parts), ("您有三个未接来电📞", 3));
}

#[tokio::test]
async fn parts_by_sar_options_and_long_payloads_arrive_too() {
    let smsc = Smsc::start(options()).await.unwrap();
    let mut esme = Esme::bound(smsc.addr());
    for (sequence, words) in [(1, "Hello "), (2, "world")] {
        let mut body = text(B, words);
        body.extend([0x02, 0x0c, 0, 2, 0, 9, 0x02, 0x0e, 0, 1, 2, 0x02, 0x0f, 0, 1, sequence]);
        assert_eq!(esme.ask(4, 2, &body).status, 0);
        assert_eq!(esme.get().command, 5);
    }
    let mut body = text(B, "");
    body.extend([0x04, 0x24, 0x01, 0x2c]);
    body.extend([b'x'; 300]);
    assert_eq!(esme.ask(4, 3, &body).status, 0);
    assert_eq!(inbox(&smsc, B), ["Hello world".to_owned(), "x".repeat(300)]);
}

#[tokio::test]
async fn what_does_not_fit_into_a_short_message_is_refused() {
    let smsc = Smsc::start(options()).await.unwrap();
    let mut esme = Esme::bound(smsc.addr());
    assert_eq!(esme.ask(4, 2, &text(B, &"x".repeat(161))).status, 0x01);
    assert_eq!(esme.ask(4, 3, &submit(B, 0, "", 8, &[0; 142])).status, 0x01);
    assert_eq!(esme.ask(4, 4, &submit(B, 0x40, "", 0, &[9, 0])).status, 0x43);
    assert_eq!(esme.ask(4, 5, &text("alice", "x")).status, 0x0b);
    assert_eq!(smsc.counts().refused, 4);
    assert_eq!(esme.ask(4, 6, &text(B, &"x".repeat(160))).status, 0);
}

#[tokio::test]
async fn a_reply_is_repeated_until_it_is_taken() {
    let smsc = Smsc::start(options()).await.unwrap();
    assert!(smsc.reply(number(B), "12599", "QX"));
    let mut esme = Esme::bound(smsc.addr());
    let first = esme.get();
    assert_eq!(
        first.shown(),
        "\\x00\\x01\\x018613800000001\\x00\\x03\\x0012599\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02QX"
    );
    esme.answer(&first, 0x64);
    let second = esme.get();
    assert_eq!((&second.body, second.sequence), (&first.body, first.sequence + 1));
    drop(esme);
    let mut esme = Esme::bound(smsc.addr());
    let third = esme.get();
    assert_eq!(third.body, first.body);
    esme.answer(&third, 0);
    until("the reply is acknowledged", || smsc.counts().replies_acked == 1);
    esme.expect_silence();
    let counts = smsc.counts();
    assert_eq!((counts.replies_sent, counts.resent, counts.unacknowledged), (3, 2, 0));
    assert_eq!(smsc.phone(number(B)).unwrap().inbox[0].direction, Direction::Out);
}

#[tokio::test]
async fn what_is_never_answered_is_sent_again_and_then_given_up() {
    let options = SmscOptions { resend_unanswered: Duration::from_millis(8), attempts: 3, ..options() };
    let smsc = Smsc::start(options).await.unwrap();
    let mut esme = Esme::bound(smsc.addr());
    assert!(smsc.reply(number(B), "+8613900000000", "hello"));
    let bodies: Vec<Vec<u8>> = (0..3).map(|_| esme.get().body).collect();
    assert_eq!(bodies[0], bodies[2]);
    until("it is given up", || smsc.counts().given_up == 1);
    esme.expect_silence();
    assert_eq!((smsc.counts().replies_sent, smsc.counts().unacknowledged), (3, 0));
}

#[tokio::test]
async fn a_reply_outside_the_gsm_alphabet_is_ucs2_and_a_long_one_comes_in_parts() {
    let smsc = Smsc::start(options()).await.unwrap();
    let mut esme = Esme::bound(smsc.addr());
    assert!(smsc.reply(number(B), "12599", "查📞"));
    assert!(esme.get().body.ends_with(&[8, 0, 6, 0x67, 0xe5, 0xd8, 0x3d, 0xdc, 0xde]));
    assert!(smsc.reply(number(B), "12599", &"k".repeat(161)));
    for (number, length) in [(1, 153), (2, 8)] {
        let got = esme.get();
        let tail = [vec![0, 0, length + 6, 5, 0, 3, 2, 2, number], vec![b'k'; length.into()]].concat();
        assert!(got.body.ends_with(&tail), "{got:?}");
    }
    assert!(!smsc.reply(number(B), &"9".repeat(21), "x"));
}

#[tokio::test]
async fn counted_faults_hit_the_next_submits() {
    let smsc = Smsc::start(options()).await.unwrap();
    let mut esme = Esme::bound(smsc.addr());
    smsc.set_faults(Faults {
        throttle_next: 1,
        queue_full_next: 1,
        refuse_next: Some((0x0b, 1)),
        silent_next: 1,
        answer_late: Some((Duration::from_millis(30), 1)),
        ..Faults::default()
    });
    for (sequence, status) in [(2, 0x58), (3, 0x14), (4, 0x0b)] {
        assert_eq!(esme.ask(4, sequence, &text(B, "refused")).status, status);
    }
    esme.send(4, 5, &text(B, "unanswered"));
    assert_eq!(esme.get().command, 5, "it was taken all the same");
    esme.send(4, 6, &text(B, "late"));
    esme.send(0x15, 7, &[]);
    let order: Vec<u32> = (0..3).map(|_| esme.get().command).collect();
    assert_eq!(
        order,
        [0x8000_0015, 0x8000_0004, 5],
        "others are answered meanwhile, and the receipt follows the answer"
    );
    assert_eq!(inbox(&smsc, B), ["unanswered", "late"]);
    let counts = smsc.counts();
    assert_eq!((counts.throttled, counts.queue_full, counts.refused, counts.silent), (1, 1, 1, 1));
    smsc.set_faults(Faults { silent_next: 1, silent_loses: true, ..Faults::default() });
    esme.send(4, 8, &text(B, "lost"));
    esme.expect_silence();
    assert_eq!(inbox(&smsc, B).len(), 2);
}

#[tokio::test]
async fn receipts_come_early_twice_and_in_other_forms_on_request() {
    let smsc = Smsc::start(options()).await.unwrap();
    let mut esme = Esme::bound(smsc.addr());
    let shape =
        ReceiptShape { id: ReceiptIdForm::Decimal, options: ReceiptOptions::Neither, ..ReceiptShape::default() };
    let receipts = vec![shape.clone(), shape];
    smsc.set_faults(Faults { receipts_before_answer: true, receipts, ..Faults::default() });
    esme.send(4, 2, &text(B, "x"));
    let [first, second, answer] = [esme.get(), esme.get(), esme.get()];
    assert_eq!((answer.command, answer.sequence), (0x8000_0004, 2));
    assert_eq!(first.body, second.body);
    let decimal = u64::from_str_radix(&answer.id(), 16).unwrap().to_string();
    assert!(is_receipt_of(&first, &decimal, "DELIVRD"), "{first:?}");
    assert!(first.shown().ends_with("text:x"), "no options");
}

#[tokio::test]
async fn dropped_sessions_get_their_receipts_after_they_bind_again() {
    let smsc = Smsc::start(options()).await.unwrap();
    let mut esme = Esme::bound(smsc.addr());
    let id = esme.ask(4, 2, &text(B, "x")).id();
    assert!(is_receipt_of(&esme.get(), &id, "DELIVRD"));
    smsc.set_faults(Faults { drop_sessions: true, ..Faults::default() });
    assert_eq!(esme.try_get(), None);
    let mut other = Esme::connect(smsc.addr());
    assert_eq!(other.ask(9, 1, b"other\0\0\0\x34\0\0\0").status, 0);
    other.expect_silence();
    let mut esme = Esme::bound(smsc.addr());
    let receipt = esme.get();
    assert!(is_receipt_of(&receipt, &id, "DELIVRD"), "{receipt:?}");
}

#[tokio::test]
async fn waiting_messages_are_queried_replaced_and_cancelled() {
    let smsc = Smsc::start(options()).await.unwrap();
    smsc.switch(number(B), false);
    let mut esme = Esme::bound(smsc.addr());
    let id = esme.ask(4, 2, &text(B, "old")).id();
    let about = [id.as_bytes(), b"\0\x03\x0012599\0"].concat();
    let other = [id.as_bytes(), b"\0\x03\x0012598\0"].concat();
    let new = |about: &[u8]| [about, b"\0\0\x01\0\x03new"].concat();
    let cancel = |about: &[u8]| [b"\0", about, b"\x01\x018613800000001\0"].concat();
    assert_eq!(esme.ask(3, 3, &about).shown(), format!("{id}\\x00\\x00\\x01\\x00"));
    assert_eq!(esme.ask(7, 4, &new(&other)).status, 0x13);
    assert_eq!(esme.ask(7, 5, &new(&about)).status, 0);
    let second = esme.ask(4, 6, &text(B, "second")).id();
    let second_about = [second.as_bytes(), b"\0\x03\x0012599\0"].concat();
    assert_eq!(esme.ask(8, 7, &cancel(&second_about)).status, 0);
    let receipt = esme.get();
    assert!(is_receipt_of(&receipt, &second, "DELETED"), "{receipt:?}");
    smsc.switch(number(B), true);
    assert!(is_receipt_of(&esme.get(), &id, "DELIVRD"));
    assert_eq!(inbox(&smsc, B), ["new"]);
    assert_eq!(esme.ask(7, 8, &new(&about)).status, 0x13, "too late");
    assert_eq!(esme.ask(8, 9, &cancel(&about)).status, 0x11, "too late");
    assert_eq!(esme.ask(3, 10, &about).shown(), format!("{id}\\x00\\x00\\x02\\x00"));
    smsc.set_faults(Faults { updates: Updates::Refused(0x03), ..Faults::default() });
    assert_eq!(esme.ask(7, 11, &new(&about)).status, 0x03);
    smsc.set_faults(Faults { updates: Updates::Silent, ..Faults::default() });
    esme.send(7, 12, &new(&about));
    esme.expect_silence();
}

#[tokio::test]
async fn replace_if_present_replaces_what_waits_from_the_same_source() {
    let smsc = Smsc::start(options()).await.unwrap();
    smsc.switch(number(B), false);
    let mut esme = Esme::bound(smsc.addr());
    let mut body = text(B, "one call");
    let first = esme.ask(4, 2, &body).id();
    body = text(B, "two calls");
    let flag = body.len() - "two calls".len() - 4;
    body[flag] = 1;
    assert_eq!(esme.ask(4, 3, &body).id(), first);
    smsc.switch(number(B), true);
    assert_eq!(inbox(&smsc, B), ["two calls"]);
    assert_eq!(smsc.counts().replaced, 1);
}

#[tokio::test]
async fn bad_pdus_are_answered_and_the_session_goes_on() {
    let smsc = Smsc::start(options()).await.unwrap();
    let mut esme = Esme::bound(smsc.addr());
    let unknown = esme.ask(0x0123, 9, b"junk");
    assert_eq!((unknown.command, unknown.status), (0x8000_0000, 0x03));
    assert_eq!(esme.ask(4, 10, b"\0\x01").status, 0xc2);
    esme.raw(&pdu(0x8000_0005, 0, 99, b"\0"));
    esme.expect_silence();
    assert_eq!(smsc.counts().bad_pdus, 3);
    for octet in pdu(0x15, 0, 11, &[]) {
        esme.raw(&[octet]);
    }
    assert_eq!(esme.get().sequence, 11, "one octet at a time");
    esme.raw(&[0, 0, 0, 9, 1, 2, 3, 4]);
    let nack = esme.get();
    assert_eq!((nack.command, nack.status), (0x8000_0000, 0x02));
    assert_eq!(esme.try_get(), None, "nobody can tell where the next PDU begins");
}

#[tokio::test]
async fn delays_hold_answers_and_deliveries_in_order() {
    let answer_delay = Duration::from_millis(20);
    let options = SmscOptions { answer_delay, delivery_delay: answer_delay, keep_submitted: 3, ..options() };
    let smsc = Smsc::start(options).await.unwrap();
    let mut esme = Esme::bound(smsc.addr());
    for sequence in 2..6 {
        esme.send(4, sequence, &text(B, &sequence.to_string()));
    }
    until("all are taken", || smsc.counts().accepted == 4);
    let answers: Vec<Got> = (0..4).map(|_| esme.get()).collect();
    assert_eq!(answers.iter().map(|got| got.sequence).collect::<Vec<_>>(), [2, 3, 4, 5]);
    for answer in &answers {
        assert!(is_receipt_of(&esme.get(), &answer.id(), "DELIVRD"));
    }
    assert_eq!(inbox(&smsc, B), ["2", "3", "4", "5"]);
    let submitted: Vec<String> = smsc.submitted().into_iter().map(|submit| submit.text).collect();
    assert_eq!(submitted, ["3", "4", "5"], "the latest three");
}

#[tokio::test]
async fn phones_are_bounded_and_messages_for_others_still_arrive() {
    let smsc = Smsc::start(SmscOptions { max_phones: 2, inbox_limit: 2, ..options() }).await.unwrap();
    let mut esme = Esme::bound(smsc.addr());
    for (sequence, to) in (2..8).zip(["8613800000001", "8613800000002", "8613800000003"].iter().cycle()) {
        esme.send(4, sequence, &text(to, &sequence.to_string()));
    }
    until("all are delivered", || smsc.counts().delivered == 6);
    assert_eq!(smsc.phones().len(), 2);
    assert_eq!(inbox(&smsc, "8613800000001"), ["2", "5"]);
}

#[tokio::test]
async fn a_stopped_centre_answers_nothing_and_frees_its_port() {
    let smsc = Smsc::start(options()).await.unwrap();
    let (addr, handle) = (smsc.addr(), smsc.clone());
    let mut esme = Esme::bound(addr);
    smsc.stop().await;
    assert_eq!(esme.try_get(), None);
    assert_eq!((handle.phones().len(), handle.counts().binds, handle.reply(number(B), "1", "x")), (0, 0, false));
    Smsc::start(SmscOptions { listen: addr, ..options() }).await.unwrap();
}
