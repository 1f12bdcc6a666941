-- What all nodes share. docs/data-model.md says what each state means and who may change it.
--
-- Every table that is about a person carries a bucket (number % 64) in front of its key, so that it can be spread over several servers.
-- Texts of type json are written and read by the gateway alone (crates/routing: CallBox, Alert, MissedCall, Reply) and may be read by anyone.

create table applied (
    node    integer primary key,
    seq     bigint not null
) with (fillfactor = 10);
comment on table applied is 'Per node, how far its journal has been applied here. Locked by every batch of the node: no two of its batches are ever applied at once, none twice.';
comment on column applied.node is 'The node: a random number below 2^22 that its store directory was given when it first met a database.';
comment on column applied.seq is 'The place in the node''s journal up to which all events are applied.';

create table heartbeat (
    node       integer primary key,
    name       text not null,
    version    text not null,
    started_at timestamptz not null,
    seen_at    timestamptz not null
) with (fillfactor = 10);
comment on table heartbeat is 'Per node, when it was last alive. Written by its health probe.';
comment on column heartbeat.node is 'The node.';
comment on column heartbeat.name is 'What the operator calls it (AFTERRING_DATABASE__NODE), else its host name.';
comment on column heartbeat.version is 'The version of the program it runs.';
comment on column heartbeat.started_at is 'When it started.';
comment on column heartbeat.seen_at is 'When its last probe was committed. Older than the lease: others take over what it has not sent.';

create table subscriber (
    bucket       smallint not null,
    number       bigint not null,
    status       text not null default 'active' check (status in ('active', 'suspended')),
    language     text,
    time_zone    text,
    paused_until timestamptz,
    since        timestamptz not null default now(),
    changed      xid8 not null default pg_current_xact_id(),
    primary key (bucket, number),
    check (bucket = number % 64)
);
create index subscriber_changed on subscriber (changed);
comment on table subscriber is 'People registered for the service. May be changed by anyone with SQL; nodes follow.';
comment on column subscriber.bucket is 'number % 64; filled in where it is left out.';
comment on column subscriber.number is 'The number: E.164 without +.';
comment on column subscriber.status is 'active: gets every alert; suspended: registered, gets nothing.';
comment on column subscriber.language is 'Language of texts (BCP 47); null: the default.';
comment on column subscriber.time_zone is 'Time zone (IANA name); null: the default.';
comment on column subscriber.paused_until is 'Alerts are held until then and told in one; null: not paused.';
comment on column subscriber.since is 'When the person registered.';
comment on column subscriber.changed is 'The transaction that changed the row last; set by a trigger. Nodes read what changed since they last looked.';

create table subscriber_gone (
    bucket  smallint not null,
    number  bigint not null,
    changed xid8 not null default pg_current_xact_id(),
    at      timestamptz not null default now(),
    primary key (bucket, number)
);
create index subscriber_gone_changed on subscriber_gone (changed);
comment on table subscriber_gone is 'People who are no longer registered, so that nodes that were away learn of it. Filled by a trigger; pruned after 30 days.';
comment on column subscriber_gone.bucket is 'number % 64.';
comment on column subscriber_gone.number is 'The number.';
comment on column subscriber_gone.at is 'When.';
comment on column subscriber_gone.changed is 'The transaction that deleted the subscriber.';

create function subscriber_changes() returns trigger language plpgsql as $$
begin
    new.bucket := new.number % 64;
    new.changed := pg_current_xact_id();
    return new;
end $$;
create trigger subscriber_changes before insert or update on subscriber
    for each row execute function subscriber_changes();

create function subscriber_leaves() returns trigger language plpgsql as $$
begin
    insert into subscriber_gone (bucket, number) select bucket, number from old_rows order by bucket, number
        on conflict (bucket, number) do update set changed = pg_current_xact_id(), at = now();
    perform pg_notify('afterring_subscriber', '');
    return null;
end $$;
create trigger subscriber_leaves after delete on subscriber
    referencing old table as old_rows for each statement execute function subscriber_leaves();

create function subscriber_moves() returns trigger language plpgsql as $$
begin
    insert into subscriber_gone (bucket, number) values (old.bucket, old.number)
        on conflict (bucket, number) do update set changed = pg_current_xact_id(), at = now();
    return null;
end $$;
create trigger subscriber_moves after update of number on subscriber
    for each row when (old.number <> new.number) execute function subscriber_moves();

create function subscriber_nudges() returns trigger language plpgsql as $$
begin
    perform pg_notify('afterring_subscriber', '');
    return null;
end $$;
create trigger subscriber_nudges after insert or update on subscriber
    for each statement execute function subscriber_nudges();

create table call_box (
    bucket        smallint not null,
    called        bigint not null,
    node          integer not null,
    seq           bigint not null,
    open          bigint,
    due           timestamptz,
    deferred      boolean not null,
    refused_at    timestamptz,
    offer_expires timestamptz,
    body          json,
    primary key (bucket, called)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
create index call_box_due on call_box (due) where due is not null;
create index call_box_deferred on call_box (bucket, called) where deferred;
comment on table call_box is 'What is remembered of one called person, prospect or subscriber. Locked, in the order of its key, by every batch that decides about the person.';
comment on column call_box.bucket is 'called % 64.';
comment on column call_box.called is 'The number.';
comment on column call_box.node is 'The node that wrote the box last.';
comment on column call_box.seq is 'The end of the batch in that node''s journal.';
comment on column call_box.open is 'The alert that later calls wait for or join (alert.id); null: none.';
comment on column call_box.due is 'When to look at the box again; null: never.';
comment on column call_box.deferred is 'Whether something that was asked while the database was away waits to be answered.';
comment on column call_box.refused_at is 'When the person refused teasers; null: did not.';
comment on column call_box.offer_expires is 'Until when the calls that a teaser told of are given on request; null: no offer.';
comment on column call_box.body is 'The box itself (routing::CallBox); null: empty.';

create table alert (
    bucket     smallint not null,
    called     bigint not null,
    id         bigint not null,
    node       integer not null,
    seq        bigint not null,
    kind       text not null,
    state      text not null,
    created_at timestamptz not null,
    body       json not null,
    primary key (bucket, called, id)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
create index alert_queued on alert (node) where state = 'queued';
create index alert_created on alert using brin (created_at);
comment on table alert is 'What is told to whom, and where it is. Sent by its node alone; a queued one of a node that is gone is taken over.';
comment on column alert.bucket is 'called % 64.';
comment on column alert.called is 'Who is told.';
comment on column alert.id is 'The alert''s name: the node that made it times 2^41, plus a counter.';
comment on column alert.node is 'The node that sends it: its lease lasts as long as the node''s heartbeat is fresh.';
comment on column alert.seq is 'The event in that node''s journal that changed it last.';
comment on column alert.kind is 'fallback, detail, teaser or notice.';
comment on column alert.state is 'queued (also while its node sends it), in_doubt, accepted, delivered, undelivered, expired or failed.';
comment on column alert.created_at is 'When it was decided.';
comment on column alert.body is 'The alert itself (routing::Alert).';

create table part (
    smsc       text not null,
    message_id text not null,
    bucket     smallint not null,
    called     bigint not null,
    alert      bigint not null,
    created_at timestamptz not null default now(),
    primary key (smsc, message_id, called, alert)
);
create index part_created on part using brin (created_at);
comment on table part is 'Which alert a message id belongs to: receipts may come to another node than the one that sent.';
comment on column part.smsc is 'Who gave the id.';
comment on column part.message_id is 'As in submit_sm_resp, in lower case, without spaces around it and zeros before it.';
comment on column part.bucket is 'called % 64.';
comment on column part.called is 'The handset.';
comment on column part.alert is 'alert.id.';
comment on column part.created_at is 'When the SMSC took it.';

create table missed_call (
    at         timestamptz not null,
    bucket     smallint not null,
    called     bigint not null,
    node       integer not null,
    seq        bigint not null,
    decided_at timestamptz not null,
    body       json not null,
    verdict    json not null,
    alerts     bigint[] not null
) partition by range (at);
create index missed_call_called on missed_call (called, at);
create table missed_call_default partition of missed_call default;
comment on table missed_call is 'Every missed call that was accepted, once, with what was decided. A partition a day, made ahead; a day is dropped when it is older than the retention.';
comment on column missed_call.at is 'When it was missed.';
comment on column missed_call.bucket is 'called % 64.';
comment on column missed_call.called is 'Who missed it.';
comment on column missed_call.node is 'The node that accepted it.';
comment on column missed_call.seq is 'Its place in that node''s journal.';
comment on column missed_call.decided_at is 'When it was decided.';
comment on column missed_call.body is 'The call (model::MissedCall).';
comment on column missed_call.verdict is 'What was decided, and why (routing::Verdict).';
comment on column missed_call.alerts is 'The alerts that it made or changed (alert.id).';

create table reply (
    at         timestamptz not null,
    bucket     smallint not null,
    called     bigint not null,
    node       integer not null,
    seq        bigint not null,
    decided_at timestamptz not null,
    body       json not null,
    verdict    json not null,
    alerts     bigint[] not null
) partition by range (at);
create index reply_called on reply (called, at);
create table reply_default partition of reply default;
comment on table reply is 'Every reply that was accepted, once, with what was decided. Partitions as of missed_call.';
comment on column reply.at is 'When it was decided.';
comment on column reply.bucket is 'called % 64.';
comment on column reply.called is 'Who texted.';
comment on column reply.node is 'The node that accepted it.';
comment on column reply.seq is 'Its place in that node''s journal.';
comment on column reply.decided_at is 'When it was decided.';
comment on column reply.body is 'The reply (model::Reply).';
comment on column reply.verdict is 'What became of it (routing::Verdict).';
comment on column reply.alerts is 'The alerts that it made or changed (alert.id).';

create table range_usage (
    name text primary key,
    used bigint not null check (used >= 0)
) with (fillfactor = 10);
comment on table range_usage is 'People counted in each range''s quota. Locked, in the order of names and after the call boxes, by a batch that counts somebody.';
comment on column range_usage.name is 'The range, as in AFTERRING_RANGES.';
comment on column range_usage.used is 'How many.';

create table charge (
    bucket    smallint not null,
    called    bigint not null,
    teased_at timestamptz not null,
    at        timestamptz not null,
    alert     bigint not null,
    range     text not null,
    body      json not null,
    primary key (bucket, called, teased_at)
);
comment on table charge is 'Fetches that were granted, for billing: at most one for each teaser. Never pruned.';
comment on column charge.bucket is 'called % 64.';
comment on column charge.called is 'Who is charged.';
comment on column charge.teased_at is 'When the teaser was made.';
comment on column charge.at is 'When the fetch was granted.';
comment on column charge.alert is 'The alert that carries the list (alert.id).';
comment on column charge.range is 'The range of the teaser.';
comment on column charge.body is 'The charge (routing::Charge).';
