//! What the screen shows, of one sample and the one before it: rows of text, the same for the terminal and for scripts.

use std::fmt::Write as _;

use serde_json::Value;

use super::Sample;

/// How links are sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    AsSet,
    Rate,
    InFlight,
    State,
}

impl Sort {
    pub(super) const fn next(self) -> Self {
        match self {
            Self::AsSet => Self::Rate,
            Self::Rate => Self::InFlight,
            Self::InFlight => Self::State,
            Self::State => Self::AsSet,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AsSet => "as set",
            Self::Rate => "by rate",
            Self::InFlight => "by in flight",
            Self::State => "by state",
        }
    }
}

/// A table: its heads, then rows as long.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// Everything that is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Picture {
    /// The database in a line, and whether it is as it should be.
    database: String,
    database_well: bool,
    journal: String,
    flow: Table,
    /// Which of the stages wait too long.
    stopped: Vec<bool>,
    links: Table,
    /// Which of the links are not bound.
    away: Vec<bool>,
    ranges: Table,
}

impl Picture {
    pub(super) fn of(now: &Sample, before: Option<&Sample>, sort: Sort) -> Self {
        let (links, away) = links(now, before, sort);
        let (flow, stopped) = flow(&now.flow);
        let database_of = &now.status["database"];
        Self {
            database: database(database_of),
            database_well: database_of["configured"] == false || word(database_of, "state") == "normal",
            journal: format!("journal: {} to decide", number(&now.status["journal"], "pending")),
            flow,
            stopped,
            links,
            away,
            ranges: ranges(&now.ranges),
        }
    }

    /// As plain text.
    pub(super) fn text(&self) -> String {
        let lines = self.lines(usize::MAX);
        lines.into_iter().fold(String::new(), |text, (line, _)| text + &line + "\n")
    }

    /// Its lines, none longer than so many characters, each with whether somebody is to look at it.
    pub(super) fn lines(&self, width: usize) -> Vec<(String, bool)> {
        let head = [(cut(&self.database, width), !self.database_well), (cut(&self.journal, width), false)];
        let tables = [(&self.flow, &self.stopped), (&self.links, &self.away), (&self.ranges, &Vec::new())];
        let tables = tables.into_iter().flat_map(|(table, alarms)| {
            // The heads come first.
            let alarms = [false].into_iter().chain(alarms.iter().copied()).chain(std::iter::repeat(false));
            let lines = table.lines(width).into_iter().zip(alarms);
            [(String::new(), false)].into_iter().chain(lines).collect::<Vec<_>>()
        });
        head.into_iter().chain(tables).collect()
    }
}

impl Table {
    /// Columns as wide as what is in them, numbers to the right. What has no room is left out from the right by whole columns; only of what is said in
    /// the last one the beginning is shown.
    fn lines(&self, width: usize) -> Vec<String> {
        let heads = self.heads.iter().map(|head| (*head).to_owned()).collect();
        let rows = || [&heads].into_iter().chain(&self.rows);
        let widest = |column: usize| rows().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..self.heads.len()).map(|column| widest(column).unwrap_or(0)).collect();
        let mut end = 0;
        let fit = widths.iter().take_while(|width_of_it| {
            let fits = end + **width_of_it <= width;
            end += **width_of_it + GAP;
            fits
        });
        let fit = match fit.count() {
            fit if fit + 1 == widths.len() => widths.len(),
            fit => fit,
        };
        rows().map(|row| cut(&aligned(row.iter().zip(&widths).take(fit)), width)).collect()
    }
}

/// Between two columns.
const GAP: usize = 2;

fn aligned<'a>(cells: impl Iterator<Item = (&'a String, &'a usize)>) -> String {
    let mut line = String::new();
    for (cell, width) in cells {
        let is_number = cell.starts_with(|first: char| first.is_ascii_digit());
        let _ = if is_number { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
    }
    line.trim_end().to_owned()
}

/// So much of it as has room.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn database(database: &Value) -> String {
    let state = match (&database["configured"], word(database, "state")) {
        (Value::Bool(false), _) => "none".to_owned(),
        (_, state) => format!("{state} since {}", word(database, "since")),
    };
    let mut line = format!("database: {state}");
    for (key, says) in [("reason", ""), ("until", "forced until ")] {
        if let Some(text) = database[key].as_str() {
            let _ = write!(line, ", {says}{text}");
        }
    }
    if database["behind"] == true {
        line.push_str(", something waits to be handed over");
    }
    line
}

fn flow(flow: &Value) -> (Table, Vec<bool>) {
    let stages = || flow["stages"].as_array().into_iter().flatten();
    let stops = |stage: &Value| !matches!(stage["state"].as_str(), Some("flows" | "idle") | None);
    let row = |stage: &Value| {
        let state = word(stage, "state");
        vec![
            word(stage, "id"),
            // That is what somebody looks for.
            if stops(stage) { state.to_uppercase() } else { state },
            stage["rate"].as_f64().map_or_else(unknown, |rate| format!("{rate:.1}")),
            number(stage, "five_minutes").to_string(),
            number(stage, "total").to_string(),
            number(stage, "waiting").to_string(),
            word(stage, "waiting_since"),
        ]
    };
    let heads = vec!["flow", "state", "a second", "5 min", "since start", "waiting", "the oldest since"];
    (Table { heads, rows: stages().map(row).collect() }, stages().map(stops).collect())
}

fn links(now: &Sample, before: Option<&Sample>, sort: Sort) -> (Table, Vec<bool>) {
    let mut links: Vec<&Value> = now.status["links"].as_array().into_iter().flatten().collect();
    let submits = |link: &Value| number(&link["counts"], "submits");
    let earlier = |link: &Value| {
        let before = before?.status["links"].as_array()?;
        before.iter().find(|earlier| earlier["name"] == link["name"]).map(submits)
    };
    let sent = |link: &Value| submits(link).saturating_sub(earlier(link).unwrap_or_else(|| submits(link)));
    match sort {
        Sort::AsSet => {}
        Sort::Rate => links.sort_by_key(|link| std::cmp::Reverse(sent(link))),
        Sort::InFlight => links.sort_by_key(|link| std::cmp::Reverse(number(link, "in_flight"))),
        // What is not bound comes first: that is what somebody looks for.
        Sort::State => links.sort_by_key(|link| (word(link, "state") == "bound", word(link, "state"))),
    }
    let row = |link: &&Value| {
        let rate = before.zip(earlier(link)).map(|(before, count)| rate(submits(link), count, now, before));
        vec![
            word(link, "name"),
            word(link, "state"),
            rate.unwrap_or_else(unknown),
            format!("{}/{}", number(link, "in_flight"), number(link, "window")),
            millis(&link["answers"]["p99_ms"]),
            number(&link["counts"], "in_doubt").to_string(),
            said(link),
        ]
    };
    let heads = vec!["link", "state", "a second", "in flight", "99 % ms", "in doubt", ""];
    let away = links.iter().map(|link| word(link, "state") != "bound").collect();
    (Table { heads, rows: links.iter().map(row).collect() }, away)
}

/// What there is to say of a link.
fn said(link: &Value) -> String {
    let mut said = Vec::new();
    if let Some(until) = link["ordered"]["until"].as_str() {
        said.push(format!("{} by order until {until}", word(&link["ordered"], "what")));
    }
    if link["throttled"] == true {
        said.push("throttled".to_owned());
    }
    if let Some(rate) = link["slowed_to"].as_u64() {
        said.push(format!("slowed to {rate}/s"));
    }
    let closed = &link["last_closed"];
    if let (Some(why), Some(at)) = (closed["why"].as_str(), closed["at"].as_str()) {
        said.push(format!("closed by {}: {why} at {at}", word(closed, "by")));
    }
    said.join("; ")
}

fn ranges(ranges: &Value) -> Table {
    let row = |range: &Value| {
        let (used, quota) = (number(range, "used"), number(range, "quota"));
        let percent = used.saturating_mul(100).checked_div(quota).map_or_else(unknown, |percent| format!("{percent}%"));
        let in_force = if range["in_force"] == true { "" } else { "not in force" };
        vec![word(range, "name"), used.to_string(), quota.to_string(), percent, in_force.to_owned()]
    };
    let rows = ranges["ranges"].as_array().into_iter().flatten().map(row).collect();
    Table { heads: vec!["range", "used", "quota", "", ""], rows }
}

/// What was counted between two samples, a second. A gateway that was started anew meanwhile has counted all of it since.
fn rate(value: u64, before: u64, now: &Sample, then: &Sample) -> String {
    let counted = if value >= before { value - before } else { value };
    let seconds = now.at.saturating_duration_since(then.at).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let counted = counted as f64;
    if seconds > 0.0 { format!("{:.1}", counted / seconds) } else { unknown() }
}

fn unknown() -> String {
    "-".to_owned()
}

fn millis(value: &Value) -> String {
    value.as_u64().map_or_else(unknown, |millis| millis.to_string())
}

fn word(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_owned()
}

fn number(of: &Value, key: &str) -> u64 {
    of[key].as_u64().unwrap_or(0)
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    pub(in crate::cli::top) fn sample(at: Instant, submits: u64) -> Sample {
        let link = |name: &str, state: &str, submits: u64, in_flight: u64| {
            json!({"name": name, "state": state, "window": 10, "in_flight": in_flight, "counts": {"submits": submits, "in_doubt": 1},
                   "throttled": false, "answers": {"p99_ms": 25}})
        };
        let mut second = link("north/2", "away", 0, 0);
        second["ordered"] = json!({"what": "drain", "until": "2026-11-23T04:10:00.000Z"});
        second["last_closed"] =
            json!({"why": "drained by order", "at": "2026-11-23T04:00:00.000Z", "by": "us", "word": "ordered"});
        let status = json!({
            "database": {"state": "normal", "configured": true, "forced": false, "since": "2026-11-23T03:00:00.000Z", "behind": false},
            "links": [link("north/1", "bound", submits, 3), second, link("south/1", "bound", submits / 2, 7)],
            "journal": {"pending": 2},
        });
        let stage = |id: &str, state: &str, rate: f64| {
            json!({"id": id, "state": state, "rate": rate, "five_minutes": 300, "total": 4711, "waiting": 2, "parts": [],
                   "waiting_since": "2026-11-23T03:59:00.000Z"})
        };
        let flow = json!({"stages": [stage("calls", "flows", 12.34), stage("alerts", "stuck", 0.0)]});
        let ranges = json!({"ranges": [{"name": "north", "used": 30, "quota": 120, "in_force": true}]});
        Sample { at, status, flow, ranges }
    }

    #[test]
    fn a_picture_is_text_with_rates_between_two_samples() {
        let then = Instant::now();
        let now = sample(then + Duration::from_secs(2), 100);
        let text = Picture::of(&now, Some(&sample(then, 50)), Sort::AsSet).text();
        for line in [
            "database: normal since 2026-11-23T03:00:00.000Z",
            "journal: 2 to decide",
            "calls flows 12.3 300 4711 2 2026-11-23T03:59:00.000Z",
            "alerts STUCK 0.0 300 4711 2 2026-11-23T03:59:00.000Z",
            "north/1  bound      25.0  3/10             25         1",
            "north/2  away        0.0  0/10             25         1  drain by order until 2026-11-23T04:10:00.000Z; \
             closed by us: drained by order at 2026-11-23T04:00:00.000Z",
            "north    30    120  25%",
        ] {
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.lines().any(|found| squeezed(found) == squeezed(line)), "{line}\n{text}");
        }
    }

    #[test]
    fn what_has_no_room_is_left_out_by_whole_columns_and_what_is_said_is_cut() {
        let now = sample(Instant::now(), 100);
        let lines = |width: usize| Picture::of(&now, None, Sort::AsSet).lines(width);
        for width in [1, 12, 40, 80, 120] {
            assert!(lines(width).iter().all(|(line, _)| line.chars().count() <= width), "{width}");
        }
        let of = |width: usize, begins: &str| {
            lines(width).into_iter().find(|(line, _)| line.starts_with(begins)).unwrap_or_default()
        };
        assert_eq!(of(40, "alerts"), ("alerts  STUCK       0.0    300".to_owned(), true));
        assert_eq!(of(40, "flow"), ("flow    state  a second  5 min".to_owned(), false));
        assert_eq!(
            of(80, "north/2"),
            ("north/2  away   -              0/10       25         1  drain by order until 20…".to_owned(), true)
        );
        assert!(!of(80, "north/1").1);
    }

    #[test]
    fn links_are_sorted_and_a_restart_counts_from_nothing() {
        let then = Instant::now();
        let (before, now) = (sample(then, 10), sample(then + Duration::from_secs(1), 100));
        let order = |sort: Sort| {
            let picture = Picture::of(&now, Some(&before), sort);
            picture.links.rows.into_iter().map(|row| row[0].clone()).collect::<Vec<_>>()
        };
        assert_eq!(order(Sort::AsSet), ["north/1", "north/2", "south/1"]);
        assert_eq!(order(Sort::Rate), ["north/1", "south/1", "north/2"]);
        assert_eq!(order(Sort::InFlight), ["south/1", "north/1", "north/2"]);
        assert_eq!(order(Sort::State), ["north/2", "north/1", "south/1"]);
        let rate =
            |before: Option<&Sample>| Picture::of(&restarted(&now), before, Sort::AsSet).links.rows[0][2].clone();
        assert_eq!((rate(Some(&now)), rate(None)), ("40.0".to_owned(), unknown()));
    }

    /// A second later, started anew meanwhile.
    fn restarted(sample: &Sample) -> Sample {
        super::tests::sample(sample.at + Duration::from_secs(1), 40)
    }
}
