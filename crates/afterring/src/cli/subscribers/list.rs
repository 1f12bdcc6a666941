//! A list of people as CSV: read row by row, each checked and kept small.

use std::collections::HashMap;
use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder, StringRecord};
use model::{Language, Msisdn, Numbering, Timestamp};
use routing::{ClockFace, DayWindow, Subscriber, SubscriberStatus};
use store::Given;

/// Columns of the list, and those that a file of refused rows has beside them, passed over here.
const COLUMNS: &str = "number, status, language, time_zone, clock, quiet and copy_to";

/// Everybody of a list: sixteen octets each.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Which columns there are.
    pub given: Given,
    rows: Vec<Row>,
    /// What people may have beside their number; few lists have more than a handful.
    choices: Vec<Choice>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub number: Msisdn,
    choice: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Choice {
    status: SubscriberStatus,
    language: Option<Language>,
    time_zone: Option<String>,
    clock: Option<ClockFace>,
    quiet: Option<DayWindow>,
    copy_to: Option<Msisdn>,
}

/// A row that can't be used.
pub(super) struct Refused<'a> {
    /// Where it begins in the file, from 1; blank lines before it belong to it.
    pub line: u64,
    pub reason: String,
    pub fields: &'a ByteRecord,
}

/// Why a file as a whole can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("{0}")]
    Header(String),
    #[error("can't be read on: {0}")]
    Read(#[source] io::Error),
    /// Refused rows can't be written.
    #[error("the refused rows can't be written: {0}")]
    Errors(#[source] io::Error),
}

/// Where each column is.
#[derive(Default)]
struct Places {
    number: usize,
    status: Option<usize>,
    language: Option<usize>,
    time_zone: Option<usize>,
    clock: Option<usize>,
    quiet: Option<usize>,
    copy_to: Option<usize>,
}

/// Is told of rows that can't be used: first of the header, then of each.
pub(super) trait Refuse {
    fn header(&mut self, fields: &ByteRecord) -> io::Result<()>;
    fn row(&mut self, refused: &Refused<'_>) -> io::Result<()>;
}

/// Reads a list; rows that can't be used go elsewhere.
pub(super) fn read(input: impl Read, numbering: &Numbering, refuse: &mut dyn Refuse) -> Result<List, Unusable> {
    let mut reader = ReaderBuilder::new().flexible(true).buffer_capacity(1 << 18).from_reader(input);
    let header = reader.byte_headers().map_err(unreadable)?.clone();
    let places = places(&header).map_err(Unusable::Header)?;
    refuse.header(&header).map_err(Unusable::Errors)?;
    let given = Given {
        status: places.status.is_some(),
        language: places.language.is_some(),
        time_zone: places.time_zone.is_some(),
        clock: places.clock.is_some(),
        quiet: places.quiet.is_some(),
        copy_to: places.copy_to.is_some(),
    };
    let mut list = List { given, ..List::default() };
    let mut choices = Choices::default();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(unreadable)? {
        let row = shaped(&record, &header).and_then(|()| {
            let number = numbering.normalise(text(&record, Some(places.number))?).map_err(|error| error.to_string())?;
            let choice = choices.place(&record, &places, numbering)?;
            if choices.copies_to(choice) == Some(number) {
                return Err("copy_to is the number itself".to_owned());
            }
            Ok(Row { number, choice })
        });
        match row {
            Ok(row) => list.rows.push(row),
            Err(reason) => {
                let line = record.position().map_or(0, csv::Position::line);
                refuse.row(&Refused { line, reason, fields: &record }).map_err(Unusable::Errors)?;
            }
        }
    }
    list.choices = choices.made;
    Ok(list)
}

fn unreadable(error: csv::Error) -> Unusable {
    Unusable::Read(super::errors::plain(error))
}

fn places(header: &ByteRecord) -> Result<Places, String> {
    let header =
        StringRecord::from_byte_record(header.clone()).map_err(|_| "the first line is not UTF-8".to_owned())?;
    let (mut places, mut number) = (Places::default(), None);
    for (place, name) in header.iter().enumerate() {
        let known = match name.trim().to_ascii_lowercase().as_str() {
            "number" => &mut number,
            "status" => &mut places.status,
            "language" => &mut places.language,
            "time_zone" => &mut places.time_zone,
            "clock" => &mut places.clock,
            "quiet" => &mut places.quiet,
            "copy_to" => &mut places.copy_to,
            // What a file of refused rows has beside them.
            "line" | "reason" => continue,
            _ => {
                let comma = if name.contains([';', '\t']) { "; columns are separated by commas" } else { "" };
                return Err(format!("the first line names the column '{name}': columns are {COLUMNS}{comma}"));
            }
        };
        if known.replace(place).is_some() {
            return Err(format!("the first line names the column '{}' twice", name.trim()));
        }
    }
    places.number = number.ok_or_else(|| {
        format!("the first line doesn't name the column 'number': it has to name the columns, out of {COLUMNS}")
    })?;
    Ok(places)
}

/// Refuses a row of another length than the header's: its fields may be anybody's.
fn shaped(record: &ByteRecord, header: &ByteRecord) -> Result<(), String> {
    let (fields, columns) = (record.len(), header.len());
    if fields == columns {
        return Ok(());
    }
    Err(format!("the row has {fields} fields, the first line {columns}"))
}

fn text(record: &ByteRecord, place: Option<usize>) -> Result<&str, String> {
    let octets = place.and_then(|place| record.get(place)).unwrap_or_default();
    std::str::from_utf8(octets).map(str::trim).map_err(|_| "not UTF-8".to_owned())
}

/// What rows have beside the number, each kept once.
#[derive(Default)]
struct Choices {
    made: Vec<Choice>,
    known: HashMap<String, u32>,
    key: String,
}

impl Choices {
    /// The place among the choices of what a row says beside the number; each is checked when it is first met.
    fn place(&mut self, record: &ByteRecord, places: &Places, numbering: &Numbering) -> Result<u32, String> {
        let columns = [places.status, places.language, places.time_zone, places.clock, places.quiet, places.copy_to];
        self.key.clear();
        for place in columns {
            self.key.push_str(text(record, place)?);
            self.key.push('\n');
        }
        if let Some(place) = self.known.get(self.key.as_str()) {
            return Ok(*place);
        }
        let made = choice(record, places, numbering)?;
        let place = u32::try_from(self.made.len()).map_err(|_| "too many different rows".to_owned())?;
        self.made.push(made);
        self.known.insert(self.key.clone(), place);
        Ok(place)
    }

    fn copies_to(&self, place: u32) -> Option<Msisdn> {
        self.made.get(usize::try_from(place).ok()?)?.copy_to
    }
}

fn choice(record: &ByteRecord, places: &Places, numbering: &Numbering) -> Result<Choice, String> {
    Ok(Choice {
        status: match text(record, places.status)? {
            "" | "active" => SubscriberStatus::Active,
            "suspended" => SubscriberStatus::Suspended,
            _ => return Err("status is neither active nor suspended".to_owned()),
        },
        language: match text(record, places.language)? {
            "" => None,
            tag => Some(tag.parse().map_err(|_| "language is not a tag like zh-CN or en".to_owned())?),
        },
        time_zone: match text(record, places.time_zone)? {
            "" => None,
            name if routing::text::is_time_zone(name) => Some(name.to_owned()),
            _ => return Err("time_zone is not a name like Asia/Shanghai".to_owned()),
        },
        clock: match text(record, places.clock)? {
            "" => None,
            word => Some(ClockFace::parse(word).ok_or("clock is neither 12 nor 24")?),
        },
        quiet: match text(record, places.quiet)? {
            "" => None,
            window => Some(DayWindow::parse(window).map_err(|error| format!("quiet is {error}"))?),
        },
        copy_to: match text(record, places.copy_to)? {
            "" => None,
            number => Some(numbering.normalise(number).map_err(|error| format!("copy_to: {error}"))?),
        },
    })
}

impl List {
    /// Brings everybody into an order, once each: the last row of a number counts. How many rows were passed over so.
    pub(super) fn order<K: Ord>(&mut self, key: impl Fn(Msisdn) -> K) -> u64 {
        let before = self.rows.len();
        self.rows.reverse();
        self.rows.sort_by_key(|row| key(row.number));
        self.rows.dedup_by_key(|row| row.number);
        u64::try_from(before - self.rows.len()).unwrap_or(0)
    }

    /// The rows, some at a time.
    pub(super) fn chunks(&self, size: usize) -> impl Iterator<Item = &[Row]> {
        self.rows.chunks(size)
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.rows.len()).unwrap_or(u64::MAX)
    }

    /// A row as somebody who registers now.
    pub(super) fn subscriber(&self, row: Row, now: Timestamp) -> Option<Subscriber> {
        let choice = self.choices.get(usize::try_from(row.choice).ok()?)?;
        Some(Subscriber {
            status: choice.status,
            language: choice.language.clone(),
            time_zone: choice.time_zone.clone(),
            clock: choice.clock,
            quiet: choice.quiet,
            copy_to: choice.copy_to,
            ..Subscriber::new(row.number, now)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Told(Vec<(u64, String)>);

    impl Refuse for Told {
        fn header(&mut self, _: &ByteRecord) -> io::Result<()> {
            Ok(())
        }
        fn row(&mut self, refused: &Refused<'_>) -> io::Result<()> {
            self.0.push((refused.line, refused.reason.clone()));
            Ok(())
        }
    }

    fn numbering() -> Numbering {
        Numbering::new("86", "0", "00")
    }

    fn listed(text: &[u8]) -> (List, Vec<(u64, String)>) {
        let mut told = Told::default();
        let list = read(text, &numbering(), &mut told).unwrap();
        (list, told.0)
    }

    fn people(list: &List) -> Vec<Subscriber> {
        list.rows.iter().map(|row| list.subscriber(*row, Timestamp::from_millis(1)).unwrap()).collect()
    }

    #[test]
    fn columns_come_in_any_order_and_numbers_as_the_network_writes_them() {
        let text = "\u{feff}Language, number ,STATUS\r\nen,+86 138-0000-0001,suspended\r\n,13800000002,\r\n\"zh-CN\",00447700900123,active\r\n";
        let (list, refused) = listed(text.as_bytes());
        assert_eq!(refused, []);
        assert_eq!(list.given, Given { status: true, language: true, ..Given::default() });
        let found: Vec<_> =
            people(&list).iter().map(|one| (one.number.as_u64(), one.status, one.language.clone())).collect();
        assert_eq!(
            found,
            [
                (8_613_800_000_001, SubscriberStatus::Suspended, Some(Language::en())),
                (8_613_800_000_002, SubscriberStatus::Active, None),
                (447_700_900_123, SubscriberStatus::Active, Some(Language::zh_cn())),
            ]
        );
    }

    #[test]
    fn each_row_that_cannot_be_used_is_told_with_its_line_and_the_others_are_taken() {
        let text = b"number,status,language,time_zone\n+8613800000001,,,\nabc,,,\n8.61E+12,,,\n,,,\n+8613800000002,gone,,\n\
            +8613800000003,,e,\n+8613800000004,,,Mars/Olympus\n+8613800000005\n\n+8613800000006,,\xff,\n12,,,\n+8613800000007,active,en,Asia/Tokyo\n";
        let (list, refused) = listed(text);
        assert_eq!(list.len(), 2);
        let lines: Vec<u64> = refused.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9, 10, 12]);
        for (place, words) in [
            (0, "not a telephone number"),
            (1, "not a telephone number"),
            (2, "no number"),
            (3, "neither active nor suspended"),
            (4, "not a tag"),
            (5, "not a name like Asia/Shanghai"),
            (6, "the row has 1 fields, the first line 4"),
            (7, "not UTF-8"),
            (8, "fewer than 7 digits"),
        ] {
            assert!(refused[place].1.contains(words), "{:?}", refused[place]);
        }
    }

    #[test]
    fn what_people_chose_by_keyword_is_read_and_checked() {
        let text = b"number,clock,quiet,copy_to\n+8613800000001,12,22-7,013800000002\n+8613800000003,,,\n+8613800000004,13,,\n\
            +8613800000005,,22:00,\n+8613800000006,,,12\n+8613800000007,,,13800000007\n";
        let (list, refused) = listed(text);
        let found: Vec<_> = people(&list).iter().map(|one| (one.clock, one.quiet, one.copy_to)).collect();
        let other = Msisdn::try_from(8_613_800_000_002).unwrap();
        assert_eq!(
            found,
            [(Some(ClockFace::Twelve), DayWindow::parse("22:00-07:00").ok(), Some(other)), (None, None, None)]
        );
        for (place, words) in [
            (0, "clock is neither 12 nor 24"),
            (1, "quiet is not a window"),
            (2, "copy_to: "),
            (3, "the number itself"),
        ] {
            assert!(refused[place].1.contains(words), "{:?}", refused[place]);
        }
    }

    #[test]
    fn a_first_line_that_cannot_be_understood_says_what_to_write() {
        for (text, words) in [
            ("", "doesn't name the column 'number'"),
            ("+8613800000001\n", "names the column '+8613800000001'"),
            ("number;status\n1;2\n", "separated by commas"),
            ("number,since\n", "names the column 'since'"),
            ("number,Number\n", "twice"),
            ("status\n", "doesn't name the column 'number'"),
        ] {
            let error = read(text.as_bytes(), &numbering(), &mut Told::default()).unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_last_row_of_a_number_counts() {
        let (mut list, _) = listed(b"number,language\n+8613800000002,en\n+8613800000001,en\n013800000002,zh-CN\n");
        assert_eq!(list.order(Msisdn::as_u64), 1);
        let found: Vec<_> = people(&list).iter().map(|one| (one.number.as_u64() % 10, one.language.clone())).collect();
        assert_eq!(found, [(1, Some(Language::en())), (2, Some(Language::zh_cn()))]);
    }

    #[test]
    fn a_file_of_refused_rows_can_be_read_as_it_is_once_put_right() {
        let (list, refused) = listed(b"number,language,line,reason\n+8613800000001,en,2,was wrong\n");
        assert_eq!((list.len(), refused.len()), (1, 0));
    }
}
