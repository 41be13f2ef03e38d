//! Names and relations, in SQL. Units of work are written once, against [`Tx`]; only the engines
//! that run them and their migrations differ.

mod sqlite;
mod tx;

pub(crate) mod access_keys;
pub(crate) mod audit;
pub(crate) mod blobs;
pub(crate) mod condemned;
pub(crate) mod groups;
pub(crate) mod manifests;
pub(crate) mod policies;
pub(crate) mod records;
pub(crate) mod referrers;
pub(crate) mod refresh_tokens;
pub(crate) mod repositories;
pub(crate) mod settings;
pub(crate) mod signing_keys;
pub(crate) mod store;
pub(crate) mod tags;
pub(crate) mod uploads;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use berth_oci::RepositoryName;
use futures_util::future::BoxFuture;

pub(crate) use tx::args;
pub use tx::{Row, Tx, Value};

use crate::Telemetry;
use crate::error::{Error, Fault};
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
}

/// Told of what a COMMIT changed, after it and before anyone gets an answer.
pub type Observer = Arc<dyn Fn(&[Change]) + Send + Sync>;

/// The database.
#[derive(Clone)]
pub struct Metadata {
    engine: Arc<Sqlite>,
    telemetry: Arc<dyn Telemetry>,
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
        Ok(Self { engine, telemetry })
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
        let result = self.engine.write(args, unit).await;
        self.telemetry.database("write", started.elapsed());
        result
    }

    /// Runs a `unit` that only looks up a few rows.
    ///
    /// # Errors
    /// What the unit refused, or a fault.
    #[expect(clippy::unused_async, reason = "an engine across a network awaits here")]
    pub async fn read<A, T>(&self, args: A, unit: Unit<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let started = Instant::now();
        let result = self.engine.read(&args, unit);
        self.telemetry.database("read", started.elapsed());
        result
    }

    /// Runs a `unit` that only reads but may touch many rows, away from the async threads.
    ///
    /// # Errors
    /// What the unit refused, or a fault.
    pub async fn scan<A, T>(&self, args: A, unit: Unit<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let started = Instant::now();
        let engine = Arc::clone(&self.engine);
        let result = crate::blocking("reading the database", move || engine.read(&args, unit)).await?;
        self.telemetry.database("scan", started.elapsed());
        result
    }
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metadata")
    }
}
