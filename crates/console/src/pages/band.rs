//! A band over time: what state something was in, drawn by the server, and said in words.

use askama::Template;
use jiff::tz::TimeZone;
use model::Timestamp;

use super::table::{Tone, shown_time};

/// The width of the drawing, in its own units.
const WIDTH: f64 = 1_000.0;

/// One stretch of time.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Stretch {
    /// From then.
    pub(crate) from: Timestamp,
    /// Until then.
    pub(crate) until: Timestamp,
    /// How good it was; `None`: nobody knows.
    pub(crate) tone: Option<Tone>,
    /// In a word.
    pub(crate) word: &'static str,
}

/// A band.
pub(crate) struct Band {
    /// Its stretches, one after the other.
    pub(crate) stretches: Vec<Stretch>,
    /// What it shows.
    pub(crate) label: String,
}

struct Piece {
    x: String,
    width: String,
    class: &'static str,
    title: String,
}

/// How much of the time was so.
struct Share {
    class: &'static str,
    word: &'static str,
    percent: String,
}

#[derive(Template)]
#[template(path = "pages/band.html")]
struct Drawn<'a> {
    label: &'a str,
    pieces: Vec<Piece>,
    shares: Vec<Share>,
    from: String,
    until: String,
}

impl Band {
    /// Puts states that were seen at times into stretches: each lasts until the next. What lies before the first is unknown, under this word.
    pub(crate) fn of(
        from: Timestamp,
        until: Timestamp,
        seen: impl IntoIterator<Item = (Timestamp, Tone, &'static str)>,
        unknown: &'static str,
        label: String,
    ) -> Self {
        let mut stretches = vec![Stretch { from, until, tone: None, word: unknown }];
        for (at, tone, word) in seen {
            let at = at.max(from);
            let Some(last) = stretches.last_mut() else { break };
            if last.tone == Some(tone) && last.word == word {
                continue;
            }
            last.until = at;
            stretches.push(Stretch { from: at, until, tone: Some(tone), word });
        }
        stretches.retain(|stretch| stretch.from < stretch.until);
        Self { stretches, label }
    }

    /// As SVG with a title for each stretch.
    ///
    /// # Errors
    /// When the template fails, which would be a fault in it.
    pub(crate) fn html(&self, zone: &TimeZone) -> Result<String, askama::Error> {
        let ends = self.stretches.first().zip(self.stretches.last());
        let Some((from, until)) = ends.map(|(first, last)| (first.from, last.until)) else { return Ok(String::new()) };
        let all = until.since(from).as_secs_f64().max(0.001);
        let place = |at: Timestamp| at.since(from).as_secs_f64() / all * WIDTH;
        let piece = |stretch: &Stretch| {
            let (x, end) = (place(stretch.from), place(stretch.until));
            Piece {
                x: format!("{x:.1}"),
                // A short one is seen all the same.
                width: format!("{:.1}", (end - x).max(2.0)),
                class: class(stretch.tone),
                title: format!(
                    "{}: {} – {}",
                    stretch.word,
                    shown_time(stretch.from, zone),
                    shown_time(stretch.until, zone)
                ),
            }
        };
        let pieces = self.stretches.iter().map(piece).collect();
        let shares = self.shares(all);
        Drawn { label: &self.label, pieces, shares, from: shown_time(from, zone), until: shown_time(until, zone) }
            .render()
    }
}

impl Band {
    /// How much of the time it was in each state, in the order in which they come first.
    fn shares(&self, all: f64) -> Vec<Share> {
        let mut found: Vec<(&Stretch, f64)> = Vec::new();
        for stretch in &self.stretches {
            let lasted = stretch.until.since(stretch.from).as_secs_f64();
            match found.iter_mut().find(|(first, _)| first.word == stretch.word) {
                Some((_, sum)) => *sum += lasted,
                None => found.push((stretch, lasted)),
            }
        }
        let share = |(stretch, lasted): (&Stretch, f64)| Share {
            class: class(stretch.tone),
            word: stretch.word,
            percent: percent(lasted / all),
        };
        found.into_iter().map(share).collect()
    }
}

fn class(tone: Option<Tone>) -> &'static str {
    tone.map_or("unknown", Tone::as_str)
}

/// Never 0 for what happened, and 100 only for what was always so.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let rounded = if percent < 1.0 {
        percent.max(0.1)
    } else if share < 1.0 {
        percent.min(99.9)
    } else {
        percent
    };
    if rounded.fract().abs() < 0.05 || (1.0..99.0).contains(&rounded) {
        format!("{rounded:.0}")
    } else {
        format!("{rounded:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_become_stretches_and_what_is_not_known_is_said() {
        let at = |second: i64| Timestamp::from_millis(second * 1_000);
        let seen = [
            (at(10), Tone::Good, "normal"),
            (at(20), Tone::Good, "normal"),
            (at(30), Tone::Bad, "abnormal"),
            (at(40), Tone::Good, "normal"),
        ];
        let band = Band::of(at(0), at(100), seen, "unknown", "Database".into());
        let words: Vec<_> = band
            .stretches
            .iter()
            .map(|stretch| (stretch.word, stretch.from.as_millis() / 1_000, stretch.until.as_millis() / 1_000))
            .collect();
        assert_eq!(words, [("unknown", 0, 10), ("normal", 10, 30), ("abnormal", 30, 40), ("normal", 40, 100)]);
        let html = band.html(&TimeZone::UTC).unwrap();
        assert!(html.contains("class=\"bad\" x=\"300.0\"") && html.contains("abnormal: 1970-01-01 00:00:30"), "{html}");
        assert!(html.contains("abnormal 10 %") && html.contains("normal 80 %"), "{html}");
        assert_eq!((percent(1.0).as_str(), percent(0.9999).as_str(), percent(0.0001).as_str()), ("100", "99.9", "0.1"));
        let always = Band::of(at(50), at(100), [(at(10), Tone::Good, "normal")], "unknown", String::new());
        assert_eq!(always.stretches.len(), 1);
    }
}
