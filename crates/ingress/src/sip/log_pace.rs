//! How often something that peers cause is written to the log.

use std::time::Duration;

use tokio::time::Instant;

/// How long the lines are counted.
const SPAN: Duration = Duration::from_secs(10);

/// Lines in each span: enough for every trunk of a small network to end at once.
const LINES: u32 = 20;

/// Lets some lines a while through, and counts the others. Metrics count them all.
#[derive(Debug)]
pub(super) struct LogPace {
    since: Instant,
    written: u32,
    left_out: u64,
}

impl LogPace {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: now, written: 0, left_out: 0 }
    }

    /// Whether a line may be written now: then, how many were left out before it.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.since) >= SPAN {
            (self.since, self.written) = (now, 0);
        }
        if self.written == LINES {
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
        let mut pace = LogPace::new(start);
        let written = (0..100).filter(|_| pace.admit(start).is_some()).count();
        assert_eq!(written, LINES as usize);
        assert_eq!(pace.admit(start + SPAN), Some(100 - u64::from(LINES)));
        assert_eq!(pace.admit(start + SPAN), Some(0));
    }
}
