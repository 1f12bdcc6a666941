//! Consent, quiet hours, silence, campaigns and what is kept of what people said.

use super::*;

fn in_range(terms: &str) -> Policy {
    Policy { ranges: Ranges::parse(&format!("north=86139*:5?{terms}")).unwrap(), ..policy() }
}

fn evidence(decision: &Decision) -> Vec<&Evidence> {
    let kept = |effect: &'_ Effect| matches!(effect, Effect::Evidence(_));
    decision.effects.iter().filter(|effect| kept(effect)).filter_map(as_evidence).collect()
}

fn as_evidence(effect: &Effect) -> Option<&Evidence> {
    match effect {
        Effect::Evidence(evidence) => Some(evidence),
        _ => None,
    }
}

fn steps(decision: &Decision) -> Vec<(&str, &str, Conversion)> {
    let step = |effect| match effect {
        &Effect::Campaign(CampaignStep { ref campaign, ref range, step, at }) => {
            assert_eq!(at, NOW);
            Some((campaign.0.as_str(), range.0.as_str(), step))
        }
        _ => None,
    };
    decision.effects.iter().filter_map(step).collect()
}

fn summer() -> CampaignName {
    CampaignName("summer".to_owned())
}

/// A person who was teased with a campaign, and has a call that waits.
fn teased() -> View {
    let mut view = view();
    view.call_box.untold = vec![tally(2, 1)];
    view.call_box.counted_in = vec![RangeName("north".to_owned())];
    view.call_box.offer = Some(Offer { campaign: Some(summer()), ..offer() });
    view
}

/// The same, with the teaser in this state.
fn with_teaser(state: AlertState) -> View {
    let teaser = Alert { campaign: Some(summer()), attempts: 1, ..alert(Kind::Teaser, state) };
    let mut view = teased();
    view.call_box.offer = Some(Offer { teased_at: teaser.created_at, campaign: Some(summer()), ..offer() });
    view.call_box.open = Some(OPEN);
    view.alert = Some(teaser);
    view
}

#[test]
fn a_teaser_is_worth_nothing_any_more_when_the_quiet_hours_begin() {
    for (quiet, worth) in [
        ("10:00-12:00", HOUR * 2),
        ("16:30-8&time_zone=Asia/Shanghai", MINUTE * 30),
        ("08:01-08:02", MINUTE),
        ("07:00-07:59", HOUR * 23),
    ] {
        let decision = decide(&in_range(&format!("quiet={quiet}")), &view(), &call("c1"), NOW);
        let teaser = decision.alerts().next().unwrap();
        assert_eq!((teaser.kind, teaser.validity), (Kind::Teaser, worth), "{quiet}");
        let mut late = teaser.clone();
        assert_eq!(late.lease(Database::Normal, &Limits::default(), NOW + worth), Leased::Dropped);
    }
    let decision = decide(&in_range("quiet=08:00-08:01"), &view(), &call("c1"), NOW);
    assert_eq!(words(decision.verdict), "nothing quiet_hours");
    let just_before = NOW + Duration::from_secs(30);
    let decision = decide(&in_range("quiet=08:01-9"), &view(), &call("c1"), just_before);
    assert_eq!(words(decision.verdict), "nothing quiet_hours", "too little time to arrive");
}

#[test]
fn calls_in_the_quiet_hours_are_told_by_the_next_teaser() {
    let policy = in_range("quiet=07:00-09:00");
    let mut known = view();
    for id in ["c1", "c2"] {
        known = apply(&known, &decide(&policy, &known, &call(id), NOW));
    }
    let Event::Call(third) = call("c3") else { panic!("not a call") };
    let decision = decide(&policy, &known, &Event::Call(MissedCall { at: NOW + HOUR, ..third }), NOW + HOUR);
    assert_eq!(words(decision.verdict), "send teaser");
    assert!(decision.alerts().next().unwrap().text.starts_with("3 missed calls"));
}

#[test]
fn a_teaser_that_may_not_be_sent_any_more_leaves_the_queue_at_the_next_look() {
    let queued = AlertState::Queued { not_before: NOW };
    let look = Event::Due { called: called() };
    let explicit = in_range("consent=explicit");
    let listed = Listed { do_not_contact: true, ..Listed::default() };
    let wanted = Listed { consent: true, ..Listed::default() };
    for (policy, listed, stays) in [
        (&policy(), listed, false),
        (&explicit, Listed::default(), false),
        (&explicit, wanted, true),
        (&policy(), Listed::default(), true),
    ] {
        let before = View { listed, ..with_teaser(queued.clone()) };
        let after = apply(&before, &decide(policy, &before, &look, NOW));
        assert_eq!(after.alert.as_ref().map(|alert| alert.state == queued), Some(stays));
        assert_eq!((after.call_box.open.is_some(), after.call_box.offer.is_some()), (stays, stays));
    }
    let abnormal = View { listed, database: Database::Abnormal, ..with_teaser(queued) };
    assert_eq!(decide(&policy(), &abnormal, &look, NOW).alerts().count(), 0, "it doesn't leave now anyway");
}

#[test]
fn a_teaser_that_may_have_arrived_keeps_its_offer() {
    let mut before = with_teaser(AlertState::Queued { not_before: NOW });
    before.listed.do_not_contact = true;
    before.alert.as_mut().unwrap().doubts = 1;
    let after = apply(&before, &decide(&policy(), &before, &Event::Due { called: called() }, NOW));
    assert_eq!(after.alert.as_ref().map(|alert| alert.state.as_str()), Some("failed"));
    assert!(after.call_box.offer.is_some(), "they may ask");
}

#[test]
fn a_teaser_that_the_smsc_puts_off_is_not_tried_again_where_it_is_unwanted() {
    let later = SubmitOutcome::Later { status: 0x58, avoid: None, after: MINUTE };
    for (do_not_contact, state) in [(true, "failed"), (false, "queued")] {
        let mut before = with_teaser(AlertState::Sending { since: NOW });
        before.listed.do_not_contact = do_not_contact;
        let after = apply(&before, &decide(&policy(), &before, &submitted(later.clone()), NOW));
        assert_eq!(after.alert.unwrap().state.as_str(), state);
        assert_eq!(after.call_box.offer.is_none(), do_not_contact, "nobody can take an offer that never arrived");
    }
}

#[test]
fn who_texts_a_keyword_may_be_teased_again_and_who_chats_may_not() {
    for (text, silent_until) in [("?", Some(NOW)), ("C", Some(NOW)), ("thanks", None)] {
        let before = teased();
        let after = apply(&before, &decide(&policy(), &before, &reply(text), NOW));
        assert_eq!(after.call_box.offer.unwrap().silent_until, silent_until, "{text}");
    }
    let elsewhere = decide(&policy(), &teased(), &reply_to("10086", "?"), NOW);
    assert_eq!(elsewhere.effects, [], "nor who texts somebody else");
}

#[test]
fn a_teaser_that_the_network_gave_up_keeps_the_next_away_no_longer_than_its_offer() {
    for state in [ReceiptState::Expired, ReceiptState::Undeliverable] {
        let parts = vec![Part { id: "a".to_owned(), state: None }];
        let before = with_teaser(AlertState::Accepted { at: NOW, smsc: smsc(), parts, update: None });
        let after = apply(&before, &decide(&policy(), &before, &receipt(state), NOW));
        let offer = after.call_box.offer.unwrap();
        assert_eq!(offer.silence_ends(DAY * 7), offer.expires_at);
    }
}

#[test]
fn the_silence_is_remembered_as_long_as_it_lasts() {
    let mut known = apply(&view(), &decide(&policy(), &view(), &call("c1"), NOW));
    let mut now = NOW;
    for _ in 0..20 {
        let Some(due) = known.call_box.due else { break };
        assert!(due > now);
        now = due;
        known = apply(&known, &decide(&policy(), &known, &Event::Due { called: called() }, now));
        assert_eq!(known.call_box.offer.is_some(), now < NOW + DAY * 8, "{now}");
    }
    assert_eq!((now, known.call_box.due), (NOW + DAY * 8, None));
}

#[test]
fn campaigns_take_turns_and_the_teaser_says_which_it_carries() {
    let campaigns = Campaigns::parse("summer:2;autumn:1;winter:1@2026-12-01/").unwrap();
    let all = Policy { campaigns: campaigns.clone(), ..policy() };
    let some = Policy { campaigns, ..in_range("campaigns=winter+autumn") };
    for (policy, turn, name) in
        [(&all, 0, "summer"), (&all, 1, "autumn"), (&all, 2, "summer"), (&all, 3, "summer"), (&some, 0, "autumn")]
    {
        let decision = decide(policy, &View { campaign_turn: turn, ..view() }, &call("c1"), NOW);
        let campaign = Some(CampaignName(name.to_owned()));
        assert_eq!(decision.alerts().next().unwrap().campaign, campaign);
        assert_eq!(apply(&view(), &decision).call_box.offer.unwrap().campaign, campaign);
        assert_eq!(steps(&decision), [], "it has not left yet");
    }
    let none = Policy { campaigns: Campaigns::parse("winter:1@2026-12-01/").unwrap(), ..policy() };
    let decision = decide(&none, &view(), &call("c1"), NOW);
    assert_eq!((words(decision.verdict).as_str(), steps(&decision)), ("send teaser", vec![]));
}

#[test]
fn a_teaser_counts_as_teased_when_the_smsc_took_it_and_once() {
    let counted = [("summer", "north", Conversion::Teased)];
    for outcome in outcomes() {
        let before = with_teaser(AlertState::Sending { since: NOW });
        let decision = decide(&policy(), &before, &submitted(outcome.clone()), NOW);
        let took = matches!(outcome, SubmitOutcome::Accepted { .. });
        assert_eq!(steps(&decision), if took { &counted[..] } else { &[] }, "{outcome:?}");
        let after = apply(&before, &decision);
        let again = decide(&policy(), &after, &submitted(taken(&["a"])), NOW);
        let late = matches!(outcome, SubmitOutcome::InDoubt(_));
        assert_eq!(steps(&again), if late { &counted[..] } else { &[] }, "after {outcome:?}");
    }
    let dropped = View { alert: None, ..with_teaser(AlertState::Queued { not_before: NOW }) };
    assert_eq!(steps(&decide(&policy(), &dropped, &Event::Dropped { alert: OPEN }, NOW)), []);
}

#[test]
fn a_teaser_is_counted_for_the_range_of_the_person_who_refused_meanwhile() {
    let mut before = with_teaser(AlertState::Sending { since: NOW });
    before.call_box.offer = None;
    let renamed = Policy { ranges: Ranges::default(), ..policy() };
    for policy in [policy(), renamed] {
        let decision = decide(&policy, &before, &submitted(taken(&["a"])), NOW);
        assert_eq!(steps(&decision), [("summer", "north", Conversion::Teased)]);
    }
}

#[test]
fn a_fetch_and_a_subscription_are_counted_for_the_campaign_while_its_offer_lives() {
    let fetched = decide(&policy(), &teased(), &reply("C"), NOW);
    assert_eq!(steps(&fetched), [("summer", "north", Conversion::Fetched)]);
    let again = decide(&policy(), &apply(&teased(), &fetched), &reply("C"), NOW);
    assert_eq!((words(again.verdict).as_str(), steps(&again)), ("reply already_fetched", vec![]));
    let subscribed = decide(&policy(), &apply(&teased(), &fetched), &reply("KT"), NOW);
    assert_eq!(steps(&subscribed), [("summer", "north", Conversion::Subscribed)]);
    let again = decide(&policy(), &apply(&teased(), &subscribed), &reply("KT"), NOW);
    assert_eq!(steps(&again), []);
    let mut over = teased();
    over.call_box.offer.as_mut().unwrap().expires_at = NOW;
    assert_eq!(steps(&decide(&policy(), &over, &reply("KT"), NOW)), []);
    assert_eq!(steps(&decide(&policy(), &view(), &reply("KT"), NOW)), []);
}

/// What a person says, of which evidence is kept, and the alert that answers it.
#[test]
fn what_people_said_is_kept_word_for_word_and_with_the_teaser_it_answers() {
    let subscribed = View { subscriber: Some(subscriber()), ..view() };
    for (before, text, what, of_an_offer) in [
        (teased(), " c ", EvidenceOf::Fetched, true),
        (teased(), "stop", EvidenceOf::Refused, true),
        (view(), "R", EvidenceOf::Refused, false),
        (teased(), "KT", EvidenceOf::Subscribed, true),
        (subscribed, "QX", EvidenceOf::Unsubscribed, false),
    ] {
        let decision = decide(&policy(), &before, &reply(text), NOW);
        let [kept] = evidence(&decision)[..] else { panic!("{:?}", decision.effects) };
        let offer = before.call_box.offer.as_ref();
        assert_eq!((kept.called, kept.at, kept.what), (called(), NOW, what));
        assert_eq!(
            (kept.text.as_deref(), kept.to.as_deref(), kept.smsc.as_ref()),
            (Some(text), Some("12599"), Some(&smsc()))
        );
        assert_eq!((kept.teased_at, kept.range.as_ref()), (offer.map(|o| o.teased_at), offer.map(|o| &o.range)));
        assert_eq!((kept.campaign.as_ref(), kept.alert), (of_an_offer.then(summer).as_ref(), Some(NEXT)));
    }
}

#[test]
fn evidence_is_kept_once_and_of_no_more_than_one_message() {
    let refused = apply(&teased(), &decide(&policy(), &teased(), &reply("R"), NOW));
    assert_eq!(evidence(&decide(&policy(), &refused, &reply("R"), NOW)), Vec::<&Evidence>::new());
    let subscribed = View { subscriber: Some(subscriber()), ..view() };
    assert_eq!(evidence(&decide(&policy(), &subscribed, &reply("KT"), NOW)), Vec::<&Evidence>::new());
    assert_eq!(evidence(&decide(&policy(), &view(), &reply("QX"), NOW)), Vec::<&Evidence>::new());
    let long = format!("R{}", " ".repeat(500));
    let decision = decide(&policy(), &view(), &reply(&long), NOW);
    assert_eq!(evidence(&decision)[0].text.as_ref().map(|text| text.chars().count()), Some(160));
}

#[test]
fn a_subscription_that_waits_for_the_database_is_kept_as_asked_and_then_as_granted() {
    let abnormal = View { database: Database::Abnormal, ..view() };
    let asked = decide(&policy(), &abnormal, &reply("KT"), NOW);
    let [kept] = evidence(&asked)[..] else { panic!("{:?}", asked.effects) };
    assert_eq!((kept.what, kept.text.as_deref()), (EvidenceOf::SubscriptionAsked, Some("KT")));
    let waiting = apply(&abnormal, &asked);
    assert_eq!(evidence(&decide(&policy(), &waiting, &reply("KT"), NOW)), Vec::<&Evidence>::new());
    let back = View { database: Database::Normal, ..waiting };
    let granted = decide(&policy(), &back, &Event::Due { called: called() }, NOW);
    let [kept] = evidence(&granted)[..] else { panic!("{:?}", granted.effects) };
    assert_eq!((kept.what, &kept.text, &kept.to), (EvidenceOf::Subscribed, &None, &None));
}

#[test]
fn teasers_come_from_the_commercial_code_and_replies_to_it_count() {
    let mut policy = policy();
    policy.service.commercial_code = Some(short("12598"));
    let decision = decide(&policy, &view(), &call("c1"), NOW);
    assert_eq!(decision.alerts().next().unwrap().source, Address::ShortCode(short("12598")));
    for (to, verdict) in [("12598", "reply granted"), ("12599", "reply granted"), ("12597", "reply not_our_number")] {
        assert_eq!(words(decide(&policy, &teased(), &reply_to(to, "C"), NOW).verdict), verdict);
    }
    let decision = decide(&policy, &teased(), &reply_to("12598", "C"), NOW);
    assert_eq!(decision.alerts().next().unwrap().source, Address::ShortCode(short("12598")), "who is asked answers");
}

#[test]
fn a_range_has_its_own_language_and_time() {
    let policy = in_range("language=zh-CN&time_zone=Asia/Shanghai");
    let teaser = decide(&policy, &view(), &call("c1"), NOW).alerts().next().unwrap().text.clone();
    assert!(teaser.contains("未接来电") && teaser.contains("15:59"), "{teaser}");
    let own = Subscriber { language: Some(model::Language::en()), time_zone: Some("UTC".to_owned()), ..subscriber() };
    let view = View { subscriber: Some(own), ..view() };
    let detail = decide(&policy, &view, &call("c1"), NOW).alerts().next().unwrap().text.clone();
    assert!(detail.contains("missed call") && detail.contains("07:59"), "{detail}");
}
