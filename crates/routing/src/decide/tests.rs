//! Every state and event of the pure core: the alert's table, every cell of the box, the verdicts of product documents, and short stories.

mod alert;
mod cells;
mod copies;
mod courtesy;
mod lives;
mod notify;
mod parts;
mod quiet;
mod resend;
mod robots;
mod self_service;
mod stories;
mod trail;
mod updates;
mod verdicts;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use model::{
    Address, AlertId, CallId, Caller, IdForm, Kind, Language, MissedCall, Msisdn, NoAnswer, Reason, Receipt,
    ReceiptState, Reply, ShortNumber, SmscName, Source, SubmitOutcome, Timestamp, UpdateMode, UpdateOrder,
    UpdateOutcome, UpdateWay,
};

use super::decide;
use crate::text::Texts;
use crate::*;

/// 2026-11-23T08:00:00Z: a Monday, far from any midnight that these tests use.
const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);
const OPEN: AlertId = AlertId(7);
const NEXT: AlertId = AlertId(8);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn called() -> Msisdn {
    Msisdn::try_from(8_613_900_000_001).unwrap()
}

fn number(last: u64) -> Msisdn {
    Msisdn::try_from(8_613_711_110_000 + last).unwrap()
}

fn short(digits: &str) -> ShortNumber {
    ShortNumber::parse(digits).unwrap()
}

fn smsc() -> SmscName {
    SmscName("smsc1".to_owned())
}

fn policy() -> Policy {
    let service = Service {
        numbers: BTreeMap::from([(short("1"), Audience::Subscribers), (short("2"), Audience::Prospects)]),
        originators: BTreeMap::from([(Kind::Fallback, Originator::Address(Address::ShortCode(short("12590"))))]),
        ..Service::new(short("12599"))
    };
    Policy { ranges: Ranges::parse("north=86139*:5").unwrap(), ..Policy::new(service, Texts::shipped().unwrap()) }
}

fn view() -> View {
    View {
        call_box: CallBox::empty(called()),
        alert: None,
        earlier: None,
        subscriber: None,
        registry_loaded: true,
        range_used: 0,
        listed: Listed::default(),
        campaign_turn: 0,
        database: Database::Normal,
        next_alert: NEXT,
    }
}

fn subscriber() -> Subscriber {
    Subscriber::new(called(), NOW - DAY)
}

fn tally(last: u64, count: u32) -> Tally {
    Tally { caller: Caller::Number(number(last)), count, last_at: NOW - HOUR }
}

fn alert(kind: Kind, state: AlertState) -> Alert {
    let told = if kind == Kind::Teaser { Vec::new() } else { vec![tally(1, 2)] };
    let created_at = NOW - MINUTE * 2;
    Alert {
        id: OPEN,
        to: called(),
        kind,
        source: policy().service.source(kind, &told, 0),
        text: "as it was".to_owned(),
        told,
        more: 0,
        created_at,
        validity: DAY,
        attempts: 0,
        doubts: 0,
        put_off: 0,
        avoid: None,
        campaign: None,
        again: None,
        trail: Vec::new(),
        state,
    }
}

fn offer() -> Offer {
    let teased_at = NOW - HOUR;
    Offer {
        range: RangeName("north".to_owned()),
        teased_at,
        expires_at: teased_at + DAY,
        campaign: None,
        fetched: None,
        silent_until: None,
    }
}

fn call(id: &str) -> Event {
    call_to(id, None)
}

fn call_to(id: &str, service_number: Option<&str>) -> Event {
    Event::Call(MissedCall {
        id: CallId::parse(id).unwrap(),
        caller: Caller::Number(number(9)),
        called: called(),
        at: NOW - Duration::from_secs(1),
        reason: Reason::NoAnswer,
        service_number: service_number.map(short),
        source: Source::Sip,
    })
}

fn reply(text: &str) -> Event {
    reply_to("12599", text)
}

fn reply_to(to: &str, text: &str) -> Event {
    Event::Reply(Reply { from: called(), to: to.to_owned(), text: text.to_owned(), part: None, smsc: smsc(), at: NOW })
}

/// The message with this name, once more.
fn resend(of: i64, kind: Kind) -> Resend {
    Resend {
        called: called(),
        at: NOW,
        by: "user:anna".to_owned(),
        of: AlertId(of),
        made_at: NOW,
        kind,
        source: Address::ShortCode(short("12590")),
        text: "what was said".to_owned(),
        told: Vec::new(),
        more: 0,
        lost_at: None,
    }
}

fn submitted(outcome: SubmitOutcome) -> Event {
    Event::Submitted { alert: OPEN, attempt: 1, outcome }
}

fn receipt(state: ReceiptState) -> Event {
    let error = String::new();
    Event::Receipt(Receipt {
        smsc: smsc(),
        message_id: "a".to_owned(),
        id_form: None,
        state,
        handset: None,
        error,
        at: NOW,
    })
}

fn taken(ids: &[&str]) -> SubmitOutcome {
    SubmitOutcome::Accepted { smsc: smsc(), message_ids: ids.iter().map(|id| (*id).to_owned()).collect() }
}

fn outcomes() -> [SubmitOutcome; 5] {
    [
        taken(&["a"]),
        SubmitOutcome::Later { status: 0x58, avoid: None, after: Duration::from_secs(5) },
        SubmitOutcome::Refused { status: 0x0b },
        SubmitOutcome::NotSent,
        SubmitOutcome::InDoubt(NoAnswer::Timeout),
    ]
}

fn update_outcomes() -> [UpdateOutcome; 6] {
    [
        UpdateOutcome::Replaced { message_id: None },
        UpdateOutcome::Cancelled,
        UpdateOutcome::TooLate { status: 0x13 },
        UpdateOutcome::Impossible,
        UpdateOutcome::NotNow,
        UpdateOutcome::InDoubt(NoAnswer::Timeout),
    ]
}

/// An update in its first attempt, or before it, that adds two calls while it goes on.
fn update(state: UpdateState, doubts: u32, wanted_at: Timestamp, of_teaser: bool) -> Update {
    let goes_on = matches!(state, UpdateState::Wanted { .. } | UpdateState::Asking { .. });
    let attempts = if matches!(state, UpdateState::Wanted { .. }) { doubts } else { doubts.max(1) };
    Update {
        attempts: attempts.min(1),
        doubts: Doubts { replaces: doubts, cancels: 0 },
        wanted_at,
        kind: if of_teaser { Kind::Teaser } else { Kind::Detail },
        only_cancel: false,
        way: UpdateWay::Replace,
        added: if goes_on && !of_teaser { vec![tally(3, 2)] } else { Vec::new() },
        added_more: 0,
        later: Vec::new(),
        later_more: 0,
        aliases: Vec::new(),
        text: "as it is to be".to_owned(),
        state,
    }
}

/// The view after a decision was committed.
fn apply(view: &View, decision: &Decision) -> View {
    let mut after = view.clone();
    for effect in &decision.effects {
        match effect {
            Effect::CallBox(call_box) => after.call_box = call_box.clone(),
            Effect::Alert(alert) if after.alert.as_ref().is_some_and(|known| known.id == alert.id) => {
                after.alert = Some(alert.clone());
            }
            Effect::Alert(alert) => after.next_alert = AlertId(after.next_alert.0.max(alert.id.0 + 1)),
            Effect::Count(_) => after.range_used += 1,
            Effect::Charge(_) | Effect::Evidence(_) | Effect::Campaign(_) | Effect::Word(_) => {}
            Effect::Subscribe(subscriber) | Effect::ChangeSubscriber(subscriber) => {
                after.subscriber = Some(subscriber.clone());
            }
            Effect::Unsubscribe(_) => after.subscriber = None,
        }
    }
    after
}

fn words(verdict: Verdict) -> String {
    let (what, which) = verdict.words();
    format!("{what} {which}").trim_end().to_owned()
}
