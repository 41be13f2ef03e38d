//! What other processes change: one row counts, and is looked at once a second.
//!
//! Whatever is kept in memory about who may do what follows that row. Where it can't be looked at,
//! everything is forgotten: nothing is believed for longer than [`LOOK_EVERY`] and [`LOOK_TIME`] together.

use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use super::failure::{Failure, Remedy};
use crate::error::{Fault, OrFault};
use crate::metadata::{Change, Observer, Tx, args};
use crate::{SharedClock, Timestamp};

const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_TIME: Duration = Duration::from_secs(2);
/// The same for the first look, before there is anything to be believed: a busy database is no reason not to
/// start.
pub(super) const FIRST_LOOK_TIME: Duration = Duration::from_secs(20);

/// Counts a transaction that changed what others keep in memory.
pub(super) async fn count(tx: &mut Tx<'_>) -> Result<(), Fault> {
    let others_keep = |change: &Change| match change {
        Change::Repository(_) | Change::Directory | Change::SigningKeys | Change::Anything => true,
        // Tags and manifests are looked up each time.
        Change::Reference(..) => false,
    };
    if !tx.changes().iter().any(others_keep) {
        return Ok(());
    }
    tx.run("UPDATE generation SET value = value + 1", args![]).await
}

/// How many such transactions there were, if the database says so in `time`; sets `clock`, too.
pub(super) async fn look(pool: &Pool, clock: &SharedClock, time: Duration) -> Result<i64, Fault> {
    let looking = async {
        let client = pool.get().await.map_err(Failure::from)?;
        let sql =
            "SELECT value, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) FROM generation";
        let statement = client.prepare_cached(sql).await?;
        let asked_at = Timestamp::own();
        let row = client.query_one(&statement, &[]).await?;
        clock.follow(asked_at, Timestamp(row.try_get(1)?));
        Ok(row.try_get(0)?)
    };
    let late = |_| Failure::new(format!("it did not answer within {} s", time.as_secs()), Remedy::Wait);
    let looked: Result<i64, Failure> = timeout(time, looking).await.map_err(late).flatten();
    looked.or_fault(|| "looking for what other processes changed".to_owned())
}

/// Tells `observer` of what other processes change, for ever.
pub(super) async fn follow(pool: Pool, clock: SharedClock, observer: Observer, mut seen: i64) {
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut blind = false;
    loop {
        tick.tick().await;
        match look(&pool, &clock, LOOK_TIME).await {
            Ok(now) => {
                if blind {
                    info!("PostgreSQL answers again");
                }
                if blind || now != seen {
                    observer(&[Change::Anything]);
                }
                (seen, blind) = (now, false);
            }
            Err(fault) => {
                observer(&[Change::Anything]);
                if !blind {
                    warn!(%fault, "PostgreSQL does not answer; nothing is believed from memory");
                }
                blind = true;
            }
        }
    }
}
