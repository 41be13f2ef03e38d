//! PostgreSQL: each unit of work is a serializable transaction, run again when another one was in
//! its way. Any number of processes may share one database.
//!
//! Serializable, because units look before they write: under anything weaker each would need its own
//! proof that nobody changes what it saw. Units that only read see one state of the database and wait
//! for nobody.

mod changes;
mod failure;
mod pool;
mod schema;
mod tls;
mod url;
mod values;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::IsolationLevel;

pub(crate) use failure::{Failure, Remedy};
pub(super) use pool::Session;
pub use url::{NotAPostgresUrl, PostgresUrl};

use super::{Observer, Tx, Unit};
use crate::SharedClock;
use crate::error::{Error, Fault, OrFault};

/// How often a unit is run before its caller is told that it can't be done now.
const RUNS: u32 = 30;
/// Between two runs passes up to so long at first, twice as long each time, and never longer than this.
const WAIT: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(200));
/// The longest that one run may take. PostgreSQL ends a statement earlier: nobody answered.
const RUN_TIME: Duration = Duration::from_secs(40);

/// Which PostgreSQL, and how it is used.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Where it is.
    pub url: PostgresUrl,
    /// The most connections that are open for units of work at once; one more looks for changes.
    pub connections: usize,
    /// Kept in step with the database's clock.
    pub clock: SharedClock,
}

/// A PostgreSQL database that other processes use, too.
pub(super) struct Postgres {
    pool: Pool,
    observer: Observer,
    /// Ends with this.
    _following: JoinSet<()>,
}

/// What a unit is run for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    /// To change something.
    Write,
    /// To see one state of many rows.
    Scan,
    /// To look something up, each statement for itself.
    Read,
}

impl Postgres {
    /// Connects, brings the schema up to date and begins to follow what others change.
    pub(super) async fn open(options: PostgresOptions, observer: Observer) -> Result<Self, Fault> {
        let PostgresOptions { url, connections, clock } = options;
        // Its own connection: however busy the others are, changes are seen in time.
        let beside = pool::open(&url, 1)?;
        schema::bring_up_to_date(&beside, &url).await?;
        let seen = changes::look(&beside, &clock, changes::FIRST_LOOK_TIME).await?;
        let mut following = JoinSet::new();
        following.spawn(changes::follow(beside, clock, Arc::clone(&observer), seen));
        Ok(Self { pool: pool::open(&url, connections)?, observer, _following: following })
    }

    /// Runs `unit` until it is committed or refused; also when the caller goes away meanwhile.
    pub(super) async fn write<A, T>(self: &Arc<Self>, args: A, unit: Unit<A, T>) -> Result<T, Error>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let engine = Arc::clone(self);
        let running = tokio::spawn(async move { engine.until_done(Purpose::Write, &args, unit).await });
        running.await.or_fault(|| "running a unit of work".to_owned())?
    }

    /// Runs `unit`, whose statements each see the newest state.
    pub(super) async fn read<A, T>(&self, args: &A, unit: Unit<A, T>) -> Result<T, Error> {
        self.until_done(Purpose::Read, args, unit).await
    }

    /// Runs `unit`, whose statements all see one state.
    pub(super) async fn scan<A, T>(&self, args: &A, unit: Unit<A, T>) -> Result<T, Error> {
        self.until_done(Purpose::Scan, args, unit).await
    }

    async fn until_done<A, T>(&self, purpose: Purpose, args: &A, unit: Unit<A, T>) -> Result<T, Error> {
        let (mut wait, longest) = WAIT;
        for _ in 1..RUNS {
            let result = self.run(purpose, args, unit).await;
            let Err(Error::Fault(fault)) = &result else { return result };
            match Failure::remedy_of(fault) {
                Some(Remedy::RunAgain | Remedy::Reconnect) => {}
                Some(Remedy::Wait | Remedy::MakeRoom | Remedy::None) | None => return result,
            }
            // By chance, so that those who met don't meet again.
            sleep(wait.mul_f64(fastrand::f64())).await;
            wait = longest.min(2 * wait);
        }
        self.run(purpose, args, unit).await
    }

    async fn run<A, T>(&self, purpose: Purpose, args: &A, unit: Unit<A, T>) -> Result<T, Error> {
        let connecting = || "connecting to PostgreSQL".to_owned();
        let mut client = self.pool.get().await.map_err(Failure::from).or_fault(connecting)?;
        let running = async {
            match purpose {
                Purpose::Write => self.commit(&mut client, args, unit).await,
                Purpose::Scan => scan(&mut client, args, unit).await,
                Purpose::Read => unit(&mut Tx::postgres(Session::Each(&client)), args).await,
            }
        };
        if let Ok(result) = timeout(RUN_TIME, running).await {
            return result;
        }
        // Whatever it is busy with, nobody waits for it any more.
        drop(Object::take(client));
        let why = format!("it did not answer within {} s", RUN_TIME.as_secs());
        Err(Fault::new("asking PostgreSQL", Failure::new(why, Remedy::Wait)).into())
    }

    async fn commit<A, T>(&self, client: &mut Object, args: &A, unit: Unit<A, T>) -> Result<T, Error> {
        let builder = client.build_transaction().isolation_level(IsolationLevel::Serializable);
        let begun = builder.start().await.map_err(Failure::from);
        let mut tx = Tx::postgres(Session::All(begun.or_fault(writing)?));
        let value = unit(&mut tx, args).await?;
        changes::count(&mut tx).await?;
        let changes = tx.commit().await.or_fault(writing)?;
        (self.observer)(&changes);
        Ok(value)
    }
}

async fn scan<A, T>(client: &mut Object, args: &A, unit: Unit<A, T>) -> Result<T, Error> {
    let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let begun = builder.read_only(true).start().await.map_err(Failure::from);
    let begun = begun.or_fault(|| "beginning to read the database".to_owned())?;
    unit(&mut Tx::postgres(Session::All(begun)), args).await
}

fn writing() -> String {
    "writing to the database".to_owned()
}
