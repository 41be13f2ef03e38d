//! Local blobs under a database that other machines reach, too: one machine at a time may use it.

use std::time::Duration;

use berth_storage::{Clock, DataFolder, Lease, Leased, Records};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, warn};

use crate::error::Error;
use crate::presence;

/// How long after this machine was last heard of another one may take its place.
const LASTS: Duration = Duration::from_secs(30);
const RENEWED_EVERY: Duration = Duration::from_secs(10);

/// The right to keep this database's blobs on this machine's disk.
pub(crate) struct BlobLease {
    records: Records,
    lease: Lease,
    clock: Clock,
}

impl BlobLease {
    /// Takes the lease for a data folder: after a crash the same folder has it at once.
    ///
    /// # Errors
    /// [`Error::BlobsElsewhere`] when another folder has it.
    pub(crate) async fn take(records: Records, folder: &DataFolder, clock: Clock) -> Result<Self, Error> {
        let (holder, shown) = (presence::holder(folder), presence::name(folder));
        let lease = Lease { name: "local blobs".into(), holder, shown, lasts: LASTS };
        match records.lease(lease.clone(), clock()).await? {
            Leased::Yes => Ok(Self { records, lease, clock }),
            Leased::To(other) => Err(Error::BlobsElsewhere(other)),
        }
    }

    /// Keeps the lease, and returns when it was lost: this machine was not heard of for too long.
    pub(crate) async fn lost(&self) {
        let mut tick = interval(RENEWED_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            match self.records.lease(self.lease.clone(), (self.clock)()).await {
                Ok(Leased::Yes) => {}
                Ok(Leased::To(other)) => {
                    error!(other, "another machine keeps this database's blobs now; stopping");
                    return;
                }
                Err(error) => warn!(%error, "the lease of local blobs could not be renewed; trying again"),
            }
        }
    }

    /// Lets another machine begin at once.
    pub(crate) async fn give_back(&self) {
        if let Err(error) = self.records.give_back(self.lease.name.clone(), self.lease.holder.clone()).await {
            warn!(%error, "the lease of local blobs stays until it runs out");
        }
    }
}
