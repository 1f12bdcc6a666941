//! `afterring smsc test`, the built command against the simulated SMSC.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use model::{Msisdn, Timestamp};
use serde_json::Value;
use simulator::{Binds, Faults, ReceiptIdForm, ReceiptShape, Smsc, SmscOptions, Updates};

const NUMBER: &str = "+8613800000001";

fn clock() -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000)
}

fn number() -> Msisdn {
    Msisdn::international(NUMBER.trim_start_matches('+')).unwrap()
}

async fn smsc() -> Smsc {
    let accounts = vec![("ring".to_owned(), "s3cret".to_owned())];
    let options = SmscOptions { accounts, keep_submitted: 10, ..SmscOptions::new(clock) };
    Smsc::start(options).await.unwrap()
}

async fn faulty(faults: Faults) -> Smsc {
    let smsc = smsc().await;
    smsc.set_faults(faults);
    smsc
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn url(smsc: &Smsc, parameters: &str) -> String {
    format!("smpp://ring:s3cret@{}?name=north&{parameters}", smsc.addr())
}

fn run(urls: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterring"));
    command.args(["smsc", "test"]).args(arguments).env_clear().current_dir(std::env::temp_dir());
    command.env("AFTERRING_SERVICE__CODE", "12599").env("AFTERRING_SMSC__URLS", urls);
    let said = command.output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    let said = Said { code: said.status.code().unwrap(), out: text(said.stdout), err: text(said.stderr) };
    assert!(!said.out.contains("s3cret") && !said.err.contains("s3cret"), "{}{}", said.out, said.err);
    said
}

/// Sends to the number, and looks for words in what is said.
fn expect(smsc: &Smsc, parameters: &str, arguments: &[&str], code: i32, words: &[&str]) -> Said {
    let said = run(&url(smsc, parameters), &[&["--to", NUMBER], arguments].concat());
    for word in words {
        assert!(said.out.contains(word), "{word:?} is not in:\n{}{}", said.out, said.err);
    }
    assert_eq!(said.code, code, "{}{}", said.out, said.err);
    said
}

#[tokio::test]
async fn each_step_is_told_until_the_message_is_delivered() {
    let smsc = smsc().await;
    let arguments = ["--text", "are you there", "--kind", "teaser"];
    let words = [
        "north/test: connecting to 127.0.0.1:",
        "(transceiver as ring, SMPP 3.4)",
        "bind answered with 0x00000000 (ESME_ROK)",
        "submit_sm: a teaser from 12599 to +8613800000001: \"are you there\"",
        "submit_sm_resp: 0x00000000 (ESME_ROK), message_id ",
        "receipt: delivered (DELIVRD)",
        "(as in the answer)",
        "unbound; it works",
    ];
    expect(&smsc, "", &arguments, 0, &words);
    let submitted = smsc.submitted();
    assert_eq!(
        (submitted.len(), submitted[0].text.as_str(), submitted[0].source.as_str()),
        (1, "are you there", "12599")
    );
    let counts = smsc.counts();
    assert_eq!((counts.binds, counts.bound, counts.receipts_acked, counts.unacknowledged), (1, 0, 1, 0));
}

#[tokio::test]
async fn a_pair_is_tried_with_one_session_in_each_direction() {
    let smsc = smsc().await;
    let words = ["north/test-tx: connected", "north/test-rx: connected", "receipt: delivered"];
    expect(&smsc, "bind=pair&binds=3", &[], 0, &words);
    assert_eq!(smsc.counts().binds, 2);
}

#[tokio::test]
async fn every_part_of_a_long_message_has_its_receipt() {
    let smsc = smsc().await;
    let said = expect(&smsc, "", &["--text", &"a".repeat(161)], 0, &["unbound; it works"]);
    assert_eq!(said.out.matches("receipt: delivered").count(), 2, "{}", said.out);
    assert_eq!(smsc.counts().receipts_acked, 2);
}

#[tokio::test]
async fn the_form_of_ids_in_receipts_is_told() {
    let decimal = ReceiptShape { id: ReceiptIdForm::Decimal, ..ReceiptShape::default() };
    let smsc = faulty(Faults { receipts: vec![decimal], ..Faults::default() }).await;
    // Answers number messages in hexadecimal: the first whose decimal looks different.
    for _ in 0..10 {
        expect(&smsc, "", &[], 0, &[]);
    }
    expect(&smsc, "", &[], 0, &["receipt: delivered", "receipt_id=decimal"]);
}

#[tokio::test]
async fn a_receipt_before_the_answer_counts() {
    let smsc = faulty(Faults { receipts_before_answer: true, ..Faults::default() }).await;
    expect(&smsc, "", &[], 0, &["receipt: delivered", "after 0 ms"]);
}

#[tokio::test]
async fn steps_are_lines_of_json_when_asked_for() {
    let smsc = smsc().await;
    let said = expect(&smsc, "", &["--json"], 0, &[]);
    let steps: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["connecting", "bound", "submitted", "accepted", "receipt", "unbound"]);
    assert_eq!(steps[4]["state"], "delivered");
    assert!(steps[4]["ms"].is_u64() && steps[3]["message_ids"].is_array(), "{}", said.out);
    assert_eq!(steps[5]["delivered"], true);
}

#[tokio::test]
async fn a_refused_bind_says_what_to_do() {
    let smsc = smsc().await;
    let wrong = format!("smpp://ring:wrong@{}", smsc.addr());
    let said = run(&wrong, &["--to", NUMBER]);
    assert_eq!(said.code, 69, "{}", said.out);
    assert!(said.out.contains("0x0000000e (ESME_RINVPASWD)") && said.out.contains("Its password"), "{}", said.out);
    for (status, words) in [
        (0x05, ["ESME_RALYBND", "does the gateway run?"]),
        (0x0d, ["ESME_RBINDFAIL", "does the gateway run?"]),
        (0x0f, ["ESME_RINVSYSID", "doesn't know this system_id"]),
        (0x03, ["ESME_RINVCMDID", "bind=pair"]),
        (0x500, ["the SMSC's own", "Ask its operator"]),
    ] {
        smsc.set_faults(Faults { binds: Binds::Refused(status), ..Faults::default() });
        expect(&smsc, "", &[], 69, &words);
    }
    assert_eq!(smsc.counts().submits, 0);
}

#[test]
fn where_nobody_listens_or_speaks_smpp_the_way_is_looked_at() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It takes the connection and never says anything.
    let said = run(&format!("smpp://a:b@{address}?bind_timeout=200ms"), &["--to", NUMBER]);
    assert_eq!(said.code, 69, "{}", said.out);
    assert!(said.out.contains("bind not answered in time") && said.out.contains("smpps://"), "{}", said.out);
    drop(listener);
    let said = run(&format!("smpp://a:b@{address}"), &["--to", NUMBER]);
    assert_eq!(said.code, 69, "{}", said.out);
    assert!(said.out.contains("Nothing listens there"), "{}", said.out);
}

#[tokio::test]
async fn its_pdus_are_written_down_where_settings_say_without_number_and_password() {
    let smsc = smsc().await;
    let dir = tempfile::tempdir().unwrap();
    let trace = format!("smsc.trace={}", dir.path().display());
    expect(&smsc, "", &["--text", "are you there", "--set", &trace], 0, &["unbound; it works"]);
    let text = std::fs::read_to_string(dir.path().join("north_test.log")).unwrap();
    for pdu in ["> BindTransceiver ", "> SubmitSm ", "< SubmitSmResp ", "< DeliverSm ", "> Unbind "] {
        assert!(text.contains(pdu), "{pdu} is not in:\n{text}");
    }
    for secret in ["s3cret", "8613800000001", "are you there"] {
        assert!(!text.contains(secret), "{secret} is in:\n{text}");
    }
}

#[test]
fn an_smsc_that_does_not_connect_by_itself_is_told() {
    let urls = "smpp://a:b@smsc.example?outbind=127.0.0.1:0&bind_timeout=100ms";
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = run(&urls.replace("127.0.0.1:0", &free.to_string()), &["--to", NUMBER, "--timeout", "200ms"]);
    assert_eq!(said.code, 69, "{}{}", said.out, said.err);
    assert!(said.out.contains(&format!("connecting to us at {free}")), "{}", said.out);
    assert!(said.out.contains("the SMSC did not connect") && said.out.contains("leave outbind= out"), "{}", said.out);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let said = run(&urls.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string()), &["--to", NUMBER]);
    assert_eq!(said.code, 69, "{}{}", said.out, said.err);
    assert!(said.out.contains("its port free?"), "{}", said.out);
}

#[tokio::test]
async fn an_smsc_without_tls_is_told() {
    let smsc = smsc().await;
    let said = run(&url(&smsc, "bind_timeout=1s").replace("smpp://", "smpps://"), &["--to", NUMBER]);
    assert_eq!(said.code, 69, "{}{}", said.out, said.err);
    assert!(said.out.contains("SMPP 3.4, TLS)") && said.out.contains("no TLS: "), "{}", said.out);
}

#[tokio::test]
async fn what_is_not_taken_says_what_to_do() {
    let smsc = smsc().await;
    for (status, words) in [
        (0x0b, ["ESME_RINVDSTADR", "dest_ton_npi="]),
        (0x0a, ["ESME_RINVSRCADR", "source_ton_npi="]),
        (0x58, ["ESME_RTHROTTLED", "Set rate="]),
        (0x500, ["the SMSC's own", "status="]),
    ] {
        smsc.set_faults(Faults { refuse_next: Some((status, 1)), ..Faults::default() });
        expect(&smsc, "", &[], 69, &words);
    }
    assert_eq!(smsc.counts().delivered, 0);
}

#[tokio::test]
async fn an_answer_that_is_missing_or_late_is_told() {
    let smsc = faulty(Faults { silent_next: 1, silent_loses: true, ..Faults::default() }).await;
    let words = ["none within timeout=", "Whether it was taken isn't known"];
    expect(&smsc, "timeout=100ms", &["--timeout", "500ms"], 69, &words);
    smsc.set_faults(Faults { answer_late: Some((Duration::from_millis(400), 1)), ..Faults::default() });
    let words = ["none within timeout=", "later than timeout= allows", "unbound; it works"];
    expect(&smsc, "timeout=100ms", &[], 0, &words);
}

#[tokio::test]
async fn without_a_receipt_it_says_what_that_can_mean() {
    let smsc = smsc().await;
    smsc.add_phone(number(), false);
    expect(&smsc, "", &["--timeout", "300ms"], 69, &["no receipt within 300 ms", "The phone may be off"]);
}

#[tokio::test]
async fn a_second_message_is_asked_about_replaced_and_cancelled() {
    let smsc = smsc().await;
    smsc.add_phone(number(), false);
    let words =
        ["no receipt within", "query_sm: on its way (ENROUTE)", "replace_sm: done", "cancel_sm: done", "unbound"];
    expect(&smsc, "bind=pair", &["--updates", "--timeout", "300ms"], 69, &words);
    let counts = smsc.counts();
    assert_eq!((counts.replaced, counts.cancelled, counts.submits), (1, 1, 2));
    let delivered_at_once =
        ["receipt: delivered", "query_sm: delivered (DELIVRD)", "replace_sm: refused with", "ESME_R"];
    smsc.switch(number(), true);
    expect(&smsc, "bind=pair", &["--updates"], 0, &delivered_at_once);
    smsc.set_faults(Faults { updates: Updates::Refused(0x03), ..Faults::default() });
    expect(&smsc, "", &["--updates"], 0, &["query_sm: it can't: 0x00000003 (ESME_RINVCMDID)", "bind=pair"]);
    smsc.set_faults(Faults { updates: Updates::Silent, ..Faults::default() });
    expect(&smsc, "update_timeout=100ms", &["--updates"], 0, &["cancel_sm: not answered within update_timeout="]);
}

#[tokio::test]
async fn where_no_receipt_is_asked_for_none_is_waited_for() {
    let smsc = smsc().await;
    expect(&smsc, "registered_delivery=0", &[], 0, &["no receipt was asked for", "unbound; it works"]);
}

#[tokio::test]
async fn what_others_are_sent_is_left_to_the_smsc() {
    let options = SmscOptions { delivery_delay: Duration::from_millis(300), ..SmscOptions::new(clock) };
    let smsc = Smsc::start(options).await.unwrap();
    let other = Msisdn::international("8613800000009").unwrap();
    assert!(smsc.reply(other, "12599", "C"));
    expect(&smsc, "", &[], 0, &["of others that were not taken", "unbound; it works"]);
    let counts = smsc.counts();
    assert!(counts.replies_sent > 0, "{counts:?}");
    assert_eq!((counts.replies_acked, counts.receipts_acked), (0, 1));
}

#[test]
fn what_cannot_be_tried_is_told_before_anything_is_sent() {
    for (urls, arguments, code, words) in [
        ("", &["--to", NUMBER][..], 78, "AFTERRING_SMSC__URLS"),
        ("smpp://a:b@127.0.0.1:1?bnid=pair", &["--to", NUMBER], 78, "unknown parameter"),
        ("smpp://a:b@127.0.0.1:1?name=n", &["--to", NUMBER, "--smsc", "m"], 64, "there are: n"),
        ("smpp://a:b@127.0.0.1:1,smpp://a:b@127.0.0.1:2", &["--to", NUMBER], 64, "say which by --smsc"),
        ("smpp://a:b@127.0.0.1:1", &["--to", "abc"], 64, "--to: "),
        ("smpp://a:b@127.0.0.1:1", &["--to", NUMBER, "--kind", "letter"], 64, "not a kind of message"),
        ("smpp://a:b@127.0.0.1:1", &["--to", NUMBER, "--timeout", "60"], 64, "without its unit"),
        ("smpp://a:b@127.0.0.1:1", &["--to", NUMBER, "--timeout", "2d"], 64, "at most 1d"),
        ("smpp://a:b@127.0.0.1:1", &[], 64, "--to"),
    ] {
        let said = run(urls, arguments);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{}", said.err);
        assert!(said.err.contains(words), "{words:?} is not in: {}", said.err);
    }
}
