//! Another machine at the other end: whatever it sends, the exchange ends.

use proptest::prelude::*;

use super::world::{World, person};
use super::*;

/// A machine that answers each of our messages with the next of these texts, after a while; how many of ours it got.
fn exchange(world: &mut World, texts: &[&str], pause: Duration) -> usize {
    for text in texts.iter().cycle().take(500) {
        let before = world.sent_to(1).len();
        world.text(1, text);
        if world.sent_to(1).len() == before {
            break;
        }
        world.now = world.now + pause;
    }
    world.sent_to(1).len()
}

#[test]
fn a_machine_that_repeats_itself_is_answered_once() {
    let mut world = World::new().with_subscriber(1);
    assert_eq!(exchange(&mut world, &["I am on holiday."], HOUR * 2), 1);
    assert_eq!(world.text(1, "QX"), "reply unsubscribed", "a person at that number is served all the same");
    assert_eq!(world.sent_to(1).len(), 2);
}

#[test]
fn a_slow_machine_that_never_says_anything_of_use_falls_silent() {
    for texts in [
        &["HELP"][..],
        &["C", "HELP", "?"],
        &["one", "two", "three"],
        &["YES", "no"],
        &["QX", "OFF"],
        &["LANG", "PAUSE x"],
    ] {
        let mut world = World::new();
        world.boxes.insert(person(1), CallBox { offer: None, ..CallBox::empty(person(1)) });
        assert!(exchange(&mut world, texts, HOUR * 2) <= 6, "{texts:?}: {:?}", world.sent_to(1));
    }
}

#[test]
fn who_is_silent_for_a_day_is_answered_again() {
    let mut world = World::new();
    exchange(&mut world, &["HELP"], MINUTE * 30);
    let before = world.sent_to(1).len();
    world.wait(DAY);
    world.text(1, "HELP");
    assert_eq!(world.sent_to(1).len(), before + 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_quick_exchange_ends(
        texts in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec!["C", "KT", "QX", "R", "HELP", "YES", "PAUSE", "RESUME", "NOTIFY ON", "NOTIFY OFF", "HIDE", "SHOW", "LANG EN", "LANG ZH", "COPY 13900000002", "COPY OFF"]).prop_map(str::to_owned),
                "[a-z ]{0,12}",
            ],
            1..8,
        ),
        subscriber in any::<bool>(),
        double in any::<bool>(),
    ) {
        let mut world = World::new();
        if subscriber {
            world = world.with_subscriber(1);
        }
        world.policy.self_service.double_opt_in = double;
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        // Within a window: the limit, its one notice, and nothing more.
        let limit = world.policy.limits.reply_limit as usize;
        let got = exchange(&mut world, &texts, Duration::from_secs(20));
        prop_assert!(got <= limit + 1, "{} messages", got);
    }
}
