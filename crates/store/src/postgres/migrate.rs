//! The tables: brought to this program's version, forward only, by one node at a time.

use refinery::Runner;
use tokio_postgres::Client;

use super::{Class, Connector, Fault, PostgresSettings};

mod steps {
    refinery::embed_migrations!("migrations");
}

/// Names the lock under which one node at a time migrates.
const LOCK: &str = "begin; select pg_advisory_xact_lock(7163841231)";

/// What a migration did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Migrated {
    /// The version that was found; 0: no tables.
    pub from: u32,
    /// The version now.
    pub to: u32,
}

/// The newest version that this program knows.
fn known() -> u32 {
    let newest = runner().get_migrations().iter().map(|step| step.version()).max();
    newest.and_then(|version| u32::try_from(version).ok()).unwrap_or(0)
}

fn runner() -> Runner {
    steps::migrations::runner().set_grouped(true).set_abort_missing(false)
}

/// The version of the tables; 0: there are none.
pub(crate) async fn version(client: &Client) -> Result<u32, Fault> {
    let sql = "select coalesce((select max(version) from refinery_schema_history), 0)";
    match client.query_typed(sql, &[]).await {
        Ok(found) => Ok(found.first().map_or(0, |row| u32::try_from(row.get::<_, i32>(0)).unwrap_or(0))),
        Err(error) => match Fault::from(error) {
            Fault { class: Class::Schema, .. } => Ok(0),
            fault => Err(fault),
        },
    }
}

/// Whether the tables are those of this program; says what to do if not.
pub(crate) async fn check(client: &Client) -> Result<(), Fault> {
    let (found, known) = (version(client).await?, known());
    let fault = |text: String| Err(Fault { class: Class::Schema, text });
    match found {
        0 => fault(
            "the database has no tables of Afterring: run `afterring migrate`, or set AFTERRING_DATABASE__MIGRATE=true"
                .to_owned(),
        ),
        found if found < known => fault(format!(
            "the database's tables have version {found}, this program needs {known}: run `afterring migrate`, or set AFTERRING_DATABASE__MIGRATE=true"
        )),
        found if found > known => fault(format!(
            "the database's tables have version {found}, and this program knows only {known}: a newer Afterring has migrated them; upgrade this node"
        )),
        _ => Ok(()),
    }
}

/// Brings the tables to this program's version. Two nodes that start at once do it one after the other.
pub(crate) async fn migrate(connector: &Connector) -> Result<Migrated, Fault> {
    let guard = connector.connect().await?;
    guard.batch_execute(LOCK).await?;
    let (client, task) = connector.parts().await?;
    let mut client = client;
    let from = version(&client).await?;
    let done = if from < known() { runner().run_async(&mut client).await.map(drop) } else { Ok(()) };
    task.abort();
    guard.batch_execute("commit").await?;
    done.map_err(|error| {
        let cause = std::error::Error::source(&error).map(|source| {
            let cause = std::error::Error::source(source).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!(": {source}{cause}")
        });
        Fault {
            class: Class::Schema,
            text: format!("the tables can't be migrated: {error}{}", cause.unwrap_or_default()),
        }
    })?;
    Ok(Migrated { from, to: from.max(known()) })
}

/// Brings the tables to this program's version, for the command.
///
/// # Errors
/// When the database can't be reached or refuses.
pub async fn migrate_now(settings: &PostgresSettings) -> Result<Migrated, Fault> {
    let connector = Connector::new(settings).map_err(|error| Fault { class: Class::Other, text: error.to_string() })?;
    migrate(&connector).await
}
