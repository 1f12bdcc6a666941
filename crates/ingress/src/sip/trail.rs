//! What is noted on the way through a message, for `afterring sip explain`. Off, as in the door, a note costs one comparison.

use std::fmt::{self, Write as _};

use super::explain::{Field, Finding, Note};

/// The notes taken so far; `None` where nobody wants any.
pub(super) struct Trail(Option<Vec<Note>>);

/// Octets as they stand in a message: folds become spaces, other control characters and what is not UTF-8 are replaced.
pub(super) struct Written<'a>(pub(super) &'a [u8]);

impl Trail {
    /// Takes no notes.
    pub(super) const fn off() -> Self {
        Self(None)
    }

    /// Takes notes.
    pub(super) const fn on() -> Self {
        Self(Some(Vec::new()))
    }

    /// Whether notes are wanted.
    pub(super) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The notes, in order.
    pub(super) fn into_notes(self) -> Vec<Note> {
        self.0.unwrap_or_default()
    }

    /// Notes what counts, and how it was read.
    pub(super) fn taken(
        &mut self,
        field: Field,
        place: fmt::Arguments<'_>,
        written: &dyn fmt::Display,
        read: fmt::Arguments<'_>,
    ) {
        if let Some(notes) = &mut self.0 {
            let finding = Finding::Taken(read.to_string());
            notes.push(Note { field, place: place.to_string(), written: written.to_string(), finding });
        }
    }

    /// Notes what does not count, and why.
    pub(super) fn passed(
        &mut self,
        field: Field,
        place: fmt::Arguments<'_>,
        written: &dyn fmt::Display,
        why: &'static str,
    ) {
        if let Some(notes) = &mut self.0 {
            let finding = Finding::PassedOver(why);
            notes.push(Note { field, place: place.to_string(), written: written.to_string(), finding });
        }
    }
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0);
        for (place, line) in text.lines().enumerate() {
            if place > 0 {
                f.write_char(' ')?;
            }
            for shown in line.trim().chars() {
                f.write_char(if shown.is_control() { char::REPLACEMENT_CHARACTER } else { shown })?;
            }
        }
        Ok(())
    }
}
