//! Messages as each SMSC wants them written (the sending half of rows E01 to E10 of the matrix): in its default alphabet, packed, in parts of every kind; what the
//! handset shows is what was written, and each field of the PDU is as it was set.

use anyhow::{Context as _, Result, ensure};
use integration_tests::{Gateway, Simulator, World};
use serde_json::{Value, json};

const SUBSCRIBER: &str = "8613900000001";
const PROSPECT: &str = "8613800000001";

/// How an SMSC wants it, how the simulated one is told so, and what each part looks like then.
#[derive(Clone, Copy)]
struct Row {
    id: &'static str,
    parameters: &'static str,
    alphabet: &'static str,
    data_coding: u64,
    /// Octets of every part but the last.
    full: usize,
    looks: fn(&Value) -> bool,
}

const fn gsm(id: &'static str, parameters: &'static str, full: usize, looks: fn(&Value) -> bool) -> Row {
    Row { id, parameters, alphabet: "gsm", data_coding: 0, full, looks }
}

const fn ucs2(id: &'static str, parameters: &'static str, full: usize, looks: fn(&Value) -> bool) -> Row {
    Row { data_coding: 8, ..gsm(id, parameters, full, looks) }
}

fn begins(submit: &Value, with: &str) -> bool {
    submit["esm_class"].as_u64().is_some_and(|class| class & 0x40 != 0)
        && submit["user_data"].as_str().is_some_and(|octets| octets.starts_with(with))
}

fn octets(submit: &Value) -> usize {
    submit["user_data"].as_str().map_or(0, |octets| octets.len() / 2)
}

const HEADER_8: fn(&Value) -> bool = |part| begins(part, "050003");
const HEADER_16: fn(&Value) -> bool = |part| begins(part, "060804");
const SAR: fn(&Value) -> bool = |part| part["sar"] == true && part["esm_class"] == 0;
const PAYLOAD: fn(&Value) -> bool = |part| part["payload"] == true && part["esm_class"] == 0;

/// A long message in English: several parts of the default alphabet; 153 characters each, or 152 behind a header of 16 bits.
const LONG: [Row; 9] = [
    gsm("E09 GSM, header of 8 bits", "", 6 + 153, HEADER_8),
    gsm("E09 GSM, header of 16 bits", "?long=udh16", 7 + 152, HEADER_16),
    gsm("E09 GSM, SAR parameters", "?long=sar", 153, SAR),
    gsm("E09 GSM, message_payload", "?long=payload", 0, PAYLOAD),
    Row { alphabet: "latin1", ..gsm("E09 Latin-1", "?charset=latin1", 6 + 153, HEADER_8) },
    Row { alphabet: "ascii", ..gsm("E09 ASCII", "?charset=ascii", 6 + 153, HEADER_8) },
    Row { alphabet: "utf8", ..gsm("E09 UTF-8", "?charset=utf8", 6 + 153, HEADER_8) },
    Row { alphabet: "packed", ..gsm("E08 packed", "?packed=true", 140, HEADER_8) },
    Row { alphabet: "packed", ..gsm("E08 packed, header of 16 bits", "?packed=true&long=udh16", 140, HEADER_16) },
];

/// A long message in Chinese: 67 characters in a part, or 66 behind a header of 16 bits.
const CHINESE: [Row; 4] = [
    ucs2("E10 UCS-2, header of 8 bits", "", 6 + 134, HEADER_8),
    ucs2("E10 UCS-2, header of 16 bits", "?long=udh16", 7 + 132, HEADER_16),
    ucs2("E10 UCS-2, SAR parameters", "?long=sar", 134, SAR),
    ucs2("E10 UCS-2, message_payload", "?long=payload", 0, PAYLOAD),
];

fn start(row: &Row, simulator: &Simulator, world: &mut World, language: &str) -> Result<Gateway> {
    simulator.faults(&json!({ "alphabet": row.alphabet }))?;
    world
        .set("TEXT__LANGUAGE", language)
        .set("ALERT__MAX_PARTS", "4")
        .set("SMSC__URLS", &simulator.url(row.parameters));
    world.start_bound()
}

/// Several people called one; the detail in parts arrives as the timeline has it.
fn play(row: &Row, language: &str) -> Result<()> {
    let simulator = Simulator::start()?;
    let mut world = World::new()?;
    let gateway = start(row, &simulator, &mut world, language)?;
    gateway.subscribe(SUBSCRIBER)?;
    let call =
        |n: u64| json!({ "id": n.to_string(), "caller": (8_613_911_110_000 + n).to_string(), "called": SUBSCRIBER });
    // None is told before all are decided.
    let order = |what: &str, wish: Value| gateway.admin("POST", &format!("/v1/links/all/{what}"), &wish);
    order("drain", json!({ "for": "1h", "reason": "test" }))?;
    gateway.take(&(0..9).map(call).collect::<Value>())?;
    gateway.wait_decided()?;
    order("rebind", json!({ "reason": "test" }))?;
    gateway.wait_alerts(SUBSCRIBER, &["delivered"])?;
    let written = gateway.alerts(SUBSCRIBER)?[0]["text"].clone();
    let shown = simulator.inbox(SUBSCRIBER)?;
    ensure!(shown.len() == 1 && written == shown[0], "written {written}, shown {shown:?}");
    let parts = simulator.submits_to(SUBSCRIBER)?;
    let whole = parts.iter().any(|part| part["payload"] == true);
    ensure!(if whole { parts.len() == 1 } else { parts.len() > 1 }, "{parts:#?}");
    for (part, place) in parts.iter().zip(1..) {
        ensure!(part["data_coding"] == row.data_coding && (row.looks)(part), "{part:#}");
        ensure!(place == parts.len() || octets(part) == row.full, "{} octets: {part:#}", octets(part));
    }
    gateway.stop()
}

#[test]
fn long_ones_in_the_default_alphabet() -> Result<()> {
    LONG.iter().try_for_each(|row| play(row, "en").context(row.id))
}

#[test]
fn long_ones_in_chinese() -> Result<()> {
    CHINESE.iter().try_for_each(|row| play(row, "zh-CN").context(row.id))
}

/// What a price may hold goes into a teaser: the default alphabet takes what it has, all else goes as UCS-2.
#[test]
fn letters_of_every_alphabet() -> Result<()> {
    for (id, alphabet, parameters, price, data_coding) in [
        ("E01 GSM's own", "gsm", "", "5 £ à Ω", 0),
        ("E01 GSM's extension", "gsm", "", "5 € [~]", 0),
        ("E01 not in GSM", "gsm", "", "5 ₽ 元 😀", 8),
        ("E02 Latin-1", "latin1", "?charset=latin1", "5 £ à @ ñ", 0),
        ("E02 not in Latin-1", "latin1", "?charset=latin1", "5 €", 8),
        ("E03 ASCII", "ascii", "?charset=ascii", "5 $ [~] @", 0),
        ("E03 not in ASCII", "ascii", "?charset=ascii", "5 £", 8),
        ("E04 UTF-8", "utf8", "?charset=utf8", "5 € à Ω", 0),
        ("E08 packed", "packed", "?packed=true", "5 € [~] @", 0),
    ] {
        let simulator = Simulator::start()?;
        let mut world = World::new()?;
        world.set("RANGES", "south=86138*:1000").set("TEASER__FETCH_PRICE", price).set("ALERT__MAX_PARTS", "10");
        let row = Row { alphabet, ..gsm(id, parameters, 0, |_| true) };
        let mut play = || {
            let gateway = start(&row, &simulator, &mut world, "en")?;
            gateway.take(&json!({ "id": "1", "caller": "8613911112222", "called": PROSPECT }))?;
            gateway.wait_alerts(PROSPECT, &["delivered"])?;
            let shown = simulator.inbox(PROSPECT)?;
            ensure!(shown.len() == 1 && shown[0].contains(price), "shown {shown:?}");
            ensure!(gateway.alerts(PROSPECT)?[0]["text"] == shown[0], "shown {shown:?}");
            let submits = simulator.submits_to(PROSPECT)?;
            ensure!(submits.iter().all(|part| part["data_coding"] == data_coding), "{submits:#?}");
            gateway.stop()
        };
        play().context(id)?;
    }
    Ok(())
}

/// A teaser in which prices make up so many characters of this kind: how long it is as a phone counts, and in how many parts it came.
fn teaser(language: &str, filler: &str, count: usize) -> Result<(usize, usize)> {
    // Two prices, of at most 40 characters each.
    let (fetch, subscribe) = (count.div_ceil(2), count / 2);
    let simulator = Simulator::start()?;
    let mut world = World::with_simulator(&simulator, "")?;
    world
        .set("RANGES", "south=86138*:1000")
        .set("TEXT__LANGUAGE", language)
        .set("ALERT__MAX_PARTS", "10")
        .set("TEASER__FETCH_PRICE", &filler.repeat(fetch))
        .set("TEASER__SUBSCRIBE_PRICE", &filler.repeat(subscribe));
    let gateway = world.start_bound()?;
    gateway.take(&json!({ "id": "1", "caller": "8613911112222", "called": PROSPECT }))?;
    gateway.wait_alerts(PROSPECT, &["delivered"])?;
    gateway.stop()?;
    let shown = simulator.inbox(PROSPECT)?.pop().context("nothing arrived")?;
    let wide = shown.chars().any(|c| c > '\u{2fff}');
    let septets = |c: char| if "^{}\\[~]|€".contains(c) { 2 } else { 1 };
    let length = if wide { shown.encode_utf16().count() } else { shown.chars().map(septets).sum() };
    Ok((length, simulator.submits_to(PROSPECT)?.len()))
}

/// 160 septets or 70 UTF-16 units are one message, one more makes two: filled up with letters of one unit and of two.
#[test]
fn one_message_holds_160_septets_or_70_units() -> Result<()> {
    for (id, language, filler, width, limit) in [
        ("E09 160 of GSM", "en", "x", 1, 160),
        ("E09 160 of GSM, by letters of two septets", "en", "[", 2, 160),
        ("E10 70 of UCS-2", "zh-CN", "元", 1, 70),
        ("E10 70 of UCS-2, by surrogate pairs", "zh-CN", "😀", 2, 70),
    ] {
        let play = || {
            let (length, parts) = teaser(language, filler, 2)?;
            ensure!(length < limit && parts == 1, "{length} long in {parts} parts: nothing to fill up");
            let fits = 2 + (limit - length) / width;
            let (length, parts) = teaser(language, filler, fits)?;
            ensure!(length + width > limit && length <= limit && parts == 1, "{length} long in {parts} parts");
            let (length, parts) = teaser(language, filler, fits + 1)?;
            ensure!(length > limit && parts == 2, "{length} long in {parts} parts");
            Ok(())
        };
        play().context(id)?;
    }
    Ok(())
}

/// Every field that may be set, by kind where it may.
#[test]
fn the_fields_are_as_they_were_set() -> Result<()> {
    let simulator = Simulator::start()?;
    let parameters = "?priority_flag=1&priority_flag.teaser=0&service_type=VMA&service_type.teaser=ADV&protocol_id.detail=0x41\
        &source_ton_npi=0/1&dest_ton_npi=2/8&registered_delivery.teaser=0&validity=absolute";
    let mut world = World::with_simulator(&simulator, parameters)?;
    world.set("RANGES", "south=86138*:1000");
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    for called in [SUBSCRIBER, PROSPECT] {
        gateway.take(&json!({ "id": called, "caller": "8613911112222", "called": called }))?;
    }
    let fields = |handset: &str| {
        simulator.wait_count("accepted", 2)?;
        let submit = simulator.submits_to(handset)?.pop().context("not told")?;
        let end = submit["validity_period"].as_str().and_then(|validity| validity.chars().last());
        ensure!(end == Some('+'), "{submit:#}");
        let names = [
            "service_type",
            "priority_flag",
            "protocol_id",
            "registered_delivery",
            "source_address",
            "destination_address",
        ];
        Ok(names.map(|name| submit[name].clone()))
    };
    let address = |ton: u8, npi: u8, digits: &str| json!({ "ton": ton, "npi": npi, "digits": digits });
    // National numbers go without the country code.
    let detail = fields("13900000001")?;
    let expected =
        [json!("VMA"), json!(1), json!(0x41), json!(1), address(0, 1, "12599"), address(2, 8, "13900000001")];
    ensure!(detail == expected, "{detail:?}");
    let teaser = fields("13800000001")?;
    let expected = [json!("ADV"), json!(0), json!(0), json!(0), address(0, 1, "12599"), address(2, 8, "13800000001")];
    ensure!(teaser == expected, "{teaser:?}");
    gateway.stop()
}

#[test]
fn validity_may_be_left_out() -> Result<()> {
    for (parameters, fits) in
        [("?validity=omitted", |text: &str| text.is_empty()), ("", |text: &str| text.ends_with('R'))]
            as [(&str, fn(&str) -> bool); 2]
    {
        let simulator = Simulator::start()?;
        let world = World::with_simulator(&simulator, parameters)?;
        let gateway = world.start_bound()?;
        gateway.subscribe(SUBSCRIBER)?;
        gateway.take(&json!({ "id": "1", "caller": "8613911112222", "called": SUBSCRIBER }))?;
        gateway.wait_alerts(SUBSCRIBER, &["delivered"])?;
        let submits = simulator.submits_to(SUBSCRIBER)?;
        ensure!(submits[0]["validity_period"].as_str().is_some_and(fits), "{parameters}: {submits:#?}");
        gateway.stop()?;
    }
    Ok(())
}
