//! Short stories of one box: events in order, and what becomes of it.

use super::*;

/// A box and all that belongs to it, over several events.
pub(super) struct Story {
    pub(super) policy: Policy,
    pub(super) view: View,
    pub(super) alerts: BTreeMap<AlertId, Alert>,
    pub(super) now: Timestamp,
    pub(super) charges: usize,
}

impl Story {
    pub(super) fn new() -> Self {
        Self { policy: policy(), view: view(), alerts: BTreeMap::new(), now: NOW, charges: 0 }
    }

    pub(super) fn of_a_subscriber() -> Self {
        let mut story = Self::new();
        story.view.subscriber = Some(subscriber());
        story
    }

    pub(super) fn on(&mut self, event: &Event) -> String {
        let concerned = match event {
            Event::Submitted { alert, .. } | Event::Updated { alert, .. } | Event::Dropped { alert } => Some(*alert),
            Event::Receipt(receipt) => self.of_message(&receipt.message_id).or(self.view.call_box.open),
            _ => self.view.call_box.open,
        };
        self.view.alert = concerned.and_then(|id| self.alerts.get(&id).cloned());
        let decision = decide(&self.policy, &self.view, event, self.now);
        for alert in decision.alerts() {
            self.alerts.insert(alert.id, alert.clone());
        }
        self.charges += decision.effects.iter().filter(|effect| matches!(effect, Effect::Charge(_))).count();
        self.view = apply(&self.view, &decision);
        words(decision.verdict)
    }

    fn of_message(&self, id: &str) -> Option<AlertId> {
        let has_it = |alert: &&Alert| match &alert.state {
            AlertState::Accepted { parts, .. } => parts.iter().any(|part| part.id == id),
            _ => false,
        };
        self.alerts.values().find(has_it).map(|alert| alert.id)
    }

    pub(super) fn call(&mut self, id: &str) -> String {
        let Event::Call(call) = call(id) else { panic!("not a call") };
        self.on(&Event::Call(MissedCall { at: self.now, ..call }))
    }

    pub(super) fn last(&self) -> &Alert {
        self.alerts.values().last().unwrap()
    }

    pub(super) fn lease(&mut self) -> Leased {
        let id = self.last().id;
        let alert = self.alerts.get_mut(&id).unwrap();
        alert.lease(self.view.database, &self.policy.limits, self.now)
    }

    /// Leases the last alert and answers its attempt.
    pub(super) fn send(&mut self, outcome: SubmitOutcome) -> String {
        let Leased::Send(submit) = self.lease() else { panic!("not leased: {:?}", self.last()) };
        self.on(&Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome })
    }

    pub(super) fn drop_last(&mut self) -> String {
        assert_eq!(self.lease(), Leased::Dropped);
        let event = Event::Dropped { alert: self.last().id };
        self.on(&event)
    }

    pub(super) fn receipt(&mut self, state: ReceiptState) -> String {
        self.on(&receipt(state))
    }

    pub(super) fn untold(&self) -> u32 {
        self.view.call_box.untold.iter().map(|tally| tally.count).sum::<u32>() + self.view.call_box.more
    }
}

#[test]
fn an_alert_dropped_too_late_gives_its_calls_back_once() {
    let mut story = Story::of_a_subscriber();
    assert_eq!(story.call("c1"), "send detail");
    let event = Event::Dropped { alert: story.last().id };
    assert_eq!(story.on(&event), "nothing no_change", "it is not too late yet");
    story.now = NOW + DAY;
    assert_eq!(story.drop_last(), "alert");
    assert_eq!((story.untold(), story.view.call_box.open), (1, None));
    assert_eq!(story.on(&event), "nothing no_change");
    assert_eq!(story.untold(), 1);
    assert_eq!(story.call("c2"), "send detail");
    assert_eq!(story.last().told[0].count, 2);
}

#[test]
fn a_teaser_dropped_too_late_takes_its_offer_along_unless_it_may_have_arrived() {
    for (doubt, offered) in [(false, false), (true, true)] {
        let mut story = Story::new();
        story.policy.in_doubt = InDoubtPolicy::Resend;
        story.call("c1");
        if doubt {
            story.send(SubmitOutcome::InDoubt(NoAnswer::Timeout));
        }
        story.now = NOW + HOUR;
        story.drop_last();
        assert_eq!(story.view.call_box.offer.is_some(), offered);
        assert_eq!(story.untold(), 1);
        assert_eq!(story.view.call_box.counted_in.len(), 1, "counted once, when first teased");
    }
}

#[test]
fn a_list_that_was_granted_and_did_not_arrive_is_fetched_again_without_a_charge() {
    let mut story = Story::new();
    story.call("c1");
    story.send(taken(&["t"]));
    story.now = NOW + HOUR;
    assert_eq!(story.on(&reply("C")), "reply granted");
    let granted = story.last().text.clone();
    story.send(SubmitOutcome::Refused { status: 0x0b });
    assert_eq!(story.untold(), 0, "the offer holds the calls");
    assert_eq!(story.on(&reply("C")), "reply already_fetched");
    assert_eq!((&story.last().text, story.charges), (&granted, 1));
}

#[test]
fn a_fetch_deferred_by_an_outage_is_granted_after_it_though_the_offer_ended_meanwhile() {
    let mut story = Story::new();
    story.call("c1");
    story.send(taken(&["t"]));
    story.now = NOW + HOUR * 23;
    story.view.database = Database::Abnormal;
    assert_eq!(story.on(&reply("C")), "reply deferred");
    story.now = NOW + HOUR * 30;
    story.on(&Event::Due { called: called() });
    story.view.database = Database::Normal;
    assert_eq!(story.on(&Event::Due { called: called() }), "reply granted");
    assert_eq!((story.last().kind, story.last().told.len(), story.charges), (Kind::Detail, 1, 1));
    assert_eq!(story.on(&Event::Due { called: called() }), "nothing nothing_to_tell");
}

#[test]
fn who_subscribes_during_an_outage_and_asks_for_the_list_gets_it_free() {
    let mut story = Story::new();
    story.call("c1");
    story.send(taken(&["t"]));
    story.view.database = Database::Abnormal;
    story.on(&reply("KT"));
    story.on(&reply("C"));
    story.view.database = Database::Normal;
    assert_eq!(story.on(&Event::Due { called: called() }), "reply granted");
    assert_eq!((story.charges, story.untold()), (0, 0));
    assert!(story.view.subscriber.is_some());
}

#[test]
fn the_last_word_counts_when_a_refusal_follows_a_deferred_subscription() {
    let mut story = Story::new();
    story.view.database = Database::Abnormal;
    story.on(&reply("KT"));
    story.on(&reply("STOP"));
    story.view.database = Database::Normal;
    story.on(&Event::Due { called: called() });
    assert!(story.view.subscriber.is_none() && story.view.call_box.refused_at.is_some());
}

#[test]
fn calls_of_an_open_offer_are_told_to_who_subscribes() {
    let mut story = Story::new();
    story.call("c1");
    story.send(taken(&["t"]));
    story.on(&reply("KT"));
    let due = story.view.call_box.due.unwrap();
    assert_eq!(due, NOW + MINUTE);
    story.now = due;
    assert_eq!(story.on(&Event::Due { called: called() }), "send detail");
    assert_eq!(story.untold(), 0);
}

#[test]
fn a_subscriber_missed_by_a_gateway_without_registry_is_told_after_recovery() {
    let mut story = Story::new();
    (story.view.database, story.view.registry_loaded) = (Database::Abnormal, false);
    assert_eq!(story.call("c1"), "nothing abnormal_no_registry");
    assert_eq!(story.on(&reply("R")), "reply refused", "teasers only: a subscriber's calls stay");
    story.now = NOW + DAY * 2;
    story.on(&Event::Due { called: called() });
    (story.view.database, story.view.subscriber) = (Database::Normal, Some(subscriber()));
    assert_eq!(story.on(&Event::Due { called: called() }), "send detail");
    assert_eq!(story.last().told[0].count, 1);
}

#[test]
fn who_is_taken_for_a_subscriber_is_told_what_was_held() {
    let mut story = Story::new();
    (story.view.database, story.view.registry_loaded) = (Database::Abnormal, false);
    assert_eq!(story.on(&call_to("c1", Some("1"))), "send fallback");
    story.send(taken(&["a"]));
    assert_eq!(story.on(&call_to("c2", Some("1"))), "held updating");
    story.now = NOW + MINUTE * 2;
    story.receipt(ReceiptState::Delivered);
    assert_eq!((story.last().kind, story.alerts.len(), story.untold()), (Kind::Fallback, 2, 0));
}

#[test]
fn a_teaser_without_receipt_does_not_keep_the_next_away_for_ever() {
    let mut story = Story::new();
    story.call("c1");
    story.send(taken(&["t"]));
    story.now = NOW + DAY * 7 - MINUTE;
    assert_eq!(story.call("c2"), "nothing teaser_capped");
    story.now = NOW + DAY * 7;
    assert_eq!(story.call("c3"), "send teaser");
}

#[test]
fn a_new_subscriber_does_not_wait_for_a_queued_teaser_and_does_not_get_it() {
    for database in [Database::Normal, Database::Abnormal] {
        let mut story = Story::new();
        story.call("c1");
        let teaser = story.last().id;
        (story.view.subscriber, story.view.database) = (Some(subscriber()), database);
        story.now = NOW + MINUTE * 2;
        assert!(story.call("c2").starts_with("send"));
        assert_eq!(story.alerts[&teaser].state.as_str(), "failed");
        assert_eq!(story.last().told[0].count, 2);
    }
}

#[test]
fn a_teaser_on_its_way_when_its_offer_is_taken_is_not_sent_again() {
    for word in ["C", "KT", "R"] {
        let mut story = Story::new();
        story.call("c1");
        let teaser = story.last().id;
        let Leased::Send(submit) = story.lease() else { panic!("not leased") };
        story.on(&reply(word));
        let outcome = SubmitOutcome::Later { status: 0x58, avoid: None, after: MINUTE };
        story.on(&Event::Submitted { alert: teaser, attempt: submit.attempt, outcome });
        assert_eq!(story.alerts[&teaser].state.as_str(), "failed", "{word}");
    }
}

#[test]
fn who_unsubscribes_gets_nothing_more() {
    let mut story = Story::of_a_subscriber();
    story.call("c1");
    let detail = story.last().id;
    story.on(&reply("QX"));
    assert_eq!(story.alerts[&detail].state.as_str(), "failed");
    assert_eq!((story.last().kind, story.alerts.len(), story.untold()), (Kind::Notice, 2, 0));
}

#[test]
fn an_unknown_subscriber_unsubscribes_during_an_outage_all_the_same() {
    let mut view = view();
    (view.database, view.registry_loaded) = (Database::Abnormal, false);
    let decision = decide(&policy(), &view, &reply("QX"), NOW);
    assert!(decision.effects.contains(&Effect::Unsubscribe(called())));
}

#[test]
fn a_late_refusal_of_a_held_alert_makes_its_calls_untold() {
    let mut story = Story::of_a_subscriber();
    story.call("c1");
    let Leased::Send(submit) = story.lease() else { panic!("not leased") };
    let mut answer = |outcome| story.on(&Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome });
    answer(SubmitOutcome::InDoubt(NoAnswer::LinkLost));
    answer(SubmitOutcome::Refused { status: 0x0b });
    assert_eq!((story.last().state.as_str(), story.untold()), ("failed", 1));
}

#[test]
fn an_alert_that_joins_takes_the_originator_of_its_new_kind() {
    let mut story = Story::of_a_subscriber();
    story.call("c1");
    story.view.database = Database::Abnormal;
    assert_eq!(story.call("c2"), "joined fallback");
    let source = story.policy.service.source(Kind::Fallback, &[], 0);
    assert_eq!((story.last().kind, &story.last().source, story.alerts.len()), (Kind::Fallback, &source, 1));
}

#[test]
fn the_calls_of_people_without_an_offer_are_forgotten() {
    let mut story = Story::new();
    story.view.database = Database::Abnormal;
    story.call("c1");
    let due = story.view.call_box.due.unwrap();
    assert_eq!((story.untold(), due), (1, NOW + DAY));
    story.now = due;
    story.on(&Event::Due { called: called() });
    assert_eq!((story.untold(), story.view.call_box.due), (0, None));
}

#[test]
fn an_offer_that_is_over_says_so_and_is_forgotten_later() {
    let mut story = Story::new();
    story.call("c1");
    story.send(taken(&["t"]));
    story.now = NOW + HOUR;
    let Event::Call(other) = call("c2") else { panic!("not a call") };
    story.on(&Event::Call(MissedCall { at: story.now, caller: Caller::Withheld, ..other }));
    story.now = NOW + DAY;
    story.on(&Event::Due { called: called() });
    assert_eq!(story.untold(), 1, "the teaser's call is gone, the later one waits for the next teaser");
    assert_eq!(story.on(&reply("C")), "reply offer_expired");
    story.now = NOW + DAY * 2;
    story.on(&Event::Due { called: called() });
    assert_eq!((story.untold(), &story.view.call_box.offer, story.view.call_box.due), (0, &None, None));
    assert_eq!(story.on(&reply("C")), "reply no_offer");
}

#[test]
fn the_same_call_by_two_ways_counts_once_and_a_redial_twice() {
    let mut story = Story::of_a_subscriber();
    let Event::Call(first) = call("sip-1") else { panic!("not a call") };
    let by = |id: &str, seconds, source| {
        let at = first.at + Duration::from_secs(seconds);
        Event::Call(MissedCall { id: CallId::parse(id).unwrap(), at, source, ..first.clone() })
    };
    assert_eq!(story.on(&by("sip-1", 0, Source::Sip)), "send detail");
    assert_eq!(story.on(&by("http-1", 5, Source::Http)), "nothing duplicate");
    assert_eq!(story.on(&by("http-2", 6, Source::Http)), "joined detail");
    assert_eq!(story.on(&by("sip-2", 1, Source::Sip)), "nothing duplicate", "the other report of http-2");
    assert_eq!(story.on(&by("sip-3", 12, Source::Sip)), "joined detail");
    assert_eq!(story.last().told[0].count, 3);
}

#[test]
fn the_day_has_as_many_alerts_as_it_may() {
    let mut story = Story::of_a_subscriber();
    story.policy.limits.daily_cap = 3;
    story.policy.updates.usual = UpdateMode::New;
    let mut sent = 0;
    for n in 0..10 {
        story.now = NOW + HOUR * n;
        sent += u32::from(story.call(&format!("c{n}")) == "send detail");
        if matches!(story.last().state, AlertState::Queued { .. }) {
            story.send(taken(&["a"]));
        }
    }
    assert_eq!((sent, story.untold()), (3, 7));
    story.now = NOW + DAY;
    story.call("next day");
    assert_eq!(story.untold(), 0);
}
