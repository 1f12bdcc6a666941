//! How far it is: a bar on a terminal, else a line every ten per cent.

use std::io::{self, Write};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// Below so many rows it is over before anybody looks.
const WORTH_TELLING: u64 = 20_000;

/// How far an import is.
pub(super) struct Progress {
    verb: &'static str,
    total: u64,
    done: u64,
    tenths: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Nothing done yet.
    pub(super) fn new(verb: &'static str, total: u64, on_terminal: bool) -> Self {
        let bar = (on_terminal && total >= WORTH_TELLING).then(|| {
            let bar = ProgressBar::new(total);
            // The template is a constant that indicatif can read.
            if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {human_pos} of {human_len}, {eta} left") {
                bar.set_style(style);
            }
            bar.with_message(verb)
        });
        Self { verb, total, done: 0, tenths: 0, bar }
    }

    /// So many more are done.
    pub(super) fn add(&mut self, count: u64, err: &mut dyn Write) -> io::Result<()> {
        self.done += count;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            return Ok(());
        }
        let tenths = (self.done * 10).checked_div(self.total).unwrap_or(10);
        if self.total < WORTH_TELLING || tenths == self.tenths {
            return Ok(());
        }
        self.tenths = tenths;
        let (done, total) = (HumanCount(self.done), HumanCount(self.total));
        writeln!(err, "{} {done} of {total} ({} %)", self.verb, self.done * 100 / self.total.max(1))
    }

    /// Takes the bar away.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_is_told_once_and_a_short_list_not_at_all() {
        let told = |total: u64, chunk: u64| {
            let (mut err, mut progress) = (Vec::new(), Progress::new("imported", total, false));
            for _ in 0..total.div_ceil(chunk) {
                progress.add(chunk.min(total - progress.done), &mut err).unwrap();
            }
            String::from_utf8(err).unwrap()
        };
        let lines = told(1_000_000, 9_000);
        assert_eq!(lines.lines().count(), 10, "{lines}");
        assert!(lines.starts_with("imported 108,000 of 1,000,000 (10 %)\n"), "{lines}");
        assert!(lines.ends_with("imported 1,000,000 of 1,000,000 (100 %)\n"), "{lines}");
        assert_eq!(told(19_999, 9_000), "");
    }
}
