//! Patroni decides who leads: the gateway follows it, nothing is lost and nobody is told twice, however long Patroni takes.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration_tests::outage::{Outage, Scene};
use integration_tests::verdict::Verdict;
use integration_tests::wait;
use throwaway_postgres::{Node, Patroni};

/// How long Patroni may take: its lease of 20 seconds must run out first, and a machine be busy.
const FAILOVER: Duration = Duration::from_secs(45);

/// How long a machine that is back may take to follow the new primary.
const REJOIN: Duration = Duration::from_secs(60);

/// Calls that come meanwhile: two seconds of them.
const MEANWHILE: u64 = 1_000;

fn begin(name: &'static str, patroni: &Patroni) -> Result<Outage> {
    patroni.create("t0");
    Scene::beside(&patroni.url_of("t0"))?.begin(name, &patroni.roles().0.url_of("t0")).with_context(|| patroni.log())
}

fn wait_leads(node: &Node) -> Result<()> {
    wait::within(FAILOVER, "the other leads", || Ok(node.leads().then_some(())))
}

fn wait_follows(node: &Node) -> Result<()> {
    wait::within(REJOIN, "it follows the other", || Ok(node.follows().then_some(())))
}

/// Ends it and counts where Patroni says that the truth is.
fn verdict(outage: Outage, patroni: &Patroni) -> Result<Verdict> {
    let verdict = outage.verdict(&patroni.roles().0.url_of("t0"))?;
    verdict.is_sound().with_context(|| patroni.log())?;
    Ok(verdict)
}

#[test]
#[ignore = "needs integration-tests/patroni"]
fn an_operator_switches_over() -> Result<()> {
    let patroni = Patroni::start();
    let (old, new) = patroni.roles();
    let mut outage = begin("Patroni: switchover", &patroni)?;
    thread::scope(|scope| {
        let order = scope.spawn(|| patroni.switch_over());
        outage.fault(|| wait::until_true("the old one leads no more", || Ok(!old.leads())))?;
        outage.heal(|| wait_leads(new)).with_context(|| patroni.log())?;
        ensure!(order.join().is_ok(), "the switchover failed");
        Ok(())
    })?;
    outage.wait_normal()?;
    wait_follows(old).with_context(|| patroni.log())?;
    outage.load.go_on_for(MEANWHILE)?;
    verdict(outage, &patroni)?.was_abnormal()
}

#[test]
#[ignore = "needs integration-tests/patroni"]
fn only_the_server_is_killed() -> Result<()> {
    let patroni = Patroni::start();
    let (leader, other) = patroni.roles();
    let mut outage = begin("Patroni: only Postgres killed", &patroni)?;
    outage.fault(|| leader.kill_server());
    outage.wait_abnormal()?;
    // Patroni starts it again or promotes the other.
    let leads = || Ok((leader.leads() || other.leads()).then_some(()));
    outage.heal(|| wait::within(FAILOVER, "one leads", leads)).with_context(|| patroni.log())?;
    println!("{} leads, it was {}", patroni.roles().0.name(), leader.name());
    outage.wait_normal()?;
    outage.load.go_on_for(MEANWHILE)?;
    verdict(outage, &patroni)?.was_abnormal()
}

#[test]
#[ignore = "needs integration-tests/patroni"]
fn the_leaders_machine_is_killed() -> Result<()> {
    let patroni = Patroni::start();
    let (old, new) = patroni.roles();
    let mut outage = begin("Patroni: leader's machine killed", &patroni)?;
    outage.fault(|| old.kill());
    outage.wait_abnormal()?;
    outage.heal(|| wait_leads(new)).with_context(|| patroni.log())?;
    outage.wait_normal()?;
    outage.load.go_on_for(MEANWHILE)?;
    verdict(outage, &patroni)?.was_abnormal()
}

/// What the old one took while it didn't know yet is thrown away when it follows the new one: it must have been none of ours.
#[test]
#[ignore = "needs integration-tests/patroni"]
fn the_leaders_machine_hangs_and_comes_back() -> Result<()> {
    let patroni = Patroni::start();
    let (old, new) = patroni.roles();
    let mut outage = begin("Patroni: leader's machine hangs, zombie back", &patroni)?;
    outage.fault(|| old.hang());
    outage.wait_abnormal()?;
    outage.heal(|| wait_leads(new)).with_context(|| patroni.log())?;
    outage.wait_normal()?;
    outage.load.go_on_for(MEANWHILE)?;
    old.resume();
    wait_follows(old).with_context(|| patroni.log())?;
    ensure!(new.leads(), "the one that came back leads: {}", patroni.log());
    outage.load.go_on_for(MEANWHILE)?;
    verdict(outage, &patroni)?.was_abnormal()
}

/// Longer than Patroni's lease: without `failsafe_mode` it would take Postgres down.
#[test]
#[ignore = "needs integration-tests/patroni"]
fn etcd_is_away() -> Result<()> {
    let patroni = Patroni::start();
    let (leader, _) = patroni.roles();
    let mut outage = begin("Patroni: etcd away 22 s, failsafe_mode", &patroni)?;
    outage.fault(|| patroni.kill_etcd());
    for _ in 0..11 {
        outage.load.go_on_for(MEANWHILE)?;
    }
    outage.heal(|| patroni.start_etcd());
    outage.load.go_on_for(MEANWHILE * 5)?;
    ensure!(patroni.is_whole() && leader.leads(), "the leader changed: {}", patroni.log());
    verdict(outage, &patroni)?.was_never_abnormal()
}
