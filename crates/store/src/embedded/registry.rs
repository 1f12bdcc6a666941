//! The registry beside a database: the exact set of registered numbers, kept fresh by the database's change feed, on disk as a snapshot and what
//! changed since, so that a node which starts while the database is away still knows its subscribers.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Msisdn, Timestamp};
use roaring::RoaringTreemap;
use routing::Subscriber;
use rusqlite::Connection;

use super::turn::Turn;
use super::{Embedded, rows};
use crate::StoreError;

/// What the file begins with: its form, and the version of it.
const MAGIC: &[u8; 8] = b"aftreg01";

/// Changes of the registry after which a new snapshot is worth its writing; replaying as many takes a fraction of a second.
const SNAPSHOT_AFTER: i64 = 100_000;

/// How far the database's change feed was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RegistryPlace {
    /// Where to go on reading in the database's order of changes.
    pub(crate) position: i64,
    /// The timeline of the server that was read: another one may lack what was followed.
    pub(crate) timeline: u32,
    /// When.
    pub(crate) at: Timestamp,
}

/// What changed among the people registered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registrations {
    /// Registered or changed.
    pub(crate) registered: Vec<Subscriber>,
    /// No longer registered.
    pub(crate) gone: Vec<Msisdn>,
    /// Where to go on reading in the database's order of changes.
    pub(crate) position: i64,
}

/// Everybody who is registered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Everybody {
    /// Their numbers.
    pub(crate) numbers: RoaringTreemap,
    /// Those of whom more is known than that they are registered.
    pub(crate) special: Vec<Subscriber>,
    /// Where to go on reading in the database's order of changes.
    pub(crate) position: i64,
}

impl Embedded {
    /// How far the database's change feed was read; `None`: the registry was never loaded.
    pub(crate) async fn registry_place(&self) -> Result<Option<RegistryPlace>, StoreError> {
        self.read(rows::registry_place).await
    }

    /// Applies what changed up to a place.
    pub(crate) async fn follow(&self, changes: Registrations, place: RegistryPlace) -> Result<(), StoreError> {
        let weight = changes.registered.len() + changes.gone.len();
        self.write(weight, move |turn| turn.follow(&changes, place)).await
    }

    /// Takes everybody's registration anew: the snapshot first, so that a crash in between leaves a set that the feed brings up to date.
    pub(crate) async fn replace_registry(&self, everybody: Everybody, place: RegistryPlace) -> Result<(), StoreError> {
        let _one = self.snapshots.lock().await;
        let everybody = Arc::new(everybody);
        let (path, snapshot) = (self.snapshot.clone(), Arc::clone(&everybody));
        blocking(path.clone(), move || write_snapshot(&path, &snapshot.numbers)).await?;
        self.write(1, move |turn| turn.replace_registry(&everybody, place)).await
    }

    /// Writes a snapshot of the registry if enough has changed since the last one.
    pub(crate) async fn snapshot_registry(&self) -> Result<bool, StoreError> {
        let _one = self.snapshots.lock().await;
        let (numbers, newest) = self.write(0, |turn| turn.copy_registry()).await?;
        let Some(numbers) = numbers else { return Ok(false) };
        let path = self.snapshot.clone();
        blocking(path.clone(), move || write_snapshot(&path, &numbers)).await?;
        self.write(1, move |turn| rows::forget_registrations(turn.conn, newest)).await?;
        Ok(true)
    }
}

impl Turn<'_> {
    fn follow(&mut self, changes: &Registrations, place: RegistryPlace) -> Result<(), StoreError> {
        for number in &changes.gone {
            self.delete_subscriber(*number)?;
        }
        for subscriber in &changes.registered {
            self.put_subscriber(subscriber)?;
        }
        rows::set_registry_place(self.conn, place)
    }

    fn replace_registry(&mut self, everybody: &Everybody, place: RegistryPlace) -> Result<(), StoreError> {
        rows::forget_subscribers(self.conn)?;
        rows::forget_registrations(self.conn, i64::MAX)?;
        for subscriber in &everybody.special {
            rows::put_subscriber(self.conn, subscriber)?;
        }
        self.draft.registered.clear();
        self.draft.registry = Some(everybody.numbers.clone());
        self.draft.registry_loaded = true;
        rows::set_registry_place(self.conn, place)
    }

    /// The set as it is, with the newest change in it; `None` where the last snapshot is new enough.
    fn copy_registry(&mut self) -> Result<(Option<RoaringTreemap>, i64), StoreError> {
        let newest = rows::newest_registration(self.conn)?;
        let pending = rows::registrations(self.conn)?;
        // What this turn changed is not in memory yet: the next round takes it.
        let copy = pending >= SNAPSHOT_AFTER && self.draft.registered.is_empty() && self.draft.registry.is_none();
        Ok((copy.then(|| self.memory.registry.clone()), newest))
    }
}

/// The registry as the snapshot and the changes since say; `None` where there is no snapshot that can be read.
pub(super) fn load(conn: &Connection, path: &Path) -> Result<Option<RoaringTreemap>, StoreError> {
    match read_snapshot(path) {
        Ok(Some(mut numbers)) => {
            rows::registry_changes(conn, &mut numbers)?;
            Ok(Some(numbers))
        }
        Ok(None) if rows::meta(conn, "registry_position")?.is_none() => Ok(None),
        Ok(None) => forget(conn, path, "it is gone"),
        Err(error) => forget(conn, path, &error.to_string()),
    }
}

fn forget(conn: &Connection, path: &Path, why: &str) -> Result<Option<RoaringTreemap>, StoreError> {
    tracing::error!(path = %path.display(), why, "the snapshot of the registry can't be read: it is loaded anew from the database");
    conn.execute("DELETE FROM meta WHERE key IN ('registry_position', 'registry_loaded')", [])?;
    rows::forget_registrations(conn, i64::MAX)?;
    Ok(None)
}

async fn blocking(path: PathBuf, run: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> Result<(), StoreError> {
    let done = tokio::task::spawn_blocking(run).await.map_err(|_| StoreError::Closed)?;
    done.map_err(|source| StoreError::Directory { path, source: Arc::new(source) })
}

/// Writes a new file that takes the place of the old one whole: magic, CRC-32 of the rest, the set.
fn write_snapshot(path: &Path, numbers: &RoaringTreemap) -> std::io::Result<()> {
    let mut body = Vec::with_capacity(numbers.serialized_size());
    numbers.serialize_into(&mut body)?;
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(MAGIC)?;
    file.write_all(&crc32fast::hash(&body).to_le_bytes())?;
    file.write_all(&body)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    let dir = path.parent().unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

fn read_snapshot(path: &Path) -> std::io::Result<Option<RoaringTreemap>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let damaged = || std::io::Error::new(std::io::ErrorKind::InvalidData, "damaged, or of another version");
    let (magic, rest) = bytes.split_at_checked(MAGIC.len()).ok_or_else(damaged)?;
    let (sum, body) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    if magic != MAGIC || crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return Err(damaged());
    }
    RoaringTreemap::deserialize_from(body).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_comes_back_and_a_damaged_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("registry.snapshot");
        assert!(read_snapshot(&path).unwrap().is_none());
        let numbers: RoaringTreemap = (8_613_800_000_000..8_613_800_050_000).chain([7]).collect();
        write_snapshot(&path, &numbers).unwrap();
        assert_eq!(read_snapshot(&path).unwrap().unwrap(), numbers);
        let whole = std::fs::read(&path).unwrap();
        for damage in [0, 9, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[damage] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(read_snapshot(&path).is_err(), "byte {damage}");
        }
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(read_snapshot(&path).is_err());
    }
}
