//! What a load gave, and how it is printed.

use crate::callers::Heard;
use crate::journal::Agreement;

/// What a load gave.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) heard: Heard,
    /// What is in the journal.
    pub(crate) journal: Agreement,
    /// Processor time of the whole gateway, until every call was decided, in seconds.
    pub(crate) gateway_cpu: f64,
    /// Processor time of the thread that serves SIP; `None` when there is no such thread.
    pub(crate) sip_cpu: Option<f64>,
    /// Requests that the gateway saw again.
    pub(crate) repeats: f64,
    /// Final responses that were given up without an ACK.
    pub(crate) unacknowledged: f64,
    /// From INVITE to final response by the gateway's own histogram.
    pub(crate) own_p50_ms: f64,
    pub(crate) own_p99_ms: f64,
    pub(crate) peak_mib: f64,
    /// Resident memory by tenths of the time that calls came.
    pub(crate) memory_mib: Vec<f64>,
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn micros_per_call(&self, seconds: f64) -> f64 {
        seconds * 1e6 / (self.heard.offered.max(1) as f64)
    }

    /// What Kamailio is compared with: processor time of the thread that serves SIP per call, in microseconds.
    pub(crate) fn sip_micros(&self) -> Option<f64> {
        self.sip_cpu.map(|seconds| self.micros_per_call(seconds))
    }

    pub(crate) fn print(&self, name: &str) {
        let Heard { offered, released, refused, failed, repeated, .. } = &self.heard;
        println!("\n{name}");
        println!("  offered                 {:>10.0} calls/s ({offered} calls)", self.heard.rate());
        println!(
            "  released                {:>10} calls ({} refused with 503, {failed} failed)",
            released.len(),
            refused.len()
        );
        let Agreement { calls, unheard, refused } = self.journal;
        println!(
            "  in the journal          {calls:>10} calls, each once ({unheard} whose caller heard nothing, {refused} refused and then repeated)"
        );
        println!(
            "  sent again              {repeated:>10} INVITEs ({:.0} requests came again, {:.0} responses never acknowledged)",
            self.repeats, self.unacknowledged
        );
        print_times(&self.heard);
        println!("  the same, by itself     {:>10.1} ms p50 {:>10.1} ms p99", self.own_p50_ms, self.own_p99_ms);
        println!("  CPU, gateway            {:>10.0} µs/call", self.micros_per_call(self.gateway_cpu));
        match self.sip_micros() {
            Some(micros) => println!("  CPU, SIP side           {micros:>10.0} µs/call"),
            None => println!("  CPU, SIP side                    ? no thread of its own"),
        }
        println!("  CPU, sipp               {:>10.0} µs/call", self.micros_per_call(self.heard.cpu));
        println!("  peak memory, gateway    {:>10.0} MiB", self.peak_mib);
        let tenths: Vec<String> = self.memory_mib.iter().map(|mib| format!("{mib:.0}")).collect();
        println!("  memory, tenths of it    {:>10} MiB", tenths.join(" "));
    }
}

/// What Kamailio gave.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    pub(crate) heard: Heard,
    /// Processor time of all its processes, in seconds.
    pub(crate) cpu: f64,
}

impl Beside {
    /// Prints it, and what the SIP side of the gateway took of the same calls.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn print(&self, name: &str, ours: Option<&Figures>) {
        let micros = self.cpu * 1e6 / (self.heard.offered.max(1) as f64);
        println!("\n{name}");
        println!("  offered                 {:>10.0} calls/s ({} calls)", self.heard.rate(), self.heard.offered);
        println!("  answered                {:>10} calls", self.heard.released.len());
        print_times(&self.heard);
        println!("  CPU, Kamailio           {micros:>10.0} µs/call");
        if let Some(ours) = ours.and_then(Figures::sip_micros) {
            println!("  CPU, SIP side beside it {:>10.1} times that", ours / micros.max(0.1));
        }
    }
}

fn print_times(heard: &Heard) {
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| heard.within(share));
    println!("  INVITE to final         {p50:>10.1} ms p50 {p99:>10.1} ms p99 {most:>10.1} ms at most");
}
