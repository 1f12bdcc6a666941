//! Where the database is, and how this node works with it.

use std::path::PathBuf;
use std::time::Duration;

use model::Secret;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

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
    /// How long calls and ended alerts are kept.
    pub retention: Duration,
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
    pub(super) config: Config,
    pub(super) check: Check,
    pub(super) ca: Option<PathBuf>,
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

/// Reads an address. What tokio-postgres doesn't know is taken out first.
pub(super) fn read(url: &str) -> Result<Address, UrlError> {
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(UrlError::Form("it begins with something else".to_owned()));
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut check, mut mode, mut ca) = (Check::Nothing, SslMode::Prefer, None);
    let mut rest = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=').unwrap_or((parameter, "")) {
            ("sslmode", value) => {
                (mode, check) = match value {
                    "disable" => (SslMode::Disable, Check::Nothing),
                    "prefer" => (SslMode::Prefer, Check::Nothing),
                    "require" => (SslMode::Require, Check::Nothing),
                    "verify-ca" => (SslMode::Require, Check::Authority),
                    "verify-full" => (SslMode::Require, Check::Full),
                    _ => return Err(UrlError::SslMode),
                };
            }
            ("sslrootcert", value) => ca = Some(PathBuf::from(value)),
            // The writable server is always taken; the others are bounds of our own.
            ("target_session_attrs" | "connect_timeout" | "load_balance_hosts" | "options", _) => {}
            _ => rest.push(parameter),
        }
    }
    let text = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    let mut config: Config = text.parse().map_err(|error: tokio_postgres::Error| {
        let source = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        UrlError::Form(source)
    })?;
    if config.get_hosts().is_empty() {
        return Err(UrlError::NoHost);
    }
    config.ssl_mode(mode);
    Ok(Address { config, check, ca })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_what_libpq_knows_beside() {
        let address =
            read("postgres://a:b@h1:5432,h2:6432/db?sslmode=verify-full&sslrootcert=/x.pem&target_session_attrs=any")
                .unwrap();
        assert_eq!((address.config.get_hosts().len(), address.config.get_ports()), (2, &[5432, 6432][..]));
        assert_eq!((address.check, address.ca), (Check::Full, Some(PathBuf::from("/x.pem"))));
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong_and_hides_its_password() {
        for url in [
            "mysql://a:geheim@h/db",
            "postgres://a:geheim@h:x/db",
            "postgres:///db",
            "postgres://a:geheim@h/db?sslmode=on",
            "postgres://a:geheim@h/db?nonsense=1",
        ] {
            let error = read(url).unwrap_err().to_string();
            assert!(!error.contains("geheim"), "{error}");
        }
    }
}
