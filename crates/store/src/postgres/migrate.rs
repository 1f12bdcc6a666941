//! The tables: brought to this program's version, forward only, by one node at a time.

use std::time::Duration;

use refinery::Runner;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{Class, Connector, Fault, PostgresSettings};

mod steps {
    refinery::embed_migrations!("migrations");
}

/// Takes the lock under which one node at a time migrates, if nobody has it. Its holder idles while another session works.
const LOCK: &str = "begin; set local idle_in_transaction_session_timeout = 0; \
    select pg_try_advisory_xact_lock(7163841231)::text";

/// Pause before it is tried again: waiting for it would take a connection from PgBouncer that the holder may need.
const AGAIN: Duration = Duration::from_millis(100);

/// How long a small statement may take.
const SHORT: Duration = Duration::from_secs(10);

/// How long a migration may take, and another node's, which is waited for: large tables may be rewritten.
const LONG: Duration = Duration::from_secs(3600);

/// What a migration did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Migrated {
    /// The version that was found; 0: no tables.
    pub from: u32,
    /// The version now.
    pub to: u32,
}

/// The newest version that this program knows.
pub(super) fn known() -> u32 {
    let newest = runner().get_migrations().iter().map(|step| step.version()).max();
    newest.and_then(|version| u32::try_from(version).ok()).unwrap_or(0)
}

/// Every table that the migrations make.
pub(super) fn tables() -> Vec<String> {
    let runner = runner();
    let sql = runner.get_migrations().iter().filter_map(|step| step.sql());
    sql.flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("create table ")?.split([' ', '(']).next())
        .map(str::to_owned)
        .collect()
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
    let mut session = connector.connect().await?;
    let from = within(SHORT, version(&session)).await?;
    let known = known();
    if from >= known {
        return Ok(Migrated { from, to: from });
    }
    let guard = connector.connect().await?;
    within(LONG, lock(&guard)).await?;
    // Refinery looks again at what is there: another node may have done it meanwhile.
    let run = async { runner().run_async(&mut *session).await.map_err(|error| unmigrated(&error)) };
    within(LONG, run).await?;
    within(SHORT, async { Ok(guard.batch_execute("commit").await?) }).await?;
    Ok(Migrated { from, to: known })
}

/// Returns when this session has the lock; it has it until its transaction ends.
async fn lock(guard: &Client) -> Result<(), Fault> {
    loop {
        let said = guard.simple_query(LOCK).await?;
        let got = said.iter().any(|one| matches!(one, SimpleQueryMessage::Row(row) if row.get(0) == Some("true")));
        if got {
            return Ok(());
        }
        guard.batch_execute("rollback").await?;
        tokio::time::sleep(AGAIN).await;
    }
}

async fn within<T>(bound: Duration, asked: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    tokio::time::timeout(bound, asked).await.map_err(|_| Fault::silent(bound))?
}

/// What the server said is deep in what refinery says.
fn unmigrated(error: &refinery::Error) -> Fault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(said) = one.downcast_ref::<tokio_postgres::Error>() {
            let Fault { class, text } = Fault::of(said);
            let advice = match class {
                Class::Denied => {
                    "; `afterring migrate` with the address of a role that may create tables does it for all nodes"
                }
                _ => "",
            };
            return Fault { class, text: format!("the tables can't be migrated: {text}{advice}") };
        }
        cause = one.source();
    }
    Fault { class: Class::Schema, text: format!("the tables can't be migrated: {error}") }
}

/// Brings the tables to this program's version, for the command.
///
/// # Errors
/// When the database can't be reached or refuses.
pub async fn migrate_now(settings: &PostgresSettings) -> Result<Migrated, Fault> {
    let connector = Connector::new(settings)?;
    migrate(&connector).await
}
