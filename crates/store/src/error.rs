//! What can go wrong in a store, and whose fault it is.

use std::path::PathBuf;
use std::sync::Arc;

use crate::postgres::Class;

/// Why the store did not do what was asked. Nothing of it was applied, but where that is left open ([`StoreError::leaves_open`]).
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No room on the disk: the peer is told to come back, and the store goes on by itself once there is room.
    #[error("the store's disk is full")]
    Full(#[source] Arc<rusqlite::Error>),
    /// The disk or the file system failed.
    #[error("the store's disk failed")]
    Io(#[source] Arc<rusqlite::Error>),
    /// Another process works with this directory.
    #[error("the store directory {0} is in use by another process")]
    InUse(PathBuf),
    /// The directory can't be made, opened or locked.
    #[error("the store directory {path} can't be used")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The file was written by a newer version of this program.
    #[error("the store has schema version {found}, and this program knows only up to {known}: run a newer one")]
    Newer {
        /// The version of the file.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// What is stored can't be read as what it should be.
    #[error("the store holds something unreadable in {what}")]
    Unreadable {
        /// Which table.
        what: &'static str,
        /// Why.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// SQLite refused a statement: a fault in this program, or a damaged file.
    #[error("the store's database refused a statement")]
    Database(#[source] Arc<rusqlite::Error>),
    /// The store was used without a database, and is now to stand beside one.
    #[error(
        "the store holds what was decided without a database, and that is not handed over to one: use an empty store.dir (subscribers move by `afterring subscribers export` and `import`)"
    )]
    HasHistory,
    /// The store stands beside a database, and there is none now.
    #[error("the store belongs to a gateway with a database: set database.url, or use an empty store.dir")]
    NeedsDatabase,
    /// The store has no database beside it.
    #[error("the store has no database beside it")]
    Alone,
    /// The database knows more of this node than the store does: the store was put back to an earlier state.
    #[error(
        "the database has this node's journal up to {there}, the store only up to {here}: the store is older than what it handed over. Use an empty store.dir"
    )]
    Older {
        /// The last event that the store handed over.
        here: i64,
        /// The last event that the database has.
        there: i64,
    },
    /// The database is abnormal, and this can't be done without it.
    #[error("the database is away: try again when it is back")]
    Away,
    /// Something about the person waits to be decided, and goes on waiting.
    #[error("something about this person is not decided yet: try again in a while")]
    Undecided,
    /// The database's address can't be used.
    #[error("the database's address can't be used: {0}")]
    Url(String),
    /// Somebody of the batch was not loaded from the database.
    #[error("a call box that is needed was not loaded from the database")]
    NotLoaded,
    /// The database that nodes share did not do it.
    #[error("the database: {0}")]
    Shared(#[from] crate::postgres::Fault),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// The store was closed, or its thread ended.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether trying again later can help without anyone doing anything to the program: the disk is full or failed.
    #[must_use]
    pub const fn is_disk(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Io(_))
    }

    /// Whether what was asked may have been done all the same: an answer of the database that was lost, or a later step that failed here after the
    /// database had done the first.
    #[must_use]
    pub const fn leaves_open(&self) -> bool {
        match self {
            // Nothing was begun.
            Self::Away | Self::Undecided | Self::Alone | Self::NeedsDatabase | Self::Url(_) => false,
            Self::Shared(fault) => match fault.class {
                // The server said no.
                Class::ReadOnly | Class::Full | Class::Connections | Class::Denied | Class::Schema | Class::Poison => {
                    false
                }
                Class::Away | Class::Silent | Class::Busy | Class::Other => true,
            },
            Self::Full(_)
            | Self::Io(_)
            | Self::InUse(_)
            | Self::Directory { .. }
            | Self::Newer { .. }
            | Self::Unreadable { .. }
            | Self::Database(_)
            | Self::HasHistory
            | Self::Older { .. }
            | Self::NotLoaded
            | Self::Random(_)
            | Self::Closed => true,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let code = error.sqlite_error_code();
        let error = Arc::new(error);
        match code {
            Some(ErrorCode::DiskFull) => Self::Full(error),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => Self::Io(error),
            Some(_) | None => Self::Database(error),
        }
    }
}
