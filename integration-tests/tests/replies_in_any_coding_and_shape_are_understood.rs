//! What people text, as phones, networks and SMSCs write it (rows M01 to M16 and, of what is received, E01 to E10 of the matrix): the keyword in it is found, whoever
//! is no subscriber is never answered, and every message is acknowledged.

use anyhow::{Context as _, Result, ensure};
use integration_tests::simulator::hex;
use integration_tests::{Gateway, Simulator, World, wait};
use serde_json::{Value, json};

const FIRST_HANDSET: u64 = 8_613_900_000_000;

/// A message that subscribes, as fields of the simulator's delivery, one for each PDU.
struct Row {
    id: &'static str,
    pdus: Vec<Value>,
}

fn row(id: &'static str, pdu: Value) -> Row {
    Row { id, pdus: vec![pdu] }
}

fn coded(id: &'static str, data_coding: u8, octets: &[u8]) -> Row {
    row(id, json!({ "data_coding": data_coding, "message": hex(octets) }))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn wide(id: &'static str, text: &str) -> Row {
    coded(id, 8, &utf16(text))
}

fn typed() -> Vec<Row> {
    vec![
        coded("M01 spaces around", 0, b"  KT  "),
        coded("M02 lower case", 0, b"kt"),
        coded("M03 a NUL after it", 0, b"KT\0"),
        wide("M03 a NUL after it, in UCS-2", "KT\0"),
        wide("M04 full width", "ＫＴ"),
        wide("M05 an ideographic space", "\u{3000}KT\u{3000}"),
        wide("M06 quotes of Chinese", "「KT」"),
        coded("M06 quotes", 0, b"\"KT\""),
        wide("M07 a full stop of Chinese", "kt。"),
        coded("M07 a full stop and an exclamation mark", 0, b"KT.!"),
        coded("M08 CR and LF", 0, b"KT\r\n"),
        wide("M09 BOM, NBSP, zero width", "\u{feff}K\u{200b}T\u{a0}"),
        wide("M10 an emoji", "KT 👍🏽"),
        wide("M11 a keyword in Chinese", "订阅"),
        row("M12 a header with ports", json!({ "esm_class": 0x40, "message": hex(b"\x06\x05\x04\x0b\x84\x23\xf0KT") })),
        row("M14 in message_payload", json!({ "options": [[0x0424, hex(b"KT")]] })),
        row("M14 by data_sm", json!({ "carrier": "data_sm", "options": [[0x0424, hex(b"KT")]] })),
        row("M15 in both fields", json!({ "message": hex(b"KT"), "options": [[0x0424, hex(b"KT")]] })),
        coded("M16 binary", 4, b"KT"),
        row(
            "M16 an unknown optional parameter",
            json!({ "message": hex(b"KT"), "options": [[0x1400, "0102"], [0x0204, "0001"]] }),
        ),
        row("M16 mode bits", json!({ "esm_class": 0x03, "message": hex(b"KT") })),
    ]
}

fn codings() -> Vec<Row> {
    vec![
        coded("E01 data_coding 1", 1, b"KT"),
        coded("E01 data_coding 3", 3, b"\xe9t\xe9"),
        coded("E02 data_coding 2", 2, b"KT"),
        coded("E02 data_coding f0", 0xf0, b"KT"),
        coded("E02 data_coding f1", 0xf1, b"KT"),
        coded("E02 data_coding 11", 0x11, b"KT"),
        coded("E02 data_coding 19", 0x19, &utf16("订阅")),
        coded("E02 GSM's own letters", 0, b"\x05t\x05"),
        coded("E03 UCS-2 and an octet too many", 8, &[&utf16("KT")[..], b"\0"].concat()),
        coded("E04 UCS-2 and half a surrogate pair", 8, &[&utf16("KT")[..], &[0xd8, 0x3d]].concat()),
        coded("E05 a BOM", 8, &[&[0xfe, 0xff][..], &utf16("KT")].concat()),
        coded("E06 little endian", 8, b"K\0T\0"),
        coded("E06 little endian with its BOM", 8, b"\xff\xfeK\0T\0"),
        coded("E07 UTF-8 under data_coding 8", 8, "订阅。".as_bytes()),
        coded("E07 UCS-2 under data_coding 0", 0, &utf16("KT")),
        coded("E08 an escape at the end", 0, b"KT\x1b"),
        coded("E08 GSM's extension", 0, b"\x1b\x3cKT\x1b\x3e"),
    ]
}

/// "KT" cut into parts by each way there is, and in any order.
fn parts() -> Vec<Row> {
    let udh8 = |part: u8, body: &[u8]| json!({ "esm_class": 0x40, "message": hex(&[&[5, 0, 3, 0x2a, 2, part], body].concat()) });
    let udh16 = |part: u8, body: &[u8]| json!({ "esm_class": 0x40, "message": hex(&[&[6, 8, 4, 0x12, 0x34, 2, part], body].concat()) });
    let sar = |part: u8, body: &[u8]| json!({ "message": hex(body), "options": [[0x020c, "0077"], [0x020e, "02"], [0x020f, hex(&[part])]] });
    vec![
        Row { id: "M13 two parts, 8 bit reference", pdus: vec![udh8(1, b"K"), udh8(2, b"T")] },
        Row { id: "M13 two parts, the second first", pdus: vec![udh8(2, b"T"), udh8(1, b"K")] },
        Row { id: "M13 two parts, one of them twice", pdus: vec![udh8(1, b"K"), udh8(1, b"K"), udh8(2, b"T")] },
        Row { id: "M13 two parts, 16 bit reference", pdus: vec![udh16(2, b"T"), udh16(1, b"K")] },
        Row { id: "M13 two parts by SAR parameters", pdus: vec![sar(2, b"T"), sar(1, b"K")] },
    ]
}

fn settled(simulator: &Simulator, gateway: &Gateway) -> Result<()> {
    wait::until_true("every message is acknowledged", || Ok(simulator.count("unacknowledged")? == 0))?;
    gateway.wait_decided()
}

fn world(simulator: &Simulator, parameters: &str) -> Result<World> {
    let mut world = World::with_simulator(simulator, parameters)?;
    world.set("KEYWORDS__SUBSCRIBE", "KT,ON,été,订阅");
    Ok(world)
}

#[test]
fn the_keyword_is_found() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = world(&simulator, "")?;
    let gateway = world.start_bound()?;
    let rows: Vec<Row> = [typed(), codings(), parts()].into_iter().flatten().collect();
    let mut failed = Vec::new();
    for (row, handset) in rows.iter().zip(FIRST_HANDSET..) {
        let handset = handset.to_string();
        for pdu in &row.pdus {
            simulator.deliver(&handset, pdu)?;
        }
        let found = wait::until_true("subscribed", || gateway.is_subscribed(&handset));
        if let Err(error) = found {
            failed.push(format!("{}: {error:#}; {}", row.id, gateway.timeline(&handset)?));
        }
    }
    settled(&simulator, &gateway)?;
    ensure!(failed.is_empty(), "{} of {} rows:\n{}", failed.len(), rows.len(), failed.join("\n"));
    ensure!(simulator.count("resent")? == 0, "a message was refused");
    gateway.stop()
}

#[test]
fn packed_septets_are_understood_where_the_smsc_packs() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = world(&simulator, "?packed=true")?;
    let gateway = world.start_bound()?;
    // "KT" in septets: 0x4b, 0x54.
    simulator.deliver("8613900000001", &json!({ "message": hex(&[0x4b, 0x2a]) }))?;
    wait::until_true("E07 packed: subscribed", || gateway.is_subscribed("8613900000001"))?;
    gateway.stop()
}

#[test]
fn the_default_alphabet_is_the_smscs() -> Result<()> {
    for (charset, octets) in [("latin1", &b"\xe9t\xe9"[..]), ("utf8", "été".as_bytes()), ("ascii", b"KT")] {
        let simulator = Simulator::start()?;
        let world = world(&simulator, &format!("?charset={charset}"))?;
        let gateway = world.start_bound()?;
        simulator.deliver("8613900000001", &json!({ "message": hex(octets) }))?;
        wait::until_true("subscribed", || gateway.is_subscribed("8613900000001")).with_context(|| charset)?;
        gateway.stop()?;
    }
    Ok(())
}

#[test]
fn numbers_are_completed_and_robots_are_not_answered() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = world(&simulator, "")?;
    let gateway = world.start_bound()?;
    let from = |ton: u8, npi: u8, digits: &str| json!({ "source": { "ton": ton, "npi": npi, "digits": digits }, "message": hex(b"KT") });
    for (id, source, handset) in [
        ("M16 a national number", from(2, 1, "13900000001"), "8613900000001"),
        ("M16 an unknown type of number", from(0, 1, "8613900000002"), "8613900000002"),
        ("M16 a + before it", from(1, 1, "+8613900000003"), "8613900000003"),
        ("M16 the national prefix before it", from(0, 0, "013900000004"), "8613900000004"),
    ] {
        simulator.deliver("", &source)?;
        wait::until_true("subscribed", || gateway.is_subscribed(handset)).with_context(|| id)?;
    }
    let answers = simulator.count("accepted")?;
    for (ton, digits) in [(5, "Bank"), (3, "10086"), (6, "10086"), (1, "10086"), (0, "12599"), (0, "")] {
        simulator.deliver("", &from(ton, 0, digits))?;
    }
    settled(&simulator, &gateway)?;
    ensure!(simulator.count("accepted")? == answers, "a robot was answered");
    ensure!(simulator.count("resent")? == 0, "a message was refused");
    gateway.stop()
}

/// One part of two says nothing, and nothing is answered to it.
#[test]
fn a_part_alone_is_no_message() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = world(&simulator, "")?;
    let gateway = world.start_bound()?;
    let part = json!({ "esm_class": 0x40, "message": hex(b"\x05\0\x03\x2a\x02\x01KT") });
    simulator.deliver("8613900000001", &part)?;
    simulator.wait_count("replies_acked", 1)?;
    settled(&simulator, &gateway)?;
    ensure!(!gateway.is_subscribed("8613900000001")?, "M13 half a message was taken for a whole one");
    ensure!(simulator.submits_to("8613900000001")?.is_empty(), "M13 half a message was answered");
    gateway.stop()
}

/// Words that are none of ours are answered as the product says, and not for ever.
#[test]
fn nobody_is_answered_for_ever() -> Result<()> {
    let simulator = Simulator::start()?;
    let mut world = world(&simulator, "")?;
    world.set("REPLY__LIMIT", "3");
    let gateway = world.start_bound()?;
    for text in ["", "?", "see you at eight", "KT please", "👍", "HELP", "?", "?", "?", "?", "?"] {
        simulator.reply("8613900000001", text)?;
    }
    settled(&simulator, &gateway)?;
    gateway.stop()?;
    let answers = simulator.submits_to("8613900000001")?.len();
    ensure!((1..=3).contains(&answers), "{answers} answers");
    ensure!(simulator.count("replies_acked")? == 11, "a message was not acknowledged");
    Ok(())
}
