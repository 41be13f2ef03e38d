//! Says in the database, as long as this server runs, that it does: servers that share it may be on any
//! machine, and nobody moves their store away under them.

use std::fs;
use std::time::Duration;

use berth_storage::{DataFolder, Fault, Lease, Records, Timestamp};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::error::Error;
use crate::state::App;

/// What the names of these leases begin with.
const PREFIX: &str = "server ";
const RENEWED_EVERY: Duration = Duration::from_secs(20);
/// How long a server that was killed is taken for one that runs.
const LASTS: Duration = Duration::from_secs(60);

/// How people know the server with this data folder.
pub(crate) fn name(folder: &DataFolder) -> String {
    format!("{}, {}", hostname(), folder.path("").display())
}

/// Who that is in the database: the same after a kill, and another one than a copy of the folder on another
/// machine.
pub(crate) fn holder(folder: &DataFolder) -> String {
    let place = fs::canonicalize(folder.path("")).unwrap_or_else(|_| folder.path(""));
    format!("{} {} {}", folder.id(), hostname(), place.display())
}

fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Says so, again and again, until the server stops.
pub(crate) async fn keep(app: App, shown: String, mut stopped: watch::Receiver<()>) {
    let records = app.registry.records();
    let holder = holder(&app.folder);
    let lease = Lease { name: format!("{PREFIX}{holder}").into(), shown, holder, lasts: LASTS };
    if let Err(error) = records.forget_leases(app.registry.now()).await {
        warn!(%error, "leases that ran out stay for now");
    }
    let mut tick = interval(RENEWED_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stopped.changed() => break,
        }
        if let Err(error) = records.lease(lease.clone(), app.registry.now()).await {
            warn!(%error, "the database does not hear that this server runs; trying again");
        }
    }
    if let Err(error) = records.give_back(lease.name, lease.holder).await {
        warn!(%error, "the database takes this server for running for a while");
    }
}

/// Refuses a store on which servers run to whoever is `doing` something that needs it for itself, with
/// its `folder` locked: a server that was killed there does not count.
///
/// # Errors
/// One sentence that names them, a fault when the database can't be asked.
pub(crate) async fn refuse_running(
    doing: &'static str,
    records: &Records,
    folder: &DataFolder,
    now: Timestamp,
) -> Result<(), Error> {
    let killed = holder(folder);
    records.give_back(format!("{PREFIX}{killed}").into(), killed).await?;
    let servers = records.holders(PREFIX, now).await?;
    if servers.is_empty() {
        return Ok(());
    }
    let why = format!(
        "a server still runs on it ({}); stop it first (one that was killed counts for a minute)",
        servers.join("; ")
    );
    Err(Fault::because(doing, why).into())
}
