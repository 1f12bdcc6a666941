//! Ranges as they are written, and found.

use super::*;
use proptest::prelude::*;

fn number(digits: &str) -> Msisdn {
    Msisdn::international(digits).unwrap()
}

#[test]
fn a_number_is_found_in_its_range() {
    let ranges = Ranges::parse("north=8613900000000-8613900999999:50000; south=86138*:200000").unwrap();
    for (digits, name) in [
        ("8613900000000", Some("north")),
        ("8613900999999", Some("north")),
        ("8613901000000", None),
        ("8613800000001", Some("south")),
        ("8613899999999", Some("south")),
        ("861380000", Some("south")),
        ("8613700000001", None),
    ] {
        assert_eq!(ranges.find(number(digits)).map(|r| r.name.0.as_str()), name, "{digits}");
    }
}

#[test]
fn every_fault_is_told() {
    let faults = |text: &str| Ranges::parse(text).unwrap_err();
    assert!(matches!(faults("a=8613900000009-8613900000001:5")[..], [RangeError::Backwards(_)]));
    assert!(matches!(faults("a=86139*:5;b=8613900000000-8613900000009:5")[..], [RangeError::Overlap(..)]));
    assert!(matches!(faults("a=86139*:many;b")[..], [RangeError::Quota(_), RangeError::Form(_)]));
    assert!(matches!(faults("a b=86139*:5")[..], [RangeError::Name(_)]));
    assert!(matches!(faults("a=86139*:5;a=86138*:5")[..], [RangeError::SameName(_)]));
    assert!(matches!(faults("a=086*:5")[..], [RangeError::Number(_)]));
    assert!(matches!(faults("a=8613900-86139000:5")[..], [RangeError::Lengths(_)]));
    assert!(matches!(faults("a=86139*:5@2026-12-01/2026-11-01")[..], [RangeError::Dates(_)]));
}

#[test]
fn a_range_is_in_force_between_its_dates() {
    let ranges = Ranges::parse("a=86139*:5@2026-12-01/2027-01-01").unwrap();
    let range = ranges.find(number("8613900000001")).unwrap();
    let at = |text| Timestamp::parse(text).unwrap();
    assert!(!range.in_force(at("2026-11-30T23:59:59Z")));
    assert!(range.in_force(at("2026-12-01T00:00:00Z")));
    assert!(!range.in_force(at("2027-01-01T00:00:00Z")));
}

#[test]
fn a_range_says_what_else_holds_of_its_people() {
    let text = "north=86139*:5@2026-12-01/2027-01-01?consent=explicit&quiet=21:00-8& time_zone = Asia/Urumqi &language=zh-CN&clock=12&campaigns=summer+autumn";
    let ranges = Ranges::parse(text).unwrap();
    let range = ranges.find(number("8613900000001")).unwrap();
    let name = |name: &str| CampaignName(name.to_owned());
    let terms = Terms {
        consent: ConsentRule::Explicit,
        quiet: Some(DayWindow::parse("21:00-08:00").unwrap()),
        language: Some(Language::zh_cn()),
        time_zone: Some("Asia/Urumqi".to_owned()),
        clock: Some(ClockFace::Twelve),
        campaigns: vec![name("summer"), name("autumn")],
    };
    assert_eq!((&range.terms, range.quota, range.until.is_some()), (&terms, 5, true));
    let plain = Ranges::parse("a=86139*:5?;b=86138*:5").unwrap();
    assert!(plain.iter().all(|range| range.terms == Terms::default()));
}

#[test]
fn every_fault_of_what_a_range_says_is_told_with_what_is_valid() {
    for (terms, told) in [
        ("consent=maybe", "'a=86139*:5?consent=maybe': consent= must be none, existing_customers or explicit"),
        ("quiet=22", "'a=86139*:5?quiet=22': quiet= must be a window of the day in local time, such as 21:00-08:00"),
        ("time_zone=Asia/Beijing", "time_zone= must be the name of a time zone, such as Asia/Urumqi"),
        ("language=", "language= must be a language, such as zh-CN"),
        ("clock=13", "clock= must be 12 or 24"),
        ("campaigns=a+a", "campaigns= must be names of campaigns joined by +, such as summer+autumn"),
        ("campaigns=", "campaigns= must be names"),
        ("quiet", "quiet= must be a window"),
        (
            "quite=21-8",
            "there is no parameter 'quite'; what may follow ? is consent=, quiet=, time_zone=, language=, clock= and campaigns=, joined by &",
        ),
        ("clock=12&clock=24", "clock is given twice"),
    ] {
        let written = format!("a=86139*:5?{terms}");
        let faults = Ranges::parse(&format!("{written};b=86138*:x")).unwrap_err();
        assert!(
            faults[0].to_string().contains(told) && faults[0].to_string().starts_with(&format!("'{written}': ")),
            "{}",
            faults[0]
        );
        assert!(matches!(faults[1..], [RangeError::Quota(_)]));
    }
}

/// Ranges that don't overlap, in order: gaps and widths along the numbers of 13 digits.
fn apart() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((1_u64..1_000_000, 0_u64..1_000_000), 0..12).prop_map(|steps| {
        let mut next = 8_613_900_000_000;
        let span = |(gap, width)| {
            let first = next + gap;
            next = first + width;
            (first, next)
        };
        steps.into_iter().map(span).collect()
    })
}

proptest! {
    #[test]
    fn reading_ranges_never_panics(text in "[a-z=0-9*:;@/ -]{0,60}|a=86139\\*:5\\?[a-z=&+0-9:-]{0,40}|\\PC{0,40}") {
        let _ = Ranges::parse(&text);
    }

    #[test]
    fn a_number_is_found_exactly_in_the_range_that_holds_it(spans in apart(), off in 0_u64..2, which in 0_usize..12) {
        let written: Vec<_> =
            spans.iter().enumerate().map(|(n, (first, last))| format!("r{n}={first}-{last}:{n}")).rev().collect();
        let ranges = Ranges::parse(&written.join(";")).unwrap();
        prop_assert_eq!(ranges.iter().count(), spans.len());
        let edges = spans.get(which).map_or([1_000_000; 4], |(first, last)| [first - off, *first, *last, last + off]);
        for edge in edges {
            let expected = spans.iter().position(|(first, last)| (*first..=*last).contains(&edge));
            let found = ranges.find(Msisdn::try_from(edge).unwrap()).map(|range| range.name.0.clone());
            prop_assert_eq!(found, expected.map(|n| format!("r{n}")));
        }
    }

    #[test]
    fn ranges_that_share_a_number_are_refused(spans in apart(), which in 0_usize..12, inside in 0_u64..1_000_000) {
        prop_assume!(which < spans.len());
        let (first, last) = spans[which];
        let shared = (first + inside).min(last);
        let written: Vec<_> = spans.iter().enumerate().map(|(n, (a, b))| format!("r{n}={a}-{b}:1")).collect();
        let text = format!("{};extra={shared}-{}:1", written.join(";"), shared + 7);
        let overlaps = |fault: &RangeError| matches!(fault, RangeError::Overlap(..));
        prop_assert!(Ranges::parse(&text).unwrap_err().iter().any(overlaps));
    }

    #[test]
    fn a_prefix_stands_for_every_number_that_begins_with_it(prefix in "[1-9][0-9]{0,9}", digits in "[1-9][0-9]{6,14}") {
        let ranges = Ranges::parse(&format!("p={prefix}*:1")).unwrap();
        prop_assert_eq!(ranges.find(number(&digits)).is_some(), digits.starts_with(&prefix));
        let within: String = format!("{prefix}{digits}").chars().take(15).collect();
        prop_assert!(ranges.find(number(&within)).is_some());
    }
}
