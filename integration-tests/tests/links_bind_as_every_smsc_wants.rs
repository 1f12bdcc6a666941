//! Binds of every kind: version, pairs, several at a time, TLS with certificates both ways, outbind; receipts come by whichever session the SMSC likes.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use integration_tests::{Simulator, World, ports, wait};
use serde_json::{Value, json};

const SUBSCRIBER: &str = "8613900000001";

/// What the simulated SMSC shows of its sessions: (mode, version, `system_type`), in some order.
fn binds(simulator: &Simulator) -> Result<Vec<(String, u64, String)>> {
    let text = |session: &Value, name: &str| session[name].as_str().unwrap_or_default().to_owned();
    let seen = |session: &Value| {
        (text(session, "mode"), session["interface_version"].as_u64().unwrap_or(0), text(session, "system_type"))
    };
    let mut binds: Vec<_> = simulator.sessions()?.iter().map(seen).collect();
    binds.sort();
    Ok(binds)
}

#[test]
fn each_version_and_mode() -> Result<()> {
    for (parameters, expected) in [
        ("?system_type=VMS&version=5.0", vec![("transceiver", 0x50, "VMS")]),
        ("?binds=2", vec![("transceiver", 0x34, ""), ("transceiver", 0x34, "")]),
        ("?bind=pair", vec![("receiver", 0x34, ""), ("transmitter", 0x34, "")]),
        ("?bind=pair&version=3.3", vec![("receiver", 0x33, ""), ("transmitter", 0x33, "")]),
    ] {
        let play = || {
            let simulator = Simulator::start()?;
            let world = World::with_simulator(&simulator, parameters)?;
            let gateway = world.start_bound()?;
            let seen = binds(&simulator)?;
            let expected: Vec<_> = expected
                .iter()
                .map(|(mode, version, kind)| ((*mode).to_owned(), *version, (*kind).to_owned()))
                .collect();
            ensure!(seen == expected, "{seen:?}");
            simulator.tells(&gateway, SUBSCRIBER)?;
            gateway.stop()
        };
        play().context(parameters)?;
    }
    Ok(())
}

/// Receipts for what one session submitted come by another one of the same `system_id`, in another form, before the answer.
#[test]
fn receipts_by_another_bind() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = World::with_simulator(&simulator, "?binds=2")?;
    let gateway = world.start_bound()?;
    for (faults, handset) in [
        (json!({ "receipts_elsewhere": true }), "8613900000001"),
        (json!({ "receipts_elsewhere": true, "receipts": [{ "id": "upper", "options": "neither" }] }), "8613900000002"),
        (json!({ "receipts_elsewhere": true, "receipts_before_answer": true }), "8613900000003"),
    ] {
        simulator.faults(&faults)?;
        simulator.tells(&gateway, handset).context(faults.to_string())?;
    }
    gateway.stop()
}

/// A receipt for a message of an earlier life, while there is no database; one for one part of several; one for nobody's message.
#[test]
fn receipts_that_come_late_for_a_part_and_for_nobody() -> Result<()> {
    let simulator = Simulator::start()?;
    let mut world = World::with_simulator(&simulator, "")?;
    world.set("ALERT__MAX_PARTS", "4");
    let gateway = world.start_bound()?;
    simulator.switch(SUBSCRIBER, false)?;
    gateway.subscribe(SUBSCRIBER)?;
    gateway.take(&json!({ "id": "1", "caller": "8613911112222", "called": SUBSCRIBER }))?;
    gateway.wait_alerts(SUBSCRIBER, &["accepted"])?;
    gateway.kill()?;
    let gateway = world.start_bound()?;
    gateway.force_abnormal()?;
    simulator.switch(SUBSCRIBER, true)?;
    gateway.wait_alerts(SUBSCRIBER, &["delivered"]).context("R34 of a former run")?;
    gateway.lift_force()?;

    let before = gateway.timeline(SUBSCRIBER)?;
    let unasked = "id:nobodys sub:001 dlvrd:001 stat:UNDELIV err:000 text:";
    let message = integration_tests::simulator::hex(unasked.as_bytes());
    simulator.deliver(SUBSCRIBER, &json!({ "esm_class": 4, "message": message }))?;
    simulator.wait_count("replies_acked", 1).context("R35 unsolicited: not acknowledged")?;
    gateway.wait_decided()?;
    ensure!(gateway.timeline(SUBSCRIBER)? == before, "R35 unsolicited: it changed something");
    let unmatched = gateway.metric("afterring_receipts_matched_total", &["form=\"unmatched\""])?;
    ensure!(unmatched == 1.0, "R35 unsolicited: counted {unmatched} times");

    let several = "8613900000002";
    gateway.subscribe(several)?;
    let call =
        |n: u64| json!({ "id": format!("p{n}"), "caller": (8_613_911_110_000 + n).to_string(), "called": several });
    let stat = "id:{id} stat:UNDELIV err:001";
    simulator.faults(&json!({ "receipts_for": "last", "receipts": [{ "text": stat, "state": 5 }] }))?;
    gateway.take(&(0..9).map(call).collect::<Value>())?;
    simulator.wait_count("receipts_acked", 2)?;
    gateway.wait_decided()?;
    let parts = simulator.submits_to(several)?.len();
    ensure!(parts > 1, "{parts} parts");
    gateway.wait_alerts(several, &["accepted"]).context("R33 one part of several: the others may still arrive")?;
    gateway.stop()
}

fn openssl(folder: &Path, arguments: &str) -> Result<()> {
    let done = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().context("openssl")?;
    ensure!(done.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// An authority, and certificates of it for the SMSC and for us.
fn certificates(folder: &Path) -> Result<()> {
    const NEW: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(folder, &format!("req -x509 {NEW} -subj /CN=authority -keyout ca.key -out ca.pem"))?;
    for name in ["smsc", "esme"] {
        let names = "-addext subjectAltName=DNS:smsc.example,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
        openssl(
            folder,
            &format!(
                "req -x509 {NEW} -CA ca.pem -CAkey ca.key -subj /CN={name} {names} -keyout {name}.key -out {name}.pem"
            ),
        )?;
    }
    Ok(())
}

#[test]
fn by_tls_with_certificates_both_ways() -> Result<()> {
    let mut world = World::new()?;
    certificates(world.folder())?;
    let path = |name: &str| world.folder().join(name).display().to_string();
    let (ca, cert, key) = (path("ca.pem"), path("smsc.pem"), path("smsc.key"));
    let simulator = Simulator::start_with(&["--tls-cert", &cert, "--tls-key", &key, "--tls-client-ca", &ca])?;
    let (own_cert, own_key) = (path("esme.pem"), path("esme.key"));
    let url = |parameters: &str| simulator.url(parameters).replace("smpp://", "smpps://");
    let trusting = format!("?reconnect_min=100ms&tls_ca={ca}");
    world.set("SMSC__URLS", &url(&trusting));
    let gateway = world.start()?;
    wait::until_true("the link is down for want of our certificate", || {
        let links = gateway.status()?["links"].to_string();
        Ok(!links.contains("\"bound\"") && links.to_lowercase().contains("certificate"))
    })
    .with_context(|| format!("{}", gateway.status().unwrap_or_default()["links"]))?;
    gateway.stop()?;
    ensure!(simulator.count("binds")? == 0, "bound without a certificate");

    world.set("SMSC__URLS", &url(&format!("{trusting}&tls_cert={own_cert}&tls_key={own_key}&tls_name=smsc.example")));
    let gateway = world.start_bound()?;
    simulator.tells(&gateway, SUBSCRIBER)?;
    gateway.stop()
}

#[test]
fn by_outbind() -> Result<()> {
    let simulator = Simulator::start()?;
    let address = format!("127.0.0.1:{}", ports::free()?);
    let world = World::with_simulator(&simulator, &format!("?outbind={address}"))?;
    let gateway = world.start()?;
    simulator.outbind(&address, "SIMULATOR", "secret")?;
    gateway.wait_bound()?;
    ensure!(simulator.sessions()?.len() == 1, "{:?}", simulator.sessions()?);
    simulator.tells(&gateway, SUBSCRIBER)?;
    gateway.stop()
}
