//! Charts of readings over time: drawn in the browser by uPlot from numbers in the page, and always there as a table too.

use std::sync::Arc;

use askama::Template;
use model::Timestamp;
use serde::Serialize;

use super::table::{Cell, Column, Table};
use crate::PageLanguage;
use crate::reading::{Reading, Spread};
use crate::samples::rate;

/// One line of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Its name in CSV and JSON.
    pub(crate) key: String,
    /// Its name in the page's language.
    pub(crate) title: String,
    /// Which of the style sheet's colours it has (`--line-1` to `--line-6`).
    pub(crate) colour: u8,
    /// Its value at each of the chart's times; `None` where nothing was measured.
    pub(crate) values: Vec<Option<f64>>,
}

/// A chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// The id of its element, and the word in `?table=`.
    pub(crate) name: &'static str,
    /// What it shows.
    pub(crate) title: &'static str,
    /// The unit of its values: `/s`, `ms`.
    pub(crate) unit: &'static str,
    /// The ends of the times between two readings that each value is about.
    pub(crate) times: Vec<Timestamp>,
    /// Its lines.
    pub(crate) lines: Vec<Line>,
}

/// What the script draws from.
#[derive(Serialize)]
struct Numbers<'a> {
    unit: &'a str,
    /// Seconds since the epoch.
    times: Vec<i64>,
    lines: Vec<Drawable<'a>>,
}

#[derive(Serialize)]
struct Drawable<'a> {
    title: &'a str,
    colour: u8,
    values: &'a [Option<f64>],
}

#[derive(Template)]
#[template(path = "pages/chart.html")]
struct Drawn<'a> {
    l: PageLanguage,
    chart: &'a Chart,
    here: &'a str,
    now: Vec<(&'a Line, String)>,
}

impl Chart {
    /// The chart's frame, once in a page: the numbers come in a part named `{name}-numbers` ([`Chart::numbers`]).
    ///
    /// # Errors
    /// When the template fails, which would be a fault in it.
    pub(crate) fn html(&self, l: PageLanguage, here: &str) -> Result<String, askama::Error> {
        let now = self.lines.iter().map(|line| (line, last(line))).collect();
        Drawn { l, chart: self, here, now }.render()
    }

    /// The id of the live part with the numbers.
    pub(crate) fn part(&self) -> String {
        format!("{}-numbers", self.name)
    }

    /// The numbers, as JSON that may stand in HTML text.
    pub(crate) fn numbers(&self) -> String {
        let lines = self.lines.iter();
        let numbers = Numbers {
            unit: self.unit,
            times: self.times.iter().map(|at| at.as_millis().div_euclid(1_000)).collect(),
            lines: lines
                .map(|Line { title, colour, values, .. }| Drawable { title, colour: *colour, values })
                .collect(),
        };
        // Titles are ours, and hold nothing that HTML would read.
        serde_json::to_string(&numbers).unwrap_or_default().replace('&', "&amp;").replace('<', "&lt;")
    }

    /// The same numbers as a table.
    pub(crate) fn table(&self, l: PageLanguage) -> Table {
        let mut columns = vec![Column::words("at", l.pick("Time", "时间"))];
        columns.extend(self.lines.iter().map(|line| Column {
            key: line.key.clone().into(),
            title: line.title.clone().into(),
            figures: true,
        }));
        let row = |(place, at): (usize, &Timestamp)| {
            let value = |line: &Line| {
                line.values.get(place).copied().flatten().map_or(Cell::Empty, |value| Cell::Figure(value, 2))
            };
            let cells = std::iter::once(Cell::Time(*at)).chain(self.lines.iter().map(value)).collect();
            (at.as_millis().to_string(), cells)
        };
        Table {
            name: self.name,
            caption: self.title,
            none: l.pick("nothing measured yet", "尚无数据"),
            columns,
            rows: self.times.iter().enumerate().map(row).collect(),
        }
    }
}

fn last(line: &Line) -> String {
    line.values.iter().rev().copied().flatten().next().map_or_else(|| "–".to_owned(), short)
}

/// A value in as few digits as say something.
pub(crate) fn short(value: f64) -> String {
    if value == 0.0 || value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// The ends of the times between readings.
pub(crate) fn times(readings: &[Arc<Reading>]) -> Vec<Timestamp> {
    readings.iter().skip(1).map(|reading| reading.at).collect()
}

/// Per second between each reading and the next.
pub(crate) fn rates(readings: &[Arc<Reading>], total: impl Fn(&Reading) -> u64) -> Vec<Option<f64>> {
    between(readings, |before, after| rate(before, after, &total))
}

/// A value of each reading but the first, from the one before and itself.
pub(crate) fn between(
    readings: &[Arc<Reading>],
    value: impl Fn(&Reading, &Reading) -> Option<f64>,
) -> Vec<Option<f64>> {
    let pairs = readings.iter().zip(readings.iter().skip(1));
    pairs.map(|(before, after)| value(before, after)).collect()
}

/// The bound in milliseconds that so many of 1,000 durations between two readings were within; `None` where there were none, or they took longer than
/// every bound.
pub(crate) fn within(before: &Spread, after: &Spread, of_thousand: u64) -> Option<f64> {
    let none = vec![0; after.counts.len()];
    let earlier = if before.counts.len() == after.counts.len() { &before.counts } else { &none };
    let counts = || after.counts.iter().zip(earlier).map(|(now, then)| now.saturating_sub(*then));
    let all: u64 = counts().sum();
    if all == 0 {
        return None;
    }
    let wanted = (all * of_thousand).div_ceil(1_000);
    let mut sum = 0;
    let place = counts().position(|count| {
        sum += count;
        sum >= wanted
    })?;
    #[expect(clippy::cast_precision_loss, reason = "a bound is some seconds at most")]
    after.bounds_ms.get(place).map(|bound| *bound as f64)
}

/// A length of time in its largest sensible unit: `0.4 s`, `12 s`, `3 min`, `2.5 h`.
pub(crate) fn age(lasts: std::time::Duration) -> String {
    let seconds = lasts.as_secs_f64();
    match lasts.as_secs() {
        0..10 => format!("{seconds:.1} s"),
        10..120 => format!("{seconds:.0} s"),
        120..7_200 => format!("{:.0} min", seconds / 60.0),
        7_200..172_800 => format!("{:.1} h", seconds / 3_600.0),
        _ => format!("{:.1} d", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Series;

    fn reading(second: i64, calls: u64) -> Arc<Reading> {
        let mut reading = Reading::none(Timestamp::from_millis(second * 1_000));
        reading.set(Series::Calls, calls);
        Arc::new(reading)
    }

    #[test]
    fn rates_are_by_the_time_that_passed() {
        let readings = [reading(0, 0), reading(2, 10), reading(2, 11), reading(6, 11)];
        assert_eq!(rates(&readings, |reading| reading.total(Series::Calls)), [Some(5.0), None, Some(0.0)]);
        assert_eq!(times(&readings).len(), 3);
    }

    #[test]
    fn quantiles_are_of_what_came_between() {
        let spread = |counts: [u64; 3]| Spread { bounds_ms: &[10, 100], counts: counts.to_vec() };
        let (before, after) = (spread([100, 0, 0]), spread([190, 9, 1]));
        assert_eq!((within(&before, &after, 500), within(&before, &after, 990)), (Some(10.0), Some(100.0)));
        assert_eq!(within(&before, &after, 999), None, "longer than every bound");
        assert_eq!(within(&after, &after, 500), None, "nothing came");
        assert_eq!(within(&Spread::default(), &after, 500), Some(10.0));
    }
}
