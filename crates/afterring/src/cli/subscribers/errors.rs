//! Rows of a list that can't be used: written as CSV with the reason, so that they can be put right and imported.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Writer};

use super::list::{Refuse, Refused};

/// Where refused rows go.
pub(super) enum Place<'a> {
    /// Made when the first one comes.
    File(PathBuf),
    Terminal(&'a mut dyn Write),
}

/// Refused rows.
pub(super) struct Errors<'a> {
    place: Option<Place<'a>>,
    writer: Option<Writer<Box<dyn Write + 'a>>>,
    header: ByteRecord,
    /// How many there are.
    pub count: u64,
}

impl<'a> Errors<'a> {
    pub(super) fn to(place: Place<'a>) -> Self {
        Self { place: Some(place), writer: None, header: ByteRecord::new(), count: 0 }
    }

    /// Writes what is left.
    pub(super) fn end(mut self) -> io::Result<u64> {
        if let Some(writer) = &mut self.writer {
            writer.flush()?;
        }
        Ok(self.count)
    }

    fn begin(&mut self) -> io::Result<Option<Writer<Box<dyn Write + 'a>>>> {
        let to: Box<dyn Write + 'a> = match self.place.take() {
            Some(Place::File(path)) => Box::new(create(&path)?),
            Some(Place::Terminal(err)) => Box::new(err),
            None => return Ok(None),
        };
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(to);
        writer.write_byte_record(&with(&self.header, "line", "reason")).map_err(plain)?;
        Ok(Some(writer))
    }
}

impl Refuse for Errors<'_> {
    fn header(&mut self, fields: &ByteRecord) -> io::Result<()> {
        self.header = fields.clone();
        Ok(())
    }

    fn row(&mut self, refused: &Refused<'_>) -> io::Result<()> {
        self.count += 1;
        if self.writer.is_none() {
            self.writer = self.begin()?;
        }
        // A row that is too long or too short is written so that line and reason stand below their names.
        let mut fields = refused.fields.clone();
        fields.truncate(self.header.len());
        while fields.len() < self.header.len() {
            fields.push_field(b"");
        }
        match &mut self.writer {
            Some(writer) => {
                writer.write_byte_record(&with(&fields, &refused.line.to_string(), &refused.reason)).map_err(plain)
            }
            None => Ok(()),
        }
    }
}

fn with(fields: &ByteRecord, line: &str, reason: &str) -> ByteRecord {
    let mut row = fields.clone();
    row.push_field(line.as_bytes());
    row.push_field(reason.as_bytes());
    row
}

/// The fault below: the library's own conversion hides its kind, and with it a closed pipe.
pub(super) fn plain(error: csv::Error) -> io::Error {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::Error::other(text),
    }
}

/// A new file for this user alone, in the place of an old one: it holds people's numbers.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}
