//! The hand-over between the two stores, against a real database.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::path::Path;
use std::time::{Duration, SystemTime};

use model::{Msisdn, Secret, Submit, SubmitOutcome, Timestamp};
use routing::{Condition, Database, Event, HealthEvent, Resend, Subscriber};
use store::{Context, DatabaseHealth, Embedded, EmbeddedSettings, HandOver, PostgresSettings, Step, Store, StoreError};
use support::{DAY, accepted, call_at, half, policy, prospect, reply, subscriber, with};
use throwaway_postgres::{Cluster, sql};
use tokio::task::JoinHandle;

#[expect(clippy::disallowed_methods, reason = "a test's clock")]
fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// A node with its loops but for the one that decides, which the tests are.
struct Node {
    store: HandOver,
    health: DatabaseHealth,
    loops: Vec<JoinHandle<()>>,
}

impl Node {
    async fn start(dir: &Path, url: &str) -> Self {
        Self::start_with_lease(dir, url, Duration::from_secs(600)).await
    }

    async fn start_with_lease(dir: &Path, url: &str, lease: Duration) -> Self {
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
        let local = local.unwrap();
        let settings = PostgresSettings {
            url: Secret::new(url.to_owned()),
            ca: None,
            node_name: "test".to_owned(),
            pool: 2,
            interval: Duration::from_millis(50),
            timeout: Duration::from_secs(1),
            migrate: true,
            lease,
            retention: store::Retention::of(DAY * 30),
        };
        let health = DatabaseHealth::starting(clock);
        let store = HandOver::beside(local, settings, health.clone(), clock).await.unwrap();
        let loops = vec![tokio::spawn(store.clone().probe()), tokio::spawn(store.clone().follow_registry())];
        Self { store, health, loops }
    }

    /// One that has reached its database.
    async fn reaching(dir: &Path, url: &str) -> Self {
        let node = Self::start(dir, url).await;
        node.normal().await;
        node
    }

    fn context(&self) -> Context {
        Context { policy: std::sync::Arc::new(policy()), database: self.health.decides_by(), now: clock() }
    }

    async fn becomes(&self, wanted: Condition) {
        let mut seen = self.health.watch();
        let wait = seen.wait_for(|seen| seen.machine.condition() == wanted);
        drop(tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the state in time").unwrap());
    }

    /// Hands over until nothing is left, at most so many steps.
    async fn drain(&self) {
        for _ in 0..2_000 {
            match self.store.hand_over(&self.context()).await.unwrap() {
                Step::Done if !self.store.is_behind() => return,
                Step::Moved => {}
                Step::Done | Step::Later => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("something is left to hand over: {:?}", self.health.now());
    }

    /// Reaches the database and has nothing to hand over.
    async fn normal(&self) {
        self.becomes(Condition::Recovering).await;
        self.drain().await;
        self.becomes(Condition::Normal).await;
    }

    async fn happen(&self, events: Vec<Event>) -> Vec<String> {
        let appended = self.store.local().append(events).await.unwrap();
        let count = appended.duplicate.iter().filter(|duplicate| !**duplicate).count();
        let mut batch = Vec::new();
        while batch.len() < count {
            batch.extend(self.store.local().next(1_000).await);
        }
        support::verdicts(&self.store.settle(batch, self.context()).await.unwrap())
    }

    /// Tells somebody of a call; the message is on its way.
    async fn send(&self, who: u64) -> Submit {
        assert_eq!(self.happen(vec![call(&format!("call {who}"), prospect(who))]).await, ["send teaser"]);
        self.store.lease(1, &self.context()).await.unwrap().remove(0)
    }

    async fn stop(self) {
        for task in self.loops {
            task.abort();
        }
        self.store.local().clone().close().await;
    }
}

fn call(id: &str, called: Msisdn) -> Event {
    call_at(id, called, clock())
}

fn receipt(id: &str, handset: Option<Msisdn>) -> Event {
    support::with(support::receipt(id, handset), |receipt| receipt.at = clock())
}

async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

fn abnormal(health: &DatabaseHealth) {
    health.tell(HealthEvent::Force { until: clock() + Duration::from_secs(600), reason: "test".to_owned() });
    assert_eq!(health.decides_by(), Database::Abnormal);
}

#[tokio::test]
async fn what_is_decided_alone_is_in_the_database_once_and_a_refused_row_blocks_nothing() {
    let cluster = Cluster::start(&[]);
    let (url, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let node = Node::reaching(dir.path(), &url).await;
    let _ = sql(
        &url,
        &format!("insert into subscriber (number) select generate_series({0}, {0} + 99)", subscriber(0).as_u64()),
    );
    until("the registry is followed", || node.store.subscriber_count() == 100).await;
    let told = node.happen(vec![call("a", subscriber(1)), call("b", prospect(1)), reply(prospect(2), "R")]).await;
    assert_eq!(told, ["send detail", "send teaser", "reply refused"]);

    abnormal(&node.health);
    let told = node
        .happen(
            (0..50)
                .map(|n| call(&format!("c{n}"), subscriber(n + 10)))
                .chain([call("d", prospect(3)), reply(prospect(1), "R"), reply(prospect(1), "C")])
                .collect(),
        )
        .await;
    assert_eq!(told.iter().filter(|verdict| *verdict == "send fallback").count(), 50);
    assert_eq!(told[50..], ["nothing abnormal_not_registered", "reply refused", "reply deferred"]);
    assert!(node.store.is_behind());

    // One person's rows are refused by a rule of somebody else.
    let poison = subscriber(20).as_u64();
    let _ = sql(&url, &format!("alter table missed_call add constraint nobody_likes_it check (called <> {poison})"));
    node.health.tell(HealthEvent::Lift);
    node.normal().await;
    assert_eq!(node.store.local().health().quarantined, 1);
    let counts = sql(&url, "select count(*), count(distinct body->>'id') from missed_call");
    assert_eq!(counts.trim(), "52|52", "2 + 50 + 1 calls, and one set aside");
    assert_eq!(sql(&url, &format!("select count(*) from missed_call where called = {poison}")).trim(), "0");
    assert_eq!(sql(&url, "select count(*) from call_box where refused_at is not null").trim(), "2");
    assert_eq!(
        sql(&url, "select kind, count(*) from alert where kind <> 'notice' group by 1 order by 1").trim(),
        "detail|1\nfallback|49\nteaser|1"
    );
    // It goes on as before, for the one whose row was refused too.
    assert_eq!(node.happen(vec![call("e", subscriber(60))]).await, ["send detail"]);
    node.stop().await;
}

#[tokio::test]
async fn a_node_that_starts_without_its_database_knows_its_subscribers_and_hands_over_what_an_earlier_life_decided() {
    let mut cluster = Cluster::start(&[]);
    let (url, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let node = Node::reaching(dir.path(), &url).await;
    let _ = sql(
        &url,
        &format!(
            "insert into subscriber (number, language) values ({}, 'zh-CN'), ({}, null)",
            subscriber(1).as_u64(),
            subscriber(2).as_u64()
        ),
    );
    until("the registry is followed", || node.store.subscriber_count() == 2).await;
    cluster.stop();
    node.becomes(Condition::Abnormal).await;
    assert_eq!(node.happen(vec![call("a", subscriber(1))]).await, ["send fallback"]);
    node.stop().await;

    let node = Node::start(dir.path(), &url).await;
    assert_eq!(
        node.happen(vec![call("b", subscriber(2)), call("a", subscriber(1)), call("c", prospect(1))]).await,
        ["send fallback", "nothing abnormal_not_registered"]
    );
    let known = node.store.local().subscriber(subscriber(1)).await.unwrap().unwrap();
    assert_eq!(known.language.unwrap().to_string(), "zh-CN");
    cluster.restart();
    node.normal().await;
    assert_eq!(sql(&url, "select string_agg(body->>'id', ',' order by body->>'id') from missed_call").trim(), "a,b,c");
    assert_eq!(node.happen(vec![call("c", prospect(1)), call("d", prospect(1))]).await, ["send teaser"]);
    node.stop().await;
}

#[tokio::test]
async fn a_failover_that_loses_the_newest_batches_has_them_again_and_nobody_is_told_twice() {
    let cluster = Cluster::start(&[]);
    let (url, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let node = Node::reaching(dir.path(), &url).await;
    assert_eq!(node.happen(vec![call("a", prospect(1))]).await, ["send teaser"]);
    let _ = sql(
        &url,
        "create table before as select * from applied; create table boxes as select * from call_box; \
        create table alerts as select * from alert; create table calls as select * from missed_call",
    );
    assert_eq!(
        node.happen(vec![call("b", prospect(2)), call("c", prospect(1))]).await,
        ["send teaser", "joined teaser"]
    );
    assert_eq!(node.happen(vec![call("d", prospect(2))]).await, ["joined teaser"]);
    assert_eq!(node.store.lease(10, &node.context()).await.unwrap().len(), 2, "both leave");
    // The database as a standby knew it that had only the first batch.
    abnormal(&node.health);
    let _ = sql(
        &url,
        "truncate applied, call_box, alert, missed_call, range_usage; insert into applied select * from before; \
        insert into call_box select * from boxes; insert into alert select * from alerts; insert into missed_call select * from calls; \
        insert into range_usage values ('south', 1)",
    );
    node.health.tell(HealthEvent::Lift);
    node.normal().await;
    assert_eq!(
        sql(&url, "select string_agg(body->>'id', ',' order by body->>'id') from missed_call").trim(),
        "a,b,c,d"
    );
    assert_eq!(sql(&url, "select used from range_usage").trim(), "2");
    let untold = "select called % 10, body->'untold'->0->>'count' from call_box order by 1";
    assert_eq!(sql(&url, untold).trim(), "1|2\n2|2");
    assert!(node.store.lease(10, &node.context()).await.unwrap().is_empty(), "nobody is told twice");
    assert_eq!(node.happen(vec![call("a", prospect(1)), call("e", prospect(2))]).await, ["nothing teaser_capped"]);
    node.stop().await;
}

#[tokio::test]
async fn a_receipt_that_came_to_another_node_first_counts_when_the_answer_is_handed_over() {
    let cluster = Cluster::start(&[]);
    let (url, here, there) = (cluster.database(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sender = Node::reaching(here.path(), &url).await;
    let other = Node::reaching(there.path(), &url).await;
    assert_eq!(sender.happen(vec![call("a", prospect(1))]).await, ["send teaser"]);
    let submit = sender.store.lease(10, &sender.context()).await.unwrap().remove(0);
    abnormal(&sender.health);
    assert_eq!(sender.happen(vec![accepted(&submit, &["7"])]).await, ["alert"]);
    // It came twice; one of an alert that nobody knows, and one of another handset, wait beside it.
    let seven = || receipt("7", Some(prospect(1)));
    let receipts = vec![receipt("8", None), seven(), receipt("7", Some(prospect(2))), seven()];
    assert_eq!(other.happen(receipts).await, ["nothing unmatched"; 4]);
    sender.health.tell(HealthEvent::Lift);
    sender.normal().await;
    let upkeep = tokio::spawn(other.store.clone().upkeep());
    let mut again = Vec::new();
    while again.len() < 2 {
        let next = other.store.local().next(2);
        again.extend(tokio::time::timeout(Duration::from_secs(20), next).await.expect("both are claimed"));
    }
    let settled = other.store.settle(again, other.context()).await.unwrap();
    assert_eq!(support::verdicts(&settled), ["alert", "nothing no_change"]);
    assert_eq!(sql(&url, "select state from alert").trim(), "delivered");
    upkeep.abort();
    sender.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_receipt_in_another_form_finds_its_alert_from_another_node_at_once_early_and_after_a_guess() {
    let cluster = Cluster::start(&[]);
    let (url, here, there) = (cluster.database(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sender = Node::reaching(here.path(), &url).await;
    let other = Node::reaching(there.path(), &url).await;
    let delivered = "select string_agg((called % 10)::text, ',' order by called) from alert where state = 'delivered'";
    let calls = (1..=4).map(|n| call(&n.to_string(), prospect(n))).collect();
    assert_eq!(sender.happen(calls).await, ["send teaser"; 4]);
    let submits = sender.store.lease(10, &sender.context()).await.unwrap();
    let submit = |n: u64| submits.iter().find(|submit| submit.destination == prospect(n)).unwrap();
    let answers = [(1, "000001C2"), (2, "1101c1-C9D03D-F000"), (3, "1D6")].map(|(n, id)| accepted(submit(n), &[id]));
    assert_eq!(sender.happen(answers.to_vec()).await, ["alert"; 3]);
    assert_eq!(
        sql(&url, "select string_agg(message_id, ',' order by message_id) from part").trim(),
        "1101c1-c9d03d-f000,1c2,1d6"
    );

    // At once: the other node asks for every form; where no handset is named, too.
    let receipts = vec![receipt("450", Some(prospect(1))), receipt("1101C1-C9D03D-F000", None)];
    assert_eq!(other.happen(receipts).await, ["alert"; 2]);
    assert_eq!(sql(&url, delivered).trim(), "1,2");

    // What this node alone would have guessed is another's as well: nobody's, then.
    assert_eq!(other.happen(vec![call("5", prospect(5))]).await, ["send teaser"]);
    let fifth = other.store.lease(10, &other.context()).await.unwrap().remove(0);
    assert_eq!(other.happen(vec![accepted(&fifth, &["470"])]).await, ["alert"]);
    assert_eq!(sender.happen(vec![receipt("470", None)]).await, ["nothing unmatched"]);
    assert_eq!(sender.happen(vec![receipt("470", Some(prospect(3)))]).await, ["alert"]);
    assert_eq!(sql(&url, delivered).trim(), "1,2,3");

    // Early: before the answer was handed over.
    assert_eq!(other.happen(vec![receipt("451", Some(prospect(4)))]).await, ["nothing unmatched"]);
    assert_eq!(sender.happen(vec![accepted(submit(4), &["1C3"])]).await, ["alert"]);
    let upkeep = tokio::spawn(other.store.clone().upkeep());
    let again =
        tokio::time::timeout(Duration::from_secs(20), other.store.local().next(1)).await.expect("it is claimed");
    let settled = other.store.settle(again, other.context()).await.unwrap();
    assert_eq!(support::verdicts(&settled), ["alert"]);
    assert_eq!(settled.outcomes[0].receipt.as_ref().unwrap().how.as_str(), "decimal");
    assert_eq!(sql(&url, delivered).trim(), "1,2,3,4");
    assert_eq!(other.store.local().health().parked, 0);
    upkeep.abort();
    sender.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn an_id_that_two_nodes_were_given_names_the_alert_of_the_receipts_handset() {
    let cluster = Cluster::start(&[]);
    let (url, here, there) = (cluster.database(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = Node::reaching(here.path(), &url).await;
    let other = Node::reaching(there.path(), &url).await;
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for who in 1..=2 {
        ones.push(one.send(who).await);
        others.push(other.send(who + 2).await);
    }
    let delivered = "select string_agg((called % 10)::text, ',' order by called) from alert where state = 'delivered'";
    // Known to both when the receipt comes.
    assert_eq!(one.happen(vec![accepted(&ones[0], &["5"])]).await, ["alert"]);
    assert_eq!(other.happen(vec![accepted(&others[0], &["5"]), accepted(&others[1], &["6"])]).await, ["alert"; 2]);
    assert_eq!(one.happen(vec![receipt("5", Some(prospect(3)))]).await, ["alert"]);
    assert_eq!(sql(&url, delivered).trim(), "3");
    // Given here in the batch in which the receipt comes.
    let batch = vec![accepted(&ones[1], &["6"]), receipt("6", Some(prospect(4)))];
    assert_eq!(one.happen(batch).await, ["alert"; 2]);
    assert_eq!(sql(&url, delivered).trim(), "3,4");
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_receipt_that_the_rule_gives_to_nobody_is_not_claimed_from_the_database() {
    let cluster = Cluster::start(&[]);
    let (url, here, there) = (cluster.database(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sender = Node::reaching(here.path(), &url).await;
    let other = Node::reaching(there.path(), &url).await;
    let submits = [sender.send(1).await, sender.send(2).await, sender.send(3).await];
    let sent = vec![accepted(&submits[0], &["5"]), receipt("5", Some(prospect(1)))];
    assert_eq!(sender.happen(sent).await, ["alert"; 2]);
    // Long after its id's alert had ended; of another handset; before the message was made; and one whose answer is still to come.
    let at = |event, at| with(event, |receipt| receipt.at = at);
    let hour = Duration::from_secs(3_600);
    let parked = vec![
        at(receipt("5", Some(prospect(1))), clock() + hour),
        receipt("6", Some(prospect(9))),
        at(receipt("7", Some(prospect(3))), clock() - hour),
        receipt("6", Some(prospect(2))),
    ];
    assert_eq!(other.happen(parked.clone()).await, ["nothing unmatched"; 4]);
    let answers = vec![accepted(&submits[1], &["6"]), accepted(&submits[2], &["7"])];
    assert_eq!(sender.happen(answers).await, ["alert"; 2]);
    let upkeep = tokio::spawn(other.store.clone().upkeep());
    let claimed = tokio::time::timeout(Duration::from_secs(20), other.store.local().next(4)).await.expect("in time");
    assert_eq!(claimed.iter().map(|one| &one.event).collect::<Vec<_>>(), [&parked[3]]);
    assert_eq!(other.store.local().health().parked, 3);
    upkeep.abort();
    sender.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn many_alerts_that_wait_for_the_lease_do_not_stand_before_new_ones() {
    const MANY: u64 = 1_100;
    let mut cluster = Cluster::start(&[]);
    let (url, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let lease = Duration::from_secs(3);
    let node = Node::start_with_lease(dir.path(), &url, lease).await;
    node.normal().await;
    let everybody = format!("select generate_series({}, {})", subscriber(0).as_u64(), subscriber(MANY).as_u64());
    let _ = sql(&url, &format!("insert into subscriber (number) {everybody}"));
    until("the registry is followed", || node.store.subscriber_count() == MANY + 1).await;
    node.happen((0..MANY).map(|n| call(&n.to_string(), subscriber(n))).collect()).await;
    let submits = node.store.lease(2_000, &node.context()).await.unwrap();
    assert_eq!(submits.len() as u64, MANY);
    let late = Duration::from_secs(10);
    let put_off = |submit: &Submit| Event::Submitted {
        alert: submit.alert,
        attempt: submit.attempt,
        outcome: SubmitOutcome::Later { after: late, status: 0x64, avoid: None },
    };
    node.happen(submits.iter().map(put_off).collect()).await;
    cluster.kill();
    tokio::time::sleep(lease).await;
    // All could leave by now, had the lease not lapsed.
    let context = Context { now: clock() + late * 2, database: Database::Abnormal, ..node.context() };
    let appended = node.store.local().append(vec![call_at("new", subscriber(MANY), context.now)]).await.unwrap();
    let batch = node.store.local().next(10).await;
    assert_eq!(batch.last().unwrap().seq, appended.through);
    node.store.settle(batch, context.clone()).await.unwrap();
    let left = node.store.lease(10, &context).await.unwrap();
    assert_eq!(left.iter().map(|submit| submit.destination).collect::<Vec<_>>(), [subscriber(MANY)]);
    node.stop().await;
}

#[tokio::test]
async fn parts_of_a_reply_that_came_to_two_nodes_apart_are_read_together_and_once() {
    let cluster = Cluster::start(&[]);
    let (url, here, there) = (cluster.database(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let apart = Node::reaching(here.path(), &url).await;
    let other = Node::reaching(there.path(), &url).await;
    // One person is known to the node that will be alone, with a part collected; the other is not.
    let refuses = |who, number| half(prospect(who), number, if number == 1 { "R" } else { " " });
    assert_eq!(apart.happen(vec![refuses(1, 1)]).await, ["reply waiting"]);
    assert_eq!(other.happen(vec![refuses(2, 2)]).await, ["reply waiting"]);
    abnormal(&apart.health);
    let alone = apart.happen(vec![refuses(1, 2), refuses(2, 1)]).await;
    assert_eq!(alone, ["reply waiting"; 2], "what the other node made of the first part is not known");
    apart.health.tell(HealthEvent::Lift);
    apart.normal().await;
    let mut due = apart.store.due(clock(), 10, false).await.unwrap();
    due.sort_unstable();
    assert_eq!(due, [prospect(1), prospect(2)], "both are whole: they are looked at at once");
    let looks = due.into_iter().map(|called| Event::Due { called }).collect();
    assert_eq!(apart.happen(looks).await, ["reply refused"; 2]);
    assert_eq!(apart.happen(vec![refuses(1, 2), refuses(2, 1)]).await, ["nothing no_change"; 2]);
    assert_eq!(sql(&url, "select count(*) from alert where kind = 'notice'").trim(), "2", "each is answered once");
    assert_eq!(sql(&url, "select count(*) from call_box where refused_at is not null").trim(), "2");
    apart.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn receipts_of_two_parts_that_come_to_two_nodes_end_the_alert() {
    let cluster = Cluster::start(&[]);
    let (url, here, there) = (cluster.database(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sender = Node::reaching(here.path(), &url).await;
    let other = Node::reaching(there.path(), &url).await;
    for (who, first, second) in [(1, &other, &sender), (2, &sender, &other)] {
        let id = |part| format!("{who}{part}");
        assert_eq!(sender.happen(vec![call(&id(0), prospect(who))]).await, ["send teaser"]);
        let submit = sender.store.lease(10, &sender.context()).await.unwrap().remove(0);
        assert_eq!(sender.happen(vec![accepted(&submit, &[&id(1), &id(2)])]).await, ["alert"]);
        assert_eq!(first.happen(vec![receipt(&id(1), Some(prospect(who)))]).await, ["alert"]);
        assert_eq!(second.happen(vec![receipt(&id(2), Some(prospect(who)))]).await, ["alert"]);
    }
    assert_eq!(sql(&url, "select distinct state from alert").trim(), "delivered");
    sender.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_message_that_arrived_as_another_node_knows_is_sent_again_without_its_calls() {
    let cluster = Cluster::start(&[]);
    let (url, here, there) = (cluster.database(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sender = Node::reaching(here.path(), &url).await;
    let other = Node::reaching(there.path(), &url).await;
    for (who, hears, sends_again) in [(1, &sender, &other), (2, &other, &sender)] {
        let (called, id) = (subscriber(who), who.to_string());
        sender.store.put_subscribers(vec![Subscriber::new(called, clock() - DAY)]).await.unwrap();
        assert_eq!(sender.happen(vec![call(&id, called)]).await, ["send detail"]);
        let submit = sender.store.lease(10, &sender.context()).await.unwrap().remove(0);
        assert_eq!(sender.happen(vec![accepted(&submit, &[&id])]).await, ["alert"]);
        let earlier = sends_again.store.timeline(called, 10).await.unwrap()[0].alerts[0].alert.clone().unwrap();
        let wanted = Resend::of(&earlier, clock(), "user:anna".to_owned()).unwrap();
        assert_eq!(wanted.told.len(), 1, "it may arrive yet");
        assert_eq!(hears.happen(vec![receipt(&id, Some(called))]).await, ["alert"]);
        assert_eq!(sends_again.happen(vec![Event::Resend(wanted)]).await, ["send detail"]);
        let timeline = sends_again.store.timeline(called, 10).await.unwrap();
        let mut alerts = timeline.iter().flat_map(|entry| &entry.alerts).filter_map(|named| named.alert.as_ref());
        let again = alerts.find(|alert| alert.again.is_some()).unwrap();
        assert_eq!((&again.text, again.told.len()), (&earlier.text, 0));
    }
    sender.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_number_that_changed_hands_is_known_by_its_new_one_alone() {
    let cluster = Cluster::start(&[]);
    let (url, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let node = Node::reaching(dir.path(), &url).await;
    let (before, after) = (subscriber(1), subscriber(2));
    let _ = sql(&url, &format!("insert into subscriber (number) values ({})", before.as_u64()));
    until("the registry is followed", || node.store.subscriber_count() == 1).await;
    let both = format!(
        "insert into subscriber (number) values ({}); update subscriber set number = {} where number = {}",
        subscriber(3).as_u64(),
        after.as_u64(),
        before.as_u64()
    );
    let _ = sql(&url, &both);
    until("both changes are followed", || node.store.subscriber_count() == 2).await;
    abnormal(&node.health);
    let told = node.happen(vec![call("a", before), call("b", after), call("c", subscriber(3))]).await;
    assert_eq!(told, ["nothing abnormal_not_registered", "send fallback", "send fallback"]);
    node.stop().await;
}

#[tokio::test]
async fn who_left_while_a_failover_was_not_seen_is_not_registered_after_a_restart() {
    let mut primary = Cluster::start(&[]);
    let (name, dir) = (primary.database(), tempfile::tempdir().unwrap());
    let mut standby = primary.standby("second", &[]);
    let name = name.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let both =
        format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{name}?sslmode=disable", primary.port(), standby.port());
    let node = Node::reaching(dir.path(), &both).await;
    until("the standby follows", || standby.has_all_of(&primary)).await;
    // The standby never hears of this registration; the node does.
    standby.stop();
    let _ =
        sql(&primary.url_of(&name), &format!("insert into subscriber (number) values ({})", subscriber(1).as_u64()));
    until("the registry is followed", || node.store.subscriber_count() == 1).await;
    node.stop().await;
    primary.kill();
    standby.restart();
    standby.promote();
    let node = Node::start(dir.path(), &both).await;
    assert_eq!(node.store.subscriber_count(), 1, "as far as it knows");
    node.normal().await;
    until("the registry is as the new primary has it", || node.store.subscriber_count() == 0).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_keyword_of_a_batch_changes_the_registration_that_the_one_before_left() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&[]);
    let node = Node::reaching(dir.path(), &cluster.database()).await;
    let before = Subscriber { paused_until: Some(clock() + DAY), ..Subscriber::new(subscriber(1), clock() - DAY) };
    node.store.put_subscribers(vec![before.clone()]).await.unwrap();
    let said = ["RESUME", "LANG EN"].map(|text| reply(subscriber(1), text));
    assert_eq!(node.happen(said.into()).await, ["reply resumed", "reply language_set"]);
    let now = node.store.subscriber(subscriber(1)).await.unwrap();
    assert_eq!(now, Some(Subscriber { paused_until: None, language: "en".parse().ok(), ..before }));

    // Who leaves and comes again begins anew.
    let said = ["QX", "KT"].map(|text| reply(subscriber(1), text));
    assert_eq!(node.happen(said.into()).await, ["reply unsubscribed", "reply subscribed"]);
    let now = node.store.subscriber(subscriber(1)).await.unwrap().unwrap();
    assert_eq!((now.language, now.paused_until), (None, None));
    assert!(now.since > clock() - DAY / 2);
    node.stop().await;
}
