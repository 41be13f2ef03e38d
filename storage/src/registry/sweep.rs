//! What nobody needs any more goes: expired upload sessions, and bytes without a name.

use tracing::warn;

use super::Registry;
use crate::error::{Error, Fault};
use crate::metadata::condemned::{self, Remains};
use crate::metadata::uploads;
use crate::{BlobStore, Staged};

/// How many items one step takes.
const STEP: u64 = 100;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Upload sessions that had expired.
    pub expired_uploads: u64,
    /// Places in the blob store that were cleared.
    pub removed: u64,
}

impl<B: BlobStore> Registry<B> {
    /// Ends expired upload sessions and removes condemned bytes, all that is due now.
    ///
    /// One item that can't be removed is tried again later and never stops the others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        let now = self.now();
        loop {
            let expired = self.metadata().write((now, STEP), uploads::expire).await?;
            swept.expired_uploads += expired;
            if expired < STEP {
                break;
            }
        }
        loop {
            let due = self.metadata().scan((now, STEP), condemned::due).await?;
            let mut gone = Vec::with_capacity(due.len());
            for item in &due {
                match self.remove(&item.what).await {
                    Ok(()) => gone.push(item.id.clone()),
                    Err(fault) => {
                        warn!(%fault, "condemned bytes could not be removed; trying again later");
                        self.metadata().write((item.id.clone(), now), condemned::postpone).await?;
                    }
                }
            }
            swept.removed += gone.len() as u64;
            if !gone.is_empty() {
                self.metadata().write(gone, condemned::forget).await?;
            }
            if (due.len() as u64) < STEP {
                return Ok(swept);
            }
        }
    }

    async fn remove(&self, what: &Remains) -> Result<(), Fault> {
        match what {
            Remains::Sealed(location) => self.shared.blobs.remove(location).await,
            Remains::Staged { staged, sealing } => {
                self.shared.blobs.abort(&Staged::from_json(staged)?, sealing.as_ref()).await
            }
        }
    }
}
