//! What a load gave, and how it is printed.

use crate::viewers::Seen;

/// What a load gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) told: f64,
    /// Calls of a person who was told of another call already: the made-up numbers meet now and then.
    pub(crate) capped: f64,
    pub(crate) intake_seconds: f64,
    pub(crate) total_seconds: f64,
    pub(crate) answer_p50_ms: f64,
    pub(crate) answer_p99_ms: f64,
    pub(crate) submit_p50: f64,
    pub(crate) submit_p99: f64,
    pub(crate) gateway_cpu: f64,
    pub(crate) simulator_cpu: f64,
    pub(crate) peak_mib: f64,
    /// Resident memory by tenths of the time that calls came.
    pub(crate) memory_mib: Vec<f64>,
    /// Processor time of the database, in seconds; 0 where there is none.
    pub(crate) database_cpu: f64,
    pub(crate) written_mib: f64,
    /// How many people looked at the console, and what that cost.
    pub(crate) viewers: Option<(u64, Seen)>,
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn accepted_f64(&self) -> f64 {
        self.accepted as f64
    }

    /// Calls per second, from the first that came to the last that the SMSC took.
    pub(crate) fn rate(&self) -> f64 {
        self.accepted_f64() / self.total_seconds
    }

    /// Half of [`Self::rate`], in whole calls.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is a small positive number")]
    pub(crate) fn half_the_rate(self) -> u64 {
        (self.rate() / 2.0) as u64
    }

    pub(crate) fn print(&self, name: &str) {
        let thousands = self.accepted_f64() / 1000.0;
        println!("\n{name}");
        println!("  accepted                {:>10} calls ({} refused)", self.accepted, self.refused);
        println!("  accepted, durable       {:>10.0} calls/s", self.accepted_f64() / self.intake_seconds);
        println!("  to submit_sm_resp       {:>10.0} calls/s", self.rate());
        println!("  HTTP answer             {:>10.1} ms p50 {:>10.1} ms p99", self.answer_p50_ms, self.answer_p99_ms);
        println!(
            "  accepted to submit      {:>10.1} ms p50 {:>10.1} ms p99",
            self.submit_p50 * 1000.0,
            self.submit_p99 * 1000.0
        );
        println!("  CPU, gateway            {:>10.3} s/1,000 calls", self.gateway_cpu / thousands);
        println!("  CPU, simulated SMSC     {:>10.3} s/1,000 calls", self.simulator_cpu / thousands);
        if self.database_cpu > 0.0 {
            println!("  CPU, Postgres           {:>10.3} s/1,000 calls", self.database_cpu / thousands);
        }
        println!("  peak memory, gateway    {:>10.0} MiB", self.peak_mib);
        let tenths: Vec<String> = self.memory_mib.iter().map(|mib| format!("{mib:.0}")).collect();
        println!("  memory, tenths of it    {:>10} MiB", tenths.join(" "));
        println!("  written to disk         {:>10.2} MiB/1,000 calls", self.written_mib / thousands);
        if let Some((viewers, seen)) = self.viewers {
            seen.print(viewers);
        }
    }
}
