//! Where people are registered: the database where there is one, else the local store.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::{Msisdn, Timestamp};
use routing::Subscriber;
use store::{Bulk, Embedded, EmbeddedSettings, Everybody, Fault, Given, Imported, Store, StoreError};

use crate::config;

/// People read from the local store at once.
const PAGE: usize = 5_000;

/// What is done with a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// Only looked at.
    Compare,
    /// Registered and changed.
    Put,
}

/// The registry, open.
pub(super) enum Registry {
    Database(Bulk),
    Store(Embedded),
    /// There is no store in this directory, and only looking makes none.
    None(PathBuf),
}

/// Everybody, one after the other.
pub(super) enum Roll {
    Database(Everybody),
    Store { store: Embedded, page: std::vec::IntoIter<Subscriber>, after: Option<Msisdn> },
}

/// Why it can't be done. Told as it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("database: {0}")]
    Database(#[from] Fault),
    #[error("{0}: a gateway runs on it. Stop it first, or PUT /v1/subscribers/NUMBER on its admin listener")]
    InUse(StoreError),
    #[error("store.dir: there is no store in {0}, and database.url is not set")]
    NoStore(PathBuf),
    #[error("{}", with_causes(.0))]
    Store(StoreError),
    /// The running gateway did not do it.
    #[error("{0}")]
    Gateway(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            error @ StoreError::InUse(_) => Self::InUse(error),
            error => Self::Store(error),
        }
    }
}

fn with_causes(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl Registry {
    pub(super) async fn open(settings: &config::Registry, now: Timestamp, act: Act) -> Result<Self, Trouble> {
        if let Some(database) = &settings.database {
            return Ok(Self::Database(Bulk::connect(database).await?));
        }
        let (dir, retention) = (settings.store.dir.clone(), settings.store.retention);
        if act == Act::Compare && !dir.exists() {
            return Ok(Self::None(dir));
        }
        Ok(Self::Store(Embedded::open(
            EmbeddedSettings { retention, ..EmbeddedSettings::new(dir, retention.calls) },
            now,
        )?))
    }

    /// The order in which this registry takes people best: that of its key.
    pub(super) const fn key(&self, number: Msisdn) -> (u64, u64) {
        match self {
            Self::Database(_) => (number.as_u64() % 64, number.as_u64()),
            Self::Store(_) | Self::None(_) => (0, number.as_u64()),
        }
    }

    /// Looks at, or takes, people in that order, nobody twice.
    pub(super) async fn take(&mut self, act: Act, people: Vec<Subscriber>, given: Given) -> Result<Imported, Trouble> {
        match (self, act) {
            (Self::Database(bulk), Act::Compare) => Ok(bulk.compare(&people, given).await?),
            (Self::Database(bulk), Act::Put) => Ok(bulk.put(&people, given).await?),
            (Self::None(_), _) => {
                Ok(Imported { new: u64::try_from(people.len()).unwrap_or(u64::MAX), ..Imported::default() })
            }
            (Self::Store(store), act) => Ok(take_here(store, act, people, given).await?),
        }
    }

    pub(super) async fn everybody(self) -> Result<Roll, Trouble> {
        Ok(match self {
            Self::Database(bulk) => Roll::Database(bulk.everybody().await?),
            Self::Store(store) => Roll::Store { store, page: Vec::new().into_iter(), after: None },
            Self::None(dir) => return Err(Trouble::NoStore(dir)),
        })
    }

    pub(super) async fn close(self) {
        match self {
            Self::Database(_) | Self::None(_) => {}
            Self::Store(store) => store.close().await,
        }
    }
}

impl Roll {
    /// The next one; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Subscriber>, Trouble> {
        match self {
            Self::Database(everybody) => Ok(everybody.next().await?),
            Self::Store { store, page, after } => {
                if page.len() == 0 {
                    *page = store.subscribers(*after, PAGE).await?.into_iter();
                }
                let next = page.next();
                *after = next.as_ref().map(|next| next.number).or(*after);
                Ok(next)
            }
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::Database(_) => {}
            Self::Store { store, .. } => store.close().await,
        }
    }
}

async fn take_here(store: &Embedded, act: Act, people: Vec<Subscriber>, given: Given) -> Result<Imported, StoreError> {
    let known = known_among(store, &people).await?;
    let (mut imported, mut put) = (Imported::default(), Vec::new());
    for one in people {
        match known.get(&one.number) {
            None => {
                imported.new += 1;
                put.push(one);
            }
            Some(known) => {
                let changed = changed(known, one, given);
                if changed == *known {
                    imported.unchanged += 1;
                } else {
                    imported.changed += 1;
                    put.push(changed);
                }
            }
        }
    }
    if act == Act::Put && !put.is_empty() {
        store.put_subscribers(put).await?;
    }
    Ok(imported)
}

/// Who is registered between the first and the last of these.
async fn known_among(store: &Embedded, people: &[Subscriber]) -> Result<BTreeMap<Msisdn, Subscriber>, StoreError> {
    let mut known = BTreeMap::new();
    let (Some(first), Some(last)) = (people.first(), people.last()) else { return Ok(known) };
    let mut after = Msisdn::try_from(first.number.as_u64() - 1).ok();
    loop {
        let page = store.subscribers(after, PAGE).await?;
        let full = page.len() == PAGE;
        after = page.last().map(|one| one.number);
        known.extend(page.into_iter().map(|one| (one.number, one)));
        if !full || after >= Some(last.number) {
            return Ok(known);
        }
    }
}

fn changed(known: &Subscriber, to: Subscriber, given: Given) -> Subscriber {
    let mut changed = known.clone();
    if given.status {
        changed.status = to.status;
    }
    if given.language {
        changed.language = to.language;
    }
    if given.time_zone {
        changed.time_zone = to.time_zone;
    }
    if given.clock {
        changed.clock = to.clock;
    }
    if given.quiet {
        changed.quiet = to.quiet;
    }
    if given.copy_to {
        changed.copy_to = to.copy_to;
    }
    changed
}
