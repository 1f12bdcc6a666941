//! What can go wrong with the database, and what it says of the database as a whole.

use std::io;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::UrlError;

/// Why the database did not do something. Holds no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    /// What kind of fault.
    pub class: Class,
    /// What was said, with the SQLSTATE where there is one.
    pub text: String,
}

/// Kinds of faults, by what follows from them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Refused, reset, closed, starting up or shutting down.
    Away,
    /// A deadline of ours passed.
    Silent,
    /// It takes no changes.
    ReadOnly,
    /// Its disk or memory is used up.
    Full,
    /// It has no connection left.
    Connections,
    /// It does not let us in, or not do that.
    Denied,
    /// Its tables are not those of this program.
    Schema,
    /// A lock was not got, or two transactions met: to be tried again; the database is well.
    Busy,
    /// It refuses this data: to be set aside; the database is well.
    Poison,
    /// Anything else.
    Other,
}

impl Class {
    /// The class of an SQLSTATE (PostgreSQL, appendix A).
    #[must_use]
    pub fn of(state: &SqlState) -> Self {
        let code = state.code();
        match code {
            "25006" => Self::ReadOnly,
            "53300" | "53400" => Self::Connections,
            "42501" | "3D000" => Self::Denied,
            "55P03" | "40P01" | "40001" | "57014" => Self::Busy,
            "42P01" | "42703" | "42883" | "42704" | "3F000" | "42P10" => Self::Schema,
            _ => match code.get(..2) {
                Some("08" | "57") => Self::Away,
                Some("53" | "54" | "58") => Self::Full,
                Some("28") => Self::Denied,
                Some("40") => Self::Busy,
                Some("22" | "23") => Self::Poison,
                _ => Self::Other,
            },
        }
    }

    /// What an operator can do, where the server's words don't say it.
    const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Connections => Some("raise max_connections or the role's limit, or lower AFTERRING_DATABASE__POOL"),
            Self::Full => Some("make room on the server"),
            Self::Away
            | Self::Silent
            | Self::ReadOnly
            | Self::Denied
            | Self::Schema
            | Self::Busy
            | Self::Poison
            | Self::Other => None,
        }
    }
}

impl Fault {
    /// Nothing was answered within a bound of ours.
    pub(crate) fn silent(within: Duration) -> Self {
        Self { class: Class::Silent, text: format!("no answer within {} ms", within.as_millis()) }
    }

    /// What an error of the library means.
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        if let Some(said) = error.as_db_error() {
            let class = Class::of(said.code());
            let advice = class.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
            return Self { class, text: format!("{} ({}){advice}", said.message(), said.code().code()) };
        }
        let source = std::error::Error::source(error);
        let cause = source.map(|source| format!(": {source}")).unwrap_or_default();
        let io = source.and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
        let text = format!("{error}{cause}");
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        // A handshake that is cut is no refusal: a refused certificate is invalid data, and no TLS at all no error of the network.
        let untrusted =
            begins(&["error performing TLS handshake"]) && matches!(io, None | Some(io::ErrorKind::InvalidData));
        let class = if untrusted || begins(&["invalid configuration", "authentication error"]) {
            Class::Denied
        } else if begins(&["error serializing", "error deserializing", "invalid column", "query returned", "expected "])
        {
            Class::Other
        } else {
            Class::Away
        };
        Self { class, text }
    }
}

impl From<UrlError> for Fault {
    fn from(error: UrlError) -> Self {
        Self { class: Class::Other, text: error.to_string() }
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::of(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_that_was_met_has_its_class() {
        for (code, class) in [
            ("57P01", Class::Away),
            ("57P02", Class::Away),
            ("57P03", Class::Away),
            ("08006", Class::Away),
            ("25006", Class::ReadOnly),
            ("53100", Class::Full),
            ("53200", Class::Full),
            ("53300", Class::Connections),
            ("28P01", Class::Denied),
            ("28000", Class::Denied),
            ("3D000", Class::Denied),
            ("42501", Class::Denied),
            ("42P01", Class::Schema),
            ("42703", Class::Schema),
            ("55P03", Class::Busy),
            ("40P01", Class::Busy),
            ("40001", Class::Busy),
            ("57014", Class::Busy),
            ("22021", Class::Poison),
            ("22P05", Class::Poison),
            ("23505", Class::Poison),
            ("23514", Class::Poison),
            ("XX000", Class::Other),
        ] {
            assert_eq!(Class::of(&SqlState::from_code(code)), class, "{code}");
        }
    }

    #[test]
    fn only_what_concerns_the_whole_database_counts_against_its_health() {
        assert!(Class::Busy.trouble().is_none() && Class::Poison.trouble().is_none());
        assert!(Class::Silent.trouble().is_some() && Class::Other.trouble().is_some());
    }
}
