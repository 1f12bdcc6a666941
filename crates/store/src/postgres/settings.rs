//! Where the database is, and how this node works with it.

use std::path::PathBuf;
use std::time::Duration;

use model::Secret;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::Retention;

/// Where the database is, and how this node works with it.
#[derive(Clone, Debug)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:5432,host2:5432/database?sslmode=…`
    pub url: Secret,
    /// Certificates of the authorities that may vouch for the server (PEM); `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// What operators call this node.
    pub node_name: String,
    /// Sessions beside those of the batches, the probe and the feed.
    pub pool: usize,
    /// Time between two probes.
    pub interval: Duration,
    /// How long a statement may take, at least.
    pub timeout: Duration,
    /// Whether the tables are brought to this program's version at the start.
    pub migrate: bool,
    /// How long others wait before they take over what a silent node has not sent.
    pub lease: Duration,
    /// How long what was decided is kept.
    pub retention: Retention,
}

/// Why an address can't be used. Never shows a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not of that form.
    #[error("not of the form postgres://user:password@host:5432/database: {0}")]
    Form(String),
    /// A parameter has a value that isn't known.
    #[error("sslmode is one of disable, prefer, require, verify-ca and verify-full")]
    SslMode,
    /// No host.
    #[error("no host is given")]
    NoHost,
    /// The certificates can't be read.
    #[error("the certificates of {path} can't be used: {why}")]
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// How far a server's certificate is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Check {
    /// As libpq's `prefer` and `require`: not at all.
    Nothing,
    /// Signed by an authority of ours.
    Authority,
    /// That, and it names the host.
    Full,
}

/// A read address.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// At least one.
    pub(super) places: Vec<Place>,
    pub(super) check: Check,
    pub(super) ca: Option<PathBuf>,
}

/// One host of an address.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// As people call it: `host:port`.
    pub(super) name: String,
    /// How to connect to it.
    pub(super) config: Config,
}

impl PostgresSettings {
    /// Whether an address can be used.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn check(url: &str) -> Result<(), UrlError> {
        read(url).map(drop)
    }
}

/// What the password of most wrong addresses looks like; nothing of it may be shown.
const ENCODE: &str = "characters like / ? # @ % in a user or password are written as %2F, %3F, %23, %40, %25";

/// Reads an address. What tokio-postgres doesn't know is taken out first.
pub(super) fn read(url: &str) -> Result<Address, UrlError> {
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(UrlError::Form("it begins with something else".to_owned()));
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut check, mut mode, mut ca) = (Check::Nothing, SslMode::Prefer, None);
    let mut rest = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name {
            "sslmode" => {
                (mode, check) = match value {
                    "disable" => (SslMode::Disable, Check::Nothing),
                    "prefer" => (SslMode::Prefer, Check::Nothing),
                    "require" => (SslMode::Require, Check::Nothing),
                    "verify-ca" => (SslMode::Require, Check::Authority),
                    "verify-full" => (SslMode::Require, Check::Full),
                    _ => return Err(UrlError::SslMode),
                };
            }
            "sslrootcert" => ca = Some(PathBuf::from(decoded(value))),
            // The writable server is always taken; the others are bounds of our own.
            "target_session_attrs" | "connect_timeout" | "load_balance_hosts" => {}
            "hostaddr" => return Err(UrlError::Form("hostaddr is not known: name addresses as hosts".to_owned())),
            // Perhaps it is the end of a password.
            name if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') => {
                return Err(UrlError::Form(ENCODE.to_owned()));
            }
            _ => rest.push(parameter),
        }
    }
    let text = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    let mut config: Config = text.parse().map_err(|error: tokio_postgres::Error| {
        let source = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        UrlError::Form(if base.contains('@') { source } else { format!("{source}; {ENCODE}") })
    })?;
    if config.get_hosts().is_empty() {
        return Err(UrlError::NoHost);
    }
    config.ssl_mode(mode);
    Ok(Address { places: one_by_one(&config)?, check, ca })
}

/// `%2F` is `/`. What can't be read so stays as it is.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, others)) = rest.split_first() {
        let code = others.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &others[2..];
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Each host with all that they share: tokio-postgres would try them one after the other.
fn one_by_one(config: &Config) -> Result<Vec<Place>, UrlError> {
    let (hosts, ports) = (config.get_hosts(), config.get_ports());
    if ports.len() > 1 && ports.len() != hosts.len() {
        return Err(UrlError::Form("there are more or fewer ports than hosts".to_owned()));
    }
    let place = |(at, host): (usize, &Host)| {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let mut one = shared(config);
        one.port(port);
        let name = match host {
            Host::Tcp(name) => {
                one.host(name);
                format!("{name}:{port}")
            }
            #[cfg(unix)]
            Host::Unix(path) => {
                one.host_path(path);
                path.display().to_string()
            }
        };
        Place { name, config: one }
    };
    Ok(hosts.iter().enumerate().map(place).collect())
}

/// All but the hosts. Time bounds are ours.
fn shared(config: &Config) -> Config {
    let mut shared = Config::new();
    shared
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding());
    if let Some(user) = config.get_user() {
        shared.user(user);
    }
    if let Some(password) = config.get_password() {
        shared.password(password);
    }
    if let Some(name) = config.get_dbname() {
        shared.dbname(name);
    }
    // Only for who asks for it: PgBouncer refuses connections that have any.
    if let Some(options) = config.get_options() {
        shared.options(options);
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_what_libpq_knows_beside() {
        let url = "postgres://a:b@h1:5432,h2:6432/db?sslmode=verify-full&sslrootcert=%2Fx%20y.pem&target_session_attrs=any&options=-c%20search_path%3Ds";
        let address = read(url).unwrap();
        let names: Vec<&str> = address.places.iter().map(|place| place.name.as_str()).collect();
        assert_eq!(names, ["h1:5432", "h2:6432"]);
        assert_eq!((address.check, address.ca), (Check::Full, Some(PathBuf::from("/x y.pem"))));
        for (place, port) in address.places.iter().zip([5432, 6432]) {
            assert_eq!((place.config.get_hosts().len(), place.config.get_ports()), (1, &[port][..]));
            assert_eq!((place.config.get_user(), place.config.get_password()), (Some("a"), Some(&b"b"[..])));
            assert_eq!((place.config.get_dbname(), place.config.get_options()), (Some("db"), Some("-c search_path=s")));
            assert_eq!(place.config.get_ssl_mode(), SslMode::Require);
        }
    }

    #[test]
    fn a_password_may_hold_what_other_parts_are_divided_by() {
        for (written, password) in [("x%3F%40%2F", "x?@/"), ("x/y", "x/y"), ("x#y", "x#y"), ("x:y", "x:y")] {
            let address = read(&format!("postgres://a:{written}@h/db")).unwrap();
            assert_eq!(address.places[0].config.get_password(), Some(password.as_bytes()), "{written}");
            assert_eq!(address.places[0].name, "h:5432");
        }
    }

    #[test]
    fn a_socket_is_a_host_too() {
        let address = read("postgres://a@/db?host=/run/postgresql").unwrap();
        assert_eq!(address.places[0].name, "/run/postgresql");
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong_and_hides_its_password() {
        for (url, says) in [
            ("mysql://a:geheim@h/db", "postgres://"),
            ("postgres://a:geheim@h:x/db", "port"),
            ("postgres://a:geheim@/db", "no host"),
            ("postgres://a:geheim@h/db?sslmode=on", "verify-full"),
            ("postgres://a:geheim@h/db?nonsense=1", "nonsense"),
            ("postgres://a:geheim@h/db?hostaddr=1.2.3.4", "hostaddr"),
            ("postgres://a:x?geheim@h/db", "%3F"),
            ("postgres://a:geheim", ""),
        ] {
            let Err(error) = read(url) else { panic!("{url} is taken") };
            let error = error.to_string();
            assert!(!error.contains("geheim") && error.contains(says), "{url}: {error}");
        }
    }
}
