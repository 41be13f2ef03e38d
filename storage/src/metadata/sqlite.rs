//! SQLite: one thread writes, in groups; readers have connections of their own and never wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{Change, Observer, Tx, Unit, not_up_to_date};
use crate::Telemetry;
use crate::error::{Error, Fault, OrFault};

mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// The most units of work that one COMMIT carries.
const GROUP: usize = 256;
/// The longest that a group collects units before it commits.
const GROUP_TIME: Duration = Duration::from_millis(10);
/// Statements kept prepared on each connection; there are fewer than that in this crate.
const STATEMENTS: usize = 128;

/// An SQLite database that only this process has open.
pub(super) struct Sqlite {
    path: PathBuf,
    queue: mpsc::Sender<Box<dyn Queued>>,
    readers: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens or makes the database at `path`, brings its schema up to date and starts its writer.
    pub(super) fn open(
        path: &Path,
        observer: Observer,
        telemetry: Arc<dyn Telemetry>,
    ) -> Result<Self, Fault> {
        let mut writer = connect(path)?;
        embedded::migrations::runner()
            .run(&mut writer)
            .map_err(|error| not_up_to_date(&path.display().to_string(), error))?;
        let (queue, jobs) = mpsc::channel(4 * GROUP);
        thread::Builder::new()
            .name("berth-writer".to_owned())
            .spawn(move || write_in_groups(writer, jobs, &observer, telemetry.as_ref()))
            .or_fault(|| "starting the database's writer thread".to_owned())?;
        Ok(Self { path: path.to_owned(), queue, readers: Mutex::new(Vec::new()) })
    }

    /// Queues `unit` for the writer and waits until it is committed or refused.
    pub(super) async fn write<A, T>(&self, args: A, unit: Unit<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Job { args, unit, result: None, reply });
        let stopped = || Fault::because("writing to the database", "its writer thread has stopped");
        self.queue.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Runs `unit` on a reader's connection, in the calling thread.
    pub(super) fn read<A, T>(&self, args: &A, unit: Unit<A, T>) -> Result<T, Error> {
        let pooled = self.readers.lock().pop();
        let mut connection = match pooled {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let begun =
            connection.execute_batch("BEGIN").or_fault(|| "beginning to read the database".to_owned());
        begun?;
        let result = run(unit, &mut Tx::sqlite(&mut connection), args);
        connection.execute_batch("COMMIT").or_fault(|| "reading the database".to_owned())?;
        self.readers.lock().push(connection);
        result
    }
}

/// Units await nothing but SQL, and SQLite's answers are ready at once.
fn run<A, T>(unit: Unit<A, T>, tx: &mut Tx<'_>, args: &A) -> Result<T, Error> {
    unit(tx, args).now_or_never().unwrap_or_else(|| {
        Err(Fault::because("running a unit of work", "it awaited something other than SQL").into())
    })
}

/// An empty database in memory with today's schema.
#[cfg(feature = "testing")]
pub(super) fn in_memory() -> Result<Connection, Fault> {
    let mut connection =
        Connection::open_in_memory().or_fault(|| "opening a database in memory".to_owned())?;
    let migrated = embedded::migrations::runner().run(&mut connection);
    migrated.map_err(|error| not_up_to_date(":memory:", error))?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    let opening = || format!("opening the database {}", path.display());
    let connection = Connection::open(path).or_fault(opening)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(Duration::from_secs(10)).or_fault(opening)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
        )
        .or_fault(opening)?;
    Ok(connection)
}

/// A unit of work on its way through the writer.
trait Queued: Send {
    /// Runs the unit in a savepoint; gives what it changed.
    fn run(&mut self, connection: &mut Connection) -> Vec<Change>;
    /// Answers whoever waits: with the unit's own result, or with why the COMMIT failed.
    fn answer(self: Box<Self>, committed: &Result<(), Fault>);
}

struct Job<A, T> {
    args: A,
    unit: Unit<A, T>,
    result: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<A: Send + Sync, T: Send> Queued for Job<A, T> {
    fn run(&mut self, connection: &mut Connection) -> Vec<Change> {
        let (result, changes) = in_savepoint(connection, |tx| run(self.unit, tx, &self.args));
        self.result = Some(result);
        changes
    }

    fn answer(self: Box<Self>, committed: &Result<(), Fault>) {
        let result = match (self.result, committed) {
            // What the unit itself refused stays refused, whatever became of the others.
            (Some(Err(refused)), _) => Err(refused),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(fault)) => Err(fault.clone().into()),
            (None, Ok(())) => Err(Fault::because("writing to the database", "the unit was not run").into()),
        };
        // Nobody waits any more when the client went away; the work is done all the same.
        let _ = self.reply.send(result);
    }
}

/// Runs `work` so that it leaves no trace when it fails or panics.
fn in_savepoint<T>(
    connection: &mut Connection,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
) -> (Result<T, Error>, Vec<Change>) {
    let doing = || "writing to the database".to_owned();
    if let Err(fault) =
        connection.prepare_cached("SAVEPOINT unit").and_then(|mut s| s.execute([])).or_fault(doing)
    {
        return (Err(fault.into()), Vec::new());
    }
    let mut tx = Tx::sqlite(connection);
    let result = catch_unwind(AssertUnwindSafe(|| work(&mut tx)))
        .unwrap_or_else(|_| Err(Fault::because("running a unit of work", "it panicked").into()));
    let changes = tx.into_changes();
    let end = if result.is_ok() { "RELEASE unit" } else { "ROLLBACK TO unit" };
    let mut ended = connection.prepare_cached(end).and_then(|mut s| s.execute([]));
    if result.is_err() {
        ended = ended.and_then(|_| connection.prepare_cached("RELEASE unit").and_then(|mut s| s.execute([])));
    }
    match (result, ended) {
        (Ok(value), Ok(_)) => (Ok(value), changes),
        (Ok(_), Err(error)) => (Err(Fault::new(doing(), error).into()), Vec::new()),
        (Err(error), _) => (Err(error), Vec::new()),
    }
}

fn write_in_groups(
    mut connection: Connection,
    mut jobs: mpsc::Receiver<Box<dyn Queued>>,
    observer: &Observer,
    telemetry: &dyn Telemetry,
) {
    while let Some(first) = jobs.blocking_recv() {
        let started = Instant::now();
        let mut group = Vec::with_capacity(8);
        let mut changes = Vec::new();
        let committed = commit_group(&mut connection, first, &mut jobs, &mut group, &mut changes);
        telemetry.database("commit", started.elapsed());
        if committed.is_ok() {
            observer(&changes);
        }
        for job in group {
            job.answer(&committed);
        }
    }
}

/// One transaction for the units that are queued now, so that they share one fsync.
fn commit_group(
    connection: &mut Connection,
    first: Box<dyn Queued>,
    jobs: &mut mpsc::Receiver<Box<dyn Queued>>,
    group: &mut Vec<Box<dyn Queued>>,
    changes: &mut Vec<Change>,
) -> Result<(), Fault> {
    let doing = || "writing to the database".to_owned();
    let started = Instant::now();
    let mut next = Some(first);
    let begun = connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut s| s.execute([]));
    if let Err(error) = begun {
        group.extend(next);
        return Err(Fault::new(doing(), error));
    }
    while let Some(mut job) = next {
        changes.extend(job.run(connection));
        group.push(job);
        // A full disk or an I/O error makes SQLite give up the whole transaction by itself.
        if connection.is_autocommit() {
            return Err(Fault::new(doing(), given_up()));
        }
        let go_on = group.len() < GROUP && started.elapsed() < GROUP_TIME;
        next = if go_on { jobs.try_recv().ok() } else { None };
    }
    let committed = connection.prepare_cached("COMMIT").and_then(|mut s| s.execute([]));
    if let Err(error) = committed {
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        return Err(Fault::new(doing(), error));
    }
    Ok(())
}

fn given_up() -> rusqlite::Error {
    let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
    rusqlite::Error::SqliteFailure(full, Some("the transaction was given up by the database".to_owned()))
}
