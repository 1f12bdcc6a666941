//! Every text there is: its key in files, what it is for, and what may stand in it. What is read, checked, previewed and documented goes by this one table.

use model::Kind;

use crate::Action;

/// A text, or a word or form that texts are made with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "the catalogue says what each is for")]
pub enum Text {
    TimeFormat,
    TimeFormat12,
    Am,
    Pm,
    Withheld,
    Unknown,
    Price,
    DetailOne,
    DetailMany,
    FallbackOne,
    FallbackMany,
    LineOne,
    LineMany,
    More,
    TeaserOne,
    TeaserMany,
    Campaign,
    NoOffer,
    OfferExpired,
    RefusedEarlier,
    WrongKeyword,
    RateLimited,
    Deferred,
    Refused,
    Subscribed,
    Unsubscribed,
    Suspended,
    ConfirmationAsked,
    NothingToConfirm,
    NotSubscribed,
    BadArgument,
    Help,
    HelpBetween,
    HelpFetch,
    HelpSubscribe,
    HelpUnsubscribe,
    HelpRefuse,
    HelpPause,
    HelpResume,
    HelpNotifyOn,
    HelpNotifyOff,
    HelpHide,
    HelpShow,
    HelpLanguage,
    HelpCopy,
    Paused,
    PausedDaily,
    Resumed,
    NotifyOn,
    NotifyOff,
    Hidden,
    HiddenOne,
    Shown,
    ShownOne,
    LanguageSet,
    LanguageUnknown,
    CopyAsked,
    CopyQuestion,
    CopyAgreed,
    CopyBegins,
    CopyOf,
    CopyEnded,
    Reachable,
}

/// What a text is for the checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// A message of its own.
    Message(Kind),
    /// A piece of messages of this kind; it may be empty.
    Piece(Kind),
    /// A line of a list of calls; never empty.
    Line,
    /// A word; never empty.
    Word,
    /// A word that may be empty.
    Mark,
    /// How a time is written, in strftime's letters.
    Form,
}

/// A line of the catalogue.
pub(super) struct Entry {
    pub(super) text: Text,
    /// Its key in files.
    pub(super) key: &'static str,
    pub(super) role: Role,
    /// What may stand in it, beside keywords and prices.
    fills: &'static [&'static str],
    /// Whether keywords and prices may.
    offers: Offers,
    /// It is only sent where people can ask for this.
    pub(super) only_with: Option<Action>,
    /// What it is for, for those who write texts.
    about: &'static str,
}

#[derive(Clone, Copy)]
enum Offers {
    No,
    Yes,
}

const fn plain(
    text: Text,
    key: &'static str,
    role: Role,
    fills: &'static [&'static str],
    about: &'static str,
) -> Entry {
    Entry { text, key, role, fills, offers: Offers::No, only_with: None, about }
}

const fn offer(text: Text, key: &'static str, fills: &'static [&'static str], about: &'static str) -> Entry {
    Entry { text, key, role: Role::Message(Kind::Teaser), fills, offers: Offers::Yes, only_with: None, about }
}

const fn notice(text: Text, key: &'static str, fills: &'static [&'static str], about: &'static str) -> Entry {
    Entry { text, key, role: Role::Message(Kind::Notice), fills, offers: Offers::Yes, only_with: None, about }
}

/// The answer to something that may be switched off.
const fn asked(
    text: Text,
    key: &'static str,
    with: Action,
    fills: &'static [&'static str],
    about: &'static str,
) -> Entry {
    Entry { text, key, role: Role::Message(Kind::Notice), fills, offers: Offers::Yes, only_with: Some(with), about }
}

/// What help says of one keyword.
const fn item(text: Text, key: &'static str, with: Action, about: &'static str) -> Entry {
    Entry { text, key, role: Role::Piece(Kind::Notice), fills: &[], offers: Offers::Yes, only_with: Some(with), about }
}

use Action as A;
use Role as R;
use Text as T;

/// Every text, in the order of files and documents.
#[rustfmt::skip]
pub(super) const CATALOGUE: [Entry; 63] = [
    plain(T::TimeFormat, "time_format", R::Form, &["half"], "How a time is written on a 24-hour clock, in strftime's letters (`%m-%d %H:%M`)."),
    plain(T::TimeFormat12, "time_format_12", R::Form, &["half"], "The same on a 12-hour clock (`%m-%d {half}%-I:%M`)."),
    plain(T::Am, "am", R::Mark, &[], "What `{half}` is before noon."),
    plain(T::Pm, "pm", R::Mark, &[], "What `{half}` is from noon on."),
    plain(T::Withheld, "withheld", R::Word, &[], "Shown for a caller who withheld the number."),
    plain(T::Unknown, "unknown", R::Word, &[], "Shown for a caller whom the network did not name."),
    plain(T::Price, "price", R::Mark, &["price"], "How a price is put behind what it is for; with the blank before it, where the language has one."),
    plain(T::DetailOne, "detail_one", R::Line, &["count"], "First line of a list of one call."),
    plain(T::DetailMany, "detail_many", R::Line, &["count"], "First line of a list of several calls."),
    plain(T::FallbackOne, "fallback_one", R::Line, &["count"], "The same while the database is down: one call."),
    plain(T::FallbackMany, "fallback_many", R::Line, &["count"], "The same while the database is down: several calls."),
    plain(T::LineOne, "line_one", R::Line, &["caller", "count", "time"], "Line of a list: a caller who rang once."),
    plain(T::LineMany, "line_many", R::Line, &["caller", "count", "time"], "Line of a list: a caller who rang several times; the time is that of the last call."),
    plain(T::More, "more", R::Line, &["count"], "Last line of a list that doesn't fit: how many further calls there are."),
    offer(T::TeaserOne, "teaser_one", &["count", "time", "campaign"], "The teaser for one call."),
    offer(T::TeaserMany, "teaser_many", &["count", "time", "campaign"], "The teaser for several calls; the time is that of the last one."),
    Entry { text: T::Campaign, key: "campaign", role: R::Piece(Kind::Teaser), fills: &[], offers: Offers::Yes, only_with: None,
        about: "The offer that `{campaign}` stands for in teasers; written in a campaign's own files. Without one it is empty." },
    notice(T::NoOffer, "no_offer", &[], "Asked for calls, and there are none."),
    notice(T::OfferExpired, "offer_expired", &[], "Asked for calls too late."),
    notice(T::RefusedEarlier, "refused_earlier", &[], "Asked for calls, but refused teasers earlier."),
    notice(T::WrongKeyword, "wrong_keyword", &[], "The text is no keyword."),
    notice(T::RateLimited, "rate_limited", &[], "Too many texts from this number; said once."),
    notice(T::Deferred, "deferred", &[], "The database is down: the answer will follow."),
    notice(T::Refused, "refused", &[], "No teasers any more; said once."),
    notice(T::Subscribed, "subscribed", &[], "Registered. Must say how to stop."),
    notice(T::Unsubscribed, "unsubscribed", &[], "No longer registered; said once."),
    notice(T::Suspended, "suspended", &[], "Registered, but not served for now."),
    asked(T::ConfirmationAsked, "confirmation_asked", A::Confirm, &[], "Asks whether the person wants to be registered."),
    asked(T::NothingToConfirm, "nothing_to_confirm", A::Confirm, &[], "Yes, but nothing was asked."),
    notice(T::NotSubscribed, "not_subscribed", &[], "What was asked for is for subscribers only."),
    notice(T::BadArgument, "bad_argument", &[], "What follows the keyword isn't understood."),
    plain(T::Help, "help", R::Message(Kind::Notice), &["keywords"], "Help. `{keywords}` is what the following say, of keywords that are switched on, as far as they fit."),
    plain(T::HelpBetween, "help_between", R::Mark, &[], "What stands between two keywords in help."),
    item(T::HelpFetch, "help_fetch", A::Fetch, "Help: the list of calls."),
    item(T::HelpSubscribe, "help_subscribe", A::Subscribe, "Help: register."),
    item(T::HelpUnsubscribe, "help_unsubscribe", A::Unsubscribe, "Help: unregister."),
    item(T::HelpRefuse, "help_refuse", A::Refuse, "Help: no teasers any more."),
    item(T::HelpPause, "help_pause", A::Pause, "Help: hold alerts."),
    item(T::HelpResume, "help_resume", A::Resume, "Help: hold them no longer."),
    item(T::HelpNotifyOn, "help_notify_on", A::NotifyOn, "Help: be told when others can be reached again."),
    item(T::HelpNotifyOff, "help_notify_off", A::NotifyOff, "Help: don't be told."),
    item(T::HelpHide, "help_hide", A::Hide, "Help: don't let others be told."),
    item(T::HelpShow, "help_show", A::Show, "Help: let them be told."),
    item(T::HelpLanguage, "help_language", A::Language, "Help: another language."),
    item(T::HelpCopy, "help_copy", A::Copy, "Help: copies to another number."),
    asked(T::Paused, "paused", A::Pause, &["until"], "Alerts are held until a time."),
    asked(T::PausedDaily, "paused_daily", A::Pause, &["window"], "Alerts are held in a window of every day."),
    asked(T::Resumed, "resumed", A::Resume, &[], "Alerts are no longer held."),
    asked(T::NotifyOn, "notify_on", A::NotifyOn, &[], "The person is told when others can be reached again."),
    asked(T::NotifyOff, "notify_off", A::NotifyOff, &[], "No longer told."),
    asked(T::Hidden, "hidden", A::Hide, &[], "Nobody is told when the person can be reached again."),
    asked(T::HiddenOne, "hidden_one", A::Hide, &["number"], "This number isn't told."),
    asked(T::Shown, "shown", A::Show, &[], "Callers are told again."),
    asked(T::ShownOne, "shown_one", A::Show, &["number"], "This number is told again."),
    asked(T::LanguageSet, "language_set", A::Language, &[], "This language from now on."),
    asked(T::LanguageUnknown, "language_unknown", A::Language, &["languages"], "There are no texts in that language."),
    asked(T::CopyAsked, "copy_asked", A::Copy, &["number"], "To who wants to send copies: the number is being asked."),
    asked(T::CopyQuestion, "copy_question", A::Copy, &["number"], "To who would get copies: whether they want those of this number."),
    asked(T::CopyAgreed, "copy_agreed", A::Copy, &["number"], "To who agreed: copies of this number come from now on."),
    asked(T::CopyBegins, "copy_begins", A::Copy, &["number"], "To who sends copies: the number agreed."),
    asked(T::CopyOf, "copy_of", A::Copy, &["number"], "First line of a copy, above the list: whose calls they are."),
    asked(T::CopyEnded, "copy_ended", A::Copy, &["number"], "No more copies."),
    Entry { text: T::Reachable, key: "reachable", role: R::Message(Kind::Notify), fills: &["number", "time"], offers: Offers::Yes, only_with: None,
        about: "Notify-me: the person with this number can be reached again, since this time." },
];

/// What may stand wherever keywords and prices may.
const OFFERED: [&str; 16] = [
    "fetch",
    "subscribe",
    "unsubscribe",
    "refuse",
    "help",
    "confirm",
    "pause",
    "resume",
    "notify_on",
    "notify_off",
    "hide",
    "show",
    "language",
    "copy",
    "fetch_price",
    "subscribe_price",
];

/// What each placeholder stands for, beside keywords, which have the names of their settings.
pub const PLACEHOLDERS: [(&str, &str); 14] = [
    ("count", "how many calls"),
    (
        "time",
        "the time of the last call (in `reachable`: since when the person can be reached), in the reader's own time",
    ),
    ("caller", "the caller's number, or the word for one who withheld it or isn't known"),
    ("campaign", "the text of the campaign that the teaser carries; empty without one"),
    ("fetch_price", "the price of a fetch (`teaser.fetch_price`) as `price` words it; empty where it is free"),
    ("subscribe_price", "the price of a subscription (`teaser.subscribe_price`) likewise"),
    ("price", "the price itself"),
    ("half", "`am` or `pm`"),
    ("keywords", "what help says of each keyword"),
    ("until", "until when alerts are held, in the reader's own time"),
    ("window", "the window of the day, such as 22:00-07:00"),
    ("number", "the number of the other person"),
    ("languages", "the languages there are texts in"),
    ("fetch", "the keyword of this action, and so on for all actions of [keywords]"),
];

impl Text {
    /// Every text, in the order of files and documents.
    pub fn all() -> impl Iterator<Item = Self> {
        CATALOGUE.iter().map(|entry| entry.text)
    }

    /// Its key in files.
    #[must_use]
    pub fn key(self) -> &'static str {
        self.entry().key
    }

    /// What it is for, for those who write texts.
    #[must_use]
    pub fn about(self) -> &'static str {
        self.entry().about
    }

    /// The text with this key.
    #[must_use]
    pub fn by_key(key: &str) -> Option<Self> {
        CATALOGUE.iter().find(|entry| entry.key == key).map(|entry| entry.text)
    }

    /// The placeholders that may stand in it.
    #[must_use]
    pub fn placeholders(self) -> Vec<&'static str> {
        self.entry().placeholders()
    }

    /// Its line of the catalogue: a test proves that the catalogue has the order of the texts.
    pub(super) fn entry(self) -> &'static Entry {
        const { assert!(CATALOGUE.len() == Self::Reachable as usize + 1) };
        &CATALOGUE[self as usize]
    }
}

impl Entry {
    /// The placeholders that may stand in it.
    pub(super) fn placeholders(&self) -> Vec<&'static str> {
        let offered: &[&str] = match self.offers {
            Offers::Yes => &OFFERED,
            Offers::No => &[],
        };
        self.fills.iter().chain(offered).copied().collect()
    }
}

/// The action whose keyword a placeholder stands for.
pub(super) fn action(placeholder: &str) -> Option<Action> {
    Action::ALL.into_iter().find(|action| action.as_str() == placeholder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_at_its_own_place() {
        for (place, entry) in CATALOGUE.iter().enumerate() {
            assert_eq!(entry.text as usize, place, "{}", entry.key);
            assert_eq!(Text::by_key(entry.key), Some(entry.text));
        }
    }

    #[test]
    fn every_placeholder_is_explained() {
        for entry in &CATALOGUE {
            for name in entry.placeholders() {
                assert!(action(name).is_some() || PLACEHOLDERS.iter().any(|(known, _)| *known == name), "{name}");
            }
        }
        for action in Action::ALL {
            assert!(OFFERED.contains(&action.as_str()), "{action:?}");
        }
    }

    #[test]
    fn no_teaser_can_be_given_a_caller() {
        for entry in CATALOGUE
            .iter()
            .filter(|entry| matches!(entry.role, Role::Message(Kind::Teaser) | Role::Piece(Kind::Teaser)))
        {
            assert!(!entry.placeholders().iter().any(|name| matches!(*name, "caller" | "number")), "{}", entry.key);
        }
    }
}
