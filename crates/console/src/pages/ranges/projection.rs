//! When a quota will be used up, as far as that can be said.
//!
//! A person is counted with their first teaser; a later teaser counts nobody. So the teasers of a day are the most that can have been counted on it, and a
//! quota lasts at least as long as if each counted somebody new.

use model::Day;

use super::super::table::Tone;
use crate::PageLanguage;

/// So soon is worth a look, in days.
const SOON: i32 = 14;

/// A projection over more days says nothing.
const FARTHEST: u64 = 3_650;

/// The teasers of some whole days before today.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lately {
    /// Teasers.
    pub(super) teasers: u64,
    /// Days.
    pub(super) days: u32,
}

impl Lately {
    /// Teasers a day.
    #[expect(clippy::cast_precision_loss, reason = "a mean has one decimal")]
    pub(super) fn per_day(self) -> f64 {
        self.teasers as f64 / f64::from(self.days.max(1))
    }
}

/// When a quota is used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Projection {
    /// It is.
    UsedUp,
    /// Nothing can be said: no whole day was counted yet, or what is used is not known.
    Unknown,
    /// Nobody was teased in those days.
    Unused {
        /// Days looked at.
        days: u32,
    },
    /// Not within ten years.
    Far {
        /// Days looked at.
        days: u32,
    },
    /// Not before a day.
    NotBefore {
        /// The day.
        day: Day,
        /// In so many days.
        left: i32,
        /// Days looked at.
        days: u32,
    },
}

impl Projection {
    pub(super) fn of(used: u64, quota: u64, lately: Option<Lately>, today: Day) -> Self {
        let left = quota.saturating_sub(used);
        if left == 0 {
            return Self::UsedUp;
        }
        let Some(Lately { teasers, days }) = lately.filter(|lately| lately.days > 0) else { return Self::Unknown };
        if teasers == 0 {
            return Self::Unused { days };
        }
        let lasts = left.saturating_mul(u64::from(days)) / teasers;
        match i32::try_from(lasts) {
            Ok(left) if lasts <= FARTHEST => Self::NotBefore { day: today.plus(left), left, days },
            Ok(_) | Err(_) => Self::Far { days },
        }
    }

    /// The day, where there is one.
    pub(super) const fn day(self) -> Option<Day> {
        match self {
            Self::NotBefore { day, .. } => Some(day),
            Self::UsedUp | Self::Unknown | Self::Unused { .. } | Self::Far { .. } => None,
        }
    }

    /// As programs know it, in words, and how good it is.
    pub(super) fn said(self, l: PageLanguage) -> (&'static str, String, Tone) {
        match self {
            Self::UsedUp => ("used_up", l.pick("used up", "已用尽").to_owned(), Tone::Bad),
            Self::Unknown => ("unknown", l.pick("unknown", "未知").to_owned(), Tone::Plain),
            Self::Unused { days } => ("unused", of_days(l, l.pick("nobody teased", "无推广短信"), days), Tone::Plain),
            Self::Far { days } => ("far", of_days(l, l.pick("not in ten years", "十年内不会用尽"), days), Tone::Good),
            Self::NotBefore { left, days, .. } => {
                let said = match l {
                    PageLanguage::En => format!("lasts {left} days or more"),
                    PageLanguage::Zh => format!("至少可用 {left} 天"),
                };
                let tone = if left <= SOON { Tone::Warning } else { Tone::Good };
                ("not_before", of_days(l, &said, days), tone)
            }
        }
    }
}

/// What is said, with the days it is said from.
fn of_days(l: PageLanguage, said: &str, days: u32) -> String {
    match (l, days) {
        (PageLanguage::En, 1) => format!("{said} (from 1 day)"),
        (PageLanguage::En, _) => format!("{said} (from {days} days)"),
        (PageLanguage::Zh, _) => format!("{said}（依据 {days} 天）"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_lasts_at_least_as_long_as_if_each_teaser_counted_somebody() {
        let today = Day::parse("2026-11-23").unwrap();
        let of = |used, quota, teasers, days| Projection::of(used, quota, Some(Lately { teasers, days }), today);
        let not_before = |day: &str, left, days| Projection::NotBefore { day: Day::parse(day).unwrap(), left, days };
        for (projection, expected) in [
            (of(100, 100, 5, 1), Projection::UsedUp),
            (of(120, 100, 0, 14), Projection::UsedUp),
            (Projection::of(0, 0, None, today), Projection::UsedUp),
            (Projection::of(0, 100, None, today), Projection::Unknown),
            (of(0, 100, 5, 0), Projection::Unknown),
            (of(0, 100, 0, 14), Projection::Unused { days: 14 }),
            (of(0, 100, 140, 14), not_before("2026-12-03", 10, 14)),
            (of(95, 100, 7, 1), not_before("2026-11-23", 0, 1)),
            (of(0, 200_000, 1, 14), Projection::Far { days: 14 }),
            (of(0, u64::MAX, u64::MAX, 14), not_before("2026-11-24", 1, 14)),
        ] {
            assert_eq!(projection, expected);
        }
    }

    #[test]
    fn what_is_used_up_soon_is_marked() {
        let today = Day(20_000);
        let tone = |quota| {
            let projection = Projection::of(0, quota, Some(Lately { teasers: 10, days: 1 }), today);
            projection.said(PageLanguage::En).2
        };
        assert_eq!((tone(0), tone(149), tone(150)), (Tone::Bad, Tone::Warning, Tone::Good));
        let said = |days| Projection::Unused { days }.said(PageLanguage::En).1;
        assert_eq!((said(1), said(2)), ("nobody teased (from 1 day)".into(), "nobody teased (from 2 days)".into()));
    }
}
