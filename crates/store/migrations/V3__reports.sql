-- What happened on each day, counted in the transaction of the decisions.

create table report_count (
    day     date not null,
    range   text not null,
    event   text not null,
    verdict text not null,
    why     text not null,
    node    integer not null,
    count   bigint not null,
    primary key (day, range, event, verdict, why, node)
) with (fillfactor = 50);
comment on table report_count is 'The daily report, a row for each day, range, what happened, and node: no two nodes write the same row. Exact: each decision is counted once, with itself. Kept as long as AFTERRING_RETENTION__EVIDENCE.';
comment on column report_count.day is 'The day when it was decided, by the calendar of AFTERRING_TEXT__TIME_ZONE.';
comment on column report_count.range is 'The range that the number called was in; of an alert, the number it goes to. Empty: in none.';
comment on column report_count.event is 'call, reply, due (the gateway looked again), word (another person''s reply concerns this one), resend (an operator sends a message again); or alert.';
comment on column report_count.verdict is 'send, joined, held, nothing or reply; of an alert, its kind.';
comment on column report_count.why is 'Which, or why, as in the verdicts of missed_call and reply; of an alert, the state it came into: queued (it is new), accepted, delivered, undelivered, expired, failed or superseded.';
comment on column report_count.node is 'The node that counted.';
comment on column report_count.count is 'How many.';
