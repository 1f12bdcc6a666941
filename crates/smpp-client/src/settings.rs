//! What a link needs to know.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::{IdForm, Kind, LinkName, Numbering, Secret, SmscName};

use crate::status::StatusTable;
use crate::writing::Writing;

/// The version of SMPP that a link speaks: `interface_version` of its bind (SMPP 3.4 §5.2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Version {
    /// 3.3: no optional parameters, no transceiver.
    V3_3,
    /// 3.4.
    #[default]
    V3_4,
    /// 5.0.
    V5_0,
}

/// What a link binds for (SMPP 3.4 §2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Bind {
    /// It submits and receives.
    #[default]
    Transceiver,
    /// It submits; receipts and replies come by another link.
    Transmitter,
    /// It receives receipts and replies; it gives no permits to submit.
    Receiver,
}

impl Bind {
    /// Whether submits may go by such a link.
    #[must_use]
    pub const fn transmits(self) -> bool {
        match self {
            Self::Transceiver | Self::Transmitter => true,
            Self::Receiver => false,
        }
    }

    /// The word used in settings, metrics, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transceiver => "transceiver",
            Self::Transmitter => "transmitter",
            Self::Receiver => "receiver",
        }
    }
}

/// TLS to an SMSC. The files are read anew for each connection, so that renewed certificates need no restart.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsSettings {
    /// PEM file of the authorities that may vouch for the SMSC; `None`: those of the system. A certificate in it that the SMSC shows itself is accepted
    /// whatever name it has: many SMSCs sign their own.
    pub ca: Option<PathBuf>,
    /// PEM file of our own certificate and those that vouch for it, where the SMSC asks for one.
    pub certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
    /// The name that the SMSC's certificate must have; `None`: the host's.
    pub server_name: Option<String>,
}

/// Where a link's PDUs are written down, for support.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceSettings {
    /// The folder; the file is `<link>.log`, with what is no letter, digit, dot or hyphen written as `_`.
    pub dir: PathBuf,
    /// Octets at which a new file is begun.
    pub file_size: u64,
    /// Full files kept beside the one that is written.
    pub files: u32,
    /// Whether numbers, texts and octets are written; else numbers are masked and texts left out.
    pub numbers: bool,
}

/// One link: where it binds, as whom, how fast it may send, and what its SMSC wants to be written how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkSettings {
    /// The link's name in logs, metrics and pages.
    pub name: LinkName,
    /// The SMSC it leads to; receipts are matched within it.
    pub smsc: SmscName,
    /// Host name or address of the SMSC.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// TLS, or plain TCP.
    pub tls: Option<TlsSettings>,
    /// Where the SMSC connects to us instead, and sends an outbind (SMPP 3.4 §2.2.1); `host` and `port` are not dialled then.
    pub outbind: Option<SocketAddr>,
    /// Who binds: at most 15 ASCII characters (SMPP 3.4 §5.2.1).
    pub system_id: String,
    /// At most 8 ASCII characters (SMPP 3.4 §5.2.2).
    pub password: Secret,
    /// Mostly empty; at most 12 ASCII characters (SMPP 3.4 §5.2.3).
    pub system_type: String,
    /// The numbers whose messages a receiver asks for, as the SMSC wants them written; mostly empty; at most 40 ASCII characters (SMPP 3.4 §5.2.7).
    pub address_range: String,
    /// The version spoken.
    pub version: Version,
    /// What it binds for.
    pub bind: Bind,
    /// SMSCs with a lower number are preferred: others get what these can't take because none of their links is in service.
    pub priority: u32,
    /// Its share among links of the same priority, at least 1.
    pub weight: u32,
    /// Submits that may be unanswered at a time, 1 to [`MAX_WINDOW`](crate::MAX_WINDOW).
    pub window: usize,
    /// `submit_sm` per second by this link, 0 for no limit.
    pub rate: u32,
    /// `submit_sm` per second by all links to the SMSC together, 0 for no limit; the same for each of them.
    pub smsc_rate: u32,
    /// Silence after which the SMSC is asked whether it lives.
    pub enquire_interval: Duration,
    /// How long the answer to that may take before the link counts as dead.
    pub enquire_timeout: Duration,
    /// How long the answer to a submit may take before it is in doubt.
    pub response_timeout: Duration,
    /// How long the answer to a `query_sm`, `cancel_sm` or `replace_sm` may take before the SMSC counts as unable to do it.
    pub update_timeout: Duration,
    /// How long connecting may take, and how long binding.
    pub bind_timeout: Duration,
    /// First wait after a lost connection; doubles with each failure.
    pub reconnect_min: Duration,
    /// Longest wait after a lost connection.
    pub reconnect_max: Duration,
    /// Wait after a refusal that asking again won't change (password, system id); the longest after one that it may (already bound).
    pub refused_wait: Duration,
    /// What this SMSC means by its own values of `command_status`.
    pub statuses: StatusTable,
    /// How messages are written.
    pub writing: Writing,
    /// How its receipts write message ids, where that is known; `None`: every form is tried.
    pub id_form: Option<IdForm>,
    /// Whether messages carry a `user_message_reference` (SMPP 3.4 §5.3.2.17), and receipts are matched by it and their handset: for SMSCs whose message ids
    /// say nothing.
    pub references: bool,
    /// How handsets' numbers are completed that are not international.
    pub numbering: Numbering,
    /// Where its PDUs are written down; `None`: nowhere.
    pub trace: Option<TraceSettings>,
}

/// Why no SMSC can be asked to bind with these settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SettingsError {
    /// Longer than 15 characters, or not ASCII.
    #[error("system_id has at most 15 ASCII characters")]
    SystemId,
    /// Longer than 8 characters, or not ASCII.
    #[error("a password has at most 8 ASCII characters")]
    Password,
    /// Longer than 12 characters, or not ASCII.
    #[error("system_type has at most 12 ASCII characters")]
    SystemType,
    /// Longer than 40 characters, or not ASCII.
    #[error("address_range has at most 40 ASCII characters")]
    AddressRange,
    /// Longer than 5 characters, or not ASCII.
    #[error("service_type has at most 5 ASCII characters")]
    ServiceType,
    /// A transceiver in 3.3.
    #[error("SMPP 3.3 has no transceiver: bind a transmitter and a receiver")]
    NoTransceiver,
    /// Optional parameters in 3.3.
    #[error(
        "SMPP 3.3 has no optional parameters: long texts go by a user data header, and receipts are matched by their ids"
    )]
    NoOptionalParameters,
}

impl LinkSettings {
    /// A transceiver by plain TCP with the defaults of `docs/configuration.md`; its name is `<smsc>/1`.
    #[must_use]
    pub fn new(smsc: SmscName, host: &str, port: u16, system_id: &str, password: Secret, numbering: Numbering) -> Self {
        Self {
            name: LinkName(format!("{smsc}/1")),
            smsc,
            host: host.to_owned(),
            port,
            tls: None,
            outbind: None,
            system_id: system_id.to_owned(),
            password,
            system_type: String::new(),
            address_range: String::new(),
            version: Version::default(),
            bind: Bind::default(),
            priority: 0,
            weight: 1,
            window: 100,
            rate: 0,
            smsc_rate: 0,
            enquire_interval: Duration::from_secs(30),
            enquire_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(10),
            update_timeout: Duration::from_secs(5),
            bind_timeout: Duration::from_secs(10),
            reconnect_min: Duration::from_secs(1),
            reconnect_max: Duration::from_secs(30),
            refused_wait: Duration::from_secs(60),
            statuses: StatusTable::default(),
            writing: Writing::default(),
            id_form: None,
            references: false,
            numbering,
            trace: None,
        }
    }

    /// Whether a bind can hold these settings; a link that can't stays down and says so.
    ///
    /// # Errors
    /// With the first that doesn't fit its field, or doesn't exist in this version.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !fits(&self.system_id, 15) {
            return Err(SettingsError::SystemId);
        }
        if !fits(self.password.reveal(), 8) {
            return Err(SettingsError::Password);
        }
        if !fits(&self.system_type, 12) {
            return Err(SettingsError::SystemType);
        }
        if !fits(&self.address_range, 40) {
            return Err(SettingsError::AddressRange);
        }
        if !Kind::ALL.iter().all(|&kind| fits(&self.writing.of(kind).service_type, 5)) {
            return Err(SettingsError::ServiceType);
        }
        if self.version == Version::V3_3 && self.bind == Bind::Transceiver {
            return Err(SettingsError::NoTransceiver);
        }
        if self.version == Version::V3_3 && (self.references || self.writing.long.needs_optional_parameters()) {
            return Err(SettingsError::NoOptionalParameters);
        }
        Ok(())
    }
}

fn fits(text: &str, longest: usize) -> bool {
    text.len() <= longest && text.bytes().all(|octet| octet.is_ascii() && octet != 0)
}
