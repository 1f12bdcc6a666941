//! The settings: read from layers, typed as they are used, with every fault told at once.
//!
//! ```text
//! defaults < preset of the command < file < environment < --set
//!        each layer: a figment provider of texts (layer.rs)
//!                       ▼ merged (reader.rs)
//!        each key: its text, read by its form (form.rs, smsc, sip, policy.rs)
//!                       ▼
//!        Settings, or Faults: key, place, value, problem, what is valid
//! ```

mod access;
mod docs;
mod fault;
mod form;
mod keys;
mod layer;
mod pem;
mod policy;
mod reader;
mod reload;
mod show;
mod sip;
mod smsc;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use console::access::AccessSettings;
use ingress::sip::SipSettings;
use ingress::tls::TlsFiles;
use model::{Language, Numbering, Secret, ShortNumber};
use routing::text::Texts;
use routing::{Audience, ClockFace, Keywords, Policy, Ranges};
use smpp_client::LinkSettings;
use store::{PostgresSettings, Retention};

use crate::traces::{self, TraceSettings};

pub use docs::markdown;
pub use fault::{Fault, Faults};
pub use keys::DEFAULTS;
pub use reader::{Shown, Sources};
pub use reload::{Origin, Reread};
pub use show::{digest, effective};

use access::{access, listener};
use fault::Problems;
use form::{DAY, HOUR, MINUTE};
use layer::{Layer, Raw};
use reader::Reader;

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The local store.
    pub store: StoreSettings,
    /// The binds to SMSCs, in the order of the URLs; empty where none is configured.
    pub links: Vec<LinkSettings>,
    /// Calls by SIP.
    pub sip: SipSettings,
    /// Calls by HTTP.
    pub http: HttpDoor,
    /// Console, operators' API, health and metrics.
    pub admin: Listener,
    /// Who is let in there, and which tokens the calls API takes.
    pub access: AccessSettings,
    /// How numbers are written in this network.
    pub numbering: Numbering,
    /// What decisions are taken by.
    pub policy: Policy,
    /// The database that nodes share; `None`: the local store holds everything.
    pub database: Option<PostgresSettings>,
    /// Logs.
    pub log: LogSettings,
    /// Where traces go; `None`: nowhere.
    pub traces: Option<TraceSettings>,
    /// How long work in hand may take to finish.
    pub stop_grace: Duration,
    /// Every setting as it may be shown, secrets hidden.
    pub shown: Vec<Shown>,
    /// Where they came from, to be read anew.
    pub origin: Origin,
}

/// The local store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreSettings {
    /// Its directory.
    pub dir: PathBuf,
    /// How long what was decided is kept.
    pub retention: Retention,
}

/// A listener that a token may protect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Where it listens; `None`: off.
    pub listen: Option<SocketAddr>,
    /// What who comes may show.
    pub token: Option<Secret>,
    /// What it shows to those who come by TLS; `None`: it speaks in the clear.
    pub tls: Option<TlsFiles>,
}

/// Calls by HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpDoor {
    /// Where, and for whom.
    pub listener: Listener,
    /// Most octets of a request.
    pub body_limit: usize,
    /// Most calls of a request.
    pub batch_limit: usize,
    /// How far ahead a call's time may be.
    pub future_limit: Duration,
    /// How long ago a call's time may be.
    pub past_limit: Duration,
    /// How long the journal may take before the request is answered 503.
    pub answer_timeout: Duration,
}

/// Logs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSettings {
    /// What is logged, a filter of `tracing_subscriber`.
    pub filter: String,
    /// How lines are written.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// What a command needs that talks to a running gateway.
#[derive(Clone, Debug)]
pub struct Contact {
    /// The calls API.
    pub http: Listener,
    /// The operators' listener.
    pub admin: Listener,
}

/// What a command needs that reads messages as the SIP door does.
#[derive(Clone, Debug)]
pub struct SipReading {
    /// How the door reads and answers.
    pub sip: SipSettings,
    /// What each number means that calls are forwarded to.
    pub numbers: BTreeMap<ShortNumber, Audience>,
}

/// What a command needs that shows texts.
#[derive(Clone, Debug)]
pub struct Writing {
    /// The ranges, which may have texts of their own.
    pub ranges: Ranges,
    /// What people may text.
    pub keywords: Keywords,
    /// Most parts of one message.
    pub max_parts: usize,
    /// What we write.
    pub texts: Texts,
    /// For people who chose none.
    pub language: Language,
    /// For people of whom no other is known.
    pub time_zone: String,
    /// How times are written for people of whom nothing else is known.
    pub clock: ClockFace,
}

/// What a command needs that works with the registry itself.
#[derive(Clone, Debug)]
pub struct Registry {
    /// The local store, which holds the registry where there is no database.
    pub store: StoreSettings,
    /// The database that nodes share, if there is one.
    pub database: Option<PostgresSettings>,
    /// How numbers are written in this network.
    pub numbering: Numbering,
}

impl Settings {
    /// Reads all settings.
    ///
    /// # Errors
    /// With every fault found in any layer.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        Self::load_below(sources, None)
    }

    fn load_below(sources: &Sources, held: Option<Layer>) -> Result<Self, Faults> {
        let mut reader = Reader::open_below(sources, held);
        let settings = settings(&mut reader, sources);
        match settings {
            Some(settings) if reader.is_sound() => Ok(settings),
            _ => Err(reader.faults()),
        }
    }

    /// The defaults with what the demo sets instead; nothing of the machine is read, so the demo is the same everywhere.
    ///
    /// # Errors
    /// With every fault of what is set.
    pub fn for_demo<'a>(preset: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Faults> {
        let preset = preset.into_iter().map(|(path, value)| (path.to_owned(), value.to_owned())).collect();
        Self::load(&Sources { preset, ..Sources::default() })
    }
}

impl Contact {
    /// Reads what a command needs that talks to a running gateway; other settings may be missing or wrong.
    ///
    /// # Errors
    /// With the faults of the listeners and of the layers themselves.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let mut reader = Reader::open(sources);
        let (http, admin) = (listener(&mut reader, "http"), listener(&mut reader, "admin"));
        match (http, admin) {
            (Some(http), Some(admin)) if reader.is_sound() => Ok(Self { http, admin }),
            _ => Err(reader.faults()),
        }
    }
}

impl SipReading {
    /// Reads what a command needs that reads messages as the SIP door does; other settings may be missing or wrong.
    ///
    /// # Errors
    /// With the faults of these settings and of the layers themselves.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let mut reader = Reader::open(sources);
        let numbering = policy::numbering(&mut reader);
        let sip = sip::reading(&mut reader, numbering.as_ref());
        let numbers = policy::numbers(&mut reader, numbering.as_ref());
        match (sip, numbers) {
            (Some(sip), Some(numbers)) if reader.is_sound() => Ok(Self { sip, numbers }),
            _ => Err(reader.faults()),
        }
    }
}

impl Writing {
    /// Reads what a command needs that shows texts; other settings may be missing or wrong.
    ///
    /// # Errors
    /// With the faults of these settings and of the layers themselves.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let mut reader = Reader::open(sources);
        let writing = policy::writing(&mut reader);
        match writing {
            Some(writing) if reader.is_sound() => Ok(writing),
            _ => Err(reader.faults()),
        }
    }
}

impl Registry {
    /// Reads what a command needs that works with the registry itself; other settings may be missing or wrong.
    ///
    /// # Errors
    /// With the faults of these settings and of the layers themselves.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let mut reader = Reader::open(sources);
        let (store, numbering) = (store(&mut reader), policy::numbering(&mut reader));
        let database = database(&mut reader, store.as_ref());
        match (store, database, numbering) {
            (Some(store), Some(database), Some(numbering)) if reader.is_sound() => {
                Ok(Self { store, database, numbering })
            }
            _ => Err(reader.faults()),
        }
    }
}

/// A length of time as settings write it (`250ms`, `60s`, `1h30m`), within bounds, both included.
///
/// # Errors
/// With what is wrong with it.
pub fn length_of_time(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    form::duration_between(text, least, most).map_err(|Problems(problems)| problems.join("; "))
}

/// Where users and tokens are; other settings may be missing or wrong.
///
/// # Errors
/// With the faults of this setting and of the layers themselves.
pub fn users_place(sources: &Sources) -> Result<PathBuf, Faults> {
    let mut reader = Reader::open(sources);
    let store = store(&mut reader);
    let place = access::users_file(&mut reader, store.as_ref());
    match place {
        Some(place) if reader.is_sound() => Ok(place),
        _ => Err(reader.faults()),
    }
}

/// Every setting in force as it may be shown, also when some are wrong.
#[must_use]
pub fn in_force(sources: &Sources) -> Vec<Shown> {
    Reader::open(sources).shown()
}

/// Reads every section, also when one before it is wrong: all faults are told together.
fn settings(reader: &mut Reader, sources: &Sources) -> Option<Settings> {
    let store = store(reader);
    let numbering = policy::numbering(reader);
    let smscs = smsc::smscs(reader, numbering.as_ref());
    let sip = sip::door(reader, numbering.as_ref());
    let http = http(reader);
    let admin = listener(reader, "admin");
    let access = access(reader, store.as_ref(), admin.as_ref(), http.as_ref().map(|http| &http.listener));
    let mut policy = policy::policy(reader, numbering.as_ref());
    if let (Some(smsc::Smscs { links, updates }), Some(policy)) = (&smscs, &mut policy) {
        policy::take_updates(reader, policy, links, updates.clone());
    }
    let acknowledge = reader.text("ingress.acknowledge_after", acknowledge_after);
    let database = database(reader, store.as_ref());
    let log = log(reader);
    let traces = traces(reader);
    let stop_grace = time(reader, "stop.grace", Duration::from_secs(1), MINUTE * 10);
    if let (Some(store), Some(policy)) = (&store, &policy)
        && store.retention.calls < policy.limits.dedup_window.max(policy.limits.max_age)
    {
        let problem = "shorter than ingress.dedup_window or alert.max_age: a call reported again would be told twice";
        reader.fault("retention.calls", problem.to_owned());
    }
    acknowledge?;
    Some(Settings {
        store: store?,
        links: smscs?.links,
        sip: sip?,
        http: http?,
        admin: admin?,
        access: access?,
        numbering: numbering?,
        policy: policy?,
        database: database?,
        log: log?,
        traces: traces?,
        stop_grace: stop_grace?,
        shown: reader.shown(),
        origin: Origin::new(sources.clone(), reader.written()),
    })
}

/// Stands in where settings are only looked at for their faults, and nobody gets them.
const fn no_numbering() -> Numbering {
    Numbering {
        country_code: String::new(),
        national_prefix: String::new(),
        international_prefix: String::new(),
        shortest_national: 0,
    }
}

/// A length of time within bounds.
fn time(reader: &mut Reader, path: &str, least: Duration, most: Duration) -> Option<Duration> {
    reader.text(path, |text| form::duration_between(text, least, most))
}

/// The database; every key is read, also where there is none.
fn database(reader: &mut Reader, store: Option<&StoreSettings>) -> Option<Option<PostgresSettings>> {
    let url = reader.take("database.url", database_url);
    let ca = reader.text("database.ca", |text| Ok((!text.is_empty()).then(|| PathBuf::from(text))));
    let node_name = reader.text("database.node", |text| Ok(node_name(text)));
    let migrate = reader.text("database.migrate", |text| form::choice(text, &[("true", true), ("false", false)]));
    let pool = reader.text("database.pool", |text| form::count(text, 1, 100));
    let lease = time(reader, "database.lease", Duration::from_secs(5), DAY);
    let interval = time(reader, "health.interval", Duration::from_millis(100), MINUTE * 5);
    let timeout = time(reader, "health.timeout", Duration::from_millis(50), Duration::from_secs(10));
    let (ca, node_name, migrate, pool) = (ca?, node_name?, migrate?, pool?);
    let (lease, interval, timeout, retention) = (lease?, interval?, timeout?, store?.retention);
    let settings = |url| PostgresSettings { url, ca, node_name, pool, interval, timeout, migrate, lease, retention };
    Some(url?.map(settings))
}

fn database_url(raw: &Raw) -> Result<Option<Secret>, Problems> {
    match form::text(raw)? {
        "" => Ok(None),
        url => match PostgresSettings::check(url) {
            Ok(()) => Ok(Some(Secret::new(url.to_owned()))),
            Err(error) => Err(error.to_string().into()),
        },
    }
}

/// What was given, else the host's name.
pub(crate) fn node_name(given: &str) -> String {
    let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = if given.is_empty() { host() } else { given.to_owned() };
    name.trim().chars().filter(|letter| !letter.is_control()).take(64).collect()
}

fn acknowledge_after(text: &str) -> Result<(), Problems> {
    form::choice(text, &[("journal", Ok(())), ("database", Err(()))])?
        .map_err(|()| "is not in this version: what is accepted is on the local disk".into())
}

fn store(reader: &mut Reader) -> Option<StoreSettings> {
    let dir = reader.text("store.dir", |text| match text {
        "" => Err("a directory is needed".into()),
        text => Ok(PathBuf::from(text)),
    });
    let calls = time(reader, "retention.calls", HOUR, DAY * 3650);
    let texts = reader.text("retention.texts", |text| match text {
        "" => Ok(None),
        text => form::duration_between(text, DAY, DAY * 3650).map(Some),
    });
    let evidence = time(reader, "retention.evidence", DAY, DAY * 36_500);
    let (dir, calls, texts, evidence) = (dir?, calls?, texts?, evidence?);
    Some(StoreSettings { dir, retention: Retention { calls, texts: texts.unwrap_or(calls).min(calls), evidence } })
}

fn http(reader: &mut Reader) -> Option<HttpDoor> {
    let listener = listener(reader, "http");
    let body_limit = reader.text("http.body_limit", |text| form::octets(text, 1024, 64 * 1024 * 1024));
    let batch_limit = reader.text("http.batch_limit", |text| form::count(text, 1, 100_000));
    let future_limit = time(reader, "http.future_limit", Duration::ZERO, DAY * 7);
    let past_limit = time(reader, "http.past_limit", MINUTE, DAY * 365);
    let answer_timeout = time(reader, "http.answer_timeout", Duration::from_millis(100), MINUTE * 5);
    Some(HttpDoor {
        listener: listener?,
        body_limit: body_limit?,
        batch_limit: batch_limit?,
        future_limit: future_limit?,
        past_limit: past_limit?,
        answer_timeout: answer_timeout?,
    })
}

/// Where traces go; every key is read, also where they go nowhere.
fn traces(reader: &mut Reader) -> Option<Option<TraceSettings>> {
    let endpoint =
        reader.text("telemetry.otlp_endpoint", |text| match text {
            "" => Ok(None),
            _ if !traces::BUILT => Err("this program was built without traces: take one with the feature otlp".into()),
            text if text.starts_with("http://") && !text.contains(['?', '#', '@', ' ']) => Ok(Some(text.to_owned())),
            _ => Err("not an http:// address: a collector on this machine or network takes it, and speaks TLS onwards"
                .into()),
        });
    let sample = reader.text("telemetry.sample", |text| match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("not a share".into()),
    });
    let (endpoint, sample) = (endpoint?, sample?);
    Some(endpoint.map(|endpoint| TraceSettings { endpoint, sample }))
}

fn log(reader: &mut Reader) -> Option<LogSettings> {
    let filter =
        reader.text("log.filter", |text| crate::telemetry::filter(text).map(|_| text.to_owned()).map_err(Into::into));
    let words = [("auto", LogFormat::Auto), ("json", LogFormat::Json), ("text", LogFormat::Text)];
    let format = reader.text("log.format", |text| form::choice(text, &words));
    Some(LogSettings { filter: filter?, format: format? })
}

#[cfg(test)]
mod tests;
