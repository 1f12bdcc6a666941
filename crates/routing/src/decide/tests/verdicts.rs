//! The verdicts of the main cells, written down from the tables of what the product does.

use super::*;

/// Database, who, circumstances, event, verdict. `dark` says that the registry was never loaded.
const TABLE: &str = "
normal   active     -          call       send detail
normal   active     full       call       send detail
normal   active     refused    call       send detail
normal   paused     -          call       held paused
normal   suspended  -          call       nothing suspended
normal   stranger   refused    call       nothing refused
normal   stranger   room       call       send teaser
normal   stranger   full       call       nothing quota_used_up
normal   stranger   counted    call       send teaser
normal   stranger   outside    call       nothing outside_ranges
normal   stranger   room       call:1     nothing not_subscribed
normal   stranger   room       call:2     send teaser
normal   stranger   teased     call       nothing teaser_capped
normal   stranger   expired    call       nothing teaser_capped
normal   stranger   long_ago   call       send teaser
normal   stranger   fetched    call       send teaser
normal   stranger   acted      call       send teaser
normal   stranger   unseen     call       nothing teaser_capped
normal   stranger   unreached  call       send teaser
normal   stranger   told       call       nothing teaser_capped
normal   stranger   dnc        call       nothing do_not_contact
normal   stranger   explicit   call       nothing no_consent
normal   stranger   customers  call       nothing no_consent
normal   stranger   quiet      call       nothing quiet_hours
normal   stranger   dusk       call       nothing quiet_hours
normal   stranger   awake      call       send teaser
normal   stranger   explicit+consented    call       send teaser
normal   stranger   explicit+customer     call       nothing no_consent
normal   stranger   customers+customer    call       send teaser
normal   stranger   customers+consented   call       send teaser
normal   stranger   explicit+consented+dnc call      nothing do_not_contact
normal   stranger   refused+dnc           call       nothing refused
normal   stranger   dnc                   call:1     nothing do_not_contact
normal   stranger   dnc+outside           call       nothing do_not_contact
normal   stranger   explicit              call:1     nothing not_subscribed
normal   stranger   explicit+consented    call:1     nothing not_subscribed
normal   stranger   explicit+over         call       nothing outside_ranges
normal   stranger   explicit+full         call       nothing no_consent
normal   stranger   quiet+explicit        call       nothing no_consent
normal   stranger   quiet+full            call       nothing quota_used_up
normal   stranger   quiet+teased          call       nothing teaser_capped
normal   stranger   quiet                 late_call  nothing quiet_hours
normal   stranger   capped                late_call  nothing too_old
normal   stranger   quiet+capped          call       nothing quiet_hours
normal   stranger   teaser+dnc            call       nothing do_not_contact
normal   stranger   teaser+explicit       call       nothing no_consent
normal   stranger   teaser+quiet          call       joined teaser
normal   active     dnc                   call       send detail
normal   active     quiet+explicit        call       send detail
normal   stranger   teased+dnc            C          reply granted
normal   stranger   teased+explicit       C          reply granted
abnormal stranger   dnc                   call       nothing abnormal_not_registered
abnormal stranger   explicit+quiet        call       nothing abnormal_not_registered
abnormal active     dnc+quiet             call       send fallback
normal   stranger   capped     call       nothing daily_cap
normal   active     capped     call       nothing daily_cap
normal   stranger   room       late_call  nothing too_old
normal   active     -          late_call  send detail
normal   active     -          old_call   nothing too_old
normal   active     -          twice      nothing duplicate
normal   stranger   room       twice      nothing duplicate
abnormal active     -          call       send fallback
abnormal active     -          twice      nothing duplicate
abnormal paused     -          call       held paused
abnormal suspended  -          call       nothing suspended
abnormal stranger   room       call       nothing abnormal_not_registered
abnormal stranger   room       call:1     nothing abnormal_not_registered
abnormal stranger   room       call:2     nothing abnormal_not_registered
abnormal stranger   dark       call       nothing abnormal_no_registry
abnormal stranger   dark       call:1     send fallback
abnormal stranger   dark       call:2     nothing abnormal_no_registry
abnormal stranger   refused    call       nothing abnormal_not_registered
abnormal stranger   teased     call       nothing abnormal_not_registered
normal   stranger   -          C          reply no_offer
normal   stranger   teased     C          reply granted
normal   stranger   fetched    C          reply already_fetched
normal   stranger   expired    C          reply offer_expired
normal   stranger   refused    C          reply refused_earlier
normal   stranger   teased     what?!     reply wrong_keyword
normal   stranger   busy       C          reply rate_limited
normal   stranger   teased     elsewhere  reply not_our_number
normal   active     -          C          reply no_offer
normal   active     waiting    C          reply granted
normal   suspended  teased     C          reply suspended
normal   suspended  -          KT         reply suspended
normal   stranger   teased     KT         reply subscribed
normal   active     -          ON         reply subscribed
normal   active     -          QX         reply unsubscribed
normal   stranger   -          OFF        reply unsubscribed
normal   stranger   teased     R          reply refused
normal   active     -          STOP       reply refused
normal   stranger   busy       TD         reply refused
normal   stranger   -          HELP       reply help
abnormal stranger   teased     C          reply deferred
abnormal active     waiting    C          reply deferred
abnormal stranger   -          KT         reply deferred
abnormal stranger   teased     R          reply refused
abnormal stranger   dark       R          reply refused
abnormal active     -          QX         reply unsubscribed
abnormal stranger   dark       QX         reply unsubscribed
abnormal stranger   -          ?          reply help
normal   active     waiting    due        send detail
normal   paused     waiting    due        held paused
normal   stranger   waiting    due        nothing nothing_to_tell
normal   suspended  waiting    due        nothing nothing_to_tell
abnormal active     waiting    due        send fallback
normal   active     just_told  call       held min_interval
normal   active     just_told  due        held min_interval
normal   active     queued     call       joined detail
normal   active     sending    call       held alert_pending
normal   active     accepted   call       held updating
normal   active     accepted   due        held updating
normal   active     forgotten  call       held updating
normal   active     wanted     call       held updating
normal   active     asking     call       held updating
normal   active     again      call       held updating
normal   active     done       call       held updating
normal   active     given_up   call       held alert_pending
normal   active     given_up   due        held alert_pending
normal   active     in_vain    call       send detail
normal   active     part_done  call       held alert_pending
normal   active     accepted:n call       held alert_pending
normal   active     forgotten:n call      send detail
abnormal active     accepted   call       held updating
normal   stranger   teaser_out call       held updating
abnormal active     queued     call       joined fallback
normal   stranger   teaser     call       joined teaser
";

/// What a circumstance says of the range, as it is written.
fn terms(word: &str) -> Option<&'static str> {
    match word {
        "explicit" => Some("consent=explicit"),
        "customers" => Some("consent=existing_customers"),
        // It is eight o'clock in UTC.
        "quiet" => Some("quiet=07:59-08:01"),
        "dusk" => Some("quiet=17:00-8&time_zone=Asia/Tokyo"),
        "awake" => Some("quiet=17:00-8"),
        _ => None,
    }
}

fn set(view: &mut View, policy: &mut Policy, word: &str) {
    let call_box = &mut view.call_box;
    let accepted = |at| AlertState::Accepted {
        at,
        smsc: smsc(),
        parts: vec![Part { id: "a".to_owned(), state: None }],
        update: None,
    };
    let with = |state, doubts| AlertState::Accepted {
        at: NOW - MINUTE,
        smsc: smsc(),
        parts: vec![Part { id: "a".to_owned(), state: None }],
        update: Some(Box::new(update(state, doubts, NOW - MINUTE, false))),
    };
    let mut open = |state| {
        call_box.open = Some(OPEN);
        call_box.untold = vec![tally(2, 1)];
        view.alert = Some(Alert { attempts: 1, ..alert(Kind::Detail, state) });
    };
    match word {
        "-" | "room" | "explicit" | "customers" | "quiet" | "dusk" | "awake" => {}
        "dnc" => view.listed.do_not_contact = true,
        "consented" => view.listed.consent = true,
        "customer" => view.listed.customers = true,
        "full" => view.range_used = 5,
        "counted" => {
            view.range_used = 5;
            call_box.counted_in.push(RangeName("north".to_owned()));
        }
        "outside" => policy.ranges = Ranges::parse("south=86138*:5").unwrap(),
        "over" => policy.ranges = Ranges::parse("north=86139*:5@/2026-11-23?consent=explicit").unwrap(),
        "refused" => call_box.refused_at = Some(NOW - DAY),
        "dark" => view.registry_loaded = false,
        "capped" => {
            policy.limits.daily_cap = 2;
            call_box.today = Some((crate::text::local_day(NOW, "UTC"), 2));
        }
        "waiting" => call_box.untold = vec![tally(2, 1)],
        "just_told" => {
            call_box.untold = vec![tally(2, 1)];
            call_box.alerted_at = Some(NOW - MINUTE / 2);
        }
        "busy" => call_box.replies = Some(RateWindow { since: NOW - MINUTE, count: 10 }),
        "teased" => {
            call_box.untold = vec![tally(2, 1)];
            call_box.offer = Some(offer());
        }
        "fetched" => {
            let fetched = Some(Fetched { at: NOW - MINUTE, list: vec![tally(2, 1)], more: 0 });
            call_box.offer = Some(Offer { fetched, ..offer() });
        }
        "expired" => {
            call_box.untold = vec![tally(2, 1)];
            call_box.offer = Some(Offer { teased_at: NOW - DAY, expires_at: NOW, ..offer() });
        }
        "long_ago" => call_box.offer = Some(Offer { teased_at: NOW - DAY * 7, expires_at: NOW - DAY * 6, ..offer() }),
        "acted" => call_box.offer = Some(Offer { silent_until: Some(NOW - MINUTE), ..offer() }),
        "unseen" => call_box.offer = Some(Offer { silent_until: Some(offer().expires_at), ..offer() }),
        "unreached" => {
            call_box.offer = Some(Offer { teased_at: NOW - DAY, expires_at: NOW, silent_until: Some(NOW), ..offer() });
        }
        "told" => {
            call_box.offer = Some(Offer { silent_until: Some(NOW - MINUTE), ..offer() });
            call_box.alerted_at = Some(NOW - MINUTE / 2);
        }
        "queued" => open(AlertState::Queued { not_before: NOW + MINUTE }),
        "sending" => open(AlertState::Sending { since: NOW }),
        "accepted" => open(accepted(NOW - MINUTE)),
        "forgotten" => open(accepted(NOW - HOUR)),
        "wanted" => open(with(UpdateState::Wanted { not_before: NOW }, 0)),
        "asking" => open(with(UpdateState::Asking { since: NOW }, 0)),
        "again" => open(with(UpdateState::Wanted { not_before: NOW }, 1)),
        "done" => open(with(UpdateState::Done { at: NOW }, 0)),
        "given_up" => open(with(UpdateState::GivenUp, 0)),
        "in_vain" => {
            open(with(UpdateState::GivenUp, 0));
            policy.limits.update_wait = MINUTE;
        }
        "part_done" => open(AlertState::Accepted {
            at: NOW,
            smsc: smsc(),
            parts: [Some(ReceiptState::Delivered), None].map(|state| Part { id: "a".to_owned(), state }).to_vec(),
            update: None,
        }),
        "accepted:n" | "forgotten:n" => {
            policy.updates.by_smsc.insert(smsc(), UpdateMode::New);
            open(accepted(if word == "accepted:n" { NOW - MINUTE } else { NOW - HOUR }));
        }
        "teaser_out" => {
            set(view, policy, "teaser");
            view.alert = Some(alert(Kind::Teaser, accepted(NOW - MINUTE)));
        }
        "teaser" => {
            call_box.open = Some(OPEN);
            call_box.untold = vec![tally(2, 1)];
            view.alert = Some(alert(Kind::Teaser, AlertState::Queued { not_before: NOW }));
            call_box.offer = Some(Offer { teased_at: NOW - MINUTE * 2, ..offer() });
        }
        other => panic!("no circumstance is called {other}"),
    }
}

fn event(word: &str) -> Event {
    let called_at = |at| match call("c1") {
        Event::Call(call) => Event::Call(MissedCall { at, ..call }),
        _ => panic!("not a call"),
    };
    match word {
        "call" | "twice" => call("c1"),
        "call:1" => call_to("c1", Some("1")),
        "call:2" => call_to("c1", Some("2")),
        "late_call" => called_at(NOW - HOUR),
        "old_call" => called_at(NOW - DAY * 8),
        "due" => Event::Due { called: called() },
        "elsewhere" => reply_to("10086", "C"),
        text => reply(text),
    }
}

#[test]
fn the_verdicts_are_those_of_the_tables() {
    for row in TABLE.lines().filter(|row| !row.is_empty()) {
        let [database, who, circumstance, happened, verdict @ ..] = &row.split_whitespace().collect::<Vec<_>>()[..]
        else {
            panic!("{row}")
        };
        let (mut view, mut policy) = (view(), policy());
        view.database = if *database == "normal" { Database::Normal } else { Database::Abnormal };
        view.subscriber = match *who {
            "stranger" => None,
            "active" => Some(subscriber()),
            "paused" => Some(Subscriber { paused_until: Some(NOW + HOUR), ..subscriber() }),
            "suspended" => Some(Subscriber { status: SubscriberStatus::Suspended, ..subscriber() }),
            other => panic!("nobody is {other}"),
        };
        let said: Vec<&str> = circumstance.split('+').filter_map(terms).collect();
        if !said.is_empty() {
            policy.ranges = Ranges::parse(&format!("north=86139*:5?{}", said.join("&"))).unwrap();
        }
        circumstance.split('+').for_each(|word| set(&mut view, &mut policy, word));
        if *happened == "twice" {
            view = apply(&view, &decide(&policy, &view, &call("c1"), NOW));
        }
        let decision = decide(&policy, &view, &event(happened), NOW);
        assert_eq!(words(decision.verdict), verdict.join(" "), "{row}");
    }
}
