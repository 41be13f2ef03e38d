//! Simulation: everything that touches a store waits for its turn, and a scheduler decides whose turn
//! it is and whether the call fails.
//!
//! One call of a store runs to its end at a time; between calls everything interleaves as the
//! scheduler chooses. All of it is one thread, so that the same choices give the same run.

mod blobs;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use rusqlite::Connection;

pub use blobs::MemoryBlobStore;

use crate::error::{Error, Fault};
use crate::metadata::Metadata;

/// A call of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A unit of work that may change the database.
    Write,
    /// A unit of work that only reads.
    Read,
    /// A call of the blob store that changes it.
    Bytes,
    /// A call of the blob store that only reads.
    ReadBytes,
}

/// What becomes of a call whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is done.
    Pass,
    /// It fails, and nothing is done.
    FailBefore,
    /// It is done, but whoever asked is told that it failed.
    FailAfter,
}

/// Calls that wait for their turn.
#[derive(Debug, Default)]
pub struct Scheduler {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// By the order in which they came.
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    step: Step,
    turn: Option<Turn>,
    waker: Option<Waker>,
}

impl Scheduler {
    /// Waits for a turn.
    pub(crate) async fn turn(&self, step: Step) -> Turn {
        let ticket = {
            let mut state = self.state.lock();
            state.next += 1;
            let ticket = state.next;
            state.waiting.insert(ticket, Waiting { step, turn: None, waker: None });
            ticket
        };
        // Whoever is dropped while waiting waits no more.
        let leave = Leave { scheduler: self, ticket };
        let turn = poll_fn(|context| {
            let mut state = self.state.lock();
            let Some(waiting) = state.waiting.get_mut(&ticket) else { return Poll::Pending };
            match waiting.turn {
                Some(turn) => Poll::Ready(turn),
                None => {
                    waiting.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        drop(leave);
        turn
    }

    /// The calls that wait now, in the order in which they came.
    pub fn waiting(&self) -> Vec<Step> {
        self.state.lock().waiting.values().map(|waiting| waiting.step).collect()
    }

    /// Lets the call at this place of [`Scheduler::waiting`] go on.
    pub fn release(&self, place: usize, turn: Turn) {
        let mut state = self.state.lock();
        if let Some(waiting) = state.waiting.values_mut().nth(place) {
            waiting.turn = Some(turn);
            if let Some(waker) = waiting.waker.take() {
                waker.wake();
            }
        }
    }

    /// Lets everything else of this thread run until all of it waits for its turn or has ended.
    pub async fn settle(&self) {
        let mut before = None;
        loop {
            let now = {
                let state = self.state.lock();
                (state.next, state.waiting.len())
            };
            if before == Some(now) {
                return;
            }
            before = Some(now);
            // Every task that can run has run when this one's turn has come a few times.
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        }
    }
}

struct Leave<'s> {
    scheduler: &'s Scheduler,
    ticket: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.scheduler.state.lock().waiting.remove(&self.ticket);
    }
}

/// A database in memory, ready to be copied.
pub struct Template(Connection);

impl Template {
    /// An empty database with today's schema.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new() -> Result<Self, Fault> {
        Metadata::template().map(Self)
    }

    /// A copy of it.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn copy(&self) -> Result<Connection, Fault> {
        let copying = |error| Fault::new("copying a database in memory", error);
        let mut copy = Connection::open_in_memory().map_err(copying)?;
        let backup = rusqlite::backup::Backup::new(&self.0, &mut copy).map_err(copying)?;
        backup.run_to_completion(1000, std::time::Duration::ZERO, None).map_err(copying)?;
        drop(backup);
        copy.set_prepared_statement_cache_capacity(256);
        copy.execute_batch("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY").map_err(copying)?;
        Ok(copy)
    }
}

/// What a simulated registry stands on.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Where bytes are.
    pub blobs: MemoryBlobStore,
    /// Who decides whose turn it is.
    pub scheduler: Arc<Scheduler>,
}

/// From now on ids of this thread follow from `seed`.
pub fn seed_ids(seed: u64) {
    crate::ids::seed(seed);
}

/// An error that a simulation caused.
pub fn is_made_up(error: &Error) -> bool {
    matches!(error, Error::Fault(fault) if fault.to_string().contains("the simulation"))
}
