//! Replies in parts: in order and out of it, again, interleaved, and with parts missing.

use model::ReplyPart;

use super::*;

/// A person who was offered a list, and what happens to them.
struct Writer {
    policy: Policy,
    view: View,
    now: Timestamp,
}

impl Writer {
    fn new() -> Self {
        let mut call_box = CallBox { offer: Some(offer()), ..CallBox::empty(called()) };
        call_box.count(&Caller::Number(number(1)), NOW - HOUR);
        Self { policy: policy(), view: View { call_box, ..view() }, now: NOW }
    }

    fn on(&mut self, event: &Event) -> String {
        let decision = decide(&self.policy, &self.view, event, self.now);
        self.view = apply(&self.view, &decision);
        // Nothing is kept that was not written down.
        let text = serde_json::to_string(&self.view.call_box).unwrap();
        assert_eq!(serde_json::from_str::<CallBox>(&text).unwrap(), self.view.call_box);
        assert!(self.view.call_box.messages.len() <= MAX_MESSAGES);
        words(decision.verdict)
    }

    fn part(&mut self, to: &str, (reference, total, number): (u16, u8, u8), text: &str) -> String {
        let Event::Reply(reply) = reply_to(to, text) else { panic!("not a reply") };
        self.on(&Event::Reply(Reply { part: Some(ReplyPart { reference, total, number }), ..reply }))
    }

    /// `7 2/3 text`: part 2 of 3 of message 7. `+60`: a minute later, the box is looked at as often as it asks to be; what that decided of replies.
    fn step(&mut self, step: &str) -> String {
        if let Some(seconds) = step.strip_prefix('+') {
            return self.wait(Duration::from_secs(seconds.parse().unwrap()));
        }
        let mut words = step.splitn(3, ' ');
        let reference = words.next().unwrap().parse().unwrap();
        let (number, total) = words.next().unwrap().split_once('/').unwrap();
        self.part(
            "12599",
            (reference, total.parse().unwrap(), number.parse().unwrap()),
            words.next().unwrap_or_default(),
        )
    }

    fn wait(&mut self, long: Duration) -> String {
        let (until, mut replies) = (self.now + long, Vec::new());
        while let Some(due) = self.view.call_box.due.filter(|due| *due <= until) {
            self.now = self.now.max(due);
            replies.push(self.on(&Event::Due { called: called() }));
        }
        self.now = until;
        replies.retain(|verdict| verdict.starts_with("reply"));
        replies.join(", ")
    }
}

const WAITING: &str = "reply waiting";
const HELP: &str = "reply help";
const REFUSED: &str = "reply refused";
const AGAIN: &str = "nothing no_change";

type Story = (&'static str, &'static [(&'static str, &'static str)]);

/// What happens, and what is decided of it.
const STORIES: &[Story] = &[
    ("in order", &[("7 1/2 HE", WAITING), ("7 2/2 LP", HELP)]),
    ("reversed", &[("7 2/2 LP", WAITING), ("7 1/2 HE", HELP)]),
    ("in any order", &[("7 2/3 EL", WAITING), ("7 3/3 P", WAITING), ("7 1/3 H", HELP)]),
    (
        "each part again, before and after it is whole",
        &[
            ("7 1/2 HE", WAITING),
            ("7 1/2 HE", AGAIN),
            ("7 2/2 LP", HELP),
            ("7 2/2 LP", AGAIN),
            ("7 1/2 HE", AGAIN),
            ("+300", ""),
        ],
    ),
    ("one is missing", &[("7 2/3 R", WAITING), ("+59", ""), ("+1", REFUSED), ("+300", "")]),
    ("one in the middle is missing", &[("7 3/3 LP", WAITING), ("7 1/3 HE", WAITING), ("+60", HELP)]),
    ("one is late", &[("7 1/3 H", WAITING), ("+50", ""), ("7 2/3 EL", WAITING), ("+50", ""), ("7 3/3 P", HELP)]),
    (
        "one is too late: each is a message of its own",
        &[("7 1/2 R", WAITING), ("+60", REFUSED), ("7 2/2 what", WAITING), ("+60", "reply wrong_keyword")],
    ),
    (
        "two messages interleaved",
        &[("7 1/2 HE", WAITING), ("8 2/2 T", WAITING), ("7 2/2 LP", HELP), ("8 1/2 K", "reply subscribed")],
    ),
    (
        "two messages, both unfinished",
        &[("7 1/2 HELP", WAITING), ("8 1/2 R", WAITING), ("+70", "reply help, reply refused")],
    ),
    (
        "one reference twice",
        &[("7 1/2 HE", WAITING), ("7 2/2 LP", HELP), ("7 1/2 K", WAITING), ("7 2/2 T", "reply subscribed")],
    ),
    ("one reference, another length", &[("7 1/2 HE", WAITING), ("7 1/3 K", WAITING), ("7 2/2 LP", HELP)]),
    ("ten parts are collected", &[("7 1/10 R", WAITING), ("+60", REFUSED)]),
    ("more parts are not", &[("7 1/11 R", REFUSED)]),
    ("a part that can't be", &[("7 3/2 R", REFUSED)]),
    ("part nought", &[("7 0/2 R", REFUSED)]),
    ("the only part", &[("7 1/1 R", REFUSED)]),
    (
        "a fourth message at a time is not collected",
        &[
            ("1 1/2 a", WAITING),
            ("2 1/2 a", WAITING),
            ("3 1/2 a", WAITING),
            ("4 1/2 R", REFUSED),
            ("3 2/2 ?", "reply wrong_keyword"),
        ],
    ),
    (
        "what was read makes room",
        &[("1 1/2 HE", WAITING), ("1 2/2 LP", HELP), ("2 1/2 a", WAITING), ("3 1/2 a", WAITING), ("4 1/2 R", WAITING)],
    ),
];

#[test]
fn a_reply_in_parts_is_decided_once_it_is_whole_or_waited_for_long_enough() {
    for (name, steps) in STORIES {
        let mut writer = Writer::new();
        for (step, expected) in *steps {
            assert_eq!(writer.step(step), *expected, "{name}: {step}");
        }
        writer.wait(PARTS_WAIT * 4);
        assert_eq!(writer.view.call_box.messages, [], "{name}: something is kept");
    }
}

#[test]
fn a_part_to_another_number_or_too_long_is_not_collected() {
    let mut writer = Writer::new();
    assert_eq!(writer.part("10086", (7, 2, 1), "R"), "reply not_our_number");
    assert_eq!(writer.part("+12599", (7, 2, 1), "HE"), WAITING);
    assert_eq!(writer.part("12599", (7, 2, 2), "LP"), HELP, "the same number");
    let long = "x".repeat(MAX_PART_CHARACTERS + 1);
    assert_eq!(writer.part("12599", (8, 2, 1), &long), "reply wrong_keyword");
    assert_eq!(writer.part("12599", (8, 2, 1), &long[1..]), WAITING);
}

#[test]
fn a_whole_message_counts_once_against_the_limit_of_replies() {
    let mut writer = Writer::new();
    writer.policy.limits.reply_limit = 2;
    for (reference, expected) in [(1, HELP), (2, HELP), (3, "reply rate_limited"), (4, "reply rate_limited")] {
        assert_eq!(writer.part("12599", (reference, 2, 1), "HE"), WAITING);
        assert_eq!(writer.part("12599", (reference, 2, 2), "LP"), expected);
    }
    assert_eq!(writer.view.call_box.replies.unwrap().count, 4);
    assert_eq!(writer.part("12599", (5, 2, 2), " "), WAITING);
    assert_eq!(writer.part("12599", (5, 2, 1), "R"), REFUSED, "whatever the rate");
}

#[test]
fn a_fetch_in_parts_while_the_database_is_away_is_answered_when_it_is_back() {
    for order in [[1, 2], [2, 1]] {
        let mut writer = Writer::new();
        writer.view.database = Database::Abnormal;
        let text = |number| if number == 1 { "C" } else { " " };
        assert_eq!(writer.part("12599", (7, 2, order[0]), text(order[0])), WAITING);
        assert_eq!(writer.part("12599", (7, 2, order[1]), text(order[1])), "reply deferred");
        // A part of another message waits at the same time: what was asked before is answered first, and it is read in its own time.
        assert_eq!(writer.part("12599", (8, 2, 1), "HELP"), WAITING);
        writer.view.database = Database::Normal;
        assert_eq!(writer.on(&Event::Due { called: called() }), "reply granted");
        assert_eq!(writer.wait(PARTS_WAIT * 2), HELP);
    }
}
