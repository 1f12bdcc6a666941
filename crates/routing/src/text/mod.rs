//! What we write: the texts of alerts, teasers and answers, in the reader's language and local time.

mod shipped;
mod template;
mod wording;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use model::{Caller, Language, Timestamp, split};

use crate::{Action, CampaignName, ClockFace, Keywords, RangeName, ReplyVerdict, Tally};

pub use template::{Template, TemplateError};
pub use wording::Wording;

/// All wordings, by language, and what they are filled with.
#[derive(Clone, Debug)]
pub struct Texts {
    wordings: BTreeMap<Language, Wording>,
    fallback: Wording,
    /// What one look at the list costs, as the operator words it; empty where it is free.
    pub fetch_price: String,
    /// What a subscription costs, as the operator words it; empty where it is free.
    pub subscribe_price: String,
}

/// For whom a text is written.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// Their language.
    pub language: &'a Language,
    /// Their time zone (IANA name); UTC where the name is unknown.
    pub time_zone: &'a str,
    /// How they read a clock.
    pub clock: ClockFace,
    /// The range they are in, and the campaign of their offer: texts may differ by them.
    pub range: Option<&'a RangeName>,
    /// The campaign.
    pub campaign: Option<&'a CampaignName>,
}

impl<'a> Reader<'a> {
    /// Somebody of whom only these are known.
    #[must_use]
    pub const fn new(language: &'a Language, time_zone: &'a str) -> Self {
        Self { language, time_zone, clock: ClockFace::TwentyFour, range: None, campaign: None }
    }
}

/// What is said beside the answers to replies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Say {
    /// Alerts are held in a window of every day: `window`.
    PausedDaily,
    /// Asks whether copies are wanted: `number` is who would send them.
    CopyQuestion,
    /// To the one who asked: `number` agreed.
    CopyBegins,
    /// Above the calls of a copy: whose they are, `number`.
    CopyOf,
    /// Notify-me: `number` can be reached again since `time`.
    Reachable,
}

/// Whether a list answers a fetch or alerts a subscriber, or alerts while the database is abnormal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListKind {
    /// Database normal.
    Detail,
    /// Database abnormal.
    Fallback,
}

impl Texts {
    /// The shipped wordings, zh-CN and en.
    ///
    /// # Errors
    /// When a shipped text is not a template; a test proves that none is.
    pub fn shipped() -> Result<Self, TemplateError> {
        let en = shipped::en()?;
        let wordings = BTreeMap::from([(Language::zh_cn(), shipped::zh_cn()?), (Language::en(), en.clone())]);
        Ok(Self { wordings, fallback: en, fetch_price: String::new(), subscribe_price: String::new() })
    }

    /// Whether there are texts in this language.
    #[must_use]
    pub fn speaks(&self, language: &Language) -> bool {
        self.wordings.contains_key(language)
    }

    /// The languages there are texts in.
    pub fn languages(&self) -> impl Iterator<Item = &Language> {
        self.wordings.keys()
    }

    fn wording(&self, language: &Language) -> &Wording {
        self.wordings.get(language).unwrap_or(&self.fallback)
    }

    /// The list of calls: each caller, the last time, the count; as many callers as fit into `max_parts`, the others as a number.
    #[must_use]
    pub fn list(&self, kind: ListKind, reader: Reader<'_>, told: &[Tally], more: u32, max_parts: usize) -> String {
        let wording = self.wording(reader.language);
        let zone = zone(reader.time_zone);
        let total = told.iter().fold(more, |sum, tally| sum.saturating_add(tally.count));
        let lines: Vec<String> = told.iter().map(|tally| wording.line(tally, &zone)).collect();
        let mut shown = lines.len();
        loop {
            let hidden = told.iter().skip(shown).fold(more, |sum, tally| sum.saturating_add(tally.count));
            let text = wording.list(kind, total, lines.get(..shown).unwrap_or(&lines), hidden);
            if shown <= 1 || split(&text).parts.len() <= max_parts {
                return text;
            }
            shown -= 1;
        }
    }

    /// The teaser: how many calls, the last time, and the offer. It is given no caller, so it can't tell one.
    #[must_use]
    pub fn teaser(&self, reader: Reader<'_>, count: u32, last_at: Timestamp, keywords: &Keywords) -> String {
        let wording = self.wording(reader.language);
        let time = wording.time(last_at, &zone(reader.time_zone));
        let template = if count == 1 { &wording.teaser_one } else { &wording.teaser_many };
        self.fill(template, wording, keywords, &[("count", &count.to_string()), ("time", &time)])
    }

    /// The answer to a reply; `None` for verdicts that are answered by a list or not at all. `values` fill the placeholders that this verdict has.
    #[must_use]
    pub fn notice(
        &self,
        reader: Reader<'_>,
        verdict: ReplyVerdict,
        keywords: &Keywords,
        values: &[(&str, &str)],
    ) -> Option<String> {
        let wording = self.wording(reader.language);
        let template = match verdict {
            ReplyVerdict::NoOffer => &wording.no_offer,
            ReplyVerdict::OfferExpired => &wording.offer_expired,
            ReplyVerdict::RefusedEarlier => &wording.refused_earlier,
            ReplyVerdict::WrongKeyword => &wording.wrong_keyword,
            ReplyVerdict::RateLimited => &wording.rate_limited,
            ReplyVerdict::Deferred => &wording.deferred,
            ReplyVerdict::Refused => &wording.refused,
            ReplyVerdict::Subscribed => &wording.subscribed,
            ReplyVerdict::Unsubscribed => &wording.unsubscribed,
            ReplyVerdict::Help => &wording.help,
            ReplyVerdict::Suspended => &wording.suspended,
            ReplyVerdict::ConfirmationAsked => &wording.confirmation_asked,
            ReplyVerdict::NothingToConfirm => &wording.nothing_to_confirm,
            ReplyVerdict::Paused => &wording.paused,
            ReplyVerdict::Resumed => &wording.resumed,
            ReplyVerdict::NotifyOn => &wording.notify_on,
            ReplyVerdict::NotifyOff => &wording.notify_off,
            ReplyVerdict::Hidden => &wording.hidden,
            ReplyVerdict::Shown => &wording.shown,
            ReplyVerdict::LanguageSet => &wording.language_set,
            ReplyVerdict::LanguageUnknown => &wording.language_unknown,
            ReplyVerdict::CopyAsked => &wording.copy_asked,
            ReplyVerdict::CopyAgreed => &wording.copy_agreed,
            ReplyVerdict::CopyEnded => &wording.copy_ended,
            ReplyVerdict::NotSubscribed => &wording.not_subscribed,
            ReplyVerdict::BadArgument => &wording.bad_argument,
            ReplyVerdict::Granted
            | ReplyVerdict::AlreadyFetched
            | ReplyVerdict::NotOurNumber
            | ReplyVerdict::Waiting => return None,
        };
        Some(self.fill(template, wording, keywords, values))
    }

    /// A text beside the answers to replies.
    #[must_use]
    pub fn say(&self, reader: Reader<'_>, what: Say, keywords: &Keywords, values: &[(&str, &str)]) -> String {
        let wording = self.wording(reader.language);
        let template = match what {
            Say::PausedDaily => &wording.paused_daily,
            Say::CopyQuestion => &wording.copy_question,
            Say::CopyBegins => &wording.copy_begins,
            Say::CopyOf => &wording.copy_of,
            Say::Reachable => &wording.reachable,
        };
        self.fill(template, wording, keywords, values)
    }

    /// A time as this reader reads it.
    #[must_use]
    pub fn time(&self, reader: Reader<'_>, at: Timestamp) -> String {
        self.wording(reader.language).time(at, &zone(reader.time_zone))
    }

    fn fill(&self, template: &Template, wording: &Wording, keywords: &Keywords, more: &[(&str, &str)]) -> String {
        let price = |text: &str| match text {
            "" => String::new(),
            text => wording.price.render(&[("price", text)]),
        };
        let (fetch_price, subscribe_price) = (price(&self.fetch_price), price(&self.subscribe_price));
        let mut values = vec![
            ("fetch", keywords.shown(Action::Fetch)),
            ("subscribe", keywords.shown(Action::Subscribe)),
            ("unsubscribe", keywords.shown(Action::Unsubscribe)),
            ("refuse", keywords.shown(Action::Refuse)),
            ("help", keywords.shown(Action::Help)),
            ("confirm", keywords.shown(Action::Confirm)),
            ("pause", keywords.shown(Action::Pause)),
            ("resume", keywords.shown(Action::Resume)),
            ("notify_on", keywords.shown(Action::NotifyOn)),
            ("notify_off", keywords.shown(Action::NotifyOff)),
            ("hide", keywords.shown(Action::Hide)),
            ("show", keywords.shown(Action::Show)),
            ("language", keywords.shown(Action::Language)),
            ("copy", keywords.shown(Action::Copy)),
            ("fetch_price", fetch_price.as_str()),
            ("subscribe_price", subscribe_price.as_str()),
        ];
        values.extend_from_slice(more);
        template.render(&values)
    }
}

/// A time zone by its IANA name; UTC for a name nobody knows (names are checked where they come in).
fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// Whether this is the IANA name of a time zone.
#[must_use]
pub fn is_time_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

/// Days since 1970-01-01 in a person's own calendar.
#[must_use]
pub fn local_day(at: Timestamp, time_zone: &str) -> i32 {
    let zone = zone(time_zone);
    let offset = at.to_jiff().map_or(0, |at| zone.to_offset(at).seconds());
    let days = (at.as_millis() / 1000 + i64::from(offset)).div_euclid(24 * 3600);
    i32::try_from(days).unwrap_or(i32::MAX)
}

/// How a caller is shown: in international form with `+`, so that every phone can dial it and find the contact.
fn shown<'a>(caller: &'a Caller, wording: &'a Wording) -> std::borrow::Cow<'a, str> {
    match caller {
        Caller::Number(number) => format!("+{}", number.reveal()).into(),
        Caller::Short(number) => number.as_str().into(),
        Caller::Withheld => wording.withheld.as_str().into(),
        Caller::Unknown => wording.unknown.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Coding, Msisdn};
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
        assert_eq!(
            texts.list(ListKind::Fallback, reader, &told[1..], 0, 3),
            "Missed call:\n+8613911110002 23 Nov 08:59"
        );
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
}
