//! One person is forgotten in the database, or told what it knows of them; nodes find there whom to forget.

use std::time::Duration;

use model::{Msisdn, Timestamp};
use routing::CallBox;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::Fault;
use super::batch::{Parameter, ask, begin, key, number, plain, read, together, unsigned};
use super::{lists, people};
use crate::{EVERYTHING, Erased, Person, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

/// How long one statement may take: message ids have no index of people, and are looked through.
const DEADLINE: Duration = Duration::from_secs(300);

/// The end of all times, for erasing whatever there is.
const EVER: i64 = 253_402_300_799_000;

/// An erasure that a node has not done yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Erasure {
    pub(crate) id: i64,
    pub(crate) number: Msisdn,
    pub(crate) at: Timestamp,
}

/// The message ids of a person's alerts that were made by a time, from a time on: an SMSC takes an alert after it was made.
const PARTS: &str = "delete from part where called = $1 and bucket = ($1 % 64)::smallint \
    and alert in (select id from alert where bucket = ($1 % 64)::smallint and called = $1 and created_at <= to_timestamp($2 / 1000.0)) \
    and created_at >= greatest(to_timestamp($3 / 1000.0), coalesce((select min(created_at) from alert where bucket = ($1 % 64)::smallint \
      and called = $1 and created_at <= to_timestamp($2 / 1000.0)), 'infinity')) - interval '1 minute'";

const NOW: &str = "select (extract(epoch from now()) * 1000)::bigint";

/// Deletes the message ids of a person's alerts that were made by a time, where there may be many to look through: with nothing locked, and calls go on
/// meanwhile. Gives back from when on more may have come.
async fn delete_parts(client: &Client, of: i64, before: i64) -> Result<i64> {
    let (begin, ever) = (begin(DEADLINE), 0_i64);
    let parameters: [Parameter<'_>; 3] = [(&of, Type::INT8), (&before, Type::INT8), (&ever, Type::INT8)];
    let sent =
        vec![plain(client, &begin), ask(client, NOW, &[]), ask(client, PARTS, &parameters), plain(client, "commit")];
    let found = together(sent).await.map_err(Fault::from)?;
    Ok(found.get(1).and_then(|rows| rows.first()).map_or(0, |row| row.get(0)))
}

/// [`delete_parts`], before a person is erased ([`erase`], [`erase_late`]), which goes on from there.
pub(crate) async fn prepare(client: &Client, who: Msisdn, before: Option<Timestamp>) -> Result<i64> {
    delete_parts(client, key(who), before.map_or(EVER, Timestamp::as_millis)).await
}

/// What is counted where rows go.
fn counted(delete: &str) -> String {
    format!("with gone as ({delete} returning 1) select count(*) from gone")
}

/// Erases a person, and notes it for all nodes, in one transaction. `prepared` is what [`prepare`] said. Who refused or was on the do-not-contact list is on that from now on.
pub(crate) async fn erase(client: &Client, who: Msisdn, reason: &str, prepared: i64) -> Result<(Erased, Erasure)> {
    let of = key(who);
    let begin = begin(DEADLINE);
    let one: [Parameter<'_>; 1] = [(&of, Type::INT8)];
    let named: [Parameter<'_>; 2] = [(&of, Type::INT8), (&reason, Type::TEXT)];
    let parts: [Parameter<'_>; 3] = [(&of, Type::INT8), (&EVER, Type::INT8), (&prepared, Type::INT8)];
    let sql = [
        // Locked first, as by every batch.
        "select refused_at is not null from call_box where bucket = ($1 % 64)::smallint and called = $1 for update".to_owned(),
        "select exists (select from listed where bucket = ($1 % 64)::smallint and number = $1 and list = 'do_not_contact')".to_owned(),
        counted("delete from subscriber where bucket = ($1 % 64)::smallint and number = $1"),
        counted("delete from missed_call where called = $1"),
        counted("delete from reply where called = $1"),
        counted("delete from alert where bucket = ($1 % 64)::smallint and called = $1"),
        counted("delete from evidence where bucket = ($1 % 64)::smallint and called = $1"),
        "select count(*) from charge where bucket = ($1 % 64)::smallint and called = $1".to_owned(),
        "update subscriber set copy_to = null where copy_to = $1".to_owned(),
        "insert into listed (bucket, number, list, source) select ($1 % 64)::smallint, $1, 'do_not_contact', 'erased' from call_box \
           where bucket = ($1 % 64)::smallint and called = $1 and refused_at is not null on conflict do nothing"
            .to_owned(),
        "update listed set source = 'erased', at = now() \
           where bucket = ($1 % 64)::smallint and number = $1 and list = 'do_not_contact' and source <> 'erased'"
            .to_owned(),
        counted("delete from listed where bucket = ($1 % 64)::smallint and number = $1 and list <> 'do_not_contact'"),
        "delete from call_box where bucket = ($1 % 64)::smallint and called = $1".to_owned(),
    ];
    let noted = "insert into erasure (bucket, number, reason) values (($1 % 64)::smallint, $1, $2) \
        returning id, (extract(epoch from at) * 1000)::bigint";
    let mut sent = vec![plain(client, &begin)];
    let (locked, rest) = sql.split_at(1);
    sent.extend(locked.iter().map(|sql| ask(client, sql, &one)));
    sent.push(ask(client, PARTS, &parts));
    sent.extend(rest.iter().map(|sql| ask(client, sql, &one)));
    sent.push(ask(client, noted, &named));
    sent.push(plain(client, "commit"));
    let answered = together(sent).await;
    if answered.is_err() {
        // The session may be somebody's next.
        let _ = client.batch_execute("rollback").await;
    }
    let found = answered.map_err(Fault::from)?;
    let count = |place: usize| found.get(place).and_then(|rows| rows.first()).map_or(0, |row| unsigned(row.get(0)));
    let said = |place: usize| found.get(place).and_then(|rows| rows.first()).is_some_and(|row| row.get(0));
    let erased = Erased {
        subscriber: count(4) > 0,
        events: count(5) + count(6),
        alerts: count(7),
        evidence: count(8),
        lists: count(13),
        do_not_contact: said(1) || said(3),
        charges_kept: count(9),
    };
    let row = found.get(15).and_then(|rows| rows.first()).ok_or(StoreError::NotLoaded)?;
    Ok((erased, Erasure { id: row.get(0), number: who, at: Timestamp::from_millis(row.get(1)) }))
}

/// Erasures that a node has not done yet, the oldest first, some of them.
pub(crate) async fn to_do(client: &Client, node: i64) -> Result<Vec<Erasure>> {
    let sql = "select e.id, e.number, (extract(epoch from e.at) * 1000)::bigint from erasure e \
        where not exists (select from erasure_done d where d.erasure = e.id and d.node = $1::bigint::integer) order by e.id limit 100";
    let found = client.query_typed(sql, &[(&node, Type::INT8)]).await.map_err(Fault::from)?;
    let one = |row: &tokio_postgres::Row| {
        let (number, at) = (number(row.get(1))?, Timestamp::from_millis(row.get(2)));
        Some(Erasure { id: row.get(0), number, at })
    };
    Ok(found.iter().filter_map(one).collect())
}

/// Erases what a node that was away brought back of a person since: whatever is from before the erasure. Whoever came anew since keeps what is theirs;
/// a registration is never brought back, and may be imported again with the date that it had.
pub(crate) async fn erase_late(client: &Client, erasure: Erasure, prepared: i64) -> Result<()> {
    let (of, before, begin) = (key(erasure.number), erasure.at.as_millis(), begin(DEADLINE));
    let one: [Parameter<'_>; 1] = [(&of, Type::INT8)];
    let both: [Parameter<'_>; 2] = [(&of, Type::INT8), (&before, Type::INT8)];
    let parts: [Parameter<'_>; 3] = [(&of, Type::INT8), (&before, Type::INT8), (&prepared, Type::INT8)];
    let locked = "select body::text from call_box where bucket = ($1 % 64)::smallint and called = $1 for update";
    let found = together(vec![plain(client, &begin), ask(client, locked, &one)]).await.map_err(Fault::from)?;
    let body: Option<Option<String>> = found.get(1).and_then(|rows| rows.first()).map(|row| row.get(0));
    let old = match body {
        None => false,
        Some(None) => true,
        Some(Some(text)) => newest(&read(&text, "call_box")?).is_none_or(|newest| newest <= erasure.at),
    };
    let mut sql = vec![
        "delete from missed_call where called = $1 and at <= to_timestamp($2 / 1000.0)",
        "delete from reply where called = $1 and (body->>'at')::bigint <= $2",
        "delete from alert where bucket = ($1 % 64)::smallint and called = $1 and created_at <= to_timestamp($2 / 1000.0)",
        "delete from evidence where bucket = ($1 % 64)::smallint and called = $1 and at <= to_timestamp($2 / 1000.0)",
    ];
    if old {
        sql.push(
            "insert into listed (bucket, number, list, source) select ($1 % 64)::smallint, $1, 'do_not_contact', 'erased' from call_box \
               where bucket = ($1 % 64)::smallint and called = $1 and refused_at <= to_timestamp($2 / 1000.0) on conflict do nothing",
        );
        sql.push("delete from call_box where bucket = ($1 % 64)::smallint and called = $1 and $2 > 0");
    }
    let mut sent = vec![ask(client, PARTS, &parts)];
    sent.extend(sql.iter().map(|sql| ask(client, sql, &both)));
    sent.push(plain(client, "commit"));
    let done = together(sent).await;
    if done.is_err() {
        let _ = client.batch_execute("rollback").await;
    }
    done.map(drop).map_err(|error| Fault::from(error).into())
}

/// The newest thing that a box knows of.
fn newest(call_box: &CallBox) -> Option<Timestamp> {
    let seen = call_box.seen.iter().map(|seen| seen.at);
    let untold = call_box.untold.iter().map(|tally| tally.last_at);
    let offer = call_box.offer.iter().map(|offer| offer.teased_at);
    let replies = call_box.replies.iter().map(|window| window.since);
    seen.chain(untold).chain(offer).chain(replies).chain(call_box.refused_at).chain(call_box.alerted_at).max()
}

/// Notes that a node has done an erasure.
pub(crate) async fn done(client: &Client, node: i64, erasure: i64, deadline: Duration) -> Result<()> {
    let begin = begin(deadline);
    let parameters: [Parameter<'_>; 2] = [(&erasure, Type::INT8), (&node, Type::INT8)];
    let sql = "insert into erasure_done (erasure, node) select id, $2::bigint::integer from erasure where id = $1 on conflict do nothing";
    together(vec![plain(client, &begin), ask(client, sql, &parameters), plain(client, "commit")])
        .await
        .map_err(Fault::from)?;
    Ok(())
}

/// Everything that the database knows of a person.
pub(crate) async fn person(client: &Client, of: Msisdn) -> Result<Person> {
    let called = key(of);
    let one: [Parameter<'_>; 1] = [(&called, Type::INT8)];
    let sql = "select body::text from call_box where bucket = ($1 % 64)::smallint and called = $1 and body is not null";
    let alerts = "select body::text from alert where bucket = ($1 % 64)::smallint and called = $1 order by id";
    let mut found =
        together(vec![ask(client, sql, &one), ask(client, alerts, &one)]).await.map_err(Fault::from)?.into_iter();
    let (boxes, alerts) = (found.next().unwrap_or_default(), found.next().unwrap_or_default());
    let most = i64::try_from(EVERYTHING).unwrap_or(i64::MAX);
    Ok(Person {
        number: of,
        subscriber: people::subscriber_of(client, of).await?,
        call_box: boxes.first().map(|row| read(row.get(0), "call_box")).transpose()?,
        events: people::timeline(client, of, most).await?,
        alerts: alerts.iter().map(|row| read(row.get(0), "alert")).collect::<Result<_>>()?,
        charges: people::charges(client, of).await?,
        evidence: lists::evidence(client, of).await?,
        lists: lists::entries_of(client, of).await?,
    })
}
