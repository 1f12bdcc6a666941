//! The limit: what Postgres does of a batch's work for a client that only sends it.

use std::time::Instant;

use anyhow::{Context as _, Result};
use integration_tests::World;
use throwaway_postgres::{Cluster, pgbench, sql};

use crate::{cluster_cpu, state};

/// What it is called.
pub(crate) const NAME: &str = "the batches' statements alone";

/// Calls in a batch; each is visited three times, by its call, by the SMSC's answer and by its receipt.
const CALLS: u64 = 700;

/// Batches of each kind.
const BATCHES: u32 = 60;

/// What a batch of calls, of answers and of receipts asks of the database, as `crates/store/src/postgres/batch.rs` does, on made-up people; bodies are as long
/// as real ones.
const SCRIPT: &str = r#"
\set first random(1, 100000000) * 1000 + 200000000000000
\set last :first + 699
BEGIN_BATCH
insert into call_box (bucket, called, node, seq, deferred) select (c % 64)::smallint, c, 1, 0, false from generate_series(:first, :last) c order by 1, 2 on conflict do nothing;
LOOK
select name, used from range_usage where name = 'everybody' for update;
WRITE_BOXES
insert into alert as a (bucket, called, id, node, seq, kind, state, created_at, body) select (c % 64)::smallint, c, c, 1, 1, 'teaser', 'queued', now(), TEASER::json from generate_series(:first, :last) c order by 1, 2 on conflict do nothing;
insert into missed_call (at, bucket, called, node, seq, decided_at, body, verdict, alerts) select now(), (c % 64)::smallint, c, 1, c, now(), CALL::json, '{"send":"teaser"}'::json, array[c] from generate_series(:first, :last) c;
update range_usage set used = used + 700 where name = 'everybody';
END_BATCH
BEGIN_BATCH
LOOK
update alert a set state = 'accepted', body = TEASER::json from generate_series(:first, :last) c where a.bucket = (c % 64)::smallint and a.called = c and a.id = c;
insert into part (smsc, message_id, bucket, called, alert) select 'smsc1', c::text, (c % 64)::smallint, c, c from generate_series(:first, :last) c order by 2 on conflict do nothing;
END_BATCH
BEGIN_BATCH
LOOK
update alert a set state = 'delivered', body = TEASER::json from generate_series(:first, :last) c where a.bucket = (c % 64)::smallint and a.called = c and a.id = c;
WRITE_BOXES
END_BATCH
"#;

const BEGIN_BATCH: &str = "begin; set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off; \
    select seq from applied where node = 1 for update;";

const LOOK: &str = "select b.called, b.body::text from generate_series(:first, :last) c join call_box b on b.bucket = (c % 64)::smallint and b.called = c order by b.bucket, b.called for update of b; \
    select a.body::text from generate_series(:first, :last) c join alert a on a.bucket = (c % 64)::smallint and a.called = c and a.id = c; \
    select s.number from generate_series(:first, :last) c join subscriber s on s.bucket = (c % 64)::smallint and s.number = c;";

const WRITE_BOXES: &str = "update call_box b set node = 1, seq = 1, open = c, due = now() + interval '1 day', body = BOX::json from generate_series(:first, :last) c where b.bucket = (c % 64)::smallint and b.called = c;";

const END_BATCH: &str = "update applied set seq = seq + 1 where node = 1; commit;";

/// Runs it on a cluster of its own, whose tables a gateway made.
pub(crate) fn run(settings: &[&str]) -> Result<()> {
    let cluster = Cluster::start(settings);
    let database = cluster.database();
    let mut world = World::new()?;
    world.set("DATABASE__URL", &database);
    let gateway = world.start()?;
    state(&gateway, "normal")?;
    gateway.stop()?;
    drop(sql(
        &database,
        "insert into applied values (1, 0) on conflict do nothing; insert into range_usage values ('everybody', 0) on conflict do nothing",
    ));
    // As long as those of a teaser's life are on average, in characters of JSON.
    let json = |length: usize| format!("'{{\"as_long_as\":\"{}\"}}'", "x".repeat(length));
    let script = SCRIPT
        .replace("BEGIN_BATCH", BEGIN_BATCH)
        .replace("END_BATCH", END_BATCH)
        .replace("LOOK", LOOK)
        .replace("WRITE_BOXES", WRITE_BOXES)
        .replace("BOX", &json(350))
        .replace("TEASER", &json(600))
        .replace("CALL", &json(200));
    let (before, start) = (cluster_cpu(&cluster)?, Instant::now());
    pgbench(&database, &script, BATCHES).context("pgbench")?;
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let calls = (CALLS * u64::from(BATCHES)) as f64;
    println!("\n{NAME}, by pgbench, {CALLS} calls a batch");
    println!("  three visits each       {:>10.0} calls/s", calls / seconds);
    println!("  CPU, Postgres           {:>10.3} s/1,000 calls", (cluster_cpu(&cluster)? - before) / (calls / 1000.0));
    Ok(())
}
