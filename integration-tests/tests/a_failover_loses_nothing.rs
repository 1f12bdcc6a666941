//! A standby takes over: the gateway follows it, nothing is lost that the old primary had not passed on, and the old primary is never written to again.

use anyhow::{Context as _, Result, ensure};
use integration_tests::load::SUBSCRIBERS;
use integration_tests::outage::{Outage, Scene, wait_registered};
use integration_tests::{wait, wait::until_true};
use throwaway_postgres::{Cluster, Proxy, sql, try_sql};

/// Calls that come meanwhile: a second of them.
const MEANWHILE: u64 = 500;

/// A database `t0` on a primary with a standby that follows it by this port, or straight; and a gateway that is told of both.
fn begin(name: &'static str, primary: &Cluster, standby: &Cluster) -> Result<Outage> {
    let (first, second) = (primary.port(), standby.port());
    let both = format!("postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/t0?sslmode=disable");
    Scene::beside(&both)?.begin(name, &primary.url_of("t0"))
}

fn recorded(database: &str) -> Result<u64> {
    Ok(sql(database, "select count(*) from missed_call").trim().parse()?)
}

#[test]
fn the_primary_is_killed_and_the_standby_promoted() -> Result<()> {
    let mut primary = Cluster::start(&[]);
    drop(primary.database());
    let standby = primary.standby("second", &[]);
    let mut outage = begin("primary killed, standby promoted", &primary, &standby)?;
    outage.fault(|| primary.kill());
    outage.sit_out(MEANWHILE, || standby.promote(), &standby.url_of("t0"))
}

#[test]
fn the_primary_hangs_the_standby_is_promoted_and_the_primary_comes_back() -> Result<()> {
    let primary = Cluster::start(&[]);
    drop(primary.database());
    let standby = primary.standby("second", &[]);
    let mut outage = begin("primary hangs, standby promoted, zombie back", &primary, &standby)?;
    outage.fault(|| primary.hang());
    outage.wait_abnormal()?;
    outage.load.go_on_for(MEANWHILE)?;
    outage.heal(|| standby.promote());
    outage.wait_normal()?;
    primary.resume();
    let zombie = primary.url_of("t0");
    // What was on its way when it hung may still be carried out.
    let ours = "select count(*) from pg_stat_activity where application_name = 'afterring'";
    let ended = until_true("sessions of before have ended", || {
        Ok(try_sql(&zombie, ours).is_ok_and(|count| count.trim() == "0"))
    });
    ended.with_context(|| sql(&zombie, "select pid, backend_start, xact_start, state, query_start, query from pg_stat_activity where application_name = 'afterring'"))?;
    let before = (recorded(&zombie)?, sql(&zombie, "select pg_current_wal_lsn(), max(seen_at) from heartbeat"));
    outage.load.go_on_for(MEANWHILE * 3)?;
    sql(&standby.url_of("t0"), "insert into subscriber (number) values (8613700000001)");
    wait_registered(outage.gateway()?, SUBSCRIBERS + 1).context("registrations are read from the new primary")?;
    let verdict = outage.verdict(&standby.url_of("t0"))?;
    verdict.is_sound()?;
    verdict.was_abnormal()?;
    let seen = sql(&zombie, "select max(seen_at) from heartbeat");
    ensure!(before.1.trim().ends_with(seen.trim()), "the old primary was written to: {before:?}, {seen}");
    ensure!(recorded(&zombie)? == before.0, "calls came to the old primary: {before:?}");
    Ok(())
}

/// What the primary alone had, acknowledged, is handed over again.
#[test]
fn the_standby_that_is_promoted_was_cut_off() -> Result<()> {
    let mut primary = Cluster::start(&[]);
    drop(primary.database());
    let between = Proxy::to(primary.port());
    let standby = primary.standby_by(between.port(), "second", &[]);
    let mut outage = begin("standby cut off 1 s, primary killed, standby promoted", &primary, &standby)?;
    wait::until_true("the standby follows", || Ok(standby.has_all_of(&primary)))?;
    between.freeze(true);
    outage.load.go_on_for(MEANWHILE)?;
    let had = recorded(&primary.url_of("t0"))?;
    outage.fault(|| primary.kill());
    // Before it is promoted: from then on it is handed what it lacks.
    let kept = recorded(&standby.url_of("t0"))?;
    outage.heal(|| standby.promote());
    println!("the primary had acknowledged at least {had} calls, the standby had {kept}");
    ensure!(had > kept + MEANWHILE / 2, "the standby was not behind: {had}, {kept}");
    outage.wait_normal()?;
    let verdict = outage.verdict(&standby.url_of("t0"))?;
    // A promotion that is quicker than the proof of an outage leaves it a suspicion.
    ensure!(!verdict.changes.is_empty(), "the failover was not noticed");
    verdict.is_sound()
}

/// Servers go back to the old timeline, and what the new one had is gone: as when an agent lets a leader that hung lead again. The gateway can't know that
/// this is meant; a restart tells it.
#[test]
fn the_failover_is_taken_back() -> Result<()> {
    let old = Cluster::start(&[]);
    drop(old.database());
    let mut new = old.standby("second", &[]);
    let mut outage = begin("failover taken back, gateway restarted", &old, &new)?;
    old.hang();
    outage.wait_abnormal()?;
    new.promote();
    outage.wait_normal()?;
    outage.load.go_on_for(MEANWHILE * 2)?;
    outage.fault(|| {
        new.kill();
        old.resume();
    });
    outage.wait_abnormal()?;
    outage.load.go_on_for(MEANWHILE)?;
    until_true("the old one is refused", || {
        let status = outage.gateway()?.status()?;
        Ok(status["database"]["reason"].to_string().contains("an old primary on timeline 1 was refused"))
    })?;
    outage.gateway.take().context("the gateway is down")?.stop()?;
    outage.heal(|| ());
    outage.start_again()?;
    outage.wait_normal()?;
    let verdict = outage.verdict(&old.url_of("t0"))?;
    verdict.is_sound()?;
    verdict.was_abnormal()
}
