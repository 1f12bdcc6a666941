//! Who may see and do what: roles of people, scopes of programs, and what each permits.

mod door;
mod following;
mod guard;
mod limiter;
mod login;
mod password;
mod proxy;
mod sessions;
mod stay;
mod users;

use model::Timestamp;
use serde::{Deserialize, Serialize};

pub use door::{Access, AccessError, AccessSettings, Local};
pub(crate) use door::{KnownToken, KnownUser};
pub(crate) use guard::{guard, guarded, recognise};
pub(crate) use login::router;
pub use password::hash as hash_password;
pub use proxy::{Network, Proxy};
pub use users::{TOKEN_PREFIX, Token, User, Users, UsersError, check_name};

/// What something on the console or in the API asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Permission {
    /// Look at everything, with numbers masked.
    Read,
    /// See numbers in full. People give a reason, and it is in the audit log.
    SeeNumbers,
    /// Change people: register, unregister, pause, send again, lists.
    ChangePeople,
    /// Change the gateway's work: the database switch, links, reloading, the log level.
    Operate,
    /// Forget people, look at the audit log of others.
    Administer,
}

impl Permission {
    /// Every one, the least first.
    pub const ALL: [Self; 5] = [Self::Read, Self::SeeNumbers, Self::ChangePeople, Self::Operate, Self::Administer];

    /// What is said to those who lack it.
    pub(crate) const fn lacking(self) -> &'static str {
        match self {
            Self::Read => "not permitted: reading is not what this token or account is for",
            Self::SeeNumbers => "not permitted: seeing numbers takes the role care or admin, or a token to read",
            Self::ChangePeople => "not permitted: changing people takes the role care or admin, or a token to operate",
            Self::Operate => "not permitted: this takes the role operator or admin, or a token to operate",
            Self::Administer => "not permitted: this takes the role admin, or admin.token",
        }
    }
}

/// What a person is to the operator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Customer care: looks at people, and changes them.
    Care,
    /// Keeps the gateway running.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Care, Self::Operator, Self::Admin];

    /// The word used in files, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Care => "care",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Whether it permits this.
    #[must_use]
    pub const fn may(self, asked: Permission) -> bool {
        match asked {
            Permission::Read => true,
            Permission::SeeNumbers | Permission::ChangePeople => matches!(self, Self::Care | Self::Admin),
            Permission::Operate => matches!(self, Self::Operator | Self::Admin),
            Permission::Administer => matches!(self, Self::Admin),
        }
    }
}

/// What a program's token is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Report calls: `POST /v1/calls`, and nothing else.
    Ingest,
    /// Read everything, numbers in full.
    Read,
    /// Read and change everything but what only admins may.
    Operate,
}

impl Scope {
    /// Every scope, the least first.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Read, Self::Operate];

    /// The word used in files, on the command line and in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Operate => "operate",
        }
    }

    /// What it permits on the operators' listener.
    #[must_use]
    pub const fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Ingest => &[],
            Self::Read => &[Permission::Read, Permission::SeeNumbers],
            Self::Operate => &[Permission::Read, Permission::SeeNumbers, Permission::ChangePeople, Permission::Operate],
        }
    }
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// A user who signed in here.
    User(String),
    /// Whom the reverse proxy vouches for.
    Proxy(String),
    /// A program, by the name of its token.
    Token(String),
    /// Whoever is on this machine, where there are no users.
    Local,
}

/// Who asks, and what they may; made by the middleware for each request, and an axum extractor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Viewer {
    /// Who.
    pub who: Who,
    /// What they may do.
    pub may: Vec<Permission>,
    /// Until when numbers are shown to a person in full; programs that may see them always do.
    pub unmasked_until: Option<Timestamp>,
    /// What forms must carry (field `csrf`); `None` where the request has no session.
    pub csrf: Option<String>,
    /// The sign-in that this is part of.
    session: Option<sessions::SessionKey>,
}

impl Viewer {
    /// Who may nothing.
    #[must_use]
    pub const fn nobody() -> Self {
        Self { who: Who::Local, may: Vec::new(), unmasked_until: None, csrf: None, session: None }
    }

    /// Whether a person signed in here, and can sign out.
    #[must_use]
    pub const fn signed_in(&self) -> bool {
        matches!(self.who, Who::User(_))
    }

    /// Whether they may.
    #[must_use]
    pub fn may(&self, asked: Permission) -> bool {
        self.may.contains(&asked)
    }

    /// Whether numbers are shown in full now.
    #[must_use]
    pub fn sees_numbers(&self, now: Timestamp) -> bool {
        self.may(Permission::SeeNumbers)
            && match self.who {
                Who::Token(_) => true,
                Who::User(_) | Who::Proxy(_) | Who::Local => self.unmasked_until.is_some_and(|until| until > now),
            }
    }

    /// Whether the API shows numbers in full now: programs ask for what they need, people say why first.
    #[must_use]
    pub fn reads_numbers(&self, now: Timestamp) -> bool {
        self.may(Permission::SeeNumbers)
            && match self.who {
                Who::Token(_) | Who::Local => true,
                Who::User(_) | Who::Proxy(_) => self.sees_numbers(now),
            }
    }

    /// As the audit log names them: `user:anna`, `proxy:anna`, `token:crm`, `local`.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.who {
            Who::User(name) => format!("user:{name}"),
            Who::Proxy(name) => format!("proxy:{name}"),
            Who::Token(name) => format!("token:{name}"),
            Who::Local => "local".to_owned(),
        }
    }
}
