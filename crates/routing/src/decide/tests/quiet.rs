//! Pauses and the window of the day: what comes meanwhile is held, and told in one message at the end.

use super::world::{World, person};
use super::*;

fn quiet_at_night() -> World {
    let mut world = World::new().with_subscriber(1);
    let subscriber = world.subscribers.get_mut(&person(1)).unwrap();
    subscriber.quiet = DayWindow::parse("22-7").ok();
    subscriber.time_zone = Some("Asia/Shanghai".to_owned());
    // 22:30 in Shanghai.
    world.now = Timestamp::parse("2026-11-23T14:30:00Z").unwrap();
    world
}

fn details(world: &World) -> Vec<(Kind, u32)> {
    let calls = |alert: &Alert| alert.told.iter().map(|tally| tally.count).sum();
    let lists = world.alerts.values().filter(|alert| matches!(alert.kind, Kind::Detail | Kind::Fallback));
    lists.map(|alert| (alert.kind, calls(alert))).collect()
}

#[test]
fn three_nights_make_three_details() {
    let mut world = quiet_at_night();
    for night in 0..3 {
        for caller in 2..5 {
            assert_eq!(world.rings(caller, 1, Reason::NoAnswer), "held paused");
            world.wait(HOUR);
        }
        // 01:30; until 06:59 nothing, and at 07:00 everything.
        assert_eq!(world.wait(HOUR * 5 + MINUTE * 29), [] as [String; 0]);
        assert_eq!(details(&world).len(), night);
        assert_eq!(world.wait(MINUTE), ["send detail"]);
        assert_eq!(details(&world)[night], (Kind::Detail, 3));
        assert_eq!(world.now, Timestamp::parse(&format!("2026-11-{}T23:00:00Z", 23 + night)).unwrap());
        world.phone_on(1);
        // A call by day is told at once.
        assert_eq!(world.wait(HOUR * 15 + MINUTE * 30), [] as [String; 0]);
    }
}

#[test]
fn a_pause_over_the_beginning_of_the_night_ends_with_the_night() {
    let mut world = quiet_at_night();
    world.now = Timestamp::parse("2026-11-23T13:00:00Z").unwrap();
    world.text(1, "PAUSE 3");
    assert_eq!(world.rings(2, 1, Reason::NoAnswer), "held paused");
    assert_eq!(world.wait(HOUR * 10), ["send detail"]);
    assert_eq!(details(&world), [(Kind::Detail, 1)]);
    assert_eq!(world.last_to(1).created_at, Timestamp::parse("2026-11-23T23:00:00Z").unwrap());
}

#[test]
fn the_end_is_told_while_the_database_is_abnormal_too_and_once() {
    let mut world = quiet_at_night();
    world.rings(2, 1, Reason::NoAnswer);
    world.wait(HOUR);
    world.database = Database::Abnormal;
    assert_eq!(world.rings(3, 1, Reason::NoAnswer), "held paused");
    assert_eq!(world.wait(HOUR * 8), ["send fallback"]);
    world.recover();
    world.wait(HOUR);
    assert_eq!(details(&world), [(Kind::Fallback, 2)]);
}

#[test]
fn who_resumes_is_told_at_once_what_was_held() {
    let mut world = quiet_at_night();
    world.rings(2, 1, Reason::NoAnswer);
    assert_eq!(world.text(1, "RESUME"), "reply resumed");
    let kinds: Vec<_> = world.sent_to(1).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Kind::Notice, Kind::Detail]);
    assert_eq!(world.wait(DAY), [] as [String; 0]);
    let subscriber = &world.subscribers[&person(1)];
    assert_eq!((subscriber.quiet, subscriber.paused_until), (None, None));
}

#[test]
fn a_window_ends_by_the_clocks_of_the_person_when_they_are_changed() {
    let night = DayWindow::parse("22-7").unwrap();
    let ends = |at: &str| night.ends(Timestamp::parse(at).unwrap(), "Europe/Copenhagen").map(|end| end.to_string());
    assert_eq!(ends("2026-10-24T21:00:00Z").as_deref(), Some("2026-10-25T06:00:00.000Z"), "nine hours and one more");
    assert_eq!(ends("2026-03-28T22:00:00Z").as_deref(), Some("2026-03-29T05:00:00.000Z"), "nine hours but one");
    assert_eq!(ends("2026-10-25T06:00:00Z"), None);
    assert_eq!(ends("2026-06-01T20:00:30Z").as_deref(), Some("2026-06-02T05:00:00.000Z"), "seconds don't count");
}
