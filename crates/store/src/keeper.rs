//! What goes on beside the batches as long as a gateway works with a database: the probe, the registry's feed, and the upkeep of both stores.

use std::collections::HashMap;
use std::time::Duration;

use model::{AlertId, Receipt, SmscName, Timestamp};
use routing::{Alert, Condition, HealthEvent};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_postgres::Client;

use crate::embedded::{Claim, LoadedAlert, LoadedPart, RegistryPlace};
use crate::hand_over::Shared;
use crate::postgres::{Class, Probe, Session, batch, feed, partitions, people};
use crate::{HandOver, StoreError};

/// Pause between two probes of a database of which something is wrong.
const SUSPECT: Duration = Duration::from_millis(25);

/// How often the change feed is read unasked: what a nudge that got lost costs.
const FEED: Duration = Duration::from_secs(2);

/// A node that did not read the feed for longer reads everybody: who left is noted for thirty days (see [`partitions`]).
const AWAY: Duration = Duration::from_secs(20 * 24 * 3600);

/// How often small things are looked after.
const UPKEEP: Duration = Duration::from_secs(10);

/// Parked receipts asked for at once.
const RECEIPTS: usize = 1_000;

/// How often partitions and old rows are.
const HOUSEKEEPING: Duration = Duration::from_secs(600);

/// How often it is noted on disk when the database was last heard, as a part of the lease.
const NOTES: u32 = 20;

/// How long a batch that the database has is kept to be handed over again, where no standby says that it has it too.
const KEPT: Duration = Duration::from_secs(600);

impl HandOver {
    /// Probes the database, for ever.
    pub async fn probe(self) {
        let Some(shared) = self.shared.clone() else { return std::future::pending().await };
        let mut probe = Probe::new(shared.connector.clone(), shared.node, &shared.settings, shared.clock);
        let mut noted: Option<Instant> = None;
        let mut tick = tokio::time::interval(shared.settings.interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                // Something is wrong: it is looked at now, and again until it is known what.
                () = shared.health.becomes(|seen| seen.machine.condition() == Condition::Suspect) => {
                    tokio::time::sleep(SUSPECT).await;
                }
            }
            shared.health.tell(HealthEvent::Tick);
            let (begun, began) = ((shared.clock)(), Instant::now());
            match probe.once(shared.settings.timeout.mul_f64(0.75)).await {
                Ok(report) => {
                    shared.heard(begun);
                    shared.health.tell(HealthEvent::ProbeOk);
                    shared.log_reached(report.log, began);
                    if let Some(through) = report.flushed.and_then(|flushed| shared.standby_has(flushed)) {
                        drop(self.local.flushed(through, Timestamp::from_millis(0)).await);
                    }
                }
                Err(fault) => shared.health.probe_failed(&fault),
            }
            if noted.is_none_or(|at| at.elapsed() >= shared.settings.lease / NOTES) {
                noted = Some(Instant::now());
                drop(self.local.note_heard(shared.last_heard()).await);
            }
        }
    }

    /// Keeps the registry as the database has it, for ever.
    pub async fn follow_registry(self) {
        let Some(shared) = self.shared.clone() else { return std::future::pending().await };
        let mut ear: Option<(u32, Session)> = None;
        loop {
            let nudged = shared.connector.nudged();
            let may_ask = shared.health.may_ask();
            // A session that was made before a failover may listen to the old primary.
            let now = shared.connector.timeline();
            if !may_ask || ear.as_ref().is_some_and(|(on, session)| *on != now || session.is_closed()) {
                ear = None;
            }
            // What was decided here alone is not there yet: what is read would undo it.
            if may_ask && !shared.is_behind() {
                if ear.is_none() {
                    ear = listen(&shared).await.map(|session| (shared.connector.timeline(), session));
                }
                match self.read_feed(&shared).await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => tracing::debug!(%error, "the registry's changes can't be read: trying again"),
                }
            }
            tokio::select! {
                () = nudged => {}
                () = tokio::time::sleep(FEED) => {}
                () = shared.health.becomes(|seen| seen.machine.may_ask()), if !may_ask => {}
            }
        }
    }

    /// Reads what changed, or everybody; whether there is more.
    async fn read_feed(&self, shared: &Shared) -> Result<bool, StoreError> {
        let (timeline, at) = (shared.connector.timeline(), (shared.clock)());
        let place = |position| RegistryPlace { position, timeline, at };
        // A failover may have lost registrations that were followed, and who left long ago is no longer known: only everybody is certain then.
        let certain = |read: &RegistryPlace| read.timeline == timeline && at.since(read.at) < AWAY;
        if let Some(since) = self.local.registry_place().await?.filter(certain) {
            let position = since.position;
            match shared.ask_apart(async |session: &Session| Ok(feed::changes(session, position).await?)).await {
                Err(StoreError::Shared(fault)) if fault.class == Class::Other => {
                    tracing::info!(%fault, "the registry is loaded anew");
                }
                read => {
                    let (changes, more) = read?;
                    let to = place(changes.position);
                    if to.position != position {
                        self.local.follow(changes, to).await?;
                    }
                    return Ok(more);
                }
            }
        }
        let begun = Instant::now();
        let everybody = shared.ask_apart(async |session: &Session| Ok(feed::everybody(session).await?)).await?;
        let (subscribers, special, to) = (everybody.numbers.len(), everybody.special.len(), place(everybody.position));
        self.local.replace_registry(everybody, to).await?;
        tracing::info!(subscribers, special, took = ?begun.elapsed(), "registry loaded");
        Ok(false)
    }

    /// Looks after both stores, for ever: partitions, old rows, snapshots, what nodes that are gone left behind.
    pub async fn upkeep(self) {
        let Some(shared) = self.shared.clone() else { return self.finish_alone().await };
        let (mut housekeeping, mut receipts, mut blanked): (Option<Instant>, _, _) = (None, 0, None);
        loop {
            if let Err(error) = self.local.snapshot_registry().await {
                tracing::warn!(%error, "the registry's snapshot can't be written: trying again");
            }
            // Where a standby says what it has, the rest is the ten minutes of one that does not.
            while let Ok(some @ 1..) = self.local.flushed(0, (shared.clock)() - KEPT).await {
                tracing::trace!(some, "old batches were forgotten");
            }
            if shared.health.now().machine.condition() == Condition::Normal && !shared.is_behind() {
                if let Err(error) = self.follow_erasures(&shared).await {
                    tracing::warn!(%error, "people who were erased can't be erased from this node's store: trying again");
                }
                if let Err(error) = self.take_over(&shared).await {
                    tracing::warn!(%error, "what nodes that are gone left behind can't be taken over: trying again");
                }
                match self.claim_receipts(&shared, receipts).await {
                    Ok(next) => receipts = next,
                    Err(error) => tracing::debug!(%error, "parked receipts can't be asked for: trying again"),
                }
                if housekeeping.is_none_or(|at| at.elapsed() >= HOUSEKEEPING) {
                    housekeeping = Some(Instant::now());
                    blanked = self.keep_house(&shared, blanked).await;
                }
            }
            tokio::time::sleep(UPKEEP).await;
        }
    }

    /// Without a database there is only this to look after: erasures in whose middle an earlier life ended.
    async fn finish_alone(&self) {
        while let Err(error) = self.local.finish_erasures().await {
            tracing::warn!(%error, "an erasure that was begun can't be finished: trying again");
            tokio::time::sleep(UPKEEP).await;
        }
        std::future::pending::<()>().await;
    }

    async fn take_over(&self, shared: &Shared) -> Result<(), StoreError> {
        let (node, lease, deadline) = (shared.node, shared.settings.lease, shared.settings.timeout);
        let alone = shared.ask(async |session: &Client| people::is_alone(session, node).await).await?;
        self.local.alone(alone).await?;
        let take = async |session: &Client| people::take_over(session, node, lease, deadline).await;
        while shared.ask(take).await? {}
        // What was taken over, also by an earlier life that ended before it was known here.
        let mine = shared.ask(async |session: &Client| people::queued_here(session, node).await).await?;
        let adopted = self.local.adopt(mine).await?;
        if adopted > 0 {
            tracing::warn!(alerts = adopted, "alerts of a node that is gone were taken over: they are in doubt");
        }
        Ok(())
    }

    /// Receipts that came here before the database knew whose they are: those of which it does now happen anew. Where to go on.
    async fn claim_receipts(&self, shared: &Shared, after: i64) -> Result<i64, StoreError> {
        let parked = self.local.parked_after(after, RECEIPTS).await?;
        let Some(last) = parked.last().map(|(seq, _)| *seq) else { return Ok(0) };
        let receipts: Vec<_> = parked.iter().map(|(_, receipt)| receipt.clone()).collect();
        let node = shared.node;
        let asked = async |client: &Client| {
            let parts = batch::parts(client, &receipts).await?;
            let alerts = batch::alerts(client, node, &parts).await?;
            Ok((parts, alerts))
        };
        let (parts, alerts) = shared.ask(asked).await?;
        let claims = claims(parked, &parts, &alerts);
        if !claims.is_empty() {
            let claimed = self.local.receive_again(claims).await?;
            tracing::debug!(claimed, "receipts came before what they are for was known here");
        }
        Ok(last)
    }

    /// Up to where texts are blanked now, where it went well.
    async fn keep_house(&self, shared: &Shared, blanked: Option<Timestamp>) -> Option<Timestamp> {
        let (retention, now) = (shared.settings.retention, (shared.clock)());
        let kept = shared
            .ask_apart(async |session: &Session| Ok(partitions::keep(session, now, &retention, blanked).await?))
            .await;
        if let Err(error) = kept {
            tracing::warn!(%error, "partitions and old rows can't be looked after: trying again later");
            return blanked;
        }
        Some(now - retention.texts)
    }
}

/// A session that is told when registrations change; without one they are found a little later.
async fn listen(shared: &Shared) -> Option<Session> {
    let session = shared.connector.connect().await.ok()?;
    let listening = tokio::time::timeout(FEED, session.batch_execute(feed::LISTEN)).await;
    listening.is_ok_and(|answer| answer.is_ok()).then_some(session)
}

/// The receipts of which the database knows alerts that their ids name.
fn claims(parked: Vec<(i64, Receipt)>, parts: &[LoadedPart], alerts: &[LoadedAlert]) -> Vec<Claim> {
    let alerts: HashMap<AlertId, &Alert> = alerts.iter().map(|known| (known.alert.id, &known.alert)).collect();
    let mut by_id: HashMap<(&SmscName, &str), Vec<&Alert>> = HashMap::new();
    for part in parts {
        by_id.entry((&part.smsc, &part.id_key)).or_default().extend(alerts.get(&part.alert));
    }
    let claim = |(seq, receipt): (i64, Receipt)| {
        let mut named = Vec::new();
        for (form, key) in receipt.answers() {
            let alerts = by_id.get(&(&receipt.smsc, key.as_str())).into_iter().flatten();
            named.extend(alerts.map(|alert| (form, (*alert).clone())));
        }
        (!named.is_empty()).then_some(Claim { seq, receipt, named })
    };
    parked.into_iter().filter_map(claim).collect()
}
