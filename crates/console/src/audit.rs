//! The audit log: who did what, why, and what happened to the gateway; kept in the store directory, a file of JSON lines a month.

use model::Timestamp;
use serde::{Deserialize, Serialize};

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
