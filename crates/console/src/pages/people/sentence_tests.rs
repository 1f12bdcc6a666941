use std::time::Duration;

use model::{Address, AlertId, CallId, Caller, Kind, MissedCall, Msisdn, Reason, SmscName, Source};
use routing::{FailedWhy, HeldWhy};
use store::{Seq, TimelineAlert};

use super::*;

fn person() -> Msisdn {
    Msisdn::international("8613800000001").unwrap()
}

/// A time of the 12th by the clock in Shanghai, or of another day.
fn at(clock: &str) -> Timestamp {
    let text = if clock.contains('T') { clock.to_owned() } else { format!("2026-11-12T{clock}") };
    Timestamp::parse(&format!("{text}:00+08:00")).unwrap()
}

fn alert(state: &AlertState) -> Alert {
    serde_json::from_value::<Alert>({
        let mut alert = serde_json::json!({
            "id": 1, "to": person(), "kind": "detail", "source": Address::parse("12599").unwrap(),
            "text": "1 call", "created_at": at("10:02"), "validity": Duration::from_secs(60),
        });
        let state = serde_json::to_value(state).unwrap();
        for (key, value) in state.as_object().unwrap() {
            alert[key] = value.clone();
        }
        alert
    })
    .unwrap()
}

fn call(clock: &str, verdict: Verdict, state: Option<AlertState>) -> TimelineEntry {
    let at = at(clock);
    let call = MissedCall {
        id: CallId::parse(clock).unwrap(),
        caller: Caller::Withheld,
        called: person(),
        at,
        reason: Reason::Busy,
        service_number: None,
        source: Source::Http,
    };
    let alerts = state.map(|state| TimelineAlert { id: AlertId(1), alert: Some(alert(&state)) });
    TimelineEntry {
        seq: Seq(at.as_millis()),
        event: Event::Call(call),
        at,
        verdict,
        alerts: alerts.into_iter().collect(),
    }
}

fn due(clock: &str, state: AlertState) -> TimelineEntry {
    TimelineEntry { event: Event::Due { called: person() }, ..call(clock, Verdict::Send(Kind::Detail), Some(state)) }
}

fn say(now: &str, entries: &[TimelineEntry], standing: Standing) -> [String; 2] {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    [PageLanguage::En, PageLanguage::Zh].map(|l| sentence(l, &zone, at(now), entries, standing))
}

#[test]
fn the_sentence_says_what_became_of_the_calls() {
    let sent = Verdict::Send(Kind::Detail);
    let joined = Verdict::Joined(Kind::Detail);
    let held = Verdict::Held(HeldWhy::MinInterval);
    let delivered = || Some(AlertState::Delivered { at: at("10:03") });
    let smsc = || AlertState::Accepted { at: at("10:02"), smsc: SmscName("a".into()), parts: Vec::new(), update: None };
    let later = "2026-11-20T09:00";
    for (now, entries, en, zh) in [
        (
            later,
            vec![call("10:02", sent, delivered()), call("10:02", joined, None), call("10:02", joined, None)],
            "3 calls on 12 Nov: the first was alerted at 10:02 and delivered at 10:03, the next two were joined into it.",
            "11 月 12 日 3 个未接来电：第 1 个于 10:02 发送短信，送达于 10:03；随后 2 个并入该短信。",
        ),
        (
            "10:10",
            vec![call("10:02", sent, Some(smsc()))],
            "1 call today: it was alerted at 10:02 (at the SMSC, not on the phone yet).",
            "今天 1 个未接来电：于 10:02 发送短信（已在短信中心，尚未送达）。",
        ),
        (
            "2026-11-13T01:00",
            vec![call("10:02", sent, delivered()), call("10:04", held, None), due("10:05", smsc())],
            "2 calls yesterday: the first was alerted at 10:02 and delivered at 10:03, the last waited (an SMS went out a moment ago) and was told at 10:05 (at the SMSC, not on the phone yet).",
            "昨天 2 个未接来电：第 1 个于 10:02 发送短信，送达于 10:03；最后 1 个先等待（刚刚发过短信），10:05 通知（已在短信中心，尚未送达）。",
        ),
        (
            "10:10",
            vec![call("10:02", held, None), call("10:03", held, None)],
            "2 calls today: both wait (an SMS went out a moment ago).",
            "今天 2 个未接来电：2 个都等待通知（刚刚发过短信）。",
        ),
        (
            "10:10",
            vec![call("10:02", sent, Some(AlertState::Failed { at: at("10:02"), why: FailedWhy::Refused(11) }))],
            "1 call today: it was alerted at 10:02 but never sent (refused by the SMSC).",
            "今天 1 个未接来电：于 10:02 发送短信，但未能发出（短信中心拒绝）。",
        ),
        (
            "10:10",
            vec![call("2025-11-11T10:00", Verdict::Nothing(NothingWhy::NotSubscribed), None)],
            "1 call on 11 Nov 2025; no SMS: not a subscriber.",
            "2025 年 11 月 11 日 1 个未接来电，未发短信：未开通。",
        ),
        (
            "10:10",
            vec![
                call("2026-11-11T10:00", sent, None),
                call("10:02", Verdict::Nothing(NothingWhy::DailyCap), None),
                call("10:02", joined, None),
            ],
            "2 calls today: the first was not told (enough SMS for one day), the last was joined into it.",
            "今天 2 个未接来电：第 1 个未通知（已达当日上限）；最后 1 个并入该短信。",
        ),
    ] {
        assert_eq!(say(now, &entries, Standing::default()), [en, zh]);
    }
}

#[test]
fn the_sentence_knows_when_the_person_refused() {
    let standing = Standing { refused_at: Some(at("2026-11-03T08:00")), status: None };
    let refused = Verdict::Nothing(NothingWhy::Refused);
    let calls = [call("10:02", refused, None), call("10:03", refused, None)];
    let [en, zh] = say("11:00", &calls, standing);
    assert_eq!(en, "2 calls today; no SMS: the person refused offers on 3 Nov.");
    assert_eq!(zh, "今天 2 个未接来电，未发短信：用户11 月 3 日拒收了邀请。");
    let [en, zh] = say("11:00", &[], standing);
    assert_eq!(en, "No call of this person is known here, so there was nothing to tell; they refused offers on 3 Nov.");
    assert!(zh.contains("拒收了邀请"), "{zh}");
    let suspended = Standing { status: Some(SubscriberStatus::Suspended), refused_at: None };
    assert!(say("11:00", &[], suspended)[0].ends_with("the registration is suspended."));
    assert_eq!(
        say("11:00", &[], Standing::default())[0],
        "No call of this person is known here, so there was nothing to tell."
    );
}

#[test]
fn many_different_calls_are_not_all_told() {
    let sent = Verdict::Send(Kind::Detail);
    let calls: Vec<TimelineEntry> = (10..19).map(|hour| call(&format!("{hour}:00"), sent, None)).collect();
    let [en, zh] = say("20:00", &calls, Standing::default());
    assert!(en.starts_with("9 calls today: the first was alerted at 10:00, the next was alerted at 11:00"), "{en}");
    assert!(en.ends_with(", 5 more below.") && zh.ends_with("；其余 5 个见下表。"), "{en} {zh}");
}
