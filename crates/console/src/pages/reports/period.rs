//! The days that a report is about: a month, or from one day to another.

use jiff::civil::Date;
use model::Day;

use super::super::visit::Visit;
use crate::PageLanguage;

/// Days in one report: a year.
const DAYS: i32 = 366;

/// Some days.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Period {
    /// The first.
    pub(super) from: Day,
    /// The last.
    pub(super) to: Day,
    /// As people call it.
    pub(super) title: String,
    /// The month in which it begins, `2026-11`, for the picker; and those before and after it.
    pub(super) month: String,
    pub(super) before: String,
    pub(super) after: String,
    /// Why it is not what was asked for.
    pub(super) fault: Option<&'static str>,
}

impl Period {
    /// What the query asks for, else this month.
    pub(super) fn of(visit: &Visit, today: Day) -> Self {
        let asked = (visit.asked("from"), visit.asked("to"), visit.asked("month"));
        Self::read(asked, today, visit.l)
    }

    fn read(asked: (Option<&str>, Option<&str>, Option<&str>), today: Day, l: PageLanguage) -> Self {
        let this = month_of(today);
        match asked {
            (None, None, None) => Self::month(this, l),
            (None, None, Some(text)) => match format!("{text}-01").parse::<Date>().ok().filter(|_| text.len() == 7) {
                Some(first) => Self::month(first, l),
                None => Self {
                    fault: Some(l.pick("a month is written 2026-11", "月份写作 2026-11")),
                    ..Self::month(this, l)
                },
            },
            (from, to, _) => {
                let day = |text: Option<&str>, or| text.map_or(Ok(or), Day::parse);
                let fault = |why| Self { fault: Some(why), ..Self::month(this, l) };
                let Ok(to) = day(to, today) else {
                    return fault(l.pick("a day is written 2026-11-23", "日期写作 2026-11-23"));
                };
                let Ok(from) = day(from, to) else {
                    return fault(l.pick("a day is written 2026-11-23", "日期写作 2026-11-23"));
                };
                if from > to {
                    return fault(l.pick("the first day is after the last", "起始日期晚于结束日期"));
                }
                if to.0.saturating_sub(from.0) >= DAYS {
                    return fault(l.pick("at most 366 days are reported at once", "一次最多统计 366 天"));
                }
                let title = if from == to { from.to_string() } else { format!("{from} – {to}") };
                Self { from, to, title, ..Self::month(month_of(from), l) }
            }
        }
    }

    fn month(first: Date, l: PageLanguage) -> Self {
        let (from, last) = (first.first_of_month(), first.last_of_month());
        let written = |date: Date| date.strftime("%Y-%m").to_string();
        let title = match l {
            PageLanguage::En => from.strftime("%B %Y").to_string(),
            PageLanguage::Zh => format!("{} 年 {} 月", from.year(), from.month()),
        };
        let day = |date: Date| Day::parse(&date.to_string()).unwrap_or_default();
        Self {
            from: day(from),
            to: day(last),
            title,
            month: written(from),
            before: written(from.yesterday().unwrap_or(from)),
            after: written(last.tomorrow().unwrap_or(last)),
            fault: None,
        }
    }
}

/// The month of a day, by its first day.
fn month_of(day: Day) -> Date {
    day.to_string().parse::<Date>().unwrap_or_default().first_of_month()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_what_is_asked_for_else_this_month_and_says_so() {
        let today = Day::parse("2026-11-23").unwrap();
        let of = |from, to, month| {
            let Period { from, to, title, fault, .. } = Period::read((from, to, month), today, PageLanguage::En);
            (from.to_string(), to.to_string(), title, fault.is_some())
        };
        let period =
            |from: &str, to: &str, title: &str, fault| (from.to_owned(), to.to_owned(), title.to_owned(), fault);
        let november = |fault| period("2026-11-01", "2026-11-30", "November 2026", fault);
        for (asked, expected) in [
            ((None, None, None), november(false)),
            ((None, None, Some("2026-02")), period("2026-02-01", "2026-02-28", "February 2026", false)),
            ((None, None, Some("2026-13")), november(true)),
            ((None, None, Some("2026-1-1")), november(true)),
            ((Some("2026-11-03"), None, None), period("2026-11-03", "2026-11-23", "2026-11-03 – 2026-11-23", false)),
            ((None, Some("2026-10-01"), Some("2026-11")), period("2026-10-01", "2026-10-01", "2026-10-01", false)),
            ((Some("2026-11-24"), None, None), november(true)),
            ((Some("2024-01-01"), Some("2026-01-01"), None), november(true)),
            ((Some("soon"), None, None), november(true)),
        ] {
            assert_eq!(of(asked.0, asked.1, asked.2), expected, "{asked:?}");
        }
        let november = Period::read((None, None, None), today, PageLanguage::Zh);
        assert_eq!((november.before.as_str(), november.after.as_str()), ("2026-10", "2026-12"));
        assert_eq!(november.title, "2026 年 11 月");
    }
}
