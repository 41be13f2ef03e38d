//! Keeps telling database and blob store how far the database has come, so that one that was restored is
//! known.

use std::time::Duration;

use berth_storage::{Age, DataFolder, Lease, Leased};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::error::Error;
use crate::presence;
use crate::state::App;

/// Held by one of the servers that run on a database.
const LEASE: &str = "epoch";
const RAISED_EVERY: Duration = Duration::from_secs(60);
/// How long after one process was last heard of another does it.
pub(crate) const LASTS: Duration = Duration::from_secs(150);

/// Raises the epoch, again and again; of several processes one does.
pub(crate) async fn keep(app: App, mut stopped: watch::Receiver<()>) {
    let mut tick = interval(RAISED_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let lease = lease(&app.folder);
    let mut seen = Age::Same;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stopped.changed() => break,
        }
        match raise(&app, &lease).await {
            Ok(age) if age != seen => {
                tell(age);
                seen = age;
            }
            Ok(_) => {}
            Err(error) => warn!(%error, "raising the epoch failed; trying again"),
        }
    }
    if let Err(error) = app.registry.records().give_back(lease.name, lease.holder).await {
        warn!(%error, "the lease of the epoch stays until it runs out");
    }
}

/// The lease as whoever has this data folder asks for it.
pub(crate) fn lease(folder: &DataFolder) -> Lease {
    let holder = presence::holder(folder);
    Lease { name: LEASE.into(), shown: holder.clone(), holder, lasts: LASTS }
}

async fn raise(app: &App, lease: &Lease) -> Result<Age, Error> {
    match app.registry.records().lease(lease.clone(), app.registry.now()).await? {
        Leased::Yes => Ok(app.registry.raise_epoch().await?),
        Leased::To(_) => Ok(app.registry.age().await?),
    }
}

fn tell(age: Age) {
    match age {
        Age::Same => info!("what nobody needs is cleared again"),
        Age::Restored { database, blob_store } => warn!(
            database,
            blob_store,
            "the database is of an older state than its blob store: it was restored; nothing is cleared until \
             'berth admin gc --accept-restore'"
        ),
    }
}
