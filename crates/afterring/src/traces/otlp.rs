//! Traces by OTLP over HTTP, protobuf. Ids follow from the alert's id, so that no span is kept for another; what the collector doesn't take in time is
//! dropped: it never slows the gateway.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use model::{AlertId, Clock, Submit, SubmitOutcome};
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _};
use routing::Verdict;
use sha2::{Digest as _, Sha256};
use smpp_client::Answer;
use store::{Journaled, Outcome};

use super::TraceSettings;

/// How long the collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last spans may take when the gateway stops.
const LAST: Duration = Duration::from_secs(2);
/// Submits whose answer is awaited at most; more are not traced.
const AWAITED: usize = 10_000;

/// Where spans go; nowhere unless an endpoint is set. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Traces(Option<Arc<Sender>>);

#[derive(Debug)]
struct Sender {
    spans: BatchSpanProcessor,
    clock: Clock,
    /// What ids of other nodes don't follow from.
    node: String,
    /// Of 2⁶⁴ ids, those below are traced.
    below: u128,
    batches: AtomicU64,
    awaited: Mutex<HashMap<(AlertId, u32), Instant>>,
}

/// A span to be.
struct Part {
    name: &'static str,
    kind: SpanKind,
    own: SpanContext,
    parent: SpanId,
    link: Option<SpanContext>,
    begun: Instant,
    failed: bool,
    attributes: Vec<KeyValue>,
}

impl Traces {
    /// Begins to send.
    #[must_use]
    pub fn start(settings: Option<&TraceSettings>, node: &str, clock: Clock) -> Self {
        let Some(TraceSettings { endpoint, sample }) = settings else { return Self(None) };
        let settings =
            ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).proxy(None);
        let agent = settings.build().new_agent();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client { agent, failing: AtomicBool::new(false) })
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(PATIENCE)
            .build();
        let exporter = match exporter {
            Ok(exporter) => exporter,
            Err(error) => {
                tracing::error!(%error, "no traces are sent");
                return Self(None);
            }
        };
        let mut spans = BatchSpanProcessor::builder(exporter).build();
        let attributes = [
            KeyValue::new("service.name", "afterring"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", node.to_owned()),
        ];
        spans.set_resource(&Resource::builder_empty().with_attributes(attributes).build());
        // Exact at both ends: nothing is traced at 0, everything at 1.
        let below = (sample.clamp(0.0, 1.0) * 2f64.powi(64)) as u128;
        let (batches, awaited) = (AtomicU64::new(0), Mutex::default());
        Self(Some(Arc::new(Sender { spans, clock, node: node.to_owned(), below, batches, awaited })))
    }

    /// Now, where there are traces.
    #[must_use]
    pub fn begin(&self) -> Option<Instant> {
        self.0.as_ref().map(|_| Instant::now())
    }

    /// Calls of the doors were journaled, or could not be.
    pub fn appended(&self, begun: Option<Instant>, calls: usize, stored: bool) {
        let (Some(sender), Some(begun)) = (&self.0, begun) else { return };
        let Some(own) = sender.batch("append") else { return };
        let attributes = vec![KeyValue::new("afterring.calls", count(calls))];
        let part =
            Part { name: "append", kind: SpanKind::Server, begun, failed: !stored, attributes, ..Part::of(own, begun) };
        sender.end(part);
    }

    /// A batch was decided.
    pub fn settled(&self, begun: Option<Instant>, outcomes: &[Outcome], batch: &[Journaled]) {
        let (Some(sender), Some(begun)) = (&self.0, begun) else { return };
        let settle = sender.batch("settle");
        if let Some(own) = &settle {
            let mut verdicts: HashMap<&'static str, usize> = HashMap::new();
            for outcome in outcomes {
                *verdicts.entry(outcome.verdict.words().0).or_default() += 1;
            }
            let verdicts =
                verdicts.into_iter().map(|(what, many)| KeyValue::new(format!("afterring.{what}"), count(many)));
            let attributes =
                std::iter::once(KeyValue::new("afterring.events", count(batch.len()))).chain(verdicts).collect();
            sender.end(Part { name: "settle", attributes, ..Part::of(own.clone(), begun) });
        }
        let mut batch = batch.iter();
        for outcome in outcomes {
            // Outcomes are in the order of the batch.
            let Some(journaled) = batch.find(|journaled| journaled.seq == outcome.seq) else { continue };
            let is_decision = matches!(outcome.verdict, Verdict::Send(_));
            let name = if is_decision { "decide" } else { outcome.event };
            if !is_decision && outcome.event != "receipt" {
                continue;
            }
            for alert in outcome.alerts.iter().filter(|alert| sender.takes(alert.id)) {
                let (what, why) = outcome.verdict.words();
                let (parent, own) = match is_decision {
                    true => (SpanId::INVALID, sender.context(alert.id, "decide")),
                    // There may be several.
                    false => (
                        sender.span(alert.id, "decide"),
                        sender.context(alert.id, &format!("receipt {}", outcome.seq.0)),
                    ),
                };
                let part = Part {
                    name,
                    kind: SpanKind::Internal,
                    parent,
                    link: settle.clone(),
                    attributes: vec![
                        KeyValue::new("afterring.alert", alert.id.0),
                        KeyValue::new("afterring.event", outcome.event),
                        KeyValue::new("afterring.verdict", what),
                        KeyValue::new("afterring.why", why),
                        KeyValue::new("afterring.kind", alert.kind.as_str()),
                    ],
                    ..Part::of(own, journaled.since)
                };
                sender.end(part);
            }
        }
    }

    /// Alerts are handed to links.
    pub fn leased(&self, orders: &[Submit]) {
        let Some(sender) = &self.0 else { return };
        let mut awaited = sender.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for order in orders.iter().filter(|order| sender.takes(order.alert)) {
            if awaited.len() < AWAITED {
                awaited.insert((order.alert, order.attempt), now);
            }
        }
    }

    /// SMSCs answered, or didn't in time.
    pub fn answered(&self, answers: &[Answer]) {
        let Some(sender) = &self.0 else { return };
        for answer in answers.iter().filter(|answer| sender.takes(answer.alert)) {
            let begun = {
                let mut awaited = sender.awaited.lock().unwrap_or_else(PoisonError::into_inner);
                awaited.remove(&(answer.alert, answer.attempt))
            };
            let Some(begun) = begun else { continue };
            let part = Part {
                name: "submit",
                kind: SpanKind::Client,
                parent: sender.span(answer.alert, "decide"),
                failed: !matches!(answer.outcome, SubmitOutcome::Accepted { .. }),
                attributes: vec![
                    KeyValue::new("afterring.alert", answer.alert.0),
                    KeyValue::new("afterring.attempt", i64::from(answer.attempt)),
                ],
                ..Part::of(sender.context(answer.alert, &format!("submit {}", answer.attempt)), begun)
            };
            sender.end(part);
        }
    }

    /// Sends what is left, within two seconds. Waits: not for a thread that others wait for.
    pub fn stop(&self) {
        if let Some(sender) = &self.0
            && let Err(error) = sender.spans.shutdown_with_timeout(LAST)
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

impl Part {
    fn of(own: SpanContext, begun: Instant) -> Self {
        let (kind, parent) = (SpanKind::Internal, SpanId::INVALID);
        Self { name: "", kind, own, parent, link: None, begun, failed: false, attributes: Vec::new() }
    }
}

impl Sender {
    fn digest(&self, words: &str) -> [u8; 32] {
        Sha256::digest(format!("{}\n{words}", self.node)).into()
    }

    /// Whether an alert is traced: the same answer each time it is asked.
    fn takes(&self, alert: AlertId) -> bool {
        self.below > u128::from(eight(&self.digest(&format!("sample {}", alert.0))))
    }

    fn span(&self, alert: AlertId, name: &str) -> SpanId {
        SpanId::from_bytes(eight(&self.digest(&format!("span {} {name}", alert.0))).to_be_bytes())
    }

    fn context(&self, alert: AlertId, name: &str) -> SpanContext {
        let [trace, other] = halves(&self.digest(&format!("trace {}", alert.0)));
        let trace = TraceId::from_bytes((u128::from(trace) << 64 | u128::from(other)).to_be_bytes());
        SpanContext::new(trace, self.span(alert, name), TraceFlags::SAMPLED, false, TraceState::NONE)
    }

    /// The context of a batch, where it is traced.
    fn batch(&self, name: &str) -> Option<SpanContext> {
        let number = self.batches.fetch_add(1, Ordering::Relaxed);
        // Batches of another life of this node must not have the same ids.
        let digest = self.digest(&format!("{name} {number} {}", (self.clock)().as_millis()));
        let [trace, other] = halves(&digest);
        let trace = TraceId::from_bytes((u128::from(trace) << 64 | u128::from(other)).to_be_bytes());
        let span = SpanId::from_bytes(other.to_be_bytes());
        (self.below > u128::from(trace_sample(&digest)))
            .then(|| SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE))
    }

    fn end(&self, part: Part) {
        let end_time = SystemTime::UNIX_EPOCH + Duration::from_millis((self.clock)().as_millis().unsigned_abs());
        let mut links = SpanLinks::default();
        links.links.extend(part.link.map(Link::with_context));
        self.spans.on_end(SpanData {
            span_context: part.own,
            parent_span_id: part.parent,
            parent_span_is_remote: false,
            span_kind: part.kind,
            name: part.name.into(),
            start_time: end_time.checked_sub(part.begun.elapsed()).unwrap_or(end_time),
            end_time,
            attributes: part.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links,
            status: if part.failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: InstrumentationScope::builder("afterring").build(),
        });
    }
}

fn eight(digest: &[u8; 32]) -> u64 {
    halves(digest)[0]
}

fn halves(digest: &[u8; 32]) -> [u64; 2] {
    let part = |from: usize| digest.iter().skip(from).take(8).fold(0, |sum: u64, octet| sum << 8 | u64::from(*octet));
    [part(0), part(8)]
}

/// Another part than that of which ids are made.
fn trace_sample(digest: &[u8; 32]) -> u64 {
    digest.iter().skip(16).take(8).fold(0, |sum: u64, octet| sum << 8 | u64::from(*octet))
}

fn count(many: usize) -> i64 {
    i64::try_from(many).unwrap_or(i64::MAX)
}

/// The HTTP client that the program has anyway. It is called on the exporter's own thread, which waits for nothing else.
#[derive(Debug)]
struct Client {
    agent: ureq::Agent,
    failing: AtomicBool,
}

impl Client {
    /// Says when it begins to fail, and when that is over; not of each batch.
    fn tell(&self, fault: Option<String>) {
        match (self.failing.swap(fault.is_some(), Ordering::Relaxed), fault) {
            (false, Some(fault)) => tracing::warn!(fault, "traces can't be sent: they are dropped"),
            (true, None) => tracing::info!("traces are sent again"),
            (true, Some(_)) | (false, None) => {}
        }
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let answered = self.agent.run(request.map(|body| body.to_vec()));
            let fault = match &answered {
                Ok(answer) if answer.status().is_success() => None,
                Ok(answer) => Some(answer.status().to_string()),
                Err(error) => Some(error.to_string()),
            };
            self.tell(fault);
            let mut answer = answered?;
            let body = answer.body_mut().read_to_vec()?;
            Ok(answer.map(|_| Bytes::from(body)))
        })
    }
}
