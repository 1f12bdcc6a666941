//! The store as the pumps use it.

use std::sync::Arc;

use model::{Day, MissedCall, Msisdn, Submit, Timestamp, UpdateOrder};
use routing::{Charge, Database, Evidence, List, RangeName, Subscriber, SubscriberChange};
use tokio_postgres::Client;

use super::HandOver;
use crate::postgres::{batch, lists, people};
use crate::{
    AlertCounts, CampaignCount, Context, Explained, Journaled, ListEntry, ReportRow, Settled, Store, StoreError,
    TimelineEntry,
};

impl Store for HandOver {
    async fn settle(&self, batch: Vec<Journaled>, context: Context) -> Result<Settled, StoreError> {
        let Some(shared) = &self.shared else { return self.local.settle(batch, context).await };
        let mut batches = shared.batches.lock().await;
        let batch = Arc::new(batch);
        if context.database == Database::Normal && !shared.is_behind() {
            match shared.settle(&self.local, &mut batches, &batch, &context).await {
                Ok(Some(settled)) => return Ok(settled),
                Ok(None) => {}
                Err(error) => {
                    self.local.give_back(batch);
                    return Err(error);
                }
            }
        } else if !shared.is_behind() {
            shared.fall_behind(&self.local).await?;
        }
        let batch = Arc::try_unwrap(batch).unwrap_or_else(|shared| shared.as_ref().clone());
        self.local.settle(batch, Context { database: Database::Abnormal, ..context }).await
    }

    async fn explain(&self, call: MissedCall, context: Context) -> Result<Explained, StoreError> {
        let Some(shared) = &self.shared else { return self.local.explain(call, context).await };
        let abnormal = Context { database: Database::Abnormal, ..context.clone() };
        if context.database == Database::Abnormal || self.whole().is_none() {
            return self.local.explain(call, abnormal).await;
        }
        let (node, called, policy) = (shared.node, call.called, Arc::clone(&context.policy));
        let loaded = shared.ask(async |session: &Client| batch::look(session, node, called, &policy).await).await?;
        self.local.explain_loaded(call, Arc::new(loaded), context).await
    }

    async fn due(&self, now: Timestamp, limit: usize, include_deferred: bool) -> Result<Vec<Msisdn>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.due(now, limit, include_deferred).await };
        if self.whole().is_none() {
            return self.local.due(now, limit, false).await;
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        shared.ask(async |session: &Client| people::due(session, shared.node, now, limit).await).await
    }

    async fn lease(&self, room: usize, context: &Context) -> Result<Vec<Submit>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.lease(room, context).await };
        // A teaser leaves only when the database is known to have its decision.
        let database = if shared.is_behind() { Database::Abnormal } else { context.database };
        let context = Context { database, ..context.clone() };
        self.local.lease_after(room, &context, shared.lapsed()).await
    }

    async fn lease_updates(&self, room: usize, context: &Context) -> Result<Vec<UpdateOrder>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.lease_updates(room, context).await };
        // A teaser is changed only when the database is known to have its decision.
        let database = if shared.is_behind() { Database::Abnormal } else { context.database };
        let context = Context { database, ..context.clone() };
        self.local.lease_updates_after(room, &context, shared.lapsed()).await
    }

    async fn subscriber(&self, number: Msisdn) -> Result<Option<Subscriber>, StoreError> {
        let Some(shared) = self.open() else { return self.local.subscriber(number).await };
        shared.ask(async |session: &Client| people::subscriber_of(session, number).await).await
    }

    async fn put_subscribers(&self, subscribers: Vec<Subscriber>) -> Result<(), StoreError> {
        let Some(shared) = &self.shared else { return self.local.put_subscribers(subscribers).await };
        self.open().ok_or(StoreError::Away)?;
        let deadline = shared.settings.timeout;
        shared.ask(async |session: &Client| people::put(session, &subscribers, deadline).await).await?;
        self.local.put_subscribers(subscribers).await
    }

    async fn change_subscriber(
        &self,
        number: Msisdn,
        change: SubscriberChange,
    ) -> Result<Option<Subscriber>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.change_subscriber(number, change).await };
        self.open().ok_or(StoreError::Away)?;
        let deadline = shared.settings.timeout;
        let changed =
            shared.ask(async |session: &Client| people::change(session, number, &change, deadline).await).await?;
        if changed.is_some() {
            // Whom this node does not know as registered yet, or no longer, is told to it by the database.
            self.local.change_subscriber(number, change).await?;
        }
        Ok(changed)
    }

    async fn delete_subscriber(&self, number: Msisdn) -> Result<bool, StoreError> {
        let Some(shared) = &self.shared else { return self.local.delete_subscriber(number).await };
        self.open().ok_or(StoreError::Away)?;
        let deadline = shared.settings.timeout;
        let known = shared.ask(async |session: &Client| people::delete(session, number, deadline).await).await?;
        self.local.delete_subscriber(number).await?;
        Ok(known)
    }

    async fn subscribers(&self, after: Option<Msisdn>, limit: usize) -> Result<Vec<Subscriber>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.subscribers(after, limit).await };
        self.open().ok_or(StoreError::Away)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        shared.ask(async |session: &Client| people::subscribers(session, after, limit).await).await
    }

    fn subscriber_count(&self) -> u64 {
        self.local.subscriber_count()
    }

    async fn timeline(&self, called: Msisdn, limit: usize) -> Result<Vec<TimelineEntry>, StoreError> {
        let Some(shared) = self.whole() else { return self.local.timeline(called, limit).await };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        shared.ask(async |session: &Client| people::timeline(session, called, limit).await).await
    }

    async fn usage(&self) -> Result<Vec<(RangeName, u64)>, StoreError> {
        let Some(shared) = self.open() else { return self.local.usage().await };
        shared.ask(async |session: &Client| people::usage(session).await).await
    }

    async fn charges(&self, called: Msisdn) -> Result<Vec<Charge>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.charges(called).await };
        self.open().ok_or(StoreError::Away)?;
        shared.ask(async |session: &Client| people::charges(session, called).await).await
    }

    async fn evidence(&self, called: Msisdn) -> Result<Vec<Evidence>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.evidence(called).await };
        self.open().ok_or(StoreError::Away)?;
        shared.ask(async |session: &Client| lists::evidence(session, called).await).await
    }

    async fn campaigns(&self) -> Result<Vec<CampaignCount>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.campaigns().await };
        self.open().ok_or(StoreError::Away)?;
        shared.ask(async |session: &Client| lists::campaigns(session).await).await
    }

    async fn report(&self, from: Day, to: Day) -> Result<Vec<ReportRow>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.report(from, to).await };
        self.open().ok_or(StoreError::Away)?;
        shared.ask(async |session: &Client| lists::report(session, from, to).await).await
    }

    async fn entries_of(&self, number: Msisdn) -> Result<Vec<ListEntry>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.entries_of(number).await };
        self.open().ok_or(StoreError::Away)?;
        shared.ask(async |session: &Client| lists::entries_of(session, number).await).await
    }

    async fn list(&self, list: List, after: Option<Msisdn>, limit: usize) -> Result<Vec<ListEntry>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.list(list, after, limit).await };
        self.open().ok_or(StoreError::Away)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        shared.ask(async |session: &Client| lists::list(session, list, after, limit).await).await
    }

    async fn put_listed(&self, entries: Vec<ListEntry>) -> Result<u64, StoreError> {
        let Some(shared) = &self.shared else { return self.local.put_listed(entries).await };
        self.open().ok_or(StoreError::Away)?;
        let deadline = shared.settings.timeout;
        shared.ask(async |session: &Client| lists::put(session, &entries, deadline).await).await
    }

    async fn delete_listed(&self, list: List, number: Msisdn) -> Result<bool, StoreError> {
        let Some(shared) = &self.shared else { return self.local.delete_listed(list, number).await };
        self.open().ok_or(StoreError::Away)?;
        let deadline = shared.settings.timeout;
        shared.ask(async |session: &Client| lists::delete(session, list, number, deadline).await).await
    }

    fn alert_counts(&self) -> AlertCounts {
        self.local.alert_counts()
    }
}
