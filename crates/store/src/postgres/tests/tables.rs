//! Migrations, partitions, and message ids.

use std::collections::BTreeSet;
use std::time::Duration;

use model::{Msisdn, Receipt, ReceiptState, SmscName};
use routing::{
    CampaignName, CampaignStep, ClockFace, Conversion, DayWindow, Effect, Evidence, EvidenceOf, RangeName, Subscriber,
};
use throwaway_postgres::{Holder, sql};

use super::super::super::migrate::{Migrated, check, migrate};
use super::super::super::{Class, batch, lists, migrate_now, partitions, people};
use super::{clock, connector, settings, well};
use crate::embedded::{Subjects, Work};

const MONTH: Duration = Duration::from_secs(30 * 86_400);
const KEPT: crate::Retention = crate::Retention::of(MONTH);

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_migrate_one_after_the_other() {
    let url = well().database();
    let connectors: Vec<_> = (0..4).map(|_| connector(&url)).collect();
    let session = connectors[0].connect().await.unwrap();
    let fault = check(&session).await.unwrap_err();
    assert!(fault.class == Class::Schema && fault.text.contains("`afterring migrate`"), "{fault}");

    let done = futures_util::future::join_all(connectors.iter().map(migrate)).await;
    for done in done {
        assert_eq!(done.unwrap().to, 3);
    }
    check(&session).await.unwrap();
    assert_eq!(migrate_now(&settings(&url)).await.unwrap(), Migrated { from: 3, to: 3 });

    sql(&url, "insert into refinery_schema_history values (99, 'later', '2030-01-01T00:00:00Z', '0')");
    let fault = check(&session).await.unwrap_err();
    assert!(fault.class == Class::Schema && fault.text.contains("upgrade this node"), "{fault}");
    assert_eq!(migrate_now(&settings(&url)).await.unwrap(), Migrated { from: 99, to: 99 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_make_tables_is_told_so() {
    let url = well().database();
    let name = url.rsplit('/').next().and_then(|rest| rest.split('?').next()).unwrap();
    well().sql(&format!("create role weak_{name} login"));
    let fault = migrate_now(&settings(&url.replace("postgres@", &format!("weak_{name}@")))).await.unwrap_err();
    assert_eq!(fault.class, Class::Denied);
    assert!(fault.text.contains("42501") && fault.text.contains("`afterring migrate`"), "{fault}");
}

/// The partitions of a table, apart from the default one.
fn partitions_of(url: &str, table: &str) -> Vec<String> {
    let names = format!(
        "select inhrelid::regclass from pg_inherits where inhparent = '{table}'::regclass and inhrelid::regclass::text not like '%default' order by inhrelid::regclass::text"
    );
    sql(url, &names).lines().map(str::to_owned).collect()
}

fn call_at(url: &str, at: &str) {
    let row = format!("('{at}', 1, 1, 1, 1, now(), '{{}}', '{{}}', '{{}}')");
    sql(url, &format!("insert into missed_call values {row}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_made_ahead_and_dropped_when_they_are_old() {
    let url = well().database();
    let connector = connector(&url);
    migrate(&connector).await.unwrap();
    let (one, other) = (connector.connect().await.unwrap(), connector.connect().await.unwrap());
    let both =
        tokio::join!(partitions::keep(&one, clock(), &KEPT, None), partitions::keep(&other, clock(), &KEPT, None));
    assert_eq!(both, (Ok(()), Ok(())));
    // The report is kept as long as evidence, three years.
    let days = "unnest(array['2023-11-22', '2023-11-23', '2026-11-23']::date[])";
    sql(&url, &format!("insert into report_count select d, '', 'call', 'send', 'detail', 1, 1 from {days} d"));
    partitions::keep(&one, clock(), &KEPT, None).await.unwrap();
    assert_eq!(sql(&url, "select day from report_count order by 1").trim(), "2023-11-23\n2026-11-23");
    let days = partitions_of(&url, "missed_call");
    assert_eq!(days.first().map(String::as_str), Some("missed_call_20261122"));
    assert_eq!(days.last().map(String::as_str), Some("missed_call_20261127"));
    assert_eq!((days.len(), partitions_of(&url, "reply").len()), (6, 6));

    // Each has the index of its table, and rows find it.
    call_at(&url, "2026-11-23 23:59:59.999+00");
    assert_eq!(sql(&url, "select count(*) from missed_call_20261123").trim(), "1");
    assert_eq!(
        sql(&url, "select count(*) from pg_inherits where inhparent = 'missed_call_called'::regclass").trim(),
        "7"
    );

    partitions::keep(&one, clock() + Duration::from_secs(86_400), &KEPT, None).await.unwrap();
    assert_eq!(partitions_of(&url, "missed_call").len(), 7);
    partitions::keep(&one, clock() + MONTH + Duration::from_secs(86_400), &KEPT, None).await.unwrap();
    assert_eq!(partitions_of(&url, "missed_call").first().map(String::as_str), Some("missed_call_20261124"));
    assert_eq!(sql(&url, "select count(*) from missed_call").trim(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_whose_rows_came_first_keeps_them_until_they_are_old() {
    let url = well().database();
    let connector = connector(&url);
    migrate(&connector).await.unwrap();
    call_at(&url, "2026-11-24 12:00:00+00");
    call_at(&url, "2026-09-01 12:00:00+00");
    let session = connector.connect().await.unwrap();
    partitions::keep(&session, clock(), &KEPT, None).await.unwrap();
    assert_eq!((partitions_of(&url, "missed_call").len(), partitions_of(&url, "reply").len()), (5, 6));
    assert_eq!(sql(&url, "select at::date from missed_call_default").trim(), "2026-11-24");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_hold_is_left_for_the_next_time() {
    let url = well().database();
    let connector = connector(&url);
    migrate(&connector).await.unwrap();
    for (called, state) in [(1, "delivered"), (2, "delivered"), (3, "queued")] {
        let row = format!("(1, {called}, 1, 1, 1, 'notice', '{state}', '2026-09-01', '{{}}')");
        sql(&url, &format!("insert into alert values {row}"));
    }
    let holder =
        Holder::of(&url, "select 1 from alert where called = 1 for update; lock table missed_call in share mode");
    let session = connector.connect().await.unwrap();
    let fault = partitions::keep(&session, clock(), &KEPT, None).await.unwrap_err();
    assert_eq!(fault.class, Class::Busy, "{fault}");
    assert_eq!((partitions_of(&url, "missed_call").len(), partitions_of(&url, "reply").len()), (0, 6));
    assert_eq!(sql(&url, "select string_agg(called::text, ' ' order by called) from alert").trim(), "1 3");
    drop(holder);
    partitions::keep(&session, clock(), &KEPT, None).await.unwrap();
    assert_eq!(partitions_of(&url, "missed_call").len(), 6);
    assert_eq!(sql(&url, "select called from alert").trim(), "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_made_while_calls_are_written() {
    let url = well().database();
    let connector = connector(&url);
    migrate(&connector).await.unwrap();
    let session = connector.connect().await.unwrap();
    partitions::keep(&session, clock(), &KEPT, None).await.unwrap();
    let row = "('2026-11-23 12:00:00+00', 1, 1, 1, 1, now(), '{}', '{}', '{}')";
    let _holder = Holder::of(&url, &format!("insert into missed_call values {row}"));
    partitions::keep(&session, clock() + Duration::from_secs(86_400), &KEPT, None).await.unwrap();
    assert_eq!(partitions_of(&url, "missed_call").len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_alerts_of_one_handset_with_one_id_the_newest_are_read() {
    let url = well().database();
    let connector = connector(&url);
    migrate(&connector).await.unwrap();
    let called = 8_613_600_000_001_u64;
    // Later alerts have higher names here, and lower ones with another node: they are made in the order of 1 to 20, 40 to 21.
    let names = (1..=20).chain((21..=40).rev());
    for (n, alert) in names.enumerate() {
        let at = format!("timestamptz '2026-11-23 12:00:00+00' + interval '{n} minutes'");
        let bucket = called % 64;
        sql(
            &url,
            &format!(
                "insert into alert values ({bucket}, {called}, {alert}, 1, 1, 'notice', 'accepted', {at}, '{{}}')"
            ),
        );
        sql(&url, &format!("insert into part values ('smsc1', '0', {bucket}, {called}, {alert}, {at})"));
    }
    let receipt = Receipt {
        smsc: SmscName("smsc1".to_owned()),
        message_id: "0".to_owned(),
        id_form: None,
        state: ReceiptState::Delivered,
        handset: Some(Msisdn::try_from(called).unwrap()),
        error: String::new(),
        at: clock(),
    };
    let session = connector.connect().await.unwrap();
    let parts = batch::parts(&session, &[receipt]).await.unwrap();
    let named: BTreeSet<i64> = parts.iter().map(|part| part.alert.0).collect();
    assert!((21..=36).all(|newest| named.contains(&newest)), "{named:?}");
    assert!(named.len() < 40, "no more than are needed: {named:?}");
}

fn person(n: u64) -> Msisdn {
    Msisdn::try_from(8_613_800_000_000 + n).unwrap()
}

fn step(step: Conversion) -> Effect {
    let (campaign, range) = (CampaignName("summer".to_owned()), RangeName("north".to_owned()));
    Effect::Campaign(CampaignStep { campaign, range, step, at: clock() })
}

fn refused(n: u64) -> Effect {
    Effect::Evidence(Evidence {
        called: person(n),
        at: clock(),
        what: EvidenceOf::Refused,
        text: Some("r".to_owned()),
        to: None,
        smsc: None,
        teased_at: None,
        range: None,
        campaign: None,
        alert: None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_say_is_written_with_the_batch_and_lists_are_read_with_it() {
    let url = well().database();
    migrate(&connector(&url)).await.unwrap();
    let session = connector(&url).connect().await.unwrap();
    sql(&url, "insert into applied values (1, 0)");
    sql(&url, &format!("insert into listed (number, list) values ({}, 'do_not_contact')", person(1).as_u64()));
    let write = async |through: i64, rest: Vec<Effect>| {
        session.batch_execute("begin").await.unwrap();
        let work = Work { through, rest, ..Work::default() };
        batch::write(&session, 1, &work, std::future::ready(true)).await.unwrap();
    };
    let registered = Subscriber::new(person(2), clock());
    write(
        5,
        vec![refused(1), step(Conversion::Teased), step(Conversion::Teased), Effect::Subscribe(registered.clone())],
    )
    .await;
    let changed = Subscriber {
        copy_to: Some(person(3)),
        clock: Some(ClockFace::Twelve),
        quiet: DayWindow::parse("22-7").ok(),
        ..registered.clone()
    };
    write(6, vec![step(Conversion::Teased), step(Conversion::Fetched), Effect::ChangeSubscriber(changed.clone())])
        .await;
    // Somebody else registered the person since: what was decided about another registration changes nothing.
    let of_another = Subscriber { since: clock() - Duration::from_secs(1), copy_to: None, ..registered };
    write(7, vec![Effect::Subscribe(of_another.clone())]).await;
    write(8, vec![Effect::ChangeSubscriber(of_another)]).await;
    // Nor does it register again who was unregistered by hand meanwhile; what is decided of who came in the same batch does.
    let came = Subscriber::new(person(4), clock());
    let left = Subscriber::new(person(5), clock());
    let with_copies = |of: &Subscriber| Subscriber { copy_to: Some(person(3)), ..of.clone() };
    write(
        9,
        vec![
            Effect::Subscribe(came.clone()),
            Effect::ChangeSubscriber(with_copies(&came)),
            Effect::ChangeSubscriber(with_copies(&left)),
        ],
    )
    .await;

    assert_eq!(people::subscriber_of(&session, person(4)).await.unwrap(), Some(with_copies(&came)));
    assert_eq!(people::subscriber_of(&session, person(5)).await.unwrap(), None);
    // Who unregistered and registered again in one batch begins anew: nobody gets copies of before.
    let again = Subscriber::new(person(4), clock() + Duration::from_secs(1));
    write(10, vec![Effect::Unsubscribe(person(4)), Effect::Subscribe(again.clone())]).await;

    let counts = lists::campaigns(&session).await.unwrap();
    assert_eq!(counts.len(), 1);
    assert_eq!((counts[0].teased, counts[0].fetched, counts[0].subscribed), (3, 1, 0));
    assert_eq!(lists::evidence(&session, person(1)).await.unwrap().len(), 1);
    assert_eq!(people::subscriber_of(&session, person(2)).await.unwrap(), Some(changed));
    assert_eq!(people::subscriber_of(&session, person(4)).await.unwrap(), Some(again));
    let service = routing::Service::new(model::ShortNumber::parse("12599").unwrap());
    let policy = routing::Policy::new(service, routing::text::Texts::shipped().unwrap());
    let subjects = Subjects { called: vec![person(1), person(2)], ..Subjects::default() };
    let loaded = batch::load(&session, (1, 10), &subjects, &policy, Duration::from_secs(5)).await.unwrap();
    session.batch_execute("rollback").await.unwrap();
    assert_eq!(loaded.listed.len(), 1);
    assert!(loaded.listed[&person(1).as_u64()].do_not_contact);
}
