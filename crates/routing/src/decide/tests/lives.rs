//! Seeded lives of five people who text, ring and are away, with a database that comes and goes: what must hold whatever happens, and every verdict of
//! self-service, copies and notify-me comes up.

use std::collections::BTreeSet;

use super::world::{World, person};
use super::*;

const TEXTS: [&str; 24] = [
    "KT",
    "QX",
    "R",
    "YES",
    "PAUSE",
    "PAUSE 2",
    "PAUSE 22-7",
    "PAUSE x",
    "RESUME",
    "NOTIFY ON",
    "NOTIFY OFF",
    "HIDE",
    "HIDE 13900000002",
    "SHOW",
    "LANG EN",
    "LANG ZH",
    "LANG FR",
    "COPY 13900000001",
    "COPY 13900000002",
    "COPY 13900000003",
    "COPY OFF",
    "HELP",
    "C",
    "hello",
];

/// A generator of numbers, the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap() % most
    }

    fn who(&mut self) -> u64 {
        1 + u64::try_from(self.below(5)).unwrap()
    }
}

/// What was said between boxes, for the rules.
#[derive(Default)]
struct Books {
    verdicts: BTreeSet<String>,
    rung: BTreeMap<Msisdn, u32>,
    copied: BTreeMap<(Msisdn, Msisdn), u32>,
    notified: BTreeSet<(Msisdn, Msisdn, Timestamp)>,
}

impl Books {
    /// Lets all words be heard, and checks each.
    fn talk(&mut self, world: &mut World) {
        let mut heard = 0;
        while let Some(word) = world.words.pop_front() {
            let before = world.count_to(word.to.as_u64() - 8_613_900_000_000, Kind::Notify);
            let refused = world.boxes.get(&word.to).is_some_and(|one| one.refused_at.is_some());
            let verdict = world.on(word.to, &Event::Word(word.clone()));
            let after = world.count_to(word.to.as_u64() - 8_613_900_000_000, Kind::Notify);
            match word.saying {
                Saying::Reachable { rang_at } if after > before => {
                    assert!(self.notified.insert((word.to, word.from, rang_at)), "told twice of one call");
                }
                Saying::Copy { told, more } if verdict.starts_with("send") => {
                    assert!(!refused, "a copy to who refused");
                    let calls = told.iter().map(|tally| tally.count).sum::<u32>() + more;
                    let all = self.copied.entry((word.from, word.to)).or_default();
                    *all += calls;
                    assert!(*all <= self.rung[&word.from], "more copies than calls");
                }
                _ => {}
            }
            self.verdicts.insert(verdict);
            heard += 1;
            assert!(heard < 200, "words without end");
        }
    }
}

fn step(world: &mut World, books: &mut Books, dice: &mut Dice) {
    let verdict = match dice.below(20) {
        0..=8 => {
            let text = TEXTS[dice.below(TEXTS.len())];
            world.text(dice.who(), text)
        }
        9..=12 => {
            let (who, called) = (dice.who(), dice.who());
            *books.rung.entry(person(called)).or_default() += 1;
            let reason = [Reason::Unreachable, Reason::Busy][dice.below(4) / 3];
            world.rings(who, called, reason)
        }
        13 | 14 => {
            let who = dice.who();
            world.phone_on(who);
            return;
        }
        15 => {
            world.database = Database::Abnormal;
            return;
        }
        16 => {
            books.verdicts.extend(world.recover());
            for call_box in world.boxes.values() {
                assert_eq!((&call_box.deferred, &call_box.asked, call_box.heard.len()), (&vec![], &vec![], 0));
            }
            return;
        }
        _ => {
            let long = [MINUTE, MINUTE * 10, HOUR * 3, DAY][dice.below(4)];
            books.verdicts.extend(world.wait(long));
            return;
        }
    };
    books.verdicts.insert(verdict);
}

fn is_bounded(call_box: &CallBox) {
    assert!(call_box.awaiting.len() <= MAX_AWAITING && call_box.reachable.len() <= MAX_AWAITING);
    assert!(call_box.told_of.len() <= MAX_AWAITING && call_box.asked.len() <= MAX_ASKED);
    assert!(call_box.heard.len() <= MAX_HEARD && call_box.copies.of.len() <= MAX_COPIES);
    let asked = call_box.deferred.iter().filter(|what| **what == Deferred::Asked).count();
    assert_eq!(asked, call_box.asked.len());
}

#[test]
fn whatever_people_do_the_rules_hold_and_every_answer_comes_up() {
    let mut verdicts = BTreeSet::new();
    for seed in 0..120 {
        let mut dice = Dice(seed);
        let mut world = World::new().with_subscriber(1).with_subscriber(2);
        world.policy.self_service.double_opt_in = seed % 2 == 0;
        (world.policy.notify.daily_cap, world.policy.notify.within) = (1, HOUR * 12);
        let suspended = Subscriber { status: SubscriberStatus::Suspended, ..Subscriber::new(person(5), NOW) };
        world.subscribers.insert(person(5), suspended);
        let mut books = Books::default();
        for _ in 0..150 {
            step(&mut world, &mut books, &mut dice);
            // Words wait a little, as they do in the journal.
            if dice.below(3) > 0 {
                books.talk(&mut world);
            }
            world.boxes.values().for_each(is_bounded);
        }
        verdicts.append(&mut books.verdicts);
    }
    let expected = "reply confirmation_asked,reply nothing_to_confirm,reply paused,reply resumed,reply notify_on,reply notify_off,\
         reply hidden,reply shown,reply language_set,reply language_unknown,reply copy_asked,reply copy_agreed,reply copy_ended,\
         reply not_subscribed,reply bad_argument,reply suspended,reply rate_limited,reply deferred,nothing not_notified,\
         nothing notify_cap,nothing notify_too_late,nothing deferred,nothing refused,held paused,send notify,send notice,send detail";
    let never: Vec<_> = expected.split(',').filter(|verdict| !verdicts.contains(*verdict)).collect();
    assert_eq!(never, [] as [&str; 0], "verdicts that no life came to");
}
