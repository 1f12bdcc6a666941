//! Every state and event of the pure core.

use model::{Address, AlertId, Kind, Msisdn, ShortNumber, Timestamp};

use super::decide;
use crate::text::Texts;
use crate::*;
use std::collections::BTreeMap;

fn policy() -> Policy {
    Policy {
        ranges: Ranges::parse("north=86139*:5").unwrap(),
        keywords: Keywords::shipped(),
        service: Service {
            code: ShortNumber::parse("12599").unwrap(),
            numbers: BTreeMap::new(),
            originators: BTreeMap::new(),
        },
        texts: Texts::shipped().unwrap(),
        language: model::Language::en(),
        time_zone: "UTC".to_owned(),
        limits: Limits::default(),
        in_doubt: InDoubtPolicy::Hold,
    }
}

#[test]
fn an_alert_dropped_too_late_gives_its_calls_back_once() {
    let called = Msisdn::try_from(8_613_900_000_001).unwrap();
    let policy = policy();
    let at = Timestamp::from_millis(1_000_000);
    let tally = Tally { caller: model::Caller::Withheld, count: 2, last_at: at };
    let alert = Alert {
        id: AlertId(7),
        to: called,
        kind: Kind::Detail,
        source: Address::ShortCode(policy.service.code.clone()),
        text: "2 missed calls".to_owned(),
        told: vec![tally.clone()],
        more: 3,
        created_at: at,
        validity: policy.limits.validity.alert,
        attempts: 0,
        doubts: 0,
        state: AlertState::Queued { not_before: at },
    };
    let subscriber = Subscriber {
        number: called,
        status: SubscriberStatus::Active,
        language: None,
        time_zone: None,
        paused_until: None,
        since: at,
    };
    let mut view = View {
        call_box: CallBox { open: Some(AlertId(7)), ..CallBox::empty(called) },
        alert: Some(alert.clone()),
        subscriber: Some(subscriber),
        registry_loaded: true,
        range_used: 0,
        database: Database::Normal,
        next_alert: AlertId(8),
    };
    let late = at + policy.limits.validity.alert;
    let mut leased = alert;
    assert_eq!(leased.lease(Database::Normal, &policy.limits, late), Leased::Dropped);
    let event = Event::Dropped { alert: AlertId(7) };
    assert_eq!(decide(&policy, &view, &event, at).verdict, Verdict::Nothing(NothingWhy::NoChange), "not too late yet");
    let decision = decide(&policy, &view, &event, late);
    assert_eq!(decision.verdict, Verdict::Alert);
    let [Effect::Alert(ended), Effect::CallBox(call_box)] = &decision.effects[..] else { panic!("{decision:?}") };
    assert_eq!(ended.state, AlertState::Failed { at: late, why: FailedWhy::TooLate });
    assert_eq!((&call_box.untold, call_box.more, call_box.open), (&vec![tally], 3, None));
    view.alert = Some(ended.clone());
    view.call_box = call_box.clone();
    assert_eq!(decide(&policy, &view, &event, late).effects, []);
}
