//! Texts as readers get them, and the faults of those that operators write.

use super::*;
use model::{Caller, Coding};
use proptest::prelude::*;
use std::str::FromStr;

fn tally(last: u64, count: u32, at: &str) -> Tally {
    let caller = Caller::Number(Msisdn::try_from(8_613_911_110_000 + last).unwrap());
    Tally { caller, count, last_at: Timestamp::parse(at).unwrap() }
}

fn zh() -> Language {
    Language::zh_cn()
}

#[test]
fn a_detail_tells_each_caller_count_and_local_time() {
    let texts = Texts::shipped().unwrap();
    let told = [tally(1, 2, "2026-11-23T08:05:00Z"), tally(2, 1, "2026-11-23T07:59:00Z")];
    let reader = Reader::new(Box::leak(Box::new(zh())), "Asia/Shanghai");
    assert_eq!(
        texts.list(ListKind::Detail, reader, &told, 0, 3),
        "您有3个未接来电：\n+8613911110001 2次 11-23 16:05\n+8613911110002 11-23 15:59"
    );
    let reader = Reader::new(Box::leak(Box::new(Language::en())), "Europe/Copenhagen");
    assert_eq!(texts.list(ListKind::Fallback, reader, &told[1..], 0, 3), "Missed call:\n+8613911110002 23 Nov 08:59");
}

#[test]
fn what_does_not_fit_is_told_as_a_number() {
    let texts = Texts::shipped().unwrap();
    let told: Vec<_> = (0..50).map(|n| tally(n, 2, "2026-11-23T08:05:00Z")).collect();
    let reader = Reader::new(Box::leak(Box::new(zh())), "Asia/Shanghai");
    let text = texts.list(ListKind::Detail, reader, &told, 7, 3);
    assert_eq!(split(&text).parts.len(), 3);
    let lines = text.lines().count() - 2;
    assert!(text.starts_with("您有107个未接来电"), "{text}");
    assert!(text.ends_with(&format!("另有{}个", 107 - 2 * lines)), "{text}");
}

#[test]
fn english_stays_in_the_gsm_alphabet_and_one_part() {
    let mut texts = Texts::shipped().unwrap();
    texts.fetch_price = "0.50".to_owned();
    texts.subscribe_price = "3.00 a month".to_owned();
    let reader = Reader::new(Box::leak(Box::new(Language::en())), "UTC");
    let text = texts.teaser(reader, 12, Timestamp::parse("2026-11-23T08:05:00Z").unwrap(), &Keywords::shipped());
    assert_eq!(
        text,
        "12 missed calls, last 23 Nov 08:05. Reply C to see who called (0.50), KT to subscribe (3.00 a month), R to \
         get no more of these. This message is free."
    );
    let segments = split(&text);
    assert_eq!((segments.coding, segments.parts.len()), (Coding::Gsm7, 1));
}

#[test]
fn chinese_teaser_fits_one_part() {
    let texts = Texts::shipped().unwrap();
    let reader = Reader::new(Box::leak(Box::new(zh())), "Asia/Shanghai");
    let text = texts.teaser(reader, 2, Timestamp::parse("2026-11-23T08:05:00Z").unwrap(), &Keywords::shipped());
    assert_eq!(text, "您有2个未接来电，最近一次11-23 16:05。回复C查看来电号码，KT开通提醒，R不再提醒。本条免费。");
    assert_eq!(split(&text).parts.len(), 1);
}

#[test]
fn every_answer_is_worded_in_every_language() {
    let texts = Texts::shipped().unwrap();
    for language in texts.languages() {
        let reader = Reader::new(language, "UTC");
        for verdict in ReplyVerdict::ALL {
            let notice = texts.notice(reader, verdict, &Keywords::shipped(), &[]);
            let list = matches!(
                verdict,
                ReplyVerdict::Granted
                    | ReplyVerdict::AlreadyFetched
                    | ReplyVerdict::NotOurNumber
                    | ReplyVerdict::Waiting
            );
            assert_eq!(notice.is_none(), list);
            assert!(notice.is_none_or(|text| !text.contains(['{', '}'])));
        }
    }
}

#[test]
fn withheld_and_unknown_callers_are_shown_by_a_word() {
    let texts = Texts::shipped().unwrap();
    let told = [Tally { caller: Caller::Withheld, count: 1, last_at: Timestamp::from_millis(0) }];
    let reader = Reader::new(Box::leak(Box::new(Language::from_str("fr").unwrap())), "Nowhere/Land");
    assert_eq!(texts.list(ListKind::Detail, reader, &told, 0, 1), "1 missed call:\nwithheld 1 Jan 00:00");
}

#[test]
fn a_day_is_the_persons_own() {
    let at = Timestamp::parse("2026-11-23T16:30:00Z").unwrap();
    assert_eq!(local_day(at, "Asia/Shanghai") - local_day(at, "UTC"), 1);
}

fn any_tally() -> impl Strategy<Value = Tally> {
    let caller = prop_oneof![
        8 => (10_000_000_u64..999_999_999_999_999).prop_map(|n| Caller::Number(Msisdn::try_from(n).unwrap())),
        1 => Just(Caller::Withheld),
        1 => Just(Caller::Unknown),
    ];
    let at = 1_700_000_000_000_i64..1_900_000_000_000;
    (caller, 1_u32..200, at).prop_map(|(caller, count, at)| Tally {
        caller,
        count,
        last_at: Timestamp::from_millis(at),
    })
}

/// The count that a line of the English list tells: `(n)`, `+n more`, else one call.
fn told_by(line: &str) -> u32 {
    if let Some(more) = line.strip_suffix(" more") {
        return more[1..].parse().unwrap();
    }
    line.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or(1, |(count, _)| count.parse().unwrap())
}

proptest! {
    #[test]
    fn a_list_fits_its_parts_and_its_lines_add_up(
        told in prop::collection::vec(any_tally(), 1..51),
        more in prop_oneof![Just(0_u32), 1_u32..500],
        max_parts in 1_usize..5,
    ) {
        let texts = Texts::shipped().unwrap();
        let total: u32 = told.iter().map(|tally| tally.count).sum::<u32>() + more;
        for (language, kind) in [(zh(), ListKind::Detail), (zh(), ListKind::Fallback), (Language::en(), ListKind::Detail)] {
            let reader = Reader::new(&language, "Asia/Shanghai");
            let text = texts.list(kind, reader, &told, more, max_parts);
            prop_assert!(split(&text).parts.len() <= max_parts, "{}", text);
            prop_assert!(text.lines().next().is_some_and(|head| total == 1 || kind == ListKind::Fallback || head.contains(&total.to_string())));
        }
        let reader = Reader::new(Box::leak(Box::new(Language::en())), "UTC");
        let text = texts.list(ListKind::Detail, reader, &told, more, max_parts);
        prop_assert_eq!(text.lines().skip(1).map(told_by).sum::<u32>(), total, "{}", text);
    }

    #[test]
    fn a_teaser_fits_two_parts_in_every_language_and_holds_every_keyword(count in 1_u32.., at in 0_i64..4_000_000_000_000) {
        let (texts, keywords) = (Texts::shipped().unwrap(), Keywords::shipped());
        for language in texts.languages() {
            let reader = Reader::new(language, "Asia/Shanghai");
            let text = texts.teaser(reader, count, Timestamp::from_millis(at), &keywords);
            prop_assert!(split(&text).parts.len() <= 2);
            for action in [Action::Fetch, Action::Subscribe, Action::Refuse] {
                prop_assert!(text.contains(keywords.shown(action)));
            }
        }
    }
}

/// The words of a person's own choice: everything but their time zone.
fn reader<'a>(language: &'a Language, clock: ClockFace) -> Reader<'a> {
    Reader { clock, ..Reader::new(language, "Asia/Shanghai") }
}

fn file(name: &str, content: &str) -> File {
    let language = name.rsplit('/').next().unwrap().trim_end_matches(".toml").parse().unwrap();
    let scope = match name.split('/').collect::<Vec<_>>()[..] {
        ["ranges", range, _] => Scope::Range(RangeName(range.to_owned())),
        ["campaigns", campaign, _] => Scope::Campaign(CampaignName(campaign.to_owned())),
        _ => Scope::All,
    };
    File { name: name.to_owned(), scope, language, content: content.to_owned() }
}

fn rules(keywords: &Keywords) -> Rules<'_> {
    Rules { keywords, max_parts: 3, required: &["refuse"] }
}

fn told(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

fn faults(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<File> = files.iter().map(|(name, content)| file(name, content)).collect();
    match Texts::read(&files) {
        Err(Faults(faults)) => told(&faults),
        Ok(texts) => told(&texts.check(rules(&Keywords::shipped()))),
    }
}

#[test]
fn a_clock_has_twelve_hours_for_those_who_read_it_so() {
    let texts = Texts::shipped().unwrap();
    let time = |language: &Language, clock, at| texts.time(reader(language, clock), Timestamp::parse(at).unwrap());
    let (morning, noon, night) = ("2026-11-23T00:05:00Z", "2026-11-23T04:05:00Z", "2026-11-23T16:05:00Z");
    for (language, clock, at, written) in [
        (zh(), ClockFace::TwentyFour, morning, "11-23 08:05"),
        (zh(), ClockFace::Twelve, morning, "11-23 上午8:05"),
        (zh(), ClockFace::Twelve, noon, "11-23 下午12:05"),
        (Language::en(), ClockFace::Twelve, noon, "23 Nov 12:05 pm"),
        (Language::en(), ClockFace::Twelve, night, "24 Nov 12:05 am"),
        (Language::en(), ClockFace::TwentyFour, night, "24 Nov 00:05"),
    ] {
        assert_eq!(time(&language, clock, at), written);
    }
}

#[test]
fn numbers_of_the_own_country_are_shown_as_they_are_dialled_there() {
    let mut texts = Texts::shipped().unwrap();
    let number = |digits: u64| Msisdn::try_from(digits).unwrap();
    assert_eq!(texts.number(number(8_613_911_110_001)), "+8613911110001");
    texts.numbers = NumberForm::National {
        country_code: "86".to_owned(),
        prefix: "0".to_owned(),
        without_prefix: vec!["8613".to_owned()],
    };
    for (digits, shown) in
        [(8_613_911_110_001, "13911110001"), (861_088_880_001, "01088880001"), (4_520_123_456, "+4520123456")]
    {
        assert_eq!(texts.number(number(digits)), shown);
    }
    let language = zh();
    let list =
        texts.list(ListKind::Detail, Reader::new(&language, "UTC"), &[tally(1, 1, "2026-11-23T08:05:00Z")], 0, 3);
    assert_eq!(list, "您有1个未接来电：\n13911110001 11-23 08:05");
}

#[test]
fn a_campaigns_text_stands_in_its_teasers_and_leaves_no_blanks_elsewhere() {
    let files = [
        file("campaigns/summer/en.toml", "campaign = \"First month free: reply {subscribe}.\""),
        file("ranges/north/en.toml", "refused = \"Done.\""),
        file("campaigns/plain/en.toml", "teaser_one = \"1 call. {campaign} {refuse}\"\nrefused = \"Gone.\""),
    ];
    let texts = Texts::read(&files).unwrap();
    let keywords = Keywords::shipped();
    let (summer, plain) = (CampaignName("summer".to_owned()), CampaignName("plain".to_owned()));
    let (north, language) = (RangeName("north".to_owned()), Language::en());
    let usual = Reader::new(&language, "UTC");
    let teaser = |reader, count| texts.teaser(reader, count, Timestamp::from_millis(0), &keywords);
    let end = |text: String| text[text.find("R to get").unwrap()..].to_owned();
    let of_summer = Reader { campaign: Some(&summer), range: Some(&north), ..usual };
    assert_eq!(end(teaser(usual, 2)), "R to get no more of these. This message is free.");
    let offer = "R to get no more of these. First month free: reply KT. This message is free.";
    assert_eq!(end(teaser(of_summer, 2)), offer);
    let of_plain = Reader { campaign: Some(&plain), range: Some(&north), ..usual };
    assert_eq!(teaser(of_plain, 1), "1 call. R");
    let refused = |reader| texts.notice(reader, ReplyVerdict::Refused, &keywords, &[]).unwrap();
    assert_eq!(refused(of_summer), "Done.", "the range's, where the campaign has none");
    assert_eq!(refused(of_plain), "Gone.", "the campaign's, over the range's");
    assert_eq!(refused(usual), "You will get no more of these messages.");
    let chinese = Language::zh_cn();
    let elsewhere = Reader { language: &chinese, ..of_summer };
    assert_eq!(
        refused(elsewhere),
        "您将不再收到此类提醒。",
        "what is written in one language is not for readers of another"
    );
}

#[test]
fn a_shipped_language_is_changed_in_part_and_a_new_one_is_complete() {
    let texts = Texts::read(&[file("en.toml", "refused = \"Done.\"")]).unwrap();
    let language = Language::from_str("fr").unwrap();
    let notice = texts.notice(Reader::new(&language, "UTC"), ReplyVerdict::Refused, &Keywords::shipped(), &[]);
    assert_eq!(notice.as_deref(), Some("Done."), "also where it stands in for a language that there is none of");
    let whole = SHIPPED[0].1.replace("Missed call:", "Opkald:");
    let danish = Texts::read(&[file("da.toml", &whole), file("ranges/north/da.toml", "more = \"{count}\"")]).unwrap();
    assert_eq!(danish.language_list(), "da, en, zh-CN");
    let part = whole.lines().filter(|line| !line.starts_with("shown")).collect::<Vec<_>>().join("\n");
    let faults = faults(&[("da.toml", &part), ("zh-cn.toml", ""), ("ranges/north/sv.toml", "")]);
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults[0].starts_with("da.toml: ") && faults[0].contains("missing: shown, shown_one;"), "{faults:?}");
    assert!(faults[1].starts_with("ranges/north/sv.toml: there are no texts in 'sv'"), "{faults:?}");
    assert_eq!(faults[2], "zh-cn.toml: did you mean zh-CN.toml?");
}

#[test]
fn shipped_texts_pass_every_check_in_one_part_and_with_everything_required() {
    let texts = Texts::shipped().unwrap();
    let keywords = Keywords::shipped();
    for max_parts in 1..=10 {
        let texts = Texts { help_parts: max_parts, ..texts.clone() };
        let rules = Rules { keywords: &keywords, max_parts, required: &REQUIRABLE };
        assert_eq!(told(&texts.check(rules)), Vec::<String>::new(), "{max_parts}");
    }
}

#[test]
fn a_teaser_is_refused_that_tells_a_number_or_lacks_what_is_required() {
    let found = faults(&[
        ("en.toml", "teaser_one = \"13911110001 rang. {refuse}\"\nteaser_many = \"{count} calls. {campaign}\""),
        ("campaigns/a/en.toml", "campaign = \"Reply {refuse} or ring 100860.\""),
        ("campaigns/b/en.toml", "campaign = \"Ring ８００１２３４\""),
        ("campaigns/c/en.toml", "teaser_one = \"{refuse}\"\nteaser_many = \"Until 2026-12-31\""),
    ]);
    assert_eq!(found.len(), 4, "{found:#?}");
    let number = "holds a number of 7 or more digits";
    let missing = "{refuse} is missing: put it in, or take it out of teaser.require";
    assert!(found[0].starts_with(&format!("campaigns/b/en.toml:1: campaign: {number}")), "{found:#?}");
    assert_eq!(found[1], format!("campaigns/c/en.toml:2: teaser_many: {missing}"));
    assert!(found[2].starts_with(&format!("en.toml:1: teaser_one: {number}")), "{found:#?}");
    assert_eq!(found[3], format!("en.toml:2: teaser_many: {missing}"), "without a campaign nothing says how to refuse");
}

#[test]
fn a_text_is_refused_that_takes_too_many_parts() {
    let long = format!("refused = \"{}\"", "word ".repeat(100));
    let teaser = format!("teaser_one = \"{{refuse}} {}\"", "字".repeat(210));
    let head = format!("detail_many = \"{}\"", "字".repeat(180));
    let found = faults(&[("en.toml", &long), ("zh-CN.toml", &teaser), ("ranges/a/zh-CN.toml", &head)]);
    let parts = "takes up to 4 parts and may take 3: shorten it, or raise alert.max_parts";
    let expected = ["en.toml:1: refused", "ranges/a/zh-CN.toml:1: detail_many", "zh-CN.toml:1: teaser_one"];
    assert_eq!(found, expected.map(|place| format!("{place}: {parts}")));
}

#[test]
fn texts_name_no_keyword_that_is_switched_off() {
    let mut given: BTreeMap<Action, Vec<String>> =
        Action::ALL.map(|action| (action, action.defaults().iter().map(|word| (*word).to_owned()).collect())).into();
    given.insert(Action::Show, Vec::new());
    let texts = Texts::shipped().unwrap();
    let keywords = Keywords::new(&given).unwrap();
    let found = told(&texts.check(rules(&keywords)));
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].contains("hidden: names {show}, but keywords.show is empty"), "{found:#?}");
    given.insert(Action::Hide, Vec::new());
    let keywords = Keywords::new(&given).unwrap();
    assert_eq!(told(&texts.check(rules(&keywords))), Vec::<String>::new(), "nobody can be answered so any more");
}

#[test]
fn help_tells_what_is_switched_on_as_far_as_it_fits() {
    let mut texts = Texts::shipped().unwrap();
    let language = Language::en();
    let help = |texts: &Texts, keywords: &Keywords| {
        texts.notice(Reader::new(&language, "UTC"), ReplyVerdict::Help, keywords, &[]).unwrap()
    };
    let all = Keywords::shipped();
    let said = help(&texts, &all);
    for action in Action::ALL.into_iter().filter(|action| !matches!(action, Action::Help | Action::Confirm)) {
        assert!(said.contains(all.shown(action)), "{action:?}: {said}");
    }
    let few = Action::ALL.into_iter().filter(|action| *action <= Action::Help);
    let few = few.map(|action| (action, action.defaults().iter().map(|word| (*word).to_owned()).collect())).collect();
    let expected = "Missed calls: C to see who called, KT to subscribe, QX to stop, R for no more messages.";
    assert_eq!(help(&texts, &Keywords::new(&few).unwrap()), expected);
    texts.unmentioned = Action::ALL.into_iter().filter(|action| *action > Action::Help).collect();
    assert_eq!(help(&texts, &all), expected);
    texts.unmentioned.clear();
    for parts in 1..=3 {
        texts.help_parts = parts;
        assert!(split(&help(&texts, &all)).parts.len() <= parts);
    }
}

#[test]
fn one_number_is_named_where_only_it_is_meant() {
    let texts = Texts::shipped().unwrap();
    let language = Language::en();
    let notice = |values: &[(&str, &str)]| {
        texts.notice(Reader::new(&language, "UTC"), ReplyVerdict::Hidden, &Keywords::shipped(), values).unwrap()
    };
    assert!(notice(&[]).starts_with("Callers are no longer told"));
    assert!(notice(&[("number", "")]).starts_with("Callers are no longer told"));
    assert!(notice(&[("number", "+8613911110001")]).starts_with("+8613911110001 is no longer told"));
}

#[test]
fn no_sample_keeps_a_placeholder_or_a_stray_blank() {
    let keywords = Keywords::shipped();
    for (fetch_price, subscribe_price) in [("", ""), ("0.50", "3.00")] {
        let texts = Texts {
            fetch_price: fetch_price.to_owned(),
            subscribe_price: subscribe_price.to_owned(),
            ..Texts::shipped().unwrap()
        };
        for language in texts.languages() {
            let samples = texts.samples(Reader::new(language, "UTC"), &keywords, 3);
            let names: std::collections::BTreeSet<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
            assert_eq!(names.len(), samples.len());
            for Sample { kind, name, text, place: _ } in &samples {
                assert!(!text.contains(['{', '}']) && !text.contains("  ") && text.trim() == text, "{name}: {text}");
                assert!(!text.contains(" .") && !text.contains("()") && !text.is_empty(), "{name}: {text}");
                assert!(*kind != model::Kind::Teaser || !text.contains("139000"), "{name}: {text}");
                assert!(split(text).parts.len() <= 3, "{name}: {text}");
            }
        }
    }
}

/// Texts out of letters, blanks, line ends, characters of one and two units, and placeholders.
fn any_text(text: Text) -> impl Strategy<Value = String> {
    let placeholders = text.placeholders();
    let piece = prop_oneof![
        4 => "[a-z .,\n字😀€]{1,12}",
        1 => prop::sample::select(if placeholders.is_empty() { vec![""] } else { placeholders })
            .prop_map(|name| if name.is_empty() { String::new() } else { format!("{{{name}}}") }),
    ];
    prop::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_passes_the_checks_fits_however_many_call(
        head in any_text(Text::DetailMany),
        line in any_text(Text::LineOne),
        lines in any_text(Text::LineMany),
        more in any_text(Text::More),
        told in prop::collection::vec(any_tally(), 1..20),
        hidden in 0_u32..500,
        max_parts in 1_usize..4,
    ) {
        let quoted = |text: &str| text.replace('\n', "\\n");
        let content = format!(
            "detail_many = \"{0}\"\ndetail_one = \"{0}\"\nline_one = \"{1}\"\nline_many = \"{2}\"\nmore = \"{3}\"",
            quoted(&head), quoted(&line), quoted(&lines), quoted(&more)
        );
        let Ok(texts) = Texts::read(&[file("en.toml", &content)]) else { return Ok(()) };
        let keywords = Keywords::shipped();
        let faults = texts.check(Rules { max_parts, ..rules(&keywords) });
        prop_assume!(!faults.iter().any(|fault| fault.key == "detail_many"));
        for clock in [ClockFace::Twelve, ClockFace::TwentyFour] {
            let language = Language::en();
            let text = texts.list(ListKind::Detail, reader(&language, clock), &told, hidden, max_parts);
            prop_assert!(split(&text).parts.len() <= max_parts, "{}", text);
        }
    }

    #[test]
    fn no_teaser_of_the_operators_own_tells_a_caller(text in any_text(Text::TeaserMany), number in 10_000_000_u64..999_999_999_999_999) {
        let quoted = text.replace('\n', "\\n");
        let told = format!("teaser_many = \"{quoted}{number}\"");
        let faults = faults(&[("en.toml", &told)]);
        prop_assert!(faults.iter().any(|fault| fault.contains("holds a number")), "{:?}", faults);
        for name in ["caller", "number"] {
            let told = format!("teaser_many = \"{quoted}{{{name}}}\"");
            let faults = self::faults(&[("en.toml", &told)]);
            prop_assert!(faults.iter().any(|fault| fault.contains("unknown placeholder")), "{:?}", faults);
        }
    }

    #[test]
    fn reading_texts_never_panics(content in "[a-z_=\"{}\\[\\].#\n 字]{0,80}|\\PC{0,60}") {
        let _ = faults(&[("en.toml", &content)]);
    }
}

/// The tables of docs/texts.md.
fn tables() -> String {
    use std::fmt::Write;
    let mut page = String::from("| key | what it is for | what may stand in it |\n|---|---|---|\n");
    for text in Text::all() {
        let known = text.placeholders();
        let mut names: Vec<String> = Vec::new();
        for name in &known {
            let offered = name.ends_with("_price") || catalogue::action(name).is_some();
            if !offered {
                names.push(format!("`{{{name}}}`"));
            }
        }
        if known.contains(&"fetch_price") {
            names.push("keywords, prices".to_owned());
        }
        let _ = writeln!(page, "| `{}` | {} | {} |", text.key(), text.about(), names.join(", "));
    }
    page.push_str("\n| placeholder | stands for |\n|---|---|\n");
    for (name, meaning) in PLACEHOLDERS {
        let _ = writeln!(page, "| `{{{name}}}` | {meaning} |");
    }
    page
}

#[test]
fn the_documents_tables_are_those_of_the_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/texts.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(page.contains(&tables()), "docs/texts.md differs from these tables:\n\n{}", tables());
}
