//! Another language, on request.

use model::Language;

use super::super::case::Case;
use super::{answered, of_a_subscriber};
use crate::text::Texts;
use crate::{ReplyVerdict, Subscriber};

pub(super) fn language(case: &mut Case<'_>, argument: &str) -> ReplyVerdict {
    let subscriber = match of_a_subscriber(case) {
        Ok(subscriber) => subscriber,
        Err(verdict) => return verdict,
    };
    let texts = &case.policy.texts;
    let Some(language) = find(texts, argument).cloned() else {
        let languages: Vec<_> = texts.languages().map(|known| known.as_str().to_uppercase()).collect();
        case.notice_with(ReplyVerdict::LanguageUnknown, &[("languages", &languages.join(", "))]);
        return ReplyVerdict::LanguageUnknown;
    };
    if subscriber.language.as_ref() != Some(&language) {
        case.register(Subscriber { language: Some(language), ..subscriber });
    }
    answered(case, ReplyVerdict::LanguageSet)
}

/// The language of this tag, or the only one that it is the beginning of (`ZH` for zh-CN); of the shipped ones also by their own names.
fn find<'a>(texts: &'a Texts, argument: &str) -> Option<&'a Language> {
    let tag = match argument {
        "中文" | "汉语" => "ZH",
        "ENGLISH" => "EN",
        tag => tag,
    };
    let same = |known: &&Language| known.as_str().eq_ignore_ascii_case(tag);
    let within = |known: &&Language| {
        known.as_str().split_once('-').is_some_and(|(language, _)| language.eq_ignore_ascii_case(tag))
    };
    let mut likely = texts.languages().filter(within);
    texts.languages().find(same).or_else(|| likely.next().filter(|_| likely.next().is_none()))
}
