-- What people are asked and say (consent, refusals, campaigns), what they chose, and how one person is forgotten.

-- Not validated: there is nothing in new columns, and a large table would be read for it while nobody may look up a subscriber.
alter table subscriber
    add column clock text,
    add column quiet text,
    add column copy_to bigint,
    add constraint subscriber_clock check (clock in ('12', '24')) not valid,
    add constraint subscriber_quiet
        check (quiet ~ '^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$') not valid,
    add constraint subscriber_copies check (copy_to between 1000000 and 999999999999999 and copy_to <> number) not valid;
create index subscriber_copy_to on subscriber (copy_to) where copy_to is not null;
comment on column subscriber.clock is 'How times are written: 12 or 24; null: as in the range, else the default.';
comment on column subscriber.quiet is 'A window of every day, local time, like 22:00-07:00, in which alerts are held and told in one at its end; null: none.';
comment on column subscriber.copy_to is 'Who gets a copy of each detail, and agreed to it: E.164 without +; null: nobody.';

create table listed (
    bucket smallint not null,
    number bigint not null,
    list   text not null check (list in ('consent', 'customers', 'do_not_contact')),
    source text not null default 'sql',
    at     timestamptz not null default now(),
    primary key (bucket, number, list),
    check (bucket = number % 64)
);
comment on table listed is 'Numbers on the operator''s lists. May be changed by anyone with SQL; each batch reads it with the call boxes.';
comment on column listed.bucket is 'number % 64; filled in where it is left out.';
comment on column listed.number is 'The number: E.164 without +.';
comment on column listed.list is 'consent: agreed to teasers; customers: existing customers; do_not_contact: never teased, nor told by notify-me.';
comment on column listed.source is 'Where the entry came from: cli, api, sql, import and the file''s name, or erased.';
comment on column listed.at is 'Since when.';

create function listed_bucket() returns trigger language plpgsql as $$
begin
    new.bucket := new.number % 64;
    return new;
end $$;
create trigger listed_bucket before insert or update on listed
    for each row execute function listed_bucket();

-- Whoever changes a list: who waits for an alert, or for a message that was taken, is looked at again, so that a teaser that is still queued and is not
-- wanted any more does not leave. Locked in the order of the key, as by every batch.
create function listed_matters() returns trigger language plpgsql as $$
declare
    one record;
begin
    for one in
        select b.bucket, b.called from (select distinct number from changed_rows) c
            join call_box b on b.bucket = (c.number % 64)::smallint and b.called = c.number
            where b.open is not null order by b.bucket, b.called for update of b
    loop
        update call_box set due = least(due, now()) where bucket = one.bucket and called = one.called;
    end loop;
    return null;
end $$;
create trigger listed_gains after insert on listed
    referencing new table as changed_rows for each statement execute function listed_matters();
create trigger listed_loses after delete on listed
    referencing old table as changed_rows for each statement execute function listed_matters();

create table evidence (
    bucket smallint not null,
    called bigint not null,
    at     timestamptz not null,
    id     bigint generated always as identity,
    what   text not null,
    body   json not null,
    primary key (bucket, called, at, id)
);
create index evidence_at on evidence using brin (at);
comment on table evidence is 'What people said that must be provable: consent, refusal, fetch. Kept as long as AFTERRING_RETENTION__EVIDENCE.';
comment on column evidence.bucket is 'called % 64.';
comment on column evidence.called is 'Who said it.';
comment on column evidence.at is 'When it was decided.';
comment on column evidence.id is 'Tells two of the same moment apart.';
comment on column evidence.what is 'fetched, subscription_asked, subscribed, unsubscribed, refused, copy_agreed or copy_ended.';
comment on column evidence.body is 'The record (routing::Evidence): what was written, to which number, through which SMSC, and the teaser that it answers.';

create table campaign_count (
    day      date not null,
    range    text not null,
    campaign text not null,
    step     text not null check (step in ('teased', 'fetched', 'subscribed')),
    node     integer not null,
    count    bigint not null check (count >= 0),
    primary key (day, range, campaign, step, node)
) with (fillfactor = 50);
comment on table campaign_count is 'How far the teasers of each campaign came, a row for each day, range, campaign, step and node: no two nodes write the same row.';
comment on column campaign_count.day is 'The day, UTC.';
comment on column campaign_count.range is 'The range of the teaser.';
comment on column campaign_count.campaign is 'The campaign, as in AFTERRING_CAMPAIGNS.';
comment on column campaign_count.step is 'teased: a teaser with it was queued; fetched: the list was fetched; subscribed: the person subscribed while the offer lived.';
comment on column campaign_count.node is 'The node that counted.';
comment on column campaign_count.count is 'How many.';

create table erasure (
    id     bigint generated always as identity primary key,
    bucket smallint not null,
    number bigint not null,
    reason text not null,
    at     timestamptz not null default now()
);
comment on table erasure is 'People who were forgotten on request. Every node follows: it erases what its own store has of them. Kept as long as evidence, so that a node that was away does it when it is back.';
comment on column erasure.id is 'In order.';
comment on column erasure.bucket is 'number % 64.';
comment on column erasure.number is 'Who.';
comment on column erasure.reason is 'Why, as the operator wrote it.';
comment on column erasure.at is 'When it was done in the database. What is older is erased wherever it turns up later.';

create table erasure_done (
    erasure bigint not null references erasure (id) on delete cascade,
    node    integer not null,
    at      timestamptz not null default now(),
    primary key (erasure, node)
);
comment on table erasure_done is 'Which nodes have erased a person from their own store.';
comment on column erasure_done.erasure is 'Which erasure (erasure.id).';
comment on column erasure_done.node is 'The node.';
comment on column erasure_done.at is 'When.';

comment on column alert.kind is 'fallback, detail, teaser, notice or notify.';
comment on column alert.state is 'queued (also while its node sends it), in_doubt, accepted, delivered, undelivered, expired, failed, or superseded (taken back from the SMSC: a newer one tells its calls).';
