//! The audit log: who did what, why, and what happened to the gateway; kept in the store directory, a file of JSON lines a month.

mod log;
mod read;

use model::Timestamp;
use serde::{Deserialize, Serialize};

pub use log::{Audit, AuditError, Tried};
pub use read::{Cursor, Filter, Page};

use crate::Viewer;
pub use crate::masked::masked;

/// What was done, or happened. A closed list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Somebody signed in.
    SignedIn,
    /// Somebody tried to, with a wrong name or password.
    SignInFailed,
    /// Somebody signed out.
    SignedOut,
    /// Numbers were shown in full.
    NumbersShown,
    /// A person was registered.
    Registered,
    /// A person's registration was changed.
    RegistrationChanged,
    /// A person was unregistered.
    Unregistered,
    /// A person's alerts are held.
    Paused,
    /// A person's alerts are no longer held.
    Resumed,
    /// A message was sent again.
    SentAgain,
    /// A number was put on a list.
    Listed,
    /// A number was taken off a list.
    Unlisted,
    /// Everything known of a person was handed out.
    PersonExported,
    /// A person was forgotten.
    Erased,
    /// The database is treated as abnormal.
    DatabaseForced,
    /// It no longer is.
    DatabaseLifted,
    /// A link was unbound, drained or bound anew by hand.
    LinkOrdered,
    /// More or less is logged for a time.
    LogLevel,
    /// The settings were read anew.
    Reloaded,
    /// Users or tokens were changed.
    AccessChanged,
    /// The gateway started.
    Started,
    /// The gateway stopped.
    Stopped,
    /// The database's state changed.
    DatabaseChanged,
    /// A link's session ended.
    LinkClosed,
}

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who ([`crate::Viewer::name`]), or `gateway`.
    pub who: String,
    /// What.
    pub action: Action,
    /// Whom or what it is about: a number with `+`, a link, a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Why, in the words of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when it holds, where it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What else there is to say, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Who the gateway's own happenings are of.
pub const GATEWAY: &str = "gateway";

impl Entry {
    /// Somebody does something.
    #[must_use]
    pub fn of(viewer: &Viewer, at: Timestamp, action: Action) -> Self {
        Self::by(viewer.name(), at, action)
    }

    /// Something happens to the gateway.
    #[must_use]
    pub fn gateway(at: Timestamp, action: Action) -> Self {
        Self::by(GATEWAY.to_owned(), at, action)
    }

    /// Whoever does something.
    #[must_use]
    pub const fn by(who: String, at: Timestamp, action: Action) -> Self {
        Self { at, who, action, subject: None, reason: None, until: None, detail: None }
    }

    /// Whom or what it is about.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Whom it is about.
    #[must_use]
    pub fn about_number(self, number: model::Msisdn) -> Self {
        self.about(format!("+{}", number.reveal()))
    }

    /// Why; nothing where nothing is said.
    #[must_use]
    pub fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// Until when it holds.
    #[must_use]
    pub const fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// What else there is to say.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl Action {
    /// Every one.
    pub const ALL: [Self; 24] = [
        Self::SignedIn,
        Self::SignInFailed,
        Self::SignedOut,
        Self::NumbersShown,
        Self::Registered,
        Self::RegistrationChanged,
        Self::Unregistered,
        Self::Paused,
        Self::Resumed,
        Self::SentAgain,
        Self::Listed,
        Self::Unlisted,
        Self::PersonExported,
        Self::Erased,
        Self::DatabaseForced,
        Self::DatabaseLifted,
        Self::LinkOrdered,
        Self::LogLevel,
        Self::Reloaded,
        Self::AccessChanged,
        Self::Started,
        Self::Stopped,
        Self::DatabaseChanged,
        Self::LinkClosed,
    ];

    /// The word used in files, JSON and filters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::SignInFailed => "sign_in_failed",
            Self::SignedOut => "signed_out",
            Self::NumbersShown => "numbers_shown",
            Self::Registered => "registered",
            Self::RegistrationChanged => "registration_changed",
            Self::Unregistered => "unregistered",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::SentAgain => "sent_again",
            Self::Listed => "listed",
            Self::Unlisted => "unlisted",
            Self::PersonExported => "person_exported",
            Self::Erased => "erased",
            Self::DatabaseForced => "database_forced",
            Self::DatabaseLifted => "database_lifted",
            Self::LinkOrdered => "link_ordered",
            Self::LogLevel => "log_level",
            Self::Reloaded => "reloaded",
            Self::AccessChanged => "access_changed",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::DatabaseChanged => "database_changed",
            Self::LinkClosed => "link_closed",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_files() {
        for action in Action::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
            assert_eq!(Action::parse(action.as_str()), Some(action));
        }
        assert_eq!(Action::parse("danced"), None);
    }

    #[test]
    fn numbers_are_hidden_wherever_they_stand() {
        for (text, shown) in [
            ("+8613800000001", "+86*********01"),
            ("asked by 13800000001, ticket 123456", "asked by 13*******01, ticket 123456"),
            ("", ""),
            ("1234567", "12***67"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
