//! The journal and what has been decided: everything that outlives the process.
//!
//! [`Embedded`] is the journal always (an event is durable there before its peer is answered), and behind [`Store`] it is also the place where
//! decisions are taken and kept: call boxes, alerts, quotas, charges, subscribers. It calls [`routing::decide`] inside the transaction that applies
//! the decision's effects, so that nothing is ever half decided; it sends nothing itself.

mod contract;
mod embedded;
mod error;
mod hand_over;
mod health;
mod keeper;
mod matching;
mod owed;
mod postgres;
mod report;

pub use contract::{
    AlertCounts, Appended, CampaignCount, Context, Erased, Explained, Journaled, ListEntry, Matched, Oldest, Outcome,
    Person, ReceiptMatch, Retention, Seq, Settled, Store, TimelineAlert, TimelineEntry,
};
pub(crate) use contract::{EVERYTHING, put_on};
pub use embedded::{Embedded, EmbeddedSettings, Health, Pruned};
pub use error::StoreError;
pub use hand_over::{HandOver, Step};
pub use health::{DatabaseHealth, Seen};
pub use owed::{Committed, Owed};
pub use postgres::{
    Bulk, Class, Everybody, Examined, Fault, Given, Imported, Migrated, Pooler, PostgresSettings, Standby, UrlError,
    examine, migrate_now,
};
pub use report::ReportRow;
