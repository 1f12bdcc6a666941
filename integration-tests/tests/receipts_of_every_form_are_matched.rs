//! Receipts in every form that SMSCs give them (rows R01 to R35 of the matrix): each finds its alert, says what became of it once, and is acknowledged.

use anyhow::{Context as _, Result, ensure};
use integration_tests::simulator::hex;
use integration_tests::{Gateway, Simulator, World, wait};
use serde_json::{Value, json};

const CALLER: &str = "8613911112222";
const FIRST_HANDSET: u64 = 8_613_900_000_000;

/// A way in which an SMSC writes receipts, and what becomes of the alert.
struct Row {
    id: &'static str,
    faults: Value,
    becomes: &'static str,
}

fn row(id: &'static str, faults: Value, becomes: &'static str) -> Row {
    Row { id, faults, becomes }
}

/// One receipt, that differs from the standard's in this.
fn one(shape: &Value) -> Value {
    json!({ "receipts": [shape] })
}

fn ids(message_ids: &str, shape: &Value) -> Value {
    json!({ "message_ids": message_ids, "receipts": [shape] })
}

/// A receipt in the text alone, and this text.
fn text(text: &str) -> Value {
    one(&json!({ "options": "neither", "text": text }))
}

fn forms_of_ids() -> Vec<Row> {
    let delivered = |id, faults| row(id, faults, "delivered");
    vec![
        delivered("R01 hexadecimal in the answer, decimal in the receipt", ids("hex", &json!({ "id": "decimal" }))),
        delivered(
            "R02 decimal in the answer, hexadecimal in the receipt",
            ids("decimal", &json!({ "id": "hexadecimal" })),
        ),
        delivered(
            "R03 zeros in the answer, none in the receipt",
            ids("zero_padded", &json!({ "id": "zeros_stripped" })),
        ),
        delivered("R03 zeros in the receipt, none in the answer", ids("hex", &json!({ "id": "zero_padded" }))),
        delivered("R04 upper case in the answer", ids("hex_upper", &json!({ "id": "lower" }))),
        delivered("R04 upper case in the receipt", ids("hex", &json!({ "id": "upper" }))),
        delivered("R05 a UUID", ids("uuid", &json!({}))),
        delivered("R05 a UUID in another case", ids("uuid", &json!({ "id": "upper" }))),
        delivered("R06 25 digits", ids("digits", &json!({}))),
        delivered("R07 with -, : and .", ids("punctuated", &json!({}))),
        delivered("R07 with -, : and . in the text alone", ids("punctuated", &json!({ "options": "neither" }))),
        delivered("R08 a space and a NUL after it", ids("hex", &json!({ "place": "nowhere", "id_end": " \u{0}" }))),
        delivered("R08 no NUL after it", ids("hex", &json!({ "place": "nowhere", "id_end": "" }))),
        delivered("R08 a NUL in the text", text("id:{id}\u{0} sub:001 dlvrd:001 stat:{stat} err:000")),
    ]
}

fn places_and_classes() -> Vec<Row> {
    let delivered = |id, shape| row(id, one(&shape), "delivered");
    let mut rows = vec![
        delivered("R09 in the text alone", json!({ "options": "neither" })),
        delivered("R10 in message_payload", json!({ "options": "neither", "place": "payload" })),
        delivered("R11 in optional parameters alone", json!({ "place": "nowhere" })),
        delivered("R12 an optional parameter for the id, the state in the text", json!({ "options": "id" })),
        row(
            "R12 an id without a state says nothing; the next one does",
            json!({ "receipts": [{ "place": "nowhere", "options": "id" }, {}] }),
            "delivered",
        ),
        delivered("R13 by data_sm", json!({ "carrier": "data_sm" })),
        delivered("R13 by data_sm, in the text alone", json!({ "carrier": "data_sm", "options": "neither" })),
        row("R14 the text says delivered, the parameter undeliverable", one(&json!({ "state": 5 })), "undelivered"),
        row(
            "R14 the text says undeliverable, the parameter delivered",
            one(&json!({ "text": "id:{id} stat:UNDELIV err:001", "state": 2 })),
            "delivered",
        ),
        delivered("R15 esm_class 04", json!({})),
        delivered("R16 esm_class 44, with a header", json!({ "esm_class": 0x44, "options": "neither" })),
        delivered("R18 esm_class 00 and parameters", json!({ "esm_class": 0, "place": "nowhere" })),
        delivered("R19 esm_class 00 and text", json!({ "esm_class": 0, "options": "neither" })),
        row(
            "R20 an intermediate one, then the final one",
            json!({ "receipts": [{ "esm_class": 0x20, "text": "id:{id} stat:ENROUTE", "state": 1 }, {}] }),
            "delivered",
        ),
    ];
    rows.extend(
        [0x05, 0x06, 0x07]
            .map(|class| delivered("R17 mode bits beside", json!({ "esm_class": class, "options": "neither" }))),
    );
    rows
}

fn texts() -> Vec<Row> {
    let full = |dates: &str| {
        text(&format!(
            "id:{{id}} sub:001 dlvrd:001 submit date:{dates} done date:{dates} stat:{{stat}} err:000 text:STOP"
        ))
    };
    vec![
        row(
            "R21 without sub and dlvrd",
            text("id:{id} submit date:{submitted} done date:{done} stat:{stat} err:000 text:C"),
            "delivered",
        ),
        row("R22 without dates and err", text("id:{id} stat:{stat}"), "delivered"),
        row("R22 in another order and case", text("Stat:DELIVRD Err:0000 ID:{id} Text:C"), "delivered"),
        row("R23 a long err", text("id:{id} stat:UNDELIV err:0000123456789 text:"), "undelivered"),
        row("R24 an err in letters", text("id:{id} stat:UNDELIV err:E5Ab text:"), "undelivered"),
        row("R25 dates of 12 digits", full("261123160130"), "delivered"),
        row("R25 dates of 14 digits", full("20261123160130"), "delivered"),
        row("R25 dates that are none", full("9999999999"), "delivered"),
        row(
            "R26 data_coding 8 and an ASCII text",
            one(&json!({ "data_coding": 8, "options": "neither" })),
            "delivered",
        ),
        row(
            "R27 in UTF-16",
            one(
                &json!({ "data_coding": 8, "wide": true, "options": "neither", "text": "id:{id} stat:{stat} err:000" }),
            ),
            "delivered",
        ),
        row("R28 Vodafone's", text("00,{done},{submitted},,{phone},{originator},{id}"), "delivered"),
        row(
            "R28 Vodafone's, retrying and then delivered",
            json!({ "receipts": [
            { "options": "neither", "text": "01,{done},{submitted},,{phone},{originator},{id}" },
            { "options": "neither", "text": "00,{done},{submitted},,{phone},{originator},{id}" },
        ] }),
            "delivered",
        ),
        row(
            "R28 a Chinese gateway's code",
            text("id:{id} sub:001 dlvrd:000 submit date:{submitted} done date:{done} stat:CA:0051 err:000 text:"),
            "undelivered",
        ),
        row(
            "R28 a word that nobody documented, then the end",
            json!({ "receipts": [
            { "options": "neither", "text": "id:{id} stat:WHOKNOW err:000" },
            { "options": "neither" },
        ] }),
            "delivered",
        ),
    ]
}

fn times() -> Vec<Row> {
    vec![
        row("R29 before the answer", json!({ "receipts_before_answer": true }), "delivered"),
        row(
            "R29 before the answer, decimal",
            json!({ "receipts_before_answer": true, "receipts": [{ "id": "decimal" }] }),
            "delivered",
        ),
        row("R30 twice", json!({ "receipts": [{}, {}] }), "delivered"),
        row(
            "R31 accepted, then delivered",
            json!({ "receipts": [{ "text": "id:{id} stat:ACCEPTD err:000", "state": 6 }, {}] }),
            "delivered",
        ),
        row(
            "R32 expired, then delivered",
            json!({ "receipts": [{ "text": "id:{id} stat:EXPIRED err:000", "state": 3 }, {}] }),
            "expired",
        ),
    ]
}

/// One call to one person under these faults: told once, receipts acknowledged, and the alert ends as it should.
fn play(simulator: &Simulator, gateway: &Gateway, handset: &str, row: &Row) -> Result<()> {
    simulator.faults(&row.faults)?;
    gateway.subscribe(handset)?;
    gateway.take(&json!({ "id": handset, "caller": CALLER, "called": handset }))?;
    gateway.wait_alerts(handset, &[row.becomes])?;
    wait::until_true("every receipt is acknowledged", || Ok(simulator.count("unacknowledged")? == 0))?;
    gateway.wait_decided()?;
    let told = simulator.submits_to(handset)?.len();
    ensure!(told == 1, "told {told} times");
    // What came after the end changed nothing.
    gateway.wait_alerts(handset, &[row.becomes])
}

/// How many receipts found their alert this way.
fn matched(gateway: &Gateway, form: &str) -> Result<f64> {
    gateway.metric("afterring_receipts_matched_total", &[&format!("form=\"{form}\"")])
}

/// Two people whose messages have ids that are the same number in two forms.
#[test]
fn one_that_fits_two_alerts_goes_to_its_handset() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = World::with_simulator(&simulator, "")?;
    let gateway = world.start_bound()?;
    let people = ["8613900000001", "8613900000002"];
    people.iter().try_for_each(|handset| simulator.switch(handset, false))?;
    for (handset, id) in people.iter().zip(["10", "16"]) {
        simulator.faults(&json!({ "next_ids": [id] }))?;
        gateway.subscribe(handset)?;
        gateway.take(&json!({ "id": handset, "caller": CALLER, "called": handset }))?;
        gateway.wait_alerts(handset, &["accepted"])?;
    }
    // Of one that names no handset nobody can tell whose it is.
    let nobodys = json!({ "ton": 5, "npi": 0, "digits": "SMSC" });
    let message = hex(b"id:16 sub:001 dlvrd:001 stat:DELIVRD err:000 text:");
    simulator.deliver("", &json!({ "source": nobodys, "esm_class": 4, "message": message }))?;
    simulator.wait_count("replies_acked", 1)?;
    gateway.wait_decided()?;
    ensure!(matched(&gateway, "ambiguous")? == 1.0, "R08 an ambiguous receipt was not counted");
    people.iter().try_for_each(|handset| gateway.wait_alerts(handset, &["accepted"]))?;

    // The first one's receipt says 16, as if it were about the second one's message.
    simulator.faults(&json!({ "receipts": [{ "id": "decimal" }] }))?;
    simulator.switch(people[0], true)?;
    gateway.wait_alerts(people[0], &["delivered"]).context("R08")?;
    gateway.wait_alerts(people[1], &["accepted"]).context("R08, the other one")?;
    ensure!(matched(&gateway, "decimal")? == 1.0, "R08 how it was found is not told");
    gateway.stop()
}

#[test]
fn each_finds_its_alert() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = World::with_simulator(&simulator, "")?;
    let gateway = world.start_bound()?;
    let rows: Vec<Row> = [forms_of_ids(), places_and_classes(), texts(), times()].into_iter().flatten().collect();
    let mut failed = Vec::new();
    for (row, handset) in rows.iter().zip(FIRST_HANDSET..) {
        if let Err(error) = play(&simulator, &gateway, &handset.to_string(), row) {
            failed.push(format!("{}: {error:#}", row.id));
        }
    }
    ensure!(failed.is_empty(), "{} of {} rows:\n{}", failed.len(), rows.len(), failed.join("\n"));
    ensure!(simulator.count("given_up")? == 0 && simulator.count("resent")? == 0, "a receipt was refused");
    let disagreeing = gateway.metric("afterring_link_disagreeing_receipts_total", &[])?;
    ensure!(disagreeing == 2.0, "R14 {disagreeing} receipts disagree with themselves");
    ensure!(matched(&gateway, "hexadecimal")? == 1.0 && matched(&gateway, "ambiguous")? == 0.0, "R02, R08");
    let replies = gateway.metric("afterring_link_received_total", &["kind=\"reply\""])?;
    ensure!(replies == 0.0, "{replies} receipts were taken for replies");
    gateway.stop()
}
