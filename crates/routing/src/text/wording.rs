//! All texts of one language.

use jiff::tz::TimeZone;
use model::Timestamp;

use super::{ListKind, Template, shown};
use crate::Tally;

/// All texts of one language. A missing one does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// How a time is written, in strftime's letters.
    pub time_format: String,
    /// Shown for a caller who withheld the number.
    pub withheld: String,
    /// Shown for a caller the network did not name.
    pub unknown: String,
    /// Head of a detail of one call: `{count}`.
    pub detail_one: Template,
    /// Head of a detail of several calls: `{count}`.
    pub detail_many: Template,
    /// Head of a fallback of one call: `{count}`.
    pub fallback_one: Template,
    /// Head of a fallback of several calls: `{count}`.
    pub fallback_many: Template,
    /// A caller who rang once: `{caller}`, `{time}`.
    pub line_one: Template,
    /// A caller who rang several times: `{caller}`, `{count}`, `{time}`.
    pub line_many: Template,
    /// Calls that are told as a number only: `{count}`.
    pub more: Template,
    /// The teaser for one call: `{count}`, `{time}` and the keywords and prices.
    pub teaser_one: Template,
    /// The teaser for several calls: `{count}`, `{time}` and the keywords and prices.
    pub teaser_many: Template,
    /// How a price is put behind what it is for: `{price}`.
    pub price: Template,
    /// There was no offer.
    pub no_offer: Template,
    /// The offer is past its time.
    pub offer_expired: Template,
    /// The person refused earlier.
    pub refused_earlier: Template,
    /// The text is no keyword.
    pub wrong_keyword: Template,
    /// Too many replies.
    pub rate_limited: Template,
    /// The answer will follow.
    pub deferred: Template,
    /// Never a teaser again.
    pub refused: Template,
    /// Registered; holds the stop keyword.
    pub subscribed: Template,
    /// No longer registered.
    pub unsubscribed: Template,
    /// The keywords.
    pub help: Template,
    /// Registered, and not served for now.
    pub suspended: Template,
    /// Asks whether they want to be registered.
    pub confirmation_asked: Template,
    /// Nothing was asked.
    pub nothing_to_confirm: Template,
    /// Alerts are held: `{until}`.
    pub paused: Template,
    /// Alerts are held in a window of every day: `{window}`.
    pub paused_daily: Template,
    /// Alerts are no longer held.
    pub resumed: Template,
    /// Told when others can be reached again.
    pub notify_on: Template,
    /// No longer told.
    pub notify_off: Template,
    /// Nobody, or not this `{number}`, is told that they can be reached again.
    pub hidden: Template,
    /// Others are told again.
    pub shown: Template,
    /// This language from now on.
    pub language_set: Template,
    /// There are no texts in that language: `{languages}`.
    pub language_unknown: Template,
    /// The other number is asked: `{number}`.
    pub copy_asked: Template,
    /// Asks the other number: `{number}` wants to send copies.
    pub copy_question: Template,
    /// To the one who agreed: copies of `{number}`.
    pub copy_agreed: Template,
    /// To the one who asked: `{number}` agreed.
    pub copy_begins: Template,
    /// Above the calls of a copy: whose they are, `{number}`.
    pub copy_of: Template,
    /// No more copies.
    pub copy_ended: Template,
    /// For subscribers only.
    pub not_subscribed: Template,
    /// What follows the keyword is not understood.
    pub bad_argument: Template,
    /// Notify-me: `{number}` can be reached again, since `{time}`.
    pub reachable: Template,
}

impl Wording {
    pub(super) fn time(&self, at: Timestamp, zone: &TimeZone) -> String {
        at.to_jiff()
            .and_then(|at| jiff::fmt::strtime::format(&self.time_format, &at.to_zoned(zone.clone())).ok())
            .unwrap_or_default()
    }

    pub(super) fn line(&self, tally: &Tally, zone: &TimeZone) -> String {
        let time = self.time(tally.last_at, zone);
        let template = if tally.count == 1 { &self.line_one } else { &self.line_many };
        let values =
            [("caller", &*shown(&tally.caller, self)), ("count", &*tally.count.to_string()), ("time", time.as_str())];
        template.render(&values)
    }

    pub(super) fn list(&self, kind: ListKind, total: u32, lines: &[String], hidden: u32) -> String {
        let head = match (kind, total) {
            (ListKind::Detail, 1) => &self.detail_one,
            (ListKind::Detail, _) => &self.detail_many,
            (ListKind::Fallback, 1) => &self.fallback_one,
            (ListKind::Fallback, _) => &self.fallback_many,
        };
        let mut text = head.render(&[("count", &total.to_string())]);
        for line in lines {
            text.push('\n');
            text.push_str(line);
        }
        if hidden > 0 {
            text.push('\n');
            text.push_str(&self.more.render(&[("count", &hidden.to_string())]));
        }
        text
    }
}
