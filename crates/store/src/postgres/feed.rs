//! The change feed of the registry: what changed since it was last read is the truth, a notification only a nudge to read it at once.

use std::time::Duration;

use futures_util::StreamExt;
use roaring::RoaringTreemap;
use routing::Subscriber;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::batch::{Parameter, SUBSCRIBER, SUBSCRIBER_COLUMNS, number, stream, subscriber};
use super::{Class, Fault};
use crate::embedded::{Everybody, Registrations};

/// Changes read at once.
const CHANGES: i64 = 10_000;

/// How long the database may give nothing while everybody is read.
const SILENCE: Duration = Duration::from_secs(30);

/// The channel that triggers on `subscriber` notify.
pub(crate) const LISTEN: &str = "listen afterring_subscriber";

/// Transactions that had not ended when a position was taken come later: the position is the oldest of them.
const POSITION: &str = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint";

/// What changed since a position, and where to go on; at most so much of it that `more` says whether to ask again at once.
pub(crate) async fn changes(client: &Client, since: i64) -> Result<(Registrations, bool), Fault> {
    let until: i64 = client.query_typed(POSITION, &[]).await?.first().map_or(since, |row| row.get(0));
    if until < since {
        let text = "the database's transactions begin anew: it was made anew from a dump".to_owned();
        return Err(Fault { class: Class::Other, text });
    }
    let parameters: [Parameter<'_>; 3] = [(&since, Type::INT8), (&until, Type::INT8), (&CHANGES, Type::INT8)];
    let registered = format!(
        "select {SUBSCRIBER}, changed::text::bigint from subscriber s where changed >= $1::bigint::text::xid8 and changed < $2::bigint::text::xid8 \
         order by changed limit $3"
    );
    let registered = client.query_typed(&registered, &parameters).await?;
    let gone = "select g.number, g.changed::text::bigint from subscriber_gone g \
        where g.changed >= $1::bigint::text::xid8 and g.changed < $2::bigint::text::xid8 \
          and not exists (select 1 from subscriber s where s.bucket = g.bucket and s.number = g.number) \
        order by g.changed limit $3";
    let gone = client.query_typed(gone, &parameters).await?;
    let full = |count: usize| i64::try_from(count).unwrap_or(i64::MAX) >= CHANGES;
    let last = |rows: &[tokio_postgres::Row], column: usize| rows.last().map_or(until, |row| row.get::<_, i64>(column));
    // A list that is cut short is read on from its last transaction, which is read again whole unless it alone fills the list.
    let mut position = until;
    for (rows, column) in [(&registered, SUBSCRIBER_COLUMNS), (&gone, 1)] {
        if full(rows.len()) {
            position = position.min(last(rows, column));
        }
    }
    let more = full(registered.len()) || full(gone.len());
    let mut changes = Registrations { position, ..Registrations::default() };
    if more && position == since {
        // One transaction changed more than fits: only everybody is enough.
        let text = "more registrations changed in one transaction than are read one by one".to_owned();
        return Err(Fault { class: Class::Other, text });
    }
    changes.registered = registered.iter().filter_map(subscriber).collect();
    changes.gone = gone.iter().filter_map(|row| number(row.get(0))).collect();
    Ok((changes, more))
}

/// Everybody who is registered, as of one moment.
pub(crate) async fn everybody(client: &Client) -> Result<Everybody, Fault> {
    client.batch_execute("begin isolation level repeatable read read only").await?;
    let read = read_everybody(client).await;
    let end = client.batch_execute("commit").await;
    let everybody = read?;
    end?;
    Ok(everybody)
}

async fn read_everybody(client: &Client) -> Result<Everybody, Fault> {
    let position: i64 = client.query_typed(POSITION, &[]).await?.first().map_or(0, |row| row.get(0));
    let numbers = numbers(client).await?;
    let special = format!(
        "select {SUBSCRIBER} from subscriber s where status <> 'active' or language is not null or time_zone is not null or paused_until is not null \
           or clock is not null or quiet is not null or copy_to is not null"
    );
    let special: Vec<Subscriber> = client.query_typed(&special, &[]).await?.iter().filter_map(subscriber).collect();
    Ok(Everybody { numbers, special, position })
}

async fn numbers(client: &Client) -> Result<RoaringTreemap, Fault> {
    let mut rows = stream(client, "select number from subscriber").await?;
    let mut numbers = RoaringTreemap::new();
    while let Some(row) = tokio::time::timeout(SILENCE, rows.next()).await.map_err(|_| Fault::silent(SILENCE))? {
        let number: i64 = row?.get(0);
        numbers.extend(u64::try_from(number).ok());
    }
    Ok(numbers)
}
