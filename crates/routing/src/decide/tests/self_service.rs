//! What people ask for by keyword: every action by every sort of person, while the database is normal and while it isn't.

use super::world::{World, person};
use super::*;

fn set(world: &mut World, who: &str) {
    let subscribe = |world: &mut World, change: fn(&mut Subscriber)| {
        let mut subscriber = Subscriber::new(person(1), NOW - DAY);
        change(&mut subscriber);
        world.subscribers.insert(person(1), subscriber);
    };
    match who {
        "stranger" => {}
        "active" => subscribe(world, |_| {}),
        "paused" => subscribe(world, |one| one.paused_until = Some(NOW + HOUR)),
        "copying" => subscribe(world, |one| one.copy_to = Some(person(2))),
        "suspended" => subscribe(world, |one| one.status = SubscriberStatus::Suspended),
        "asked" => {
            world.policy.self_service.double_opt_in = true;
            world.text(1, "KT");
        }
        "late" => {
            set(world, "asked");
            world.now = world.now + DAY;
        }
        "teased" => drop(world.rings(9, 1, Reason::NoAnswer)),
        other => panic!("nobody is {other}"),
    }
}

/// Who, what they text, the verdict while the database is normal, the notices that it makes, and the verdict while it is abnormal.
const TABLE: &str = "
stranger  PAUSE            not_subscribed      1  deferred
stranger  RESUME           not_subscribed      1  deferred
stranger  LANG_EN          not_subscribed      1  deferred
stranger  COPY_13900000002 not_subscribed      1  deferred
stranger  NOTIFY_ON        notify_on           1  deferred
stranger  NOTIFY_OFF       notify_off          1  notify_off
stranger  HIDE             hidden              1  hidden
stranger  HIDE_13900000002 hidden              1  hidden
stranger  HIDE_nobody      bad_argument        1  bad_argument
stranger  SHOW             shown               1  deferred
stranger  YES              nothing_to_confirm  0  deferred
stranger  HELP             help                1  help
stranger  what             wrong_keyword       0  wrong_keyword
teased    YES              nothing_to_confirm  1  deferred
teased    what             wrong_keyword       1  wrong_keyword
suspended PAUSE            suspended           1  deferred
suspended LANG_EN          suspended           1  deferred
suspended COPY_13900000002 suspended           1  deferred
suspended COPY_OFF         copy_ended          1  deferred
active    PAUSE            paused              1  deferred
active    PAUSE_8          paused              1  deferred
active    PAUSE_22-7       paused              1  deferred
active    PAUSE_OFF        resumed             1  deferred
active    PAUSE_0          bad_argument        1  deferred
active    PAUSE_today      bad_argument        1  deferred
active    RESUME           resumed             1  deferred
paused    RESUME           resumed             1  deferred
active    LANG_ZH          language_set        1  deferred
active    LANG_zh-cn       language_set        1  deferred
active    LANG_EN          language_set        1  deferred
active    LANG_FR          language_unknown    1  deferred
active    LANG             language_unknown    1  deferred
active    COPY             bad_argument        1  deferred
active    COPY_me          bad_argument        1  deferred
active    COPY_13900000001 bad_argument        1  deferred
active    COPY_13900000002 copy_asked          1  deferred
copying   COPY_13900000002 copy_agreed         1  deferred
copying   COPY_OFF         copy_ended          1  deferred
active    COPY_OFF         copy_ended          1  deferred
asked     YES              subscribed          1  deferred
asked     KT               confirmation_asked  1  deferred
late      YES              nothing_to_confirm  0  deferred
asked     R                refused             1  refused
asked     QX               unsubscribed        1  unsubscribed
";

#[test]
fn each_request_has_its_answer() {
    for row in TABLE.lines().filter(|row| !row.is_empty()) {
        let [who, text, normal, notices, abnormal] = row.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let text = text.replace('_', " ");
        for (database, verdict) in [(Database::Normal, normal), (Database::Abnormal, abnormal)] {
            let mut world = World::new();
            set(&mut world, who);
            let before = world.sent_to(1).len();
            world.database = database;
            assert_eq!(world.text(1, &text), format!("reply {verdict}"), "{row}");
            let told = world.sent_to(1).split_off(before);
            assert!(told.iter().all(|(kind, _)| *kind == Kind::Notice), "{row}");
            if database == Database::Normal {
                assert_eq!(told.len().to_string(), notices, "{row}: {told:?}");
            }
            if verdict != "deferred" {
                continue;
            }
            // Told once that it follows; afterwards it is decided as if it had been asked then, but for what ran out meanwhile.
            assert_eq!(told.len(), 1, "{row}");
            assert_eq!(world.recover(), [format!("reply {normal}")], "{row}");
            assert_eq!(world.call_box(1).deferred, [], "{row}");
            assert_eq!(world.call_box(1).asked, [] as [String; 0], "{row}");
        }
    }
}

#[test]
fn a_subscription_that_is_to_be_confirmed_counts_once_it_is() {
    let mut world = World::new();
    world.policy.self_service.double_opt_in = true;
    assert_eq!(world.text(1, "KT"), "reply confirmation_asked");
    assert!(world.subscribers.is_empty());
    assert_eq!(world.last_to(1).text, "Reply YES to get a message for every missed call.");
    assert_eq!(world.text(1, "yes."), "reply subscribed");
    assert!(world.subscribers.contains_key(&person(1)));
    assert_eq!(world.call_box(1).pending, None);
    assert_eq!(world.text(1, "yes"), "reply nothing_to_confirm", "once");
}

#[test]
fn a_confirmation_that_came_in_time_counts_however_long_the_outage_and_a_late_one_never() {
    for (after, verdict) in [(HOUR, "reply subscribed"), (DAY, "reply nothing_to_confirm")] {
        let mut world = World::new();
        world.policy.self_service.double_opt_in = true;
        world.text(1, "KT");
        world.now = world.now + after;
        world.database = Database::Abnormal;
        assert_eq!(world.text(1, "YES"), "reply deferred");
        world.wait(DAY * 3);
        assert_eq!(world.recover(), [verdict]);
    }
}

#[test]
fn what_is_asked_while_the_database_is_abnormal_is_decided_in_that_order() {
    let mut world = World::new();
    world.database = Database::Abnormal;
    for text in ["LANG ZH", "KT", "PAUSE 22-7", "LANG ZH", "C"] {
        assert_eq!(world.text(1, text), "reply deferred");
    }
    assert_eq!(world.sent_to(1).len(), 1, "told once that answers follow");
    assert_eq!(world.recover(), ["reply no_offer"]);
    let told: Vec<_> = world.sent_to(1).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        told[1..],
        [
            "This is for subscribers. Reply KT to subscribe.",
            "You now get a message for every missed call. Reply QX to stop.",
            "Missed calls are held every day 22:00-07:00, then told in one message. Reply RESUME to end this.",
            "短信已改为中文。",
            "您目前没有可查看的未接来电。",
        ]
    );
    let subscriber = &world.subscribers[&person(1)];
    assert_eq!((&subscriber.language, subscriber.quiet), (&Some(Language::zh_cn()), DayWindow::parse("22-7").ok()));
}

#[test]
fn requests_that_wait_are_bounded_and_a_further_one_is_told_so() {
    let mut world = World::new().with_subscriber(1);
    world.database = Database::Abnormal;
    for hours in 1..=MAX_ASKED {
        assert_eq!(world.text(1, &format!("PAUSE {hours}")), "reply deferred");
    }
    assert_eq!(world.text(1, &format!("PAUSE {MAX_ASKED}")), "reply rate_limited");
    assert_eq!(world.sent_to(1).len(), 2);
    world.recover();
    assert_eq!(world.subscribers[&person(1)].paused_until, Some(NOW + HOUR * 5));
}

#[test]
fn who_unsubscribes_meanwhile_is_asked_nothing_more() {
    let mut world = World::new().with_subscriber(1);
    world.database = Database::Abnormal;
    for text in ["PAUSE 8", "SHOW", "QX"] {
        world.text(1, text);
    }
    assert_eq!(world.call_box(1).asked, ["SHOW"]);
    assert_eq!(world.recover(), ["reply shown"]);
    assert!(world.subscribers.is_empty());
}

#[test]
fn an_answer_comes_from_the_number_that_was_texted() {
    let mut world = World::new().with_subscriber(1);
    world.policy.service.commercial_code = Some(short("12598"));
    for code in ["12599", "12598", "+12598"] {
        world.text_to(code, 1, "HELP");
        let source = Address::ShortCode(short(code.trim_start_matches('+')));
        assert_eq!(world.last_to(1).source, source);
    }
    assert_eq!(world.text_to("12597", 1, "HELP"), "reply not_our_number");
}

#[test]
fn a_refusal_and_the_end_of_a_registration_are_confirmed_once() {
    let mut world = World::new().with_subscriber(1);
    for text in ["R", "R", "STOP", "QX", "QX"] {
        world.text(1, text);
    }
    let told: Vec<_> = world.sent_to(1).into_iter().map(|(_, text)| text).collect();
    // The second QX is of somebody who is none: told once more, then not again.
    assert_eq!(
        told[..2],
        [
            "You will get no more of these messages.",
            "You no longer get messages for missed calls. Reply KT to subscribe again."
        ]
    );
    world.text(1, "QX");
    world.text(1, "QX");
    assert!(world.sent_to(1).len() <= 3, "{:?}", world.sent_to(1));
}

#[test]
fn what_is_not_offered_is_no_keyword() {
    let mut world = World::new().with_subscriber(1);
    (world.policy.self_service.copies, world.policy.notify.on) = (false, false);
    assert_eq!(world.text(1, "COPY 13900000002"), "reply wrong_keyword");
    assert_eq!(world.text(1, "NOTIFY ON"), "reply wrong_keyword");
    assert_eq!(world.text(1, "NOTIFY OFF"), "reply notify_off", "nobody is refused that");
}

#[test]
fn a_pause_is_at_most_the_longest_and_says_until_when() {
    let mut world = World::new().with_subscriber(1);
    assert_eq!(world.text(1, "PAUSE 99999999999"), "reply paused");
    assert_eq!(world.subscribers[&person(1)].paused_until, Some(NOW + DAY * 30));
    assert_eq!(
        world.last_to(1).text,
        "Missed calls are held until 23 Dec 08:00, then told in one message. Reply RESUME to end this."
    );
}

#[test]
fn who_hides_from_more_than_fit_hides_from_everybody_and_is_told_so() {
    let mut world = World::new();
    world.policy.limits.reply_limit = 100;
    for n in 0..MAX_HIDDEN {
        world.text(1, &format!("HIDE 139000001{n:02}"));
    }
    assert!(!world.call_box(1).privacy.hidden);
    assert_eq!(world.last_to(1).text.matches("+86139000001").count(), 1);
    world.text(1, "HIDE 13900000199");
    assert!(world.call_box(1).privacy.hidden);
    assert_eq!(
        world.last_to(1).text,
        "Callers are no longer told when you can be reached again. Reply SHOW to change this."
    );
    assert_eq!(world.text(1, "SHOW 13900000100"), "reply bad_argument", "that alone would change nothing");
    assert_eq!(world.text(1, "SHOW"), "reply shown");
    assert_eq!(world.call_box(1).privacy, Privacy::default());
}

#[test]
fn the_last_word_on_privacy_counts_though_an_earlier_one_waits_for_the_database() {
    for (earlier, last, hidden, hidden_from, notify) in [
        ("SHOW", "HIDE", true, 0, None),
        ("SHOW", "HIDE 13900000002", false, 1, None),
        ("SHOW 13900000002", "HIDE 13900000002", false, 1, None),
        ("NOTIFY ON", "NOTIFY OFF", false, 0, Some(false)),
    ] {
        let mut world = World::new().with_subscriber(1);
        world.database = Database::Abnormal;
        world.text(1, earlier);
        world.text(1, last);
        world.recover();
        let privacy = world.call_box(1).privacy;
        assert_eq!(
            (privacy.hidden, privacy.hidden_from.len(), privacy.notify),
            (hidden, hidden_from, notify),
            "{last}"
        );
    }
}
