//! The language a page is shown in.

use axum::http::{HeaderMap, header};

/// A language that pages are written in. SMS texts have their own ([`model::Language`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageLanguage {
    /// Simplified Chinese.
    Zh,
    /// English.
    En,
}

impl PageLanguage {
    /// Every language, in the order of the switch.
    pub const ALL: [Self; 2] = [Self::Zh, Self::En];

    /// The word in `?lang=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }

    /// The tag in `<html lang>`: without the region, Chinese characters may be drawn in their Japanese forms.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// Takes both texts and gives the one in this language, so that neither can be forgotten.
    #[must_use]
    pub(crate) const fn pick<'a>(self, en: &'a str, zh: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// The word in `?lang=`, else the first of `Accept-Language` (RFC 9110 §12.5.4) that pages are written in, else English.
    #[must_use]
    pub fn choose(asked: Option<&str>, headers: &HeaderMap) -> Self {
        let by_word = asked.and_then(|word| Self::ALL.into_iter().find(|language| language.as_str() == word));
        by_word.unwrap_or_else(|| {
            let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("");
            preferred(accepted).unwrap_or(Self::En)
        })
    }
}

/// The readable language with the highest weight; the earlier of equals.
fn preferred(accepted: &str) -> Option<PageLanguage> {
    let mut best: Option<(f32, PageLanguage)> = None;
    for item in accepted.split(',') {
        let mut fields = item.split(';');
        let tag = fields.next().unwrap_or("").trim().to_ascii_lowercase();
        let primary = tag.split('-').next().unwrap_or("");
        let Some(language) = PageLanguage::ALL.into_iter().find(|language| language.as_str() == primary) else {
            continue;
        };
        let weight = fields
            .find_map(|field| field.trim().strip_prefix("q="))
            .map_or(1.0, |text| text.trim().parse::<f32>().unwrap_or(0.0));
        if weight > 0.0 && best.is_none_or(|(heaviest, _)| weight > heaviest) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asked_language_wins_over_the_browsers() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, "zh-CN,zh;q=0.9".parse().unwrap());
        assert_eq!(PageLanguage::choose(Some("en"), &headers), PageLanguage::En);
        assert_eq!(PageLanguage::choose(Some("xx"), &headers), PageLanguage::Zh);
        assert_eq!(PageLanguage::choose(None, &HeaderMap::new()), PageLanguage::En);
    }

    #[test]
    fn the_heaviest_readable_language_is_preferred() {
        for (accepted, language) in [
            ("zh-TW", Some(PageLanguage::Zh)),
            ("da, en-GB;q=0.8, zh;q=0.9", Some(PageLanguage::Zh)),
            ("en;q=0, zh;q=0.1", Some(PageLanguage::Zh)),
            ("en, zh", Some(PageLanguage::En)),
            ("da, fr", None),
            (";;q=,,", None),
        ] {
            assert_eq!(preferred(accepted), language, "{accepted}");
        }
    }
}
