//! Tables: one description, shown as HTML, CSV or JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

use askama::Template;
use jiff::tz::TimeZone;
use model::Timestamp;
use serde_json::{Map, Value};

/// How good a state is. Shown by word and shape as well as by colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Warning,
    /// Broken.
    Bad,
    /// Neither.
    Plain,
}

impl Tone {
    /// The class of style sheets.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }
}

/// One cell.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Cell {
    /// Nothing to say.
    Empty,
    /// Words.
    Text(String),
    /// A word of a closed list: as programs know it, as people read it, how good it is.
    State(&'static str, String, Tone),
    /// A count.
    Count(u64),
    /// A figure with so many decimals.
    Figure(f64, usize),
    /// A share of one.
    Share(f64),
    /// A share of one that is used of something, drawn as a bar too.
    Used(f64),
    /// A point in time.
    Time(Timestamp),
    /// Words that lead somewhere: the words, the address.
    Link(String, String),
    /// A name as programs know it: settings, ids, codes.
    Code(String),
}

/// One column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Its name in CSV and JSON.
    pub(crate) key: Cow<'static, str>,
    /// Its title in the page's language.
    pub(crate) title: Cow<'static, str>,
    /// Whether it holds figures, which line up at the right.
    pub(crate) figures: bool,
}

impl Column {
    /// A column of words.
    pub(crate) const fn words(key: &'static str, title: &'static str) -> Self {
        Self { key: Cow::Borrowed(key), title: Cow::Borrowed(title), figures: false }
    }

    /// A column of figures.
    pub(crate) const fn figures(key: &'static str, title: &'static str) -> Self {
        Self { key: Cow::Borrowed(key), title: Cow::Borrowed(title), figures: true }
    }
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// Its name: the id of its element, and the word in `?table=`.
    pub(crate) name: &'static str,
    /// What it shows, in the page's language; read out by screen readers.
    pub(crate) caption: &'static str,
    /// What is said instead of rows where there are none.
    pub(crate) none: &'static str,
    /// Its columns. The first names the row.
    pub(crate) columns: Vec<Column>,
    /// Its rows, each with an id that stays the same while the row is about the same thing, and a cell for each column.
    pub(crate) rows: Vec<(String, Vec<Cell>)>,
}

#[derive(Template)]
#[template(path = "pages/table.html")]
struct Drawn<'a> {
    zone: &'a TimeZone,
    table: &'a Table,
    /// The address of the page without the form.
    here: Option<&'a str>,
}

impl Drawn<'_> {
    fn time(&self, at: &Timestamp) -> String {
        shown_time(*at, self.zone)
    }

    fn count(&self, count: &u64) -> String {
        grouped(*count)
    }

    fn figure(&self, value: &f64, decimals: &usize) -> String {
        format!("{value:.*}", *decimals)
    }

    /// How long a bar of a hundred is.
    fn length(&self, share: &f64) -> String {
        format!("{:.1}", share.clamp(0.0, 1.0) * 100.0)
    }

    fn share(&self, share: &f64) -> String {
        format!("{:.1} %", share * 100.0)
    }
}

impl Table {
    /// As HTML; with the address of its page (query included, without `format` and `table`), it offers its other forms.
    ///
    /// # Errors
    /// When the template fails, which would be a fault in it.
    pub(crate) fn html(&self, zone: &TimeZone, here: Option<&str>) -> Result<String, askama::Error> {
        Drawn { zone, table: self, here }.render()
    }

    /// As an array of objects by the columns' keys.
    pub(crate) fn json(&self) -> Value {
        let row = |cells: &[Cell]| -> Value {
            let pairs =
                self.columns.iter().zip(cells).map(|(column, cell)| (column.key.clone().into_owned(), cell.json()));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        Value::Array(self.rows.iter().map(|(_, cells)| row(cells)).collect())
    }

    /// As CSV (RFC 4180) with a header line, in UTF-8.
    pub(crate) fn csv(&self) -> String {
        let mut text = String::new();
        let mut line = |fields: &mut dyn Iterator<Item = String>| {
            let quoted: Vec<String> = fields.map(|field| quoted(&field)).collect();
            text.push_str(&quoted.join(","));
            text.push_str("\r\n");
        };
        line(&mut self.columns.iter().map(|column| column.key.clone().into_owned()));
        for (_, cells) in &self.rows {
            line(&mut cells.iter().map(Cell::plain));
        }
        text
    }
}

impl Cell {
    /// Words, or nothing.
    pub(crate) fn maybe(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.into()))
    }

    fn json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Count(count) => Value::from(*count),
            Self::Figure(value, _) | Self::Share(value) | Self::Used(value) => Value::from(*value),
            Self::Text(_) | Self::State(..) | Self::Time(_) | Self::Link(..) | Self::Code(_) => {
                Value::from(self.plain())
            }
        }
    }

    fn plain(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Code(text) | Self::Link(text, _) => text.clone(),
            Self::State(word, ..) => (*word).to_owned(),
            Self::Count(count) => count.to_string(),
            Self::Figure(value, _) | Self::Share(value) | Self::Used(value) => value.to_string(),
            Self::Time(at) => at.to_string(),
        }
    }
}

/// A field of CSV. One that a spreadsheet would take for a formula is told to be text; a number with `+` is none.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '-', '@', '\t', '\r'])
        || (field.starts_with('+')
            && !field.get(1..).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'*')));
    let number = field.parse::<f64>().is_ok();
    let field = if formula && !number { format!("'{field}") } else { field.to_owned() };
    if field.contains([',', '"', '\r', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

/// A count with its thousands apart.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A point in time as people in the zone read it, to the second.
pub(crate) fn shown_time(at: Timestamp, zone: &TimeZone) -> String {
    let Some(at) = at.to_jiff() else { return String::new() };
    let mut text = String::new();
    let _ = write!(text, "{}", at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            name: "links",
            caption: "Links",
            none: "none",
            columns: vec![
                Column::words("name", "Name"),
                Column::words("state", "State"),
                Column::figures("rate", "Rate"),
            ],
            rows: vec![(
                "a".into(),
                vec![
                    Cell::Text("a, \"b\" <c>".into()),
                    Cell::State("bound", "up".into(), Tone::Good),
                    Cell::Count(12_345),
                ],
            )],
        }
    }

    #[test]
    fn a_table_has_three_forms_of_the_same() {
        assert_eq!(table().csv(), "name,state,rate\r\n\"a, \"\"b\"\" <c>\",bound,12345\r\n");
        assert_eq!(table().json().to_string(), r#"[{"name":"a, \"b\" <c>","rate":12345,"state":"bound"}]"#);
        let html = table().html(&TimeZone::UTC, Some("/links?span=1h")).unwrap();
        assert!(html.contains("a, &#34;b&#34; &#60;c&#62;") && html.contains("12\u{202f}345"), "{html}");
        assert!(html.contains("/links?span=1h&amp;table=links&amp;format=csv"), "{html}");
    }

    #[test]
    fn nothing_in_csv_is_a_formula() {
        for (field, written) in [
            ("=1+1", "'=1+1"),
            ("+8613800000001", "+8613800000001"),
            ("+86138****0001", "+86138****0001"),
            ("+cmd", "'+cmd"),
            ("-5", "-5"),
            ("@x", "'@x"),
            ("plain", "plain"),
        ] {
            assert_eq!(quoted(field), written);
        }
    }
}
