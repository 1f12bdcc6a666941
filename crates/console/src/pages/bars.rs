//! Bars of days, drawn by the server: what was counted, stacked by what became of it. The same figures stand in a table beside them.

use askama::Template;

use super::chart::short;
use super::table::grouped;

/// The size of the drawing, in its own units.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 200.0;
/// How much of its place a bar takes.
const THICK: f64 = 0.8;

/// One part of each bar.
pub(crate) struct Part {
    /// What it counts.
    pub(crate) title: &'static str,
    /// Which of the style sheet's colours it has (`--line-1` to `--line-6`).
    pub(crate) colour: u8,
    /// How many, for each bar.
    pub(crate) counts: Vec<u64>,
}

/// Bars beside each other.
pub(crate) struct Bars {
    /// The id of its element.
    pub(crate) name: &'static str,
    /// What it shows.
    pub(crate) title: &'static str,
    /// The name of each bar.
    pub(crate) labels: Vec<String>,
    /// What each is made of, from the bottom.
    pub(crate) parts: Vec<Part>,
}

struct Piece {
    x: String,
    y: String,
    height: String,
    colour: u8,
}

struct Bar {
    title: String,
    pieces: Vec<Piece>,
}

#[derive(Template)]
#[template(path = "pages/bars.html")]
struct Drawn<'a> {
    bars: &'a Bars,
    drawn: Vec<Bar>,
    thick: String,
    highest: String,
    sums: Vec<(&'a Part, String)>,
    label: String,
}

impl Bars {
    /// As SVG with a title for each bar.
    ///
    /// # Errors
    /// When the template fails, which would be a fault in it.
    pub(crate) fn html(&self) -> Result<String, askama::Error> {
        let at = |part: &Part, place: usize| part.counts.get(place).copied().unwrap_or(0);
        let totals: Vec<u64> =
            (0..self.labels.len()).map(|place| self.parts.iter().map(|part| at(part, place)).sum()).collect();
        let highest = totals.iter().copied().max().unwrap_or(0);
        let step = WIDTH / figure(u64::try_from(self.labels.len().max(1)).unwrap_or(1));
        let bar = |(place, label): (usize, &String)| {
            let x = step * (figure(u64::try_from(place).unwrap_or(0)) + (1.0 - THICK) / 2.0);
            let mut top = HEIGHT;
            let mut said = Vec::new();
            let mut pieces = Vec::new();
            for part in self.parts.iter().filter(|part| at(part, place) > 0) {
                let height = figure(at(part, place)) / figure(highest.max(1)) * HEIGHT;
                top -= height;
                said.push(format!("{} {}", part.title, grouped(at(part, place))));
                pieces.push(Piece {
                    x: format!("{x:.2}"),
                    y: format!("{top:.2}"),
                    height: format!("{height:.2}"),
                    colour: part.colour,
                });
            }
            Bar { title: format!("{label}: {}", said.join(", ")), pieces }
        };
        let sums: Vec<_> = self.parts.iter().map(|part| (part, grouped(part.counts.iter().sum()))).collect();
        let said: Vec<String> = sums.iter().map(|(part, sum)| format!("{} {sum}", part.title)).collect();
        let days = self.labels.first().zip(self.labels.last());
        let days = days.map_or_else(String::new, |(first, last)| format!(" {first} – {last}:"));
        Drawn {
            bars: self,
            drawn: self.labels.iter().enumerate().map(bar).collect(),
            thick: format!("{:.2}", step * THICK),
            highest: if highest < 1_000 { grouped(highest) } else { shortened(highest) },
            label: format!("{}{days} {}", self.title, said.join(", ")),
            sums,
        }
        .render()
    }
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "a bar shows no more digits")]
const fn figure(count: u64) -> f64 {
    count as f64
}

/// A large count in a few letters.
fn shortened(count: u64) -> String {
    match count {
        0..1_000_000 => format!("{} k", short(figure(count) / 1e3)),
        _ => format!("{} M", short(figure(count) / 1e6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_counts_and_stand_on_each_other() {
        let part = |title, colour, counts| Part { title, colour, counts };
        let bars = Bars {
            name: "calls",
            title: "Calls",
            labels: vec!["2026-11-01".to_owned(), "2026-11-02".to_owned()],
            parts: vec![part("told", 1, vec![30, 0]), part("nothing", 5, vec![10, 20])],
        };
        let html = bars.html().unwrap();
        for expected in [
            r#"y="50.00" width="400.00" height="150.00""#,
            r#"y="0.00" width="400.00" height="50.00""#,
            r#"y="100.00" width="400.00" height="100.00""#,
            "2026-11-01: told 30, nothing 10",
            "Calls 2026-11-01 – 2026-11-02: told 30, nothing 30",
        ] {
            assert!(html.contains(expected), "{expected}: {html}");
        }
        assert_eq!(html.matches("<rect").count(), 3);
        let none = Bars { labels: Vec::new(), parts: Vec::new(), ..bars };
        assert!(!none.html().unwrap().contains("<rect"));
    }
}
