//! Names and relations, in SQL. Units of work are written once, against [`Tx`]; only the engines
//! that run them and their migrations differ.

#[cfg(feature = "testing")]
mod inline;
mod postgres;
mod sqlite;
mod tx;

pub(crate) mod access_keys;
pub(crate) mod audit;
pub(crate) mod blobs;
pub(crate) mod collect;
pub(crate) mod condemned;
pub(crate) mod epoch;
pub(crate) mod forecast;
pub(crate) mod groups;
pub(crate) mod leases;
pub(crate) mod manifests;
pub(crate) mod policies;
pub(crate) mod records;
pub(crate) mod referrers;
pub(crate) mod refresh_tokens;
pub(crate) mod repositories;
pub(crate) mod retention;
pub(crate) mod reviews;
pub(crate) mod settings;
pub(crate) mod signing_keys;
pub(crate) mod store;
pub(crate) mod tags;
pub(crate) mod undelete;
pub(crate) mod uploads;
pub(crate) mod usage;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use berth_oci::RepositoryName;
use futures_util::future::BoxFuture;

pub(crate) use postgres::{Failure, Remedy};
pub use postgres::{NotAPostgresUrl, PostgresOptions, PostgresUrl};
pub(crate) use tx::args;
pub use tx::{Row, Tx, Value};

use crate::Telemetry;
use crate::error::{Error, Fault};
use postgres::Postgres;
use sqlite::Sqlite;

/// A unit of work: a function of a transaction and its arguments that awaits nothing but SQL. It
/// may be run more than once, so it takes its arguments by reference.
pub type Unit<A, T> = for<'t, 'c> fn(&'t mut Tx<'c>, &'t A) -> BoxFuture<'t, Result<T, Error>>;

/// What a unit of work changed, for whoever keeps copies of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// What a tag or digest of this repository leads to.
    Reference(RepositoryName, String),
    /// Anything about this repository.
    Repository(RepositoryName),
    /// Who there is and what they may do.
    Directory,
    /// The keys that sign tokens.
    SigningKeys,
    /// Nobody knows: another process may have changed anything.
    Anything,
}

/// Told of what a COMMIT changed, after it and before anyone gets an answer.
pub type Observer = Arc<dyn Fn(&[Change]) + Send + Sync>;

/// The database.
#[derive(Clone)]
pub struct Metadata {
    engine: Engine,
    telemetry: Arc<dyn Telemetry>,
}

#[derive(Clone)]
enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
    #[cfg(feature = "testing")]
    Inline(Arc<inline::Inline>),
}

impl Metadata {
    /// Opens or makes the SQLite database at `path`; `observer` is told of every committed change.
    ///
    /// # Errors
    /// When the file can't be opened, or is of a newer version of berth.
    pub fn open_sqlite(
        path: &Path,
        observer: Observer,
        telemetry: Arc<dyn Telemetry>,
    ) -> Result<Self, Fault> {
        let engine = Arc::new(Sqlite::open(path, observer, Arc::clone(&telemetry))?);
        Ok(Self { engine: Engine::Sqlite(engine), telemetry })
    }

    /// Opens a PostgreSQL database, which other processes may use, too; `observer` is told of every
    /// change, theirs some seconds later.
    ///
    /// # Errors
    /// When it can't be reached, is too old, somebody else's, or of a newer version of berth.
    pub async fn open_postgres(
        options: PostgresOptions,
        observer: Observer,
        telemetry: Arc<dyn Telemetry>,
    ) -> Result<Self, Fault> {
        let engine = Arc::new(Postgres::open(options, observer).await?);
        Ok(Self { engine: Engine::Postgres(engine), telemetry })
    }

    /// Runs `unit`; when this returns `Ok` its changes are durable.
    ///
    /// # Errors
    /// What the unit refused, or a fault when it could not be committed.
    pub async fn write<A, T>(&self, args: A, unit: Unit<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let started = Instant::now();
        let result = match &self.engine {
            Engine::Sqlite(engine) => engine.write(args, unit).await,
            Engine::Postgres(engine) => engine.write(args, unit).await,
            #[cfg(feature = "testing")]
            Engine::Inline(engine) => engine.write(args, unit).await,
        };
        self.telemetry.database("write", started.elapsed());
        result
    }

    /// Runs a `unit` that only looks up a few rows, with one statement: several may see different states.
    ///
    /// # Errors
    /// What the unit refused, or a fault.
    pub async fn read<A, T>(&self, args: A, unit: Unit<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let started = Instant::now();
        let result = match &self.engine {
            Engine::Sqlite(engine) => engine.read(&args, unit),
            Engine::Postgres(engine) => engine.read(&args, unit).await,
            #[cfg(feature = "testing")]
            Engine::Inline(engine) => engine.read(args, unit).await,
        };
        self.telemetry.database("read", started.elapsed());
        result
    }

    /// Runs a `unit` that only reads but may touch many rows, all of one state, away from the async threads.
    ///
    /// # Errors
    /// What the unit refused, or a fault.
    pub async fn scan<A, T>(&self, args: A, unit: Unit<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let started = Instant::now();
        let result = match &self.engine {
            Engine::Sqlite(engine) => {
                let engine = Arc::clone(engine);
                crate::blocking("reading the database", move || engine.read(&args, unit)).await?
            }
            Engine::Postgres(engine) => engine.scan(&args, unit).await,
            #[cfg(feature = "testing")]
            Engine::Inline(engine) => engine.read(args, unit).await,
        };
        self.telemetry.database("scan", started.elapsed());
        result
    }
}

/// For simulations.
#[cfg(feature = "testing")]
impl Metadata {
    /// An empty database in memory.
    pub(crate) fn template() -> Result<rusqlite::Connection, Fault> {
        sqlite::in_memory()
    }

    /// The database `connection`, whose units of work wait for their turn.
    pub fn open_inline(
        connection: rusqlite::Connection,
        scheduler: Arc<crate::testing::simulation::Scheduler>,
    ) -> Self {
        let engine = inline::Inline::new(connection, Arc::new(|_| {}), scheduler);
        Self { engine: Engine::Inline(Arc::new(engine)), telemetry: Arc::new(crate::NoTelemetry) }
    }

    /// The same database for the next process, which is told of changes by `observer`.
    pub(crate) fn reopen_inline(
        &self,
        observer: Observer,
        scheduler: Arc<crate::testing::simulation::Scheduler>,
    ) -> Result<Self, Fault> {
        let Engine::Inline(engine) = &self.engine else {
            return Err(Fault::because("opening the database again", "it is not in memory"));
        };
        let engine = Arc::new(inline::Inline::new(engine.take()?, observer, scheduler));
        Ok(Self { engine: Engine::Inline(engine), telemetry: Arc::clone(&self.telemetry) })
    }

    /// What a statement finds, without waiting for a turn.
    ///
    /// # Errors
    /// When the database refuses it.
    pub fn look(&self, sql: &'static str) -> Result<Vec<Row>, Error> {
        fn rows<'t>(tx: &'t mut Tx<'_>, sql: &'t &'static str) -> BoxFuture<'t, Result<Vec<Row>, Error>> {
            Box::pin(async move { Ok(tx.rows(sql, &[]).await?) })
        }
        match &self.engine {
            Engine::Inline(engine) => engine.look(&sql, rows),
            Engine::Sqlite(_) | Engine::Postgres(_) => {
                Err(Fault::because("looking at the database", "it is not in memory").into())
            }
        }
    }
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metadata")
    }
}

/// Why a schema could not be brought up to date.
fn not_up_to_date(database: &str, error: refinery::Error) -> Fault {
    let doing = format!("bringing the database {database} up to date");
    match error.kind() {
        refinery::error::Kind::MissingVersion(migration) => {
            let version = migration.version();
            let why = format!("its schema is {version}, of a newer berth than this one; start that version");
            Fault::because(doing, why)
        }
        _ => Fault::new(doing, error),
    }
}
