//! Lists, and one person, in the database: what `afterring lists` and `afterring person` ask of it.

use std::time::Duration;

use model::Msisdn;
use routing::List;
use tokio::time::timeout;

use super::{Bulk, Fault, Session, erase, lists};
use crate::{Erased, ListEntry, Person, StoreError};

/// How long one thing may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long erasing may take: message ids are looked through.
const LONG: Duration = Duration::from_secs(600);

impl Bulk {
    /// Up to `limit` entries of a list with numbers above `after`, in order.
    ///
    /// # Errors
    /// When the database did not say.
    pub async fn list(
        &mut self,
        list: List,
        after: Option<Msisdn>,
        limit: usize,
    ) -> Result<Vec<ListEntry>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.asked(DEADLINE, async |session| lists::list(session, list, after, limit).await).await
    }

    /// Puts numbers on lists, all or none; how many were not on them yet.
    ///
    /// # Errors
    /// When the database did not take them.
    pub async fn put_listed(&mut self, entries: &[ListEntry]) -> Result<u64, StoreError> {
        self.asked(DEADLINE, async |session| lists::put(session, entries, DEADLINE).await).await
    }

    /// Takes a number off a list; whether it was on it.
    ///
    /// # Errors
    /// When the database did not do it.
    pub async fn delete_listed(&mut self, list: List, number: Msisdn) -> Result<bool, StoreError> {
        self.asked(DEADLINE, async |session| lists::delete(session, list, number, DEADLINE).await).await
    }

    /// The lists that a number is on.
    ///
    /// # Errors
    /// When the database did not say.
    pub async fn entries_of(&mut self, number: Msisdn) -> Result<Vec<ListEntry>, StoreError> {
        self.asked(DEADLINE, async |session| lists::entries_of(session, number).await).await
    }

    /// Everything that the database knows of a person.
    ///
    /// # Errors
    /// When the database did not say.
    pub async fn person(&mut self, number: Msisdn) -> Result<Person, StoreError> {
        self.asked(DEADLINE, async |session| erase::person(session, number).await).await
    }

    /// Forgets a person in the database; every node follows.
    ///
    /// # Errors
    /// When the database did not do it.
    pub async fn erase(&mut self, number: Msisdn, reason: &str) -> Result<Erased, StoreError> {
        self.asked(LONG, async |session| {
            let prepared = erase::prepare(session, number, None).await?;
            Ok(erase::erase(session, number, reason, prepared).await?.0)
        })
        .await
    }

    /// The session goes on being used only after an answer.
    async fn asked<T>(
        &mut self,
        bound: Duration,
        asked: impl AsyncFnOnce(&Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let session = self.open().await?;
        let answer = timeout(bound, asked(&session)).await.map_err(|_| Fault::silent(bound))??;
        self.session = Some(session);
        Ok(answer)
    }
}
