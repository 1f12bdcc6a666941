//! Sessions refused, throttled, ended or silent in every way (rows S01 to S10 of the matrix): they come back by themselves, and everybody is told exactly once.

use anyhow::{Context as _, Result, ensure};
use integration_tests::simulator::pdu;
use integration_tests::{Gateway, Simulator, World, wait};
use serde_json::{Value, json};

const PEOPLE: u64 = 6;
const QUICK: &str = "?timeout=1s&enquire=1s&enquire_timeout=500ms&bind_timeout=500ms&reconnect_min=100ms&reconnect_max=500ms&refused_wait=1s";

/// How a session goes wrong while people are called.
enum Wrong {
    /// By faults, which are healed when this count has reached so many more.
    Faults(Value, &'static str, u64),
    /// By octets, after which the connection is closed or not.
    Octets(Vec<u8>, bool),
}

fn faults(faults: Value, count: &'static str, times: u64) -> Wrong {
    Wrong::Faults(faults, count, times)
}

fn rows() -> Vec<(&'static str, Wrong)> {
    vec![
        (
            "S01 0x0d to binds",
            faults(json!({ "binds": { "refused": 0x0d }, "drop_sessions": true }), "binds_refused", 1),
        ),
        (
            "S01 0x0e to binds",
            faults(json!({ "binds": { "refused": 0x0e }, "drop_sessions": true }), "binds_refused", 1),
        ),
        (
            "S01 0x05 to binds",
            faults(json!({ "binds": { "refused": 0x05 }, "drop_sessions": true }), "binds_refused", 1),
        ),
        ("S02 a burst of 0x58", faults(json!({ "throttle_next": 5 }), "throttled", 5)),
        ("S03 0x14", faults(json!({ "queue_full_next": 3 }), "queue_full", 3)),
        ("S04 0x08", faults(json!({ "refuse_next": [0x08, 1] }), "refused", 1)),
        ("S05 0x64", faults(json!({ "refuse_next": [0x64, 2] }), "refused", 2)),
        ("S06 answers that come late", faults(json!({ "answer_late": [300, 6] }), "accepted", 6)),
        ("S07 answers to submits that nobody sent", faults(json!({ "stray_answers": true }), "accepted", 6)),
        ("S07 answers out of order", faults(json!({ "answers_reversed": 2 }), "accepted", 6)),
        ("S08 an unbind", Wrong::Octets(pdu(0x06, 0, 90_001, b""), false)),
        ("S09 a connection that is dropped", faults(json!({ "drop_sessions": true }), "binds", 1)),
        ("S09 closed in the middle of a PDU", Wrong::Octets(pdu(0x05, 0, 90_002, &[0; 40])[..30].to_vec(), true)),
        ("S09 closed right after the bind", faults(json!({ "binds": "closed", "drop_sessions": true }), "binds", 2)),
        ("S10 deaf", faults(json!({ "sessions": "deaf" }), "ignored", 8)),
        ("S10 no longer reading", faults(json!({ "sessions": "stalled" }), "ignored", 8)),
    ]
}

fn call_people(gateway: &Gateway, first: u64) -> Result<()> {
    for handset in first..first + PEOPLE {
        gateway.subscribe(&handset.to_string())?;
    }
    let call = |n: u64| json!({ "id": n.to_string(), "caller": "8613911112222", "called": n.to_string() });
    gateway.take(&(first..first + PEOPLE).map(call).collect::<Value>())
}

/// Whatever was in doubt is sent again, so the SMSC must have thrown it away: then everybody is told once.
fn told_once(simulator: &Simulator, gateway: &Gateway, first: u64) -> Result<()> {
    for handset in first..first + PEOPLE {
        gateway.wait_alerts(&handset.to_string(), &["delivered"])?;
        let told = simulator.submits_to(&handset.to_string())?.len();
        ensure!(told == 1, "{handset} was told {told} times");
    }
    Ok(())
}

fn play(simulator: &Simulator, gateway: &Gateway, first: u64, wrong: &Wrong) -> Result<()> {
    match wrong {
        Wrong::Faults(faults, count, times) => {
            let before = simulator.count(count)?;
            simulator.faults(faults)?;
            call_people(gateway, first)?;
            simulator.wait_count(count, before + times)?;
            simulator.faults(&json!({}))?;
        }
        Wrong::Octets(octets, close) => {
            let binds = simulator.count("binds")?;
            simulator.raw(octets, *close)?;
            call_people(gateway, first)?;
            simulator.wait_count("binds", binds + 1)?;
        }
    }
    gateway.wait_bound()?;
    told_once(simulator, gateway, first)
}

#[test]
fn they_come_back() -> Result<()> {
    let simulator = Simulator::start()?;
    let mut world = World::with_simulator(&simulator, QUICK)?;
    world.set("ALERT__RESEND_WAIT", "1s");
    let gateway = world.start_bound()?;
    for ((id, wrong), first) in rows().iter().zip((8_613_900_001_000..).step_by(100)) {
        play(&simulator, &gateway, first, wrong).with_context(|| *id)?;
    }
    let answered = simulator.answer_to(90_001)?;
    ensure!(answered == (0x8000_0006, 0), "S08 the unbind was answered {answered:x?}");
    ensure!(simulator.count("bad_pdus")? == 0, "the gateway sent something odd");
    gateway.stop()
}

/// A bind that is refused, or not answered, is told with its reason, and tried again.
#[test]
fn a_bind_that_fails_is_told_with_its_reason() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = World::with_simulator(&simulator, QUICK)?;
    simulator.faults(&json!({ "binds": { "refused": 0x0d } }))?;
    let gateway = world.start()?;
    for (id, binds, says) in [
        ("S01 0x0d", json!({ "refused": 0x0d }), "ESME_RBINDFAIL"),
        ("S02 0x0e", json!({ "refused": 0x0e }), "ESME_RINVPASWD"),
        ("S02 0x0f", json!({ "refused": 0x0f }), "ESME_RINVSYSID"),
        ("S02 a vendor's own", json!({ "refused": 0x0410 }), "0x00000410"),
    ] {
        simulator.faults(&json!({ "binds": binds }))?;
        wait::until_true("the status says why", || Ok(gateway.status()?["links"].to_string().contains(says)))
            .with_context(|| format!("{id}: {}", gateway.status().unwrap_or_default()["links"]))?;
    }
    simulator.faults(&json!({ "binds": "silent" }))?;
    wait::until_true("a bind without an answer is told", || {
        let links = gateway.status()?["links"].to_string();
        Ok(!links.contains("0x00000410") && !links.contains("\"bound\""))
    })
    .with_context(|| format!("{}", gateway.status().unwrap_or_default()["links"]))?;
    simulator.faults(&json!({}))?;
    gateway.wait_bound()?;
    gateway.stop()
}

/// A submit that is refused for good ends; one without an answer is in doubt, and held there by `hold` until its answer comes.
#[test]
fn an_unanswered_submit_is_in_doubt_and_a_refused_one_ends() -> Result<()> {
    let simulator = Simulator::start()?;
    let mut world = World::with_simulator(&simulator, QUICK)?;
    world.set("ALERT__IN_DOUBT", "hold");
    let gateway = world.start_bound()?;
    let call = |handset: &str| {
        gateway.subscribe(handset)?;
        gateway.take(&json!({ "id": handset, "caller": "8613911112222", "called": handset }))
    };
    simulator.faults(&json!({ "refuse_next": [0x65, 1] }))?;
    call("8613900009001")?;
    gateway.wait_alerts("8613900009001", &["failed"]).context("S05 0x65")?;
    simulator.faults(&json!({ "silent_next": 1, "silent_loses": true }))?;
    call("8613900009002")?;
    gateway.wait_alerts("8613900009002", &["in_doubt"]).context("S06 no answer")?;
    simulator.faults(&json!({ "answer_late": [2500, 1], "receipts_for": "none" }))?;
    call("8613900009003")?;
    gateway.wait_alerts("8613900009003", &["in_doubt"]).context("S06 a late answer")?;
    gateway.wait_alerts("8613900009003", &["accepted"]).context("S06 a late answer resolves it")?;
    simulator.faults(&json!({}))?;
    call("8613900009004")?;
    gateway.wait_alerts("8613900009004", &["delivered"])?;
    ensure!(simulator.submits_to("8613900009002")?.is_empty() && simulator.submits_to("8613900009003")?.len() == 1);
    gateway.stop()
}

/// What an SMSC means by statuses of its own is a setting; what is no setting and no standard gives the message up.
#[test]
fn a_vendors_statuses_mean_what_the_settings_say() -> Result<()> {
    let simulator = Simulator::start()?;
    let parameters = format!("{QUICK}&status=0x400:throttled;1025:later;0x402:link_fault;0x58:refused");
    let world = World::with_simulator(&simulator, &parameters)?;
    let gateway = world.start_bound()?;
    for (id, status, becomes, binds) in [
        ("0x400 is throttled", 0x400, "delivered", 0),
        ("0x401 is later", 0x401, "delivered", 0),
        ("0x402 is a link fault", 0x402, "delivered", 1),
        ("0x403 is nothing that anybody knows", 0x403, "failed", 0),
        ("0x58 is refused here", 0x58, "failed", 0),
    ] {
        let handset = (8_613_900_010_000_u64 + status).to_string();
        let before = simulator.count("binds")?;
        simulator.faults(&json!({ "refuse_next": [status, 1] }))?;
        gateway.subscribe(&handset)?;
        gateway.take(&json!({ "id": handset, "caller": "8613911112222", "called": handset }))?;
        gateway.wait_alerts(&handset, &[becomes]).context(id)?;
        let told = simulator.submits_to(&handset)?.len();
        ensure!(told == usize::from(becomes == "delivered"), "{id}: told {told} times");
        ensure!(
            simulator.count("binds")? == before + binds,
            "{id}: {} binds after {before}",
            simulator.count("binds")?
        );
    }
    gateway.stop()
}

/// A message in parts is one alert: throttled it arrives whole, refused or unanswered none of the parts behind is sent.
#[test]
fn a_message_in_parts_is_told_whole_or_not_at_all() -> Result<()> {
    let simulator = Simulator::start()?;
    let mut world = World::with_simulator(&simulator, QUICK)?;
    world.set("ALERT__IN_DOUBT", "hold").set("ALERT__MAX_PARTS", "4");
    let gateway = world.start_bound()?;
    for (id, faults, becomes, whole, parts) in [
        ("throttled", json!({ "throttle_next": 1 }), "delivered", 1, 2..=4),
        ("refused", json!({ "refuse_next": [0x0b, 1] }), "failed", 0, 0..=0),
        ("unanswered", json!({ "silent_next": 1, "silent_loses": true }), "in_doubt", 0, 0..=0),
    ] {
        let handset = (8_613_900_020_000_u64 + simulator.count("submits")?).to_string();
        let play = || {
            simulator.faults(&faults)?;
            gateway.subscribe(&handset)?;
            let call = |n: u64| {
                let caller = 8_613_911_110_000 + n;
                json!({ "id": format!("{handset}-{n}"), "caller": caller.to_string(), "called": handset })
            };
            gateway.take(&(0..9).map(call).collect::<Value>())?;
            gateway.wait_alerts(&handset, &[becomes])?;
            let (inbox, sent) = (simulator.inbox(&handset)?, simulator.submits_to(&handset)?.len());
            ensure!(inbox.len() == whole && parts.contains(&sent), "{sent} parts, {} whole messages", inbox.len());
            ensure!(inbox.iter().all(|text| gateway.alerts(&handset).is_ok_and(|alerts| alerts[0]["text"] == *text)));
            Ok(())
        };
        play().context(id)?;
    }
    gateway.stop()
}
