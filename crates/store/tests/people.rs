//! Lists, and one person who is told what is known or forgotten: in a store that is alone, and in a database with two nodes.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{Msisdn, Secret, Timestamp};
use routing::{Condition, Database, Event, List, Subscriber, SubscriberChange, SubscriberStatus};
use rusqlite::Connection;
use store::{
    Context, DatabaseHealth, Embedded, EmbeddedSettings, Erased, HandOver, ListEntry, PostgresSettings, Retention,
    Step, Store, migrate_now,
};
use support::{
    accepted, call, context, happen, now, open, policy, prospect, receipt, register, reply, settings, subscriber,
    verdicts,
};
use throwaway_postgres::{Cluster, sql};

fn entry(number: Msisdn, list: List) -> ListEntry {
    ListEntry { number, list, source: "import all.csv".to_owned(), at: now() }
}

/// What every store does with lists.
async fn lists(store: &impl Store) {
    let all = |from: u64| (from..from + 150).map(|n| entry(prospect(n), List::Consent));
    assert_eq!(store.put_listed(all(0).collect()).await.unwrap(), 150);
    assert_eq!(store.put_listed(all(100).collect()).await.unwrap(), 100, "fifty are on it already");
    assert_eq!(store.put_listed(vec![entry(prospect(7), List::DoNotContact)]).await.unwrap(), 1);
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(List::Consent, after, 70).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.number);
        numbers.extend(page.iter().map(|entry| entry.number));
    }
    assert_eq!(numbers, (0..250).map(prospect).collect::<Vec<_>>(), "in the order of numbers, each once");
    let found = store.entries_of(prospect(7)).await.unwrap();
    assert_eq!(found, [entry(prospect(7), List::Consent), entry(prospect(7), List::DoNotContact)]);
    assert!(store.delete_listed(List::Consent, prospect(7)).await.unwrap());
    assert!(!store.delete_listed(List::Consent, prospect(7)).await.unwrap());
    assert_eq!(store.entries_of(prospect(7)).await.unwrap(), [entry(prospect(7), List::DoNotContact)]);
}

/// How many rows of a store's file hold these digits, by table. The store must not be open.
fn traces(dir: &Path, number: Msisdn) -> Vec<(String, i64)> {
    let file = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let file = file
        .into_iter()
        .find(|path| path.extension().is_some_and(|ending| ending == "db" || ending == "sqlite"))
        .unwrap();
    let conn = Connection::open(file).unwrap();
    let columns = "SELECT m.name, group_concat('instr(coalesce(' || quote(p.name) || ', ''''), ?1) > 0', ' OR ') \
        FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' GROUP BY 1 ORDER BY 1";
    let mut statement = conn.prepare(columns).unwrap();
    let tables: Vec<(String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let count = |(table, any): (String, String)| {
        // Names of columns, not texts.
        let any = any.replace('\'', "\"").replace("\"\"\"\"", "''");
        let sql = format!("SELECT count(*) FROM {table} WHERE {any}");
        let count: i64 = conn.query_row(&sql, [number.as_u64().to_string()], |row| row.get(0)).unwrap();
        (count > 0).then_some((table, count))
    };
    tables.into_iter().filter_map(count).collect()
}

#[tokio::test]
async fn lists_are_kept_in_the_local_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    lists(&store).await;
    store.close().await;
}

async fn copies_to_the_prospect(store: &Embedded) {
    let copies = Subscriber { copy_to: Some(prospect(1)), ..Subscriber::new(subscriber(2), now()) };
    store.put_subscriber(copies).await.unwrap();
}

/// A subscriber with a call, its alert and receipt; a prospect who is teased, fetches and refuses; and somebody whom both rang.
async fn play(store: &Embedded) {
    register(store, [subscriber(1), subscriber(2)]).await;
    copies_to_the_prospect(store).await;
    let calls = vec![call("a", subscriber(1)), call("b", prospect(1)), call("c", subscriber(2))];
    assert_eq!(verdicts(&happen(store, calls).await), ["send detail", "send teaser", "send detail"]);
    let submits = store.lease(10, &context(now())).await.unwrap();
    assert_eq!(submits.len(), 3);
    happen(store, submits.iter().map(|submit| accepted(submit, &[&format!("{}", submit.alert.0)])).collect()).await;
    happen(store, vec![receipt(&submits[0].alert.0.to_string(), Some(submits[0].destination))]).await;
    let said =
        happen(store, vec![reply(prospect(1), "C"), reply(prospect(1), "R"), receipt("stray", Some(prospect(1)))])
            .await;
    assert_eq!(verdicts(&said)[..2], ["reply granted", "reply refused"]);
    store.put_listed(vec![entry(prospect(1), List::Consent), entry(subscriber(1), List::Customers)]).await.unwrap();
    // Who refused ends the copies too, and who sent them hears of it.
    while store.backlog() > 0 {
        support::settle(store, &context(now())).await.unwrap();
    }
    assert_eq!(store.subscriber(subscriber(2)).await.unwrap().unwrap().copy_to, None);
}

#[tokio::test]
async fn who_is_erased_leaves_nothing_but_charges_and_the_wish_not_to_be_contacted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    play(&store).await;
    copies_to_the_prospect(&store).await;
    let known = store.person(prospect(1)).await.unwrap();
    assert!(known.call_box.is_some() && known.events.len() >= 4 && known.alerts.len() >= 2 && known.lists.len() == 1);
    assert_eq!(known.charges.len(), 1);
    // What is undecided is decided first: erasing waits for it.
    store.append(vec![call("late", prospect(1))]).await.unwrap();
    let (erasing, settled) = tokio::join!(store.erase(prospect(1), "asked by letter", now()), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        support::settle(&store, &context(now())).await.unwrap()
    });
    assert_eq!(verdicts(&settled), ["nothing refused"]);
    let erased = erasing.unwrap();
    assert!(erased.events >= 5 && erased.alerts >= 2, "{erased:?}");
    assert_eq!((erased.lists, erased.do_not_contact, erased.charges_kept, erased.subscriber), (1, true, 1, false));

    let left = store.person(prospect(1)).await.unwrap();
    assert!(left.call_box.is_none() && left.events.is_empty() && left.alerts.is_empty() && left.evidence.is_empty());
    assert_eq!(left.charges, known.charges);
    let lists: Vec<_> = left.lists.iter().map(|entry| (entry.list, entry.source.as_str())).collect();
    assert_eq!(lists, [(List::DoNotContact, "erased")]);
    assert_eq!(store.subscriber(subscriber(2)).await.unwrap().unwrap().copy_to, None, "copies to nobody");
    assert_eq!(store.timeline(subscriber(1), 100).await.unwrap().len(), 3, "others keep what is theirs");

    // Somebody who never refused is not on the list afterwards; and erasing again does nothing more.
    let erased = store.erase(subscriber(1), "asked", now()).await.unwrap();
    assert!(erased.subscriber && !erased.do_not_contact);
    assert!(store.person(subscriber(1)).await.unwrap().is_nobody());
    let nothing = Erased { do_not_contact: true, charges_kept: 1, ..Erased::default() };
    assert_eq!(store.erase(prospect(1), "asked again", now()).await.unwrap(), nothing);
    let counts = store.alert_counts();
    let left = store.person(subscriber(2)).await.unwrap().alerts.len() as u64;
    assert!(left > 0);
    assert_eq!(counts.queued + counts.accepted + counts.delivered, left, "those of the one who is left: {counts:?}");
    store.close().await;
    let tables: Vec<_> = traces(dir.path(), subscriber(1)).into_iter().map(|(table, _)| table).collect();
    assert_eq!(tables, ["erased"], "only the erasure itself");
    let tables: Vec<_> = traces(dir.path(), prospect(1)).into_iter().filter(|(table, _)| table != "erased").collect();
    // What they said to somebody else, that they want no copies, is in that one's chain.
    let left = [("charge", 1), ("event", 1), ("listed", 1)].map(|(table, count)| (table.to_owned(), count));
    assert_eq!(tables, left);
}

#[tokio::test]
async fn who_comes_on_a_list_while_a_teaser_is_queued_does_not_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let calls = (1..=2).map(|n| call(&n.to_string(), prospect(n))).collect();
    assert_eq!(verdicts(&happen(&store, calls).await), ["send teaser", "send teaser"]);
    store
        .put_listed(vec![entry(prospect(1), List::DoNotContact), entry(prospect(3), List::DoNotContact)])
        .await
        .unwrap();
    let looked = support::settle(&store, &context(now())).await.unwrap();
    assert_eq!(looked.outcomes.iter().map(|outcome| outcome.called).collect::<Vec<_>>(), [Some(prospect(1))]);
    let left = store.lease(10, &context(now())).await.unwrap();
    assert_eq!(left.iter().map(|submit| submit.destination).collect::<Vec<_>>(), [prospect(2)]);
    store.close().await;
}

#[tokio::test]
async fn an_erasure_that_died_in_the_middle_is_finished_by_the_next_life() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    play(&store).await;
    store.close().await;
    // As if it died between the transaction that takes the box away and the events.
    let path = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let path = path
        .into_iter()
        .find(|path| path.extension().is_some_and(|ending| ending == "db" || ending == "sqlite"))
        .unwrap();
    let conn = Connection::open(path).unwrap();
    let number = prospect(1).as_u64();
    conn.execute(
        "INSERT INTO erased (number, at, reason, through) SELECT ?1, 1, 'asked', max(seq) FROM event",
        [number.to_string()],
    )
    .unwrap();
    drop(conn);
    let store = open(dir.path());
    let alone = HandOver::alone(store.clone());
    let looking = tokio::spawn(alone.upkeep());
    for _ in 0..500 {
        if store.timeline(prospect(1), 10).await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(store.timeline(prospect(1), 10).await.unwrap().is_empty());
    assert!(!store.timeline(subscriber(1), 10).await.unwrap().is_empty());
    looking.abort();
    store.close().await;
}

#[tokio::test]
async fn texts_go_before_the_calls_and_evidence_stays_longer() {
    let dir = tempfile::tempdir().unwrap();
    let day = support::DAY;
    let retention = Retention { calls: day * 30, texts: day * 2, evidence: day * 60 };
    let store = Embedded::open(EmbeddedSettings { retention, ..settings(dir.path()) }, now()).unwrap();
    play(&store).await;
    let texts = async || {
        let person = store.person(prospect(1)).await.unwrap();
        let replies = person.events.iter().filter_map(|entry| match &entry.event {
            Event::Reply(reply) => Some(reply.text.clone()),
            _ => None,
        });
        let ended = person.alerts.iter().filter(|alert| alert.state.is_final()).map(|alert| alert.text.clone());
        replies.chain(ended).collect::<Vec<_>>()
    };
    let prune = async |at: Timestamp| while !store.prune(at).await.unwrap().done {};
    prune(now() + day).await;
    assert_eq!(texts().await[..2], ["C", "R"]);
    // The message's own life is over by then, receipt or not.
    prune(now() + day * 20).await;
    let left = texts().await;
    assert!(left.len() >= 2 && left.iter().all(String::is_empty), "{left:?}");
    assert_eq!(happen(&store, vec![reply(prospect(1), "HELP")]).await.outcomes.len(), 1);
    prune(now() + day * 20).await;
    prune(now() + day * 40).await;
    assert!(store.person(subscriber(1)).await.unwrap().events.is_empty(), "calls are gone after their time");
    store.close().await;
}

#[expect(clippy::disallowed_methods, reason = "a test's clock")]
fn clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

fn database(url: &str, name: &str) -> PostgresSettings {
    PostgresSettings {
        url: Secret::new(url.to_owned()),
        ca: None,
        node_name: name.to_owned(),
        pool: 2,
        interval: Duration::from_millis(100),
        timeout: Duration::from_secs(10),
        migrate: true,
        lease: Duration::from_secs(600),
        retention: Retention::of(support::DAY * 30),
    }
}

struct Node {
    store: HandOver,
    health: DatabaseHealth,
    loops: Vec<tokio::task::JoinHandle<()>>,
}

impl Node {
    async fn start(dir: &Path, url: &str, name: &str) -> Self {
        let local = Embedded::open(EmbeddedSettings { shared: true, ..settings(dir) }, clock()).unwrap();
        let health = DatabaseHealth::starting(clock);
        let store = HandOver::beside(local, database(url, name), health.clone(), clock).await.unwrap();
        let loops = vec![tokio::spawn(store.clone().probe())];
        let node = Self { store, health, loops };
        while node.health.now().machine.condition() != Condition::Normal || node.store.is_behind() {
            if node.store.hand_over(&node.context()).await.unwrap() != Step::Moved {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        node
    }

    fn context(&self) -> Context {
        Context { policy: Arc::new(policy()), database: self.health.decides_by(), now: clock() }
    }

    async fn happen(&self, events: Vec<Event>) -> Vec<String> {
        let mut left = events.len();
        self.store.local().append(events).await.unwrap();
        let mut said = Vec::new();
        while left > 0 {
            let batch = self.store.local().next(100).await;
            left = left.saturating_sub(batch.len());
            said.extend(verdicts(&self.store.settle(batch, self.context()).await.unwrap()));
        }
        said
    }

    async fn stop(self) {
        for task in self.loops {
            task.abort();
        }
        self.store.local().clone().close().await;
    }
}

/// Rows of the database that hold these digits, by table.
fn rows(url: &str, number: Msisdn) -> String {
    let tables = sql(
        url,
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition order by 1",
    );
    let mut found = Vec::new();
    for table in tables.lines() {
        let count = sql(url, &format!("select count(*) from {table} t where t::text like '%{}%'", number.as_u64()));
        if count.trim() != "0" {
            found.push(table);
        }
    }
    found.join(" ")
}

fn fresh(id: &str, called: Msisdn) -> Event {
    support::call_at(id, called, clock())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_erased_in_the_database_is_erased_in_every_nodes_store() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    migrate_now(&database(&url, "migrates")).await.unwrap();
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = Node::start(here.path(), &url, "one").await;
    let two = Node::start(there.path(), &url, "two").await;
    lists(&one.store).await;
    let (gone, other) = (prospect(500), prospect(600));
    assert_eq!(one.happen(vec![fresh("a", gone), fresh("b", other)]).await, ["send teaser", "send teaser"]);
    let submits = one.store.lease(10, &one.context()).await.unwrap();
    one.happen(submits.iter().map(|submit| accepted(submit, &[&format!("{}", submit.alert.0 % 1_000_000)])).collect())
        .await;
    assert_eq!(two.happen(vec![reply(gone, "C"), reply(gone, "R")]).await, ["reply granted", "reply refused"]);
    two.store.put_listed(vec![entry(gone, List::Consent)]).await.unwrap();
    let known = two.store.person(gone).await.unwrap();
    assert_eq!((known.events.len(), known.charges.len(), known.lists.len()), (3, 1, 1));

    let erased = one.store.erase(gone, "asked by letter", clock()).await.unwrap();
    assert_eq!((erased.events, erased.charges_kept, erased.do_not_contact, erased.lists), (3, 1, true, 1));
    assert!(erased.alerts >= 2, "{erased:?}");
    assert_eq!(rows(&url, gone), "charge erasure listed");
    assert_eq!(sql(&url, "select count(*) from erasure_done").trim(), "1", "who was asked has done it");
    // The other node, which was away meanwhile and comes back.
    let upkeep = tokio::spawn(two.store.clone().upkeep());
    for _ in 0..1_000 {
        if sql(&url, "select count(*) from erasure_done").trim() == "2" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(sql(&url, "select count(*) from erasure_done").trim(), "2");
    upkeep.abort();
    assert_eq!(rows(&url, gone), "charge erasure listed");
    assert!(!two.store.person(other).await.unwrap().is_nobody(), "others keep what is theirs");
    // A receipt for what was erased is nobody's; a call is a new beginning, by the list.
    let id = submits.iter().find(|submit| submit.destination == gone).map(|submit| submit.alert.0 % 1_000_000).unwrap();
    assert_eq!(one.happen(vec![receipt(&id.to_string(), None)]).await, ["nothing unmatched"]);
    let again = one.store.erase(gone, "again", clock()).await.unwrap();
    assert_eq!(again, Erased { do_not_contact: true, charges_kept: 1, ..Erased::default() });
    one.stop().await;
    two.stop().await;
    for dir in [here, there] {
        let left: Vec<_> = traces(dir.path(), gone).into_iter().map(|(table, _)| table).collect();
        assert!(left.is_empty() || left == ["charge"], "{left:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_that_was_away_brings_back_of_an_erased_person_is_erased_too_and_a_new_life_stays() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    migrate_now(&database(&url, "migrates")).await.unwrap();
    let one = Node::start(here.path(), &url, "one").await;
    let two = Node::start(there.path(), &url, "two").await;
    let (gone, told) = (prospect(700), subscriber(9));
    two.store.put_subscriber(Subscriber::new(told, clock())).await.unwrap();
    // It counts this call and knows nothing of the erasure.
    two.health
        .tell(routing::HealthEvent::Force { until: clock() + Duration::from_secs(600), reason: "test".to_owned() });
    assert_eq!(two.health.decides_by(), Database::Abnormal);
    assert_eq!(
        two.happen(vec![fresh("away", gone), reply(gone, "R")]).await,
        ["nothing abnormal_not_registered", "reply refused"]
    );
    assert_eq!(two.happen(vec![fresh("told", told)]).await, ["send fallback"]);
    let submits = two.store.lease(10, &two.context()).await.unwrap();
    two.happen(submits.iter().map(|submit| accepted(submit, &["4711"])).collect()).await;
    one.store.erase(gone, "asked", clock()).await.unwrap();
    one.store.erase(told, "asked", clock()).await.unwrap();
    assert_eq!((rows(&url, gone).as_str(), rows(&url, told).as_str()), ("erasure", "erasure subscriber_gone"));
    two.health.tell(routing::HealthEvent::Lift);
    while two.health.now().machine.condition() != Condition::Normal || two.store.is_behind() {
        if two.store.hand_over(&two.context()).await.unwrap() != Step::Moved {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert!(rows(&url, gone).contains("missed_call"), "it was brought back");
    assert!(rows(&url, told).contains("part"), "with the message ids");
    // Meanwhile the number registers anew.
    tokio::time::sleep(Duration::from_millis(5)).await;
    one.store.put_subscriber(Subscriber::new(gone, clock())).await.unwrap();
    let upkeep = tokio::spawn(two.store.clone().upkeep());
    for _ in 0..1_000 {
        if sql(&url, "select count(*) from erasure_done").trim() == "4" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    upkeep.abort();
    assert_eq!(rows(&url, told), "erasure subscriber_gone");
    assert_eq!(
        rows(&url, gone),
        "erasure listed subscriber",
        "the refusal is kept by number, the new registration whole"
    );
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_changed_in_the_database_reaches_teasers_that_are_queued() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    migrate_now(&database(&url, "migrates")).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &url, "one").await;
    let (listed, other) = (prospect(1), prospect(2));
    assert_eq!(node.happen(vec![fresh("a", listed), fresh("b", other)]).await, ["send teaser", "send teaser"]);
    let due = async || node.store.due(clock(), 10, false).await.unwrap();
    assert_eq!(due().await, []);
    let put =
        |number: Msisdn| format!("insert into listed (number, list) values ({}, 'do_not_contact')", number.as_u64());
    sql(&url, &put(listed));
    sql(&url, &put(prospect(3)));
    assert_eq!(due().await, [listed], "who waits for nothing isn't looked at");
    node.happen(vec![Event::Due { called: listed }]).await;
    assert_eq!(due().await, []);
    let left = node.store.lease(10, &node.context()).await.unwrap();
    assert_eq!(left.iter().map(|submit| submit.destination).collect::<Vec<_>>(), [other]);
    sql(&url, &format!("delete from listed where number = {}", listed.as_u64()));
    assert_eq!(due().await, [], "nothing is queued any more");
    node.stop().await;
}

/// Changes somebody again and again until they are not registered.
async fn change_until_gone(store: &impl Store, number: Msisdn) -> usize {
    let mut times = 0;
    loop {
        let status = if times % 2 == 0 { SubscriberStatus::Suspended } else { SubscriberStatus::Active };
        let change = SubscriberChange { status: Some(status), ..SubscriberChange::default() };
        match store.change_subscriber(number, change).await.unwrap() {
            Some(changed) => assert_eq!((changed.number, changed.status), (number, status)),
            None => return times,
        }
        times += 1;
    }
}

/// What every store does with changes of one registration.
async fn changes(store: &impl Store, number: Msisdn) {
    let everything = SubscriberChange {
        status: Some(SubscriberStatus::Suspended),
        language: Some("en".parse().ok()),
        time_zone: Some(Some("Asia/Tokyo".to_owned())),
        clock: Some(routing::ClockFace::parse("12")),
        quiet: Some(routing::DayWindow::parse("22-7").ok()),
        copy_to: Some(Some(prospect(1))),
        paused_until: Some(Some(now() + support::DAY)),
    };
    assert_eq!(store.change_subscriber(number, everything.clone()).await.unwrap(), None, "it registers nobody");
    assert_eq!(store.subscriber(number).await.unwrap(), None);
    let registered = Subscriber::new(number, now());
    store.put_subscriber(registered.clone()).await.unwrap();
    let expected = everything.clone().of(registered.clone());
    assert_eq!(store.change_subscriber(number, everything).await.unwrap(), Some(expected.clone()));
    assert_eq!(store.subscriber(number).await.unwrap(), Some(expected.clone()));
    let pause_ends = SubscriberChange { paused_until: Some(None), ..SubscriberChange::default() };
    let expected = Subscriber { paused_until: None, ..expected };
    assert_eq!(store.change_subscriber(number, pause_ends).await.unwrap(), Some(expected.clone()), "all else stays");
    let as_usual = SubscriberChange {
        status: Some(SubscriberStatus::Active),
        language: Some(None),
        time_zone: Some(None),
        clock: Some(None),
        quiet: Some(None),
        copy_to: Some(None),
        paused_until: None,
    };
    assert_eq!(store.change_subscriber(number, as_usual).await.unwrap(), Some(registered.clone()));
    assert_eq!(store.subscriber(number).await.unwrap(), Some(registered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_while_they_are_changed_is_not_registered_again_in_the_local_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    changes(&store, subscriber(1)).await;
    for n in 2..6 {
        register(&store, [subscriber(n)]).await;
        let stop = async {
            tokio::task::yield_now().await;
            verdicts(&happen(&store, vec![reply(subscriber(n), "QX")]).await)
        };
        let (_, said) = tokio::join!(change_until_gone(&store, subscriber(n)), stop);
        assert_eq!(said, ["reply unsubscribed"]);
        assert_eq!(store.subscriber(subscriber(n)).await.unwrap(), None);
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_while_they_are_changed_is_not_registered_again_in_the_database() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    migrate_now(&database(&url, "migrates")).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &url, "one").await;
    changes(&node.store, subscriber(1)).await;
    for n in 2..6 {
        node.store.put_subscriber(Subscriber::new(subscriber(n), clock())).await.unwrap();
        let stop = node.happen(vec![reply(subscriber(n), "QX")]);
        let (_, said) = tokio::join!(change_until_gone(&node.store, subscriber(n)), stop);
        assert_eq!(said, ["reply unsubscribed"]);
        assert_eq!(node.store.subscriber(subscriber(n)).await.unwrap(), None);
        assert_eq!(node.store.local().subscriber(subscriber(n)).await.unwrap(), None, "nor here");
        assert!(!rows(&url, subscriber(n)).split(' ').any(|table| table == "subscriber"));
    }
    // A row that a STOP is deleting at this moment is waited for, and not written again.
    node.store.put_subscriber(Subscriber::new(subscriber(7), clock())).await.unwrap();
    let change = SubscriberChange { status: Some(SubscriberStatus::Suspended), ..SubscriberChange::default() };
    let deleting = format!(
        "begin; delete from subscriber where number = {}; select pg_sleep(0.5); commit",
        subscriber(7).as_u64()
    );
    let stop = tokio::task::spawn_blocking(move || sql(&url, &deleting));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let changed = loop {
        // Who waits too long for the row is told to ask again, and nothing is written.
        if let Ok(changed) = node.store.change_subscriber(subscriber(7), change.clone()).await {
            break changed;
        }
    };
    assert_eq!(changed, None);
    stop.await.unwrap();
    assert_eq!(node.store.subscriber(subscriber(7)).await.unwrap(), None);
    node.stop().await;
}
