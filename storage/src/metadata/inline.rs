//! SQLite in the calling thread, for simulations: one unit of work after another, each committed by
//! itself, each when a scheduler lets it.

use std::sync::Arc;

use futures_util::FutureExt;
use parking_lot::Mutex;
use rusqlite::Connection;

use super::{Observer, Tx, Unit};
use crate::error::{Error, Fault, OrFault};
use crate::testing::simulation::{Scheduler, Step, Turn};

/// A database in memory.
pub(super) struct Inline {
    connection: Mutex<Connection>,
    observer: Observer,
    scheduler: Arc<Scheduler>,
}

impl Inline {
    pub(super) fn new(connection: Connection, observer: Observer, scheduler: Arc<Scheduler>) -> Self {
        Self { connection: Mutex::new(connection), observer, scheduler }
    }

    /// Gives the database to the next process.
    pub(super) fn take(&self) -> Result<Connection, Fault> {
        let empty = Connection::open_in_memory().or_fault(|| "opening a database in memory".to_owned())?;
        Ok(std::mem::replace(&mut *self.connection.lock(), empty))
    }

    pub(super) async fn write<A, T>(&self, args: A, unit: Unit<A, T>) -> Result<T, Error> {
        let turn = self.scheduler.turn(Step::Write).await;
        if turn == Turn::FailBefore {
            return Err(lost());
        }
        let mut connection = self.connection.lock();
        let doing = || "writing to the database".to_owned();
        connection.execute_batch("BEGIN IMMEDIATE").or_fault(doing)?;
        let mut tx = Tx::sqlite(&mut connection);
        let result = run(unit, &mut tx, &args);
        let changes = tx.into_changes();
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        connection.execute_batch(end).or_fault(doing)?;
        drop(connection);
        if result.is_ok() {
            (self.observer)(&changes);
        }
        // Whoever asked may not hear that it was done.
        if turn == Turn::FailAfter { result.and(Err(lost())) } else { result }
    }

    pub(super) async fn read<A, T>(&self, args: A, unit: Unit<A, T>) -> Result<T, Error> {
        if self.scheduler.turn(Step::Read).await != Turn::Pass {
            return Err(lost());
        }
        let mut connection = self.connection.lock();
        run(unit, &mut Tx::sqlite(&mut connection), &args)
    }

    /// Looks at the database without waiting for a turn.
    pub(super) fn look<A, T>(&self, args: &A, unit: Unit<A, T>) -> Result<T, Error> {
        run(unit, &mut Tx::sqlite(&mut self.connection.lock()), args)
    }
}

fn run<A, T>(unit: Unit<A, T>, tx: &mut Tx<'_>, args: &A) -> Result<T, Error> {
    unit(tx, args).now_or_never().unwrap_or_else(|| {
        Err(Fault::because("running a unit of work", "it awaited something other than SQL").into())
    })
}

fn lost() -> Error {
    Fault::because("writing to the database", "the simulation lost the connection").into()
}
