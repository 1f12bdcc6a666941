//! The second round trip: writes what was decided, a statement a table and a list a column.

use std::collections::BTreeMap;

use model::{Timestamp, id_key};
use routing::{AlertState, Charge, Effect, Event, Subscriber};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::counted::Counted;
use super::said::Said;
use super::{Failed, Parameter, People, ask, json, key, plain, together};
use crate::StoreError;
use crate::embedded::{History, Work};
use crate::postgres::{Class, Fault};

/// Rows of one statement: a list a column.
#[derive(Default)]
struct Boxes {
    called: Vec<i64>,
    open: Vec<Option<i64>>,
    due: Vec<Option<i64>>,
    deferred: Vec<bool>,
    refused_at: Vec<Option<i64>>,
    offer_expires: Vec<Option<i64>>,
    body: Vec<String>,
}

#[derive(Default)]
struct Alerts {
    called: Vec<i64>,
    id: Vec<i64>,
    kind: Vec<&'static str>,
    state: Vec<&'static str>,
    created_at: Vec<i64>,
    body: Vec<String>,
}

#[derive(Default)]
struct Parts {
    smsc: Vec<String>,
    message_id: Vec<String>,
    called: Vec<i64>,
    alert: Vec<i64>,
}

/// Calls, or replies.
#[derive(Default)]
struct Told {
    at: Vec<i64>,
    called: Vec<i64>,
    seq: Vec<i64>,
    decided_at: Vec<i64>,
    body: Vec<String>,
    verdict: Vec<String>,
    alerts: Vec<String>,
}

#[derive(Default)]
struct Rest {
    ranges: Vec<String>,
    counts: Vec<i64>,
    charges: Vec<Charge>,
    registered: Vec<Subscriber>,
    changed: Vec<Subscriber>,
    gone: Vec<i64>,
}

#[derive(Default)]
struct Charges {
    called: Vec<i64>,
    teased_at: Vec<i64>,
    at: Vec<i64>,
    alert: Vec<i64>,
    range: Vec<String>,
    body: Vec<String>,
}

const WRITE_BOXES: &str = "update call_box b set node = $1::bigint::integer, seq = $2, open = u.open, \
    due = to_timestamp(u.due / 1000.0), deferred = u.deferred, refused_at = to_timestamp(u.refused_at / 1000.0), \
    offer_expires = to_timestamp(u.offer_expires / 1000.0), body = u.body::json \
    from unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[], $7::bigint[], $8::bigint[], $9::text[]) \
      u(called, open, due, deferred, refused_at, offer_expires, body) \
    where b.bucket = (u.called % 64)::smallint and b.called = u.called";

/// What has ended stays ended (superseded too), and what an SMSC has is not queued again: a node may hand over what it knew before another heard more.
const WRITE_ALERTS: &str = "insert into alert as a (bucket, called, id, node, seq, kind, state, created_at, body) \
    select (u.called % 64)::smallint, u.called, u.id, $1::bigint::integer, $2, u.kind, u.state, to_timestamp(u.created_at / 1000.0), u.body::json \
    from unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::text[]) \
      u(called, id, kind, state, created_at, body) order by 1, 2, 3 \
    on conflict (bucket, called, id) do update set kind = excluded.kind, state = excluded.state, body = excluded.body, \
      seq = case when a.node = excluded.node then excluded.seq else a.seq end \
    where a.state in ('queued', 'in_doubt') or (a.state = 'accepted' and excluded.state not in ('queued', 'in_doubt'))";

const WRITE_PARTS: &str = "insert into part (smsc, message_id, bucket, called, alert) \
    select u.smsc, u.message_id, (u.called % 64)::smallint, u.called, u.alert \
    from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) u(smsc, message_id, called, alert) \
    order by 1, 2, 4, 5 on conflict do nothing";

const COLUMNS: &str = "(at, bucket, called, node, seq, decided_at, body, verdict, alerts) \
    select to_timestamp(u.at / 1000.0), (u.called % 64)::smallint, u.called, $1::bigint::integer, u.seq, to_timestamp(u.decided_at / 1000.0), \
      u.body::json, u.verdict::json, u.alerts::bigint[] \
    from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[]) \
      u(at, called, seq, decided_at, body, verdict, alerts)";

const WRITE_COUNTS: &str = "insert into range_usage as r (name, used) select name, n from unnest($1::text[], $2::bigint[]) u(name, n) order by 1 \
    on conflict (name) do update set used = r.used + excluded.used";

const WRITE_CHARGES: &str = "insert into charge (bucket, called, teased_at, at, alert, range, body) \
    select (u.called % 64)::smallint, u.called, to_timestamp(u.teased_at / 1000.0), to_timestamp(u.at / 1000.0), u.alert, u.range, u.body::json \
    from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[]) u(called, teased_at, at, alert, range, body) \
    order by 1, 2, 3 on conflict do nothing";

const DELETE_SUBSCRIBERS: &str =
    "delete from subscriber s using unnest($1::bigint[]) c where s.bucket = (c % 64)::smallint and s.number = c";

/// Writes a batch and, once it is durable at this node, commits it together with the node's new place. Where it never becomes so, nothing is
/// committed, and the session is of no use any more.
pub(crate) async fn write(
    client: &Client,
    node: i64,
    work: &Work,
    durable: impl Future<Output = bool>,
) -> Result<(), Failed> {
    let through = work.through;
    let boxes = boxes(work)?;
    let (alerts, parts) = alerts(work)?;
    let (calls, replies) = told(&work.history)?;
    let rest = rest(&work.rest);
    let charges = charges(&rest.charges)?;
    let (people, changed) = (People::of(&rest.registered), People::of(&rest.changed));
    let said = Said::of(&work.rest)?;
    let counted = Counted::of(&work.counted);
    let write_calls = format!("insert into missed_call {COLUMNS}");
    let write_replies = format!("insert into reply {COLUMNS}");
    let box_rows: [Parameter<'_>; 9] = [
        (&node, Type::INT8),
        (&through, Type::INT8),
        (&boxes.called, Type::INT8_ARRAY),
        (&boxes.open, Type::INT8_ARRAY),
        (&boxes.due, Type::INT8_ARRAY),
        (&boxes.deferred, Type::BOOL_ARRAY),
        (&boxes.refused_at, Type::INT8_ARRAY),
        (&boxes.offer_expires, Type::INT8_ARRAY),
        (&boxes.body, Type::TEXT_ARRAY),
    ];
    let alert_rows: [Parameter<'_>; 8] = [
        (&node, Type::INT8),
        (&through, Type::INT8),
        (&alerts.called, Type::INT8_ARRAY),
        (&alerts.id, Type::INT8_ARRAY),
        (&alerts.kind, Type::TEXT_ARRAY),
        (&alerts.state, Type::TEXT_ARRAY),
        (&alerts.created_at, Type::INT8_ARRAY),
        (&alerts.body, Type::TEXT_ARRAY),
    ];
    let part_rows: [Parameter<'_>; 4] = [
        (&parts.smsc, Type::TEXT_ARRAY),
        (&parts.message_id, Type::TEXT_ARRAY),
        (&parts.called, Type::INT8_ARRAY),
        (&parts.alert, Type::INT8_ARRAY),
    ];
    let call_rows = calls.parameters(&node);
    let reply_rows = replies.parameters(&node);
    let count_rows: [Parameter<'_>; 2] = [(&rest.ranges, Type::TEXT_ARRAY), (&rest.counts, Type::INT8_ARRAY)];
    let charge_rows = charges.parameters();
    let (people_rows, changed_rows) = (people.parameters(), changed.parameters());
    let (evidence_rows, campaign_rows) = (said.evidence(), said.campaigns(&node));
    let counted_rows = counted.parameters(&node);
    let gone_rows: [Parameter<'_>; 1] = [(&rest.gone, Type::INT8_ARRAY)];
    let place: [Parameter<'_>; 2] = [(&node, Type::INT8), (&through, Type::INT8)];

    let all: [(bool, &str, &[Parameter<'_>]); 13] = [
        (!boxes.called.is_empty(), WRITE_BOXES, &box_rows),
        (!alerts.id.is_empty(), WRITE_ALERTS, &alert_rows),
        (!parts.alert.is_empty(), WRITE_PARTS, &part_rows),
        (!calls.seq.is_empty(), &write_calls, &call_rows),
        (!replies.seq.is_empty(), &write_replies, &reply_rows),
        (!rest.counts.is_empty(), WRITE_COUNTS, &count_rows),
        (!rest.charges.is_empty(), WRITE_CHARGES, &charge_rows),
        // Who is gone and registered anew is both.
        (!rest.gone.is_empty(), DELETE_SUBSCRIBERS, &gone_rows),
        (!rest.registered.is_empty(), People::REGISTERED, &people_rows),
        (!rest.changed.is_empty(), People::CHANGED, &changed_rows),
        (said.has_evidence(), Said::EVIDENCE, &evidence_rows),
        (said.has_campaigns(), Said::CAMPAIGNS, &campaign_rows),
        (!counted.is_empty(), Counted::WRITE, &counted_rows),
    ];
    let statements = all.iter().filter(|(asked, ..)| *asked).map(|(_, sql, rows)| ask(client, sql, rows)).collect();
    let end = async {
        if !durable.await {
            let text = "given up: the batch could not be made durable here".to_owned();
            return Ok(Err(Failed::Not(Fault { class: Class::Busy, text })));
        }
        let place = ask(client, "update applied set seq = $2 where node = $1::bigint::integer", &place);
        together(vec![place, plain(client, "commit")]).await.map(|_| Ok(()))
    };
    let (written, ended) = tokio::join!(together(statements), end);
    match written.and(ended) {
        Ok(ended) => ended,
        Err(error) => {
            let answered = error.as_db_error().is_some();
            let fault = Fault::from(error);
            // An error that the server tells ends the transaction; one of the connection says nothing of it. The server's own end does neither.
            Err(if answered && fault.class != Class::Away { Failed::Not(fault) } else { Failed::InDoubt(fault) })
        }
    }
}

fn boxes(work: &Work) -> Result<Boxes, StoreError> {
    let mut rows = Boxes::default();
    let mut sorted: Vec<_> = work.boxes.iter().collect();
    sorted.sort_unstable_by_key(|call_box| (key(call_box.called) % 64, call_box.called));
    for call_box in sorted {
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
        rows.called.push(key(call_box.called));
        rows.open.push(call_box.open.map(|id| id.0));
        rows.due.push(millis(call_box.due));
        rows.deferred.push(!call_box.deferred.is_empty());
        rows.refused_at.push(millis(call_box.refused_at));
        rows.offer_expires.push(millis(call_box.offer.as_ref().map(|offer| offer.expires_at)));
        rows.body.push(json(call_box, "call_box")?);
    }
    Ok(rows)
}

fn alerts(work: &Work) -> Result<(Alerts, Parts), StoreError> {
    let (mut rows, mut parts) = (Alerts::default(), Parts::default());
    for alert in &work.alerts {
        rows.called.push(key(alert.to));
        rows.id.push(alert.id.0);
        rows.kind.push(alert.kind.as_str());
        rows.state.push(state_word(&alert.state));
        rows.created_at.push(alert.created_at.as_millis());
        rows.body.push(json(alert, "alert")?);
        if let AlertState::Accepted { smsc, parts: accepted, .. } = &alert.state {
            for part in accepted {
                parts.smsc.push(smsc.0.clone());
                parts.message_id.push(id_key(&part.id));
                parts.called.push(key(alert.to));
                parts.alert.push(alert.id.0);
            }
        }
    }
    Ok((rows, parts))
}

/// For others an alert is queued until its node knows what the SMSC said.
const fn state_word(state: &AlertState) -> &'static str {
    match state {
        AlertState::Sending { .. } => "queued",
        state => state.as_str(),
    }
}

fn told(history: &[History]) -> Result<(Told, Told), StoreError> {
    let (mut calls, mut replies) = (Told::default(), Told::default());
    for History { seq, event, at, verdict, alerts } in history {
        let (rows, when, called, body) = match event {
            Event::Call(call) => (&mut calls, call.at, call.called, json(call, "missed_call")?),
            Event::Reply(reply) => (&mut replies, *at, reply.from, json(reply, "reply")?),
            Event::Submitted { .. }
            | Event::Updated { .. }
            | Event::Receipt(_)
            | Event::Word(_)
            | Event::Resend(_)
            | Event::Dropped { .. }
            | Event::Due { .. } => continue,
        };
        let ids: Vec<_> = alerts.iter().map(|id| id.0.to_string()).collect();
        rows.at.push(when.as_millis());
        rows.called.push(key(called));
        rows.seq.push(*seq);
        rows.decided_at.push(at.as_millis());
        rows.body.push(body);
        rows.verdict.push(json(verdict, "verdict")?);
        rows.alerts.push(format!("{{{}}}", ids.join(",")));
    }
    Ok((calls, replies))
}

impl Told {
    fn parameters<'a>(&'a self, node: &'a i64) -> [Parameter<'a>; 8] {
        [
            (node, Type::INT8),
            (&self.at, Type::INT8_ARRAY),
            (&self.called, Type::INT8_ARRAY),
            (&self.seq, Type::INT8_ARRAY),
            (&self.decided_at, Type::INT8_ARRAY),
            (&self.body, Type::TEXT_ARRAY),
            (&self.verdict, Type::TEXT_ARRAY),
            (&self.alerts, Type::TEXT_ARRAY),
        ]
    }
}

/// What a batch leaves somebody as.
enum Person {
    Registered(Subscriber),
    /// Unregistered, and registered since: nothing of the registration before is left.
    Anew(Subscriber),
    Changed(Subscriber),
    Gone,
}

impl Person {
    fn registered(before: Option<&Self>, now: Subscriber) -> Self {
        match before {
            Some(Self::Gone | Self::Anew(_)) => Self::Anew(now),
            Some(Self::Registered(_) | Self::Changed(_)) | None => Self::Registered(now),
        }
    }

    fn changed(before: Option<&Self>, now: Subscriber) -> Self {
        match before {
            Some(Self::Gone) => Self::Gone,
            Some(Self::Anew(_)) => Self::Anew(now),
            Some(Self::Registered(_)) => Self::Registered(now),
            Some(Self::Changed(_)) | None => Self::Changed(now),
        }
    }
}

/// All other effects; of somebody who comes and goes in one batch, the last word.
fn rest(effects: &[Effect]) -> Rest {
    let (mut rest, mut counts, mut people) = (Rest::default(), BTreeMap::new(), BTreeMap::new());
    for effect in effects {
        match effect {
            Effect::Count(name) => *counts.entry(name.0.clone()).or_insert(0) += 1,
            Effect::Charge(charge) => rest.charges.push(charge.clone()),
            Effect::Subscribe(now) => {
                let person = Person::registered(people.get(&now.number), now.clone());
                people.insert(now.number, person);
            }
            Effect::ChangeSubscriber(now) => {
                let person = Person::changed(people.get(&now.number), now.clone());
                people.insert(now.number, person);
            }
            Effect::Unsubscribe(number) => drop(people.insert(*number, Person::Gone)),
            // What is written apart ([`Said`]); a word is an event of this node's journal, and comes by its own place.
            Effect::CallBox(_) | Effect::Alert(_) | Effect::Word(_) | Effect::Evidence(_) | Effect::Campaign(_) => {}
        }
    }
    (rest.ranges, rest.counts) = counts.into_iter().unzip();
    for (number, person) in people {
        match person {
            Person::Registered(subscriber) => rest.registered.push(subscriber),
            Person::Anew(subscriber) => {
                rest.gone.push(key(number));
                rest.registered.push(subscriber);
            }
            Person::Changed(subscriber) => rest.changed.push(subscriber),
            Person::Gone => rest.gone.push(key(number)),
        }
    }
    rest.gone.sort_unstable_by_key(|number| (number % 64, *number));
    rest
}

fn charges(charges: &[Charge]) -> Result<Charges, StoreError> {
    let mut rows = Charges::default();
    for charge in charges {
        rows.called.push(key(charge.called));
        rows.teased_at.push(charge.teased_at.as_millis());
        rows.at.push(charge.at.as_millis());
        rows.alert.push(charge.alert.0);
        rows.range.push(charge.range.0.clone());
        rows.body.push(json(charge, "charge")?);
    }
    Ok(rows)
}

impl Charges {
    fn parameters(&self) -> [Parameter<'_>; 6] {
        [
            (&self.called, Type::INT8_ARRAY),
            (&self.teased_at, Type::INT8_ARRAY),
            (&self.at, Type::INT8_ARRAY),
            (&self.alert, Type::INT8_ARRAY),
            (&self.range, Type::TEXT_ARRAY),
            (&self.body, Type::TEXT_ARRAY),
        ]
    }
}
