//! The daily report is exact: what it says is what was put in, whatever happened to the database, the node and the disk meanwhile.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use model::{Day, Secret, Timestamp};
use routing::{Condition, Event, HealthEvent};
use store::{
    Context, DatabaseHealth, Embedded, EmbeddedSettings, HandOver, PostgresSettings, ReportRow, Settled, Step, Store,
    StoreError,
};
use support::*;
use throwaway_postgres::{Cluster, sql};
use tokio::task::JoinHandle;

const ALWAYS: (Day, Day) = (Day(0), Day(1_000_000));
const CHILD: &str = "AFTERRING_REPORT_CHILD";

#[expect(clippy::disallowed_methods, reason = "a test's clock")]
fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// Rows as text, without their day.
fn lines(rows: &[ReportRow]) -> Vec<String> {
    let line = |row: &ReportRow| {
        let ReportRow { day: _, range, event, verdict, why, count } = row;
        format!("{}/{event}/{verdict}/{why} {count}", range.0)
    };
    rows.iter().map(line).collect()
}

/// What several settlings counted together.
type Sums = BTreeMap<(Day, String, String, String, String), u64>;

fn add(sums: &mut Sums, rows: &[ReportRow]) {
    for ReportRow { day, range, event, verdict, why, count } in rows {
        *sums.entry((*day, range.0.clone(), event.to_string(), verdict.to_string(), why.to_string())).or_default() +=
            count;
    }
}

async fn report(store: &impl Store) -> Sums {
    let mut sums = Sums::new();
    add(&mut sums, &store.report(ALWAYS.0, ALWAYS.1).await.unwrap());
    sums
}

fn total(sums: &Sums, event: &str, why: Option<&str>) -> u64 {
    let wanted = |key: &&(Day, String, String, String, String)| key.2 == event && why.is_none_or(|why| key.4 == why);
    sums.keys().filter(wanted).map(|key| sums[key]).sum()
}

#[tokio::test]
async fn without_a_database_each_thing_is_counted_once_under_its_day_and_range() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    register(&store, [subscriber(1)]).await;
    let first = happen(
        &store,
        vec![
            call("a", subscriber(1)),
            call("b", subscriber(1)),
            call("a", subscriber(1)),
            call("c", prospect(1)),
            call("d", rare(1)),
            reply(prospect(9), "R"),
        ],
    )
    .await;
    let expected = [
        "/alert/detail/queued 1",
        "/call/joined/detail 1",
        "/call/send/detail 1",
        "north/alert/teaser/queued 1",
        "north/call/send/teaser 1",
        "south/alert/notice/queued 1",
        "south/alert/teaser/queued 1",
        "south/call/send/teaser 1",
        "south/reply/reply/refused 1",
    ];
    assert_eq!(lines(&first.counted), expected);
    let submits = store.lease(10, &context(now())).await.unwrap();
    assert_eq!(submits.len(), 4);
    let answers = submits.iter().map(|submit| accepted(submit, &[&submit.alert.0.to_string()])).collect();
    // The answers come to nothing new a second time, and so does the receipt.
    let answered = happen(&store, answers).await;
    let again = submits.iter().map(|submit| accepted(submit, &[&submit.alert.0.to_string()])).collect();
    assert_eq!(happen(&store, again).await.counted, []);
    assert_eq!(answered.counted.iter().map(|row| row.count).sum::<u64>(), 4, "{:?}", lines(&answered.counted));
    let delivered = || vec![receipt(&submits[0].alert.0.to_string(), Some(submits[0].destination))];
    let tomorrow = Context { now: now() + DAY, ..context(now()) };
    store.append(delivered()).await.unwrap();
    assert_eq!(settle(&store, &tomorrow).await.unwrap().counted.len(), 1);
    assert_eq!(happen(&store, delivered()).await.counted, []);

    let today = Day::parse("2026-11-23").unwrap();
    let all = store.report(today, today).await.unwrap();
    assert_eq!(all.iter().map(|row| row.count).sum::<u64>(), 9 + 4, "an id that was seen before is no second event");
    let next = store.report(today.plus(1), today.plus(1)).await.unwrap();
    assert_eq!(lines(&next).join(), "/alert/detail/delivered 1");
    store.close().await;

    // It is there after a restart, and as long as evidence is kept.
    let store = open(dir.path());
    assert_eq!(store.report(today, today).await.unwrap(), all);
    let end = now() + Duration::from_secs(1_095 * 86_400);
    for (at, left) in [(end + DAY, 10), (end + DAY * 2, 1), (end + DAY * 3, 0)] {
        while !store.prune(at).await.unwrap().done {}
        assert_eq!(
            store.report(ALWAYS.0, ALWAYS.1).await.unwrap().len(),
            if left == 10 { all.len() + 1 } else { left }
        );
    }
    store.close().await;
}

trait Join {
    fn join(&self) -> String;
}

impl Join for Vec<String> {
    fn join(&self) -> String {
        self.as_slice().join("\n")
    }
}

/// A node with its loops but for the one that decides, which the tests are.
struct Node {
    store: HandOver,
    health: DatabaseHealth,
    counted: Sums,
    loops: Vec<JoinHandle<()>>,
}

impl Node {
    async fn start(dir: &Path, url: &str) -> Self {
        let settings = EmbeddedSettings {
            cache: 4 << 20,
            log: 1 << 20,
            shared: true,
            ..EmbeddedSettings::new(dir.to_owned(), DAY * 30)
        };
        // A process that another test starts at this moment may hold the lock until it runs its own program.
        let mut local = Embedded::open(settings.clone(), clock());
        while matches!(local, Err(StoreError::InUse(_))) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            local = Embedded::open(settings.clone(), clock());
        }
        let settings = PostgresSettings {
            url: Secret::new(url.to_owned()),
            ca: None,
            node_name: "test".to_owned(),
            pool: 2,
            interval: Duration::from_millis(50),
            timeout: Duration::from_secs(1),
            migrate: true,
            lease: Duration::from_secs(600),
            retention: store::Retention::of(DAY * 30),
        };
        let health = DatabaseHealth::starting(clock);
        let store = HandOver::beside(local.unwrap(), settings, health.clone(), clock).await.unwrap();
        let loops = vec![tokio::spawn(store.clone().probe()), tokio::spawn(store.clone().follow_registry())];
        Self { store, health, counted: Sums::new(), loops }
    }

    /// One that has reached its database and has nothing to hand over.
    async fn reaching(dir: &Path, url: &str) -> Self {
        let mut node = Self::start(dir, url).await;
        node.normal().await;
        node
    }

    fn context(&self) -> Context {
        Context { policy: Arc::new(policy()), database: self.health.decides_by(), now: clock() }
    }

    async fn normal(&mut self) {
        for _ in 0..4_000 {
            let step = self.store.hand_over(&self.context()).await.unwrap();
            let condition = self.health.now().machine.condition();
            if condition == Condition::Normal && step == Step::Done && !self.store.is_behind() {
                return;
            }
            if step != Step::Moved {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        panic!("something is left to hand over: {:?}", self.health.now());
    }

    async fn happen(&mut self, events: Vec<Event>) -> Settled {
        let appended = self.store.local().append(events).await.unwrap();
        let count = appended.duplicate.iter().filter(|duplicate| !**duplicate).count();
        if count == 0 {
            return Settled::default();
        }
        let mut batch = Vec::new();
        while batch.len() < count {
            batch.extend(self.store.local().next(1_000).await);
        }
        let settled = self.store.settle(batch, self.context()).await.unwrap();
        add(&mut self.counted, &settled.counted);
        settled
    }

    /// Everything that waits leaves, is taken, and arrives.
    async fn tell(&mut self) {
        let submits = self.store.lease(1_000, &self.context()).await.unwrap();
        let id = |alert: model::AlertId| format!("{:x}", alert.0);
        self.happen(submits.iter().map(|submit| accepted(submit, &[&id(submit.alert)])).collect()).await;
        let receipts = submits
            .iter()
            .map(|submit| with(receipt(&id(submit.alert), Some(submit.destination)), |receipt| receipt.at = clock()));
        self.happen(receipts.collect()).await;
    }

    fn forced(&self) {
        self.health.tell(HealthEvent::Force { until: clock() + DAY, reason: "test".to_owned() });
    }

    async fn stop(self) {
        for task in self.loops {
            task.abort();
        }
        self.store.local().clone().close().await;
    }
}

fn ring(id: &str, called: model::Msisdn) -> Event {
    call_at(id, called, clock())
}

#[tokio::test]
async fn two_nodes_through_an_outage_and_a_refused_row_have_together_what_both_decided() {
    let cluster = Cluster::start(&[]);
    let (url, here, there) = (cluster.database(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut one = Node::reaching(here.path(), &url).await;
    let mut other = Node::reaching(there.path(), &url).await;
    let registered =
        format!("insert into subscriber (number) select generate_series({0}, {0} + 99)", subscriber(0).as_u64());
    let _ = sql(&url, &registered);
    while one.store.subscriber_count() < 100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(one.happen((0..20).map(|n| ring(&format!("a{n}"), prospect(n))).collect()).await.database.is_some());
    other
        .happen((0..20).map(|n| ring(&format!("b{n}"), prospect(n + 10))).chain([reply(prospect(3), "C")]).collect())
        .await;
    one.tell().await;
    other.tell().await;
    assert_eq!(report(&one.store).await, report(&other.store).await);

    one.forced();
    assert!(matches!(one.store.report(ALWAYS.0, ALWAYS.1).await, Err(StoreError::Away)));
    assert!(one.happen((0..30).map(|n| ring(&format!("c{n}"), subscriber(n))).collect()).await.database.is_none());
    one.tell().await;
    one.happen(vec![ring("d", prospect(50)), reply(prospect(1), "R"), reply(prospect(2), "C")]).await;
    other.happen((0..5).map(|n| ring(&format!("e{n}"), prospect(n + 60))).collect()).await;
    // One person's rows are refused by a rule of somebody else: they count all the same.
    let poison = subscriber(20).as_u64();
    let _ = sql(&url, &format!("alter table missed_call add constraint nobody_likes_it check (called <> {poison})"));
    one.health.tell(HealthEvent::Lift);
    one.normal().await;
    assert_eq!(one.store.local().health().quarantined, 1);
    let mut sums = one.counted.clone();
    for (key, count) in &other.counted {
        *sums.entry(key.clone()).or_default() += count;
    }
    assert_eq!(report(&one.store).await, sums, "what the database has, and what both counted while they decided");
    assert_eq!(report(&other.store).await, sums);
    assert_eq!(total(&sums, "call", None), 20 + 20 + 30 + 1 + 5);
    assert_eq!(total(&sums, "reply", None), 3);
    let states = sql(&url, "select count(*), count(*) filter (where state = 'delivered') from alert");
    let counted = format!("{}|{}", total(&sums, "alert", Some("queued")), total(&sums, "alert", Some("delivered")));
    assert_eq!(states.trim(), counted);
    assert_eq!(sql(&url, "select count(distinct node) from report_count").trim(), "2");
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_failover_that_loses_the_newest_batches_counts_them_again_and_once() {
    let cluster = Cluster::start(&[]);
    let (url, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let mut node = Node::reaching(dir.path(), &url).await;
    node.happen(vec![ring("a", prospect(1))]).await;
    let tables = ["applied", "call_box", "alert", "missed_call", "report_count"];
    for table in tables {
        let _ = sql(&url, &format!("create table old_{table} as select * from {table}"));
    }
    node.happen(vec![ring("b", prospect(2)), ring("c", prospect(3))]).await;
    node.happen(vec![ring("d", prospect(2)), ring("e", prospect(4))]).await;
    // The database as a standby knew it that had only the first batch; of what it lost, no teaser leaves.
    node.forced();
    for table in tables {
        let _ = sql(&url, &format!("truncate {table}; insert into {table} select * from old_{table}"));
    }
    node.health.tell(HealthEvent::Lift);
    node.normal().await;
    node.happen(vec![ring("f", prospect(9))]).await;
    let sums = report(&node.store).await;
    assert_eq!(sums, node.counted, "what was withdrawn meanwhile is counted there and told here");
    assert_eq!(total(&sums, "call", None), 6);
    assert_eq!((total(&sums, "alert", Some("queued")), total(&sums, "alert", Some("failed"))), (5, 3));
    node.stop().await;
}

fn say(line: &str) {
    // One write per line: a line is said whole or not at all.
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).expect("the parent reads until it kills");
}

/// The life that is cut short: not a test of its own, but started by the test below.
#[tokio::test]
async fn child() {
    let Ok(settings) = std::env::var(CHILD) else { return };
    let mut words = settings.split(' ');
    let (dir, life, url) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let mut node = Node::start(Path::new(dir), url).await;
    for n in 0.. {
        let calls = (0..5_u64).map(|k| ring(&format!("{life}-{n}-{k}"), prospect((n * 7 + k * 13) % 40))).collect();
        node.happen(calls).await;
        drop(node.store.hand_over(&node.context()).await);
        node.tell().await;
        say("settled");
    }
}

#[test]
fn killed_at_any_moment_node_and_database_have_counted_everything_once() {
    let mut cluster = Cluster::start(&[]);
    let (url, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    for life in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(CHILD, format!("{} {life} {url}", dir.path().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let rounds = |said: &mut dyn Iterator<Item = std::io::Result<String>>, many: usize| {
            let settled = said.map(Result::unwrap).filter(|line| line.contains("settled")).take(many).count();
            assert_eq!(settled, many, "the child lives");
        };
        rounds(&mut said, 12 + life * 3);
        if life % 2 == 1 {
            // Batches are in doubt, and more is decided alone.
            cluster.kill();
            rounds(&mut said, 5);
            cluster.restart();
            rounds(&mut said, 5);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sums = runtime.block_on(async {
        let mut node = Node::start(dir.path(), &url).await;
        while node.store.local().backlog() > 0 {
            let batch = node.store.local().next(1_000).await;
            node.store.settle(batch, node.context()).await.unwrap();
        }
        node.normal().await;
        let sums = report(&node.store).await;
        node.stop().await;
        sums
    });
    let conn = rusqlite::Connection::open(dir.path().join("afterring.db")).unwrap();
    let count = |sql: &str| {
        let count = conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        u64::try_from(count).unwrap()
    };
    let calls = count("SELECT count(*) FROM event WHERE body LIKE '{\"call\":%'");
    assert!(calls > 300, "{calls}: the lives were too short to tell");
    assert_eq!(total(&sums, "call", None), calls);
    let like = |event: &str, verdict: &str| {
        count(&format!(
            "SELECT count(*) FROM event e JOIN decision d ON d.seq = e.seq WHERE e.body LIKE '{{\"{event}\":%' AND d.verdict LIKE '{{\"{verdict}\":%'"
        ))
    };
    for verdict in ["send", "joined", "held", "nothing"] {
        let keys = sums.keys().filter(|key| key.2 == "call" && key.3 == verdict);
        assert_eq!(keys.map(|key| sums[key]).sum::<u64>(), like("call", verdict), "{verdict}");
    }
    assert_eq!(total(&sums, "alert", Some("queued")), count("SELECT count(*) FROM alert"));
    for state in ["delivered", "failed"] {
        let rows = count(&format!("SELECT count(*) FROM alert WHERE body ->> '$.state' = '{state}'"));
        assert_eq!(total(&sums, "alert", Some(state)), rows, "{state}");
    }
    let waits = count("SELECT count(*) FROM alert WHERE body ->> '$.state' IN ('queued', 'sending', 'in_doubt')");
    let (taken, failed) = (total(&sums, "alert", Some("accepted")), total(&sums, "alert", Some("failed")));
    assert_eq!(total(&sums, "alert", Some("queued")), taken + failed + waits);
}
