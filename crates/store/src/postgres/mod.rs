//! The database that nodes share: Postgres.

pub(crate) mod batch;
mod bulk;
mod connect;
mod desk;
pub(crate) mod erase;
mod examine;
mod fault;
pub(crate) mod feed;
pub(crate) mod lists;
mod migrate;
pub(crate) mod partitions;
pub(crate) mod people;
mod probe;
mod settings;
mod tls;

pub use bulk::{Bulk, Everybody, Given, Imported};
pub(crate) use connect::{Connector, Session, pool_fault};
pub use examine::{Examined, Pooler, Standby, examine};
pub use fault::{Class, Fault};
pub use migrate::{Migrated, migrate_now};
pub(crate) use probe::Probe;
pub use settings::{PostgresSettings, UrlError};
