//! The page that is served: samples in the Prometheus text format 0.0.4.

use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ingress::sip::SipStatus;
use smpp_client::{LinkState, LinkStatus};

use super::vocabulary::*;
use super::{BUCKETS, Histogram, Machine};

/// Samples as they are added; a metric's samples are brought together at the end.
pub(super) struct Page(String);

impl Page {
    pub(super) fn new() -> Self {
        Self(String::with_capacity(16 * 1024))
    }

    pub(super) fn sample(&mut self, of: &Definition, labels: &[(&str, &str)], value: u64) {
        let suffix = if of.kind == "counter" { "_total" } else { "" };
        self.line(of.name, suffix, labels, &value.to_string());
    }

    fn line(&mut self, name: &str, suffix: &str, labels: &[(&str, &str)], value: &str) {
        let _ = write!(self.0, "afterring_{name}{suffix}");
        for (place, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if place == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    pub(super) fn own_histogram(&mut self, of: &Definition, histogram: &Histogram) {
        let counts = histogram.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let bounds = BUCKETS.into_iter().map(|bound| Duration::from_millis(bound).as_secs_f64());
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let sum = Duration::from_micros(histogram.micros.load(Ordering::Relaxed)).as_secs_f64();
        self.histogram(of, &[], &buckets, sum, histogram.count.load(Ordering::Relaxed));
    }

    fn histogram(&mut self, of: &Definition, labels: &[(&str, &str)], buckets: &[(f64, u64)], sum: f64, count: u64) {
        let mut below = 0;
        for (bound, within) in buckets {
            below += within;
            let bound = bound.to_string();
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.line(of.name, "_bucket", &labels, &below.to_string());
        }
        let all: Vec<_> = labels.iter().copied().chain([("le", "+Inf")]).collect();
        self.line(of.name, "_bucket", &all, &count.to_string());
        self.line(of.name, "_sum", labels, &sum.to_string());
        self.line(of.name, "_count", labels, &count.to_string());
    }

    pub(super) fn sip(&mut self, door: &SipStatus) {
        for peer in &door.peers {
            let name = ("peer", peer.name.as_str());
            for (result, calls) in &peer.results {
                self.sample(&SIP_CALLS, &[name, ("result", result.as_str())], *calls);
            }
            self.sample(&SIP_WAITING, &[name], peer.waiting);
        }
        for (from, calls) in &door.called {
            self.sample(&SIP_CALLED_FROM, &[("from", from.as_str())], *calls);
        }
        for (transport, open) in &door.connections {
            self.sample(&SIP_CONNECTIONS, &[("transport", transport.as_str())], *open);
        }
        for (why, ended) in &door.ended {
            self.sample(&SIP_CONNECTIONS_ENDED, &[("why", why.as_str())], *ended);
        }
        self.sample(&SIP_TRANSACTIONS, &[], door.transactions);
        self.sample(&SIP_REPEATS, &[], door.repeats);
        self.sample(&SIP_UNACKNOWLEDGED, &[], door.unacknowledged);
        self.sample(&SIP_CANCELLED, &[], door.cancelled);
        self.sample(&SIP_STRANGERS, &[], door.strangers);
        self.sample(&SIP_UNSENT, &[], door.unsent);
        let answers = &door.answer_seconds;
        self.buckets(&SIP_ANSWER_SECONDS, &[], answers.bounds, &answers.counts, answers.sum);
    }

    /// A histogram by its upper bounds and how many fell into each, one more than there are bounds.
    fn buckets(&mut self, of: &Definition, labels: &[(&str, &str)], bounds: &[f64], counts: &[u64], sum: f64) {
        let buckets: Vec<(f64, u64)> = bounds.iter().copied().zip(counts.iter().copied()).collect();
        self.histogram(of, labels, &buckets, sum, counts.iter().sum());
    }

    pub(super) fn link(&mut self, link: &LinkStatus) {
        let name = [("link", link.name.0.as_str())];
        let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let info = [name[0], ("smsc", link.smsc.0.as_str()), ("bind", link.bind.as_str())];
        self.sample(&LINK_INFO, &info, 1);
        self.sample(&LINK_UP, &name, u64::from(matches!(link.state, LinkState::Bound)));
        self.sample(&LINK_WINDOW, &name, count(link.window));
        self.sample(&LINK_IN_FLIGHT, &name, count(link.in_flight));
        self.sample(&LINK_RATE, &name, u64::from(link.rate));
        if let Some(rate) = link.slowed_to {
            self.sample(&LINK_SLOWED_TO, &name, u64::from(rate));
        }
        self.sample(&LINK_THROTTLED, &name, u64::from(link.throttled));
        self.line(LINK_THROTTLED_SECONDS.name, "_total", &name, &link.throttled_for.as_secs_f64().to_string());
        let counts = &link.counts;
        self.sample(&LINK_SUBMITS, &name, counts.submits);
        for (outcome, value) in [
            ("accepted", counts.accepted),
            ("later", counts.later),
            ("refused", counts.refused),
            ("not_sent", counts.not_sent),
            ("in_doubt", counts.in_doubt),
            ("late_answer", counts.late_answers),
        ] {
            self.sample(&LINK_OUTCOMES, &[name[0], ("outcome", outcome)], value);
        }
        self.sample(&LINK_RECEIVED, &[name[0], ("kind", "receipt")], counts.receipts);
        self.sample(&LINK_RECEIVED, &[name[0], ("kind", "reply")], counts.replies);
        self.sample(&LINK_RECEIVED, &[name[0], ("kind", "ignored")], counts.ignored_replies);
        self.sample(&LINK_RECEIVED, &[name[0], ("kind", "refused")], counts.refused_inbound);
        self.sample(&LINK_DISAGREEING_RECEIPTS, &name, counts.disagreeing_receipts);
        self.sample(&LINK_BAD_PDUS, &name, counts.bad_pdus + counts.unknown_answers);
        self.sample(&LINK_CONNECTS, &name, counts.connects);
        self.sample(&LINK_DISCONNECTS, &name, counts.disconnects);
        self.sample(&LINK_ORDERED_AWAY, &name, u64::from(link.ordered.is_some()));
        for (by, why, ends) in &link.ends {
            self.sample(&LINK_CLOSED, &[name[0], ("by", by.as_str()), ("why", why)], *ends);
        }
        self.sample(&LINK_THROTTLES, &name, counts.throttles);
        self.sample(&LINK_UPDATES, &name, counts.updates);
        for (asks, ability) in link.abilities.words() {
            self.sample(&LINK_ABILITY, &[name[0], ("asks", asks), ("ability", ability)], 1);
        }
        let answers = &link.answer_seconds;
        self.buckets(&LINK_ANSWER_SECONDS, &name, answers.bounds, &answers.counts, answers.sum);
    }

    pub(super) fn machine(&mut self, machine: &Machine) {
        if let Some(memory) = machine.memory {
            self.sample(&MEMORY, &[], memory);
        }
        if let Some(seconds) = machine.processor_seconds {
            self.line(PROCESSOR_SECONDS.name, "_total", &[], &seconds.to_string());
        }
        if let Some(open) = machine.open_files {
            self.sample(&OPEN_FILES, &[], open);
        }
        if let Some((free, size)) = machine.disk {
            self.sample(&STORE_FREE, &[], free);
            self.sample(&STORE_SIZE, &[], size);
        }
    }

    /// Puts HELP and TYPE above each metric's samples, in the order of the vocabulary.
    pub(super) fn sorted(self) -> String {
        let mut page = String::with_capacity(self.0.len() * 2);
        for Definition { name, kind, help, .. } in VOCABULARY {
            let suffix = if *kind == "counter" { "_total" } else { "" };
            let _ = writeln!(page, "# HELP afterring_{name}{suffix} {help}\n# TYPE afterring_{name}{suffix} {kind}");
            let full = format!("afterring_{name}");
            let own = |line: &&str| {
                let rest = line.strip_prefix(full.as_str()).unwrap_or("-");
                let rest = ["_total", "_bucket", "_sum", "_count"]
                    .into_iter()
                    .find_map(|part| rest.strip_prefix(part).filter(|rest| rest.starts_with(['{', ' '])))
                    .unwrap_or(rest);
                rest.starts_with(['{', ' '])
            };
            for line in self.0.lines().filter(own) {
                page.push_str(line);
                page.push('\n');
            }
        }
        page
    }
}
