//! What one URL says: the settings that its links have in common, and which links there are to be.

use std::time::Duration;

use model::{LinkName, Numbering, Secret, SmscName, UpdateMode};
use smpp_client::{Bind, LinkSettings, Version};

use super::given::{Given, field};
use super::{dialect, tls, url};
use crate::config::fault::Problems;
use crate::config::form::{self, DAY, HOUR, MINUTE};
use crate::config::policy::update_mode;

/// Most binds to one SMSC; more are a slip, and SMSCs allow a handful.
const MOST_BINDS: u32 = 64;
/// Most submits unanswered at a time on one bind; SMSCs close the session long before.
const MOST_WINDOW: usize = 10_000;
/// Most submits per second.
const MOST_RATE: u32 = 100_000;

/// Which links a URL stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Shape {
    /// Links that bind for the same.
    #[default]
    Transceivers,
    Transmitters,
    Receivers,
    /// A transmitter and a receiver each.
    Pairs,
}

impl Shape {
    /// What the links of one bind are for, with what precedes their number in the name.
    pub(super) const fn binds(self) -> &'static [(&'static str, Bind)] {
        match self {
            Self::Transceivers => &[("", Bind::Transceiver)],
            Self::Transmitters => &[("", Bind::Transmitter)],
            Self::Receivers => &[("", Bind::Receiver)],
            Self::Pairs => &[("tx", Bind::Transmitter), ("rx", Bind::Receiver)],
        }
    }

    pub(super) fn receives(self) -> bool {
        self != Self::Transmitters
    }
}

/// What one URL says.
pub(super) struct Site {
    /// Whether the URL says the SMSC's name.
    pub named: bool,
    pub shape: Shape,
    /// How many of that shape.
    pub binds: u32,
    /// How alerts are brought up to date that the SMSC has; `None`: as at all others.
    pub update: Option<UpdateMode>,
    /// What its links have in common; their names and what they bind for are not in it.
    pub link: LinkSettings,
}

impl Site {
    /// Reads a URL. No file is looked at.
    pub(super) fn read(url: &str, numbering: &Numbering) -> Result<Self, Problems> {
        let pieces = url::take_apart(url)?;
        let mut given = Given::new(&pieces.parameters);
        let system_id = given.credential("system_id", pieces.system_id, 15);
        let password = given.credential("the password", pieces.password, 8);
        if pieces.system_id.is_empty() {
            given.problems.push("no system_id before the host".to_owned());
        }
        let name = name(&mut given);
        let named = !name.is_empty();
        let smsc = SmscName(if named { name } else { format!("{}:{}", pieces.host, pieces.port) });
        // A resolver takes an IPv6 address without the brackets that a URL needs.
        let host = pieces.host.trim_matches(['[', ']']);
        let mut link = LinkSettings::new(smsc, host, pieces.port, &system_id, Secret::new(password), numbering.clone());
        link.tls = tls::read(&mut given, pieces.tls, host);
        let (shape, binds) = session(&mut given, &mut link);
        pace(&mut given, &mut link);
        times(&mut given, &mut link);
        dialect::read(&mut given, &mut link);
        let update = given.read("update", |text| match text {
            "" => Ok(None),
            text => update_mode(text).map(Some),
        });
        if given.problems.is_empty() {
            // What fits no bind of this version; lengths were told above, in the words of the URL.
            let unusable =
                shape.binds().iter().find_map(|(_, bind)| LinkSettings { bind: *bind, ..link.clone() }.check().err());
            given.problems.extend(unusable.map(|error| error.to_string()));
        }
        if given.problems.is_empty() {
            Ok(Self { named, shape, binds, update, link })
        } else {
            Err(Problems(given.problems))
        }
    }

    /// The links, numbered on from those that the SMSC has; `numbers` counts by what precedes the number in a name.
    pub(super) fn links(&self, numbered: impl Fn(&str) -> u32) -> Vec<LinkSettings> {
        let link = |count: u32, (prefix, bind): (&str, Bind)| LinkSettings {
            name: LinkName(format!("{}/{prefix}{}", self.link.smsc, numbered(prefix) + count)),
            bind,
            ..self.link.clone()
        };
        (1..=self.binds).flat_map(|count| self.shape.binds().iter().map(move |bind| link(count, *bind))).collect()
    }
}

fn name(given: &mut Given<'_>) -> String {
    let name = given.text("name");
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':')) || name.len() > 64 {
        given.problems.push("name is not 1 to 64 letters, digits and . - _ :".to_owned());
    }
    name
}

/// How sessions come about.
fn session(given: &mut Given<'_>, link: &mut LinkSettings) -> (Shape, u32) {
    let shapes = [
        ("transceiver", Shape::Transceivers),
        ("transmitter", Shape::Transmitters),
        ("receiver", Shape::Receivers),
        ("pair", Shape::Pairs),
    ];
    let shape = given.read("bind", |text| form::choice(text, &shapes));
    let binds = given.read("binds", |text| form::count(text, 1, MOST_BINDS));
    let versions = [("3.3", Version::V3_3), ("3.4", Version::V3_4), ("5.0", Version::V5_0)];
    link.version = given.read("version", |text| form::choice(text, &versions));
    link.outbind = given.read("outbind", form::listen);
    if let Some(listen) = link.outbind {
        if shape == Shape::Pairs || binds != 1 {
            given.problems.push("outbind needs binds=1 and no pair: the SMSC opens one session by it".to_owned());
        }
        if listen.port() == 0 {
            given.problems.push("outbind: the SMSC has to know the port, so it can't be 0".to_owned());
        }
        if link.tls.is_some() {
            given.problems.push("outbind needs smpp://: an SMSC that connects to us is not asked for TLS".to_owned());
        }
    }
    link.system_type = given.read("system_type", |text| field(text, 12));
    link.address_range = given.read("address_range", |text| field(text, 40));
    (shape, binds)
}

/// How much goes by a link.
fn pace(given: &mut Given<'_>, link: &mut LinkSettings) {
    link.priority = given.read("priority", |text| form::count(text, 0, 99));
    link.weight = given.read("weight", |text| form::count(text, 1, 100));
    link.rate = given.read("rate", |text| form::count(text, 0, MOST_RATE));
    link.smsc_rate = given.read("smsc_rate", |text| form::count(text, 0, MOST_RATE));
    let window = given.read("window", |text| form::count(text, 1, MOST_WINDOW));
    // With a rate, no more than a second's worth: what is taken out of the queue can't be withdrawn any more, so it must not wait in the link.
    let rates = [link.rate, link.smsc_rate].into_iter().filter(|rate| *rate > 0);
    link.window = rates.filter_map(|rate| usize::try_from(rate).ok()).fold(window, usize::min);
}

fn times(given: &mut Given<'_>, link: &mut LinkSettings) {
    let time = |least: u64, most| move |text: &str| form::duration_between(text, Duration::from_millis(least), most);
    let answer = time(100, MINUTE * 5);
    link.enquire_interval = given.read("enquire", time(1000, HOUR));
    link.enquire_timeout = given.read("enquire_timeout", answer);
    link.response_timeout = given.read("timeout", answer);
    link.update_timeout = given.read("update_timeout", answer);
    link.bind_timeout = given.read("bind_timeout", answer);
    link.reconnect_min = given.read("reconnect_min", time(10, HOUR));
    link.reconnect_max = given.read("reconnect_max", time(10, HOUR));
    link.refused_wait = given.read("refused_wait", time(1000, DAY));
    if link.reconnect_min > link.reconnect_max {
        given.problems.push("reconnect_min is longer than reconnect_max".to_owned());
    }
}
