//! How often something that peers cause is written to the log.

use std::time::Duration;

use tokio::time::Instant;

/// How long the lines are counted.
pub(super) const SPAN: Duration = Duration::from_secs(10);

/// Lines about connections in each span: enough for every trunk of a small network to end at once.
pub(super) const LINES: u32 = 20;

/// Lets some lines a while through, and counts the others. Metrics count them all.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogPace {
    /// Lines in each span.
    lines: u32,
    /// When the span began.
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl LogPace {
    pub(super) const fn new(lines: u32) -> Self {
        Self { lines, since: None, written: 0, left_out: 0 }
    }

    /// Whether a line may be written now: then, how many were left out before it.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= SPAN) {
            (self.since, self.written) = (Some(now), 0);
        }
        if self.written == self.lines {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_lines_a_while_are_written_and_the_others_counted() {
        let start = Instant::now();
        let mut pace = LogPace::new(LINES);
        let written = (0..100).filter(|_| pace.admit(start).is_some()).count();
        assert_eq!(written, LINES as usize);
        assert_eq!(pace.admit(start + SPAN), Some(100 - u64::from(LINES)));
        assert_eq!(pace.admit(start + SPAN), Some(0));
    }
}
