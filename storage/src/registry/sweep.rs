//! What nobody needs any more goes: expired upload sessions, bytes without a name, and what is too
//! much of the audit.

use futures_util::stream::{self, StreamExt};
use tracing::warn;

use super::{Age, Registry};
use crate::crash::crash_point;
use crate::error::{Error, Fault};
use crate::metadata::audit::{self, Trim};
use crate::metadata::condemned::{self, Condemned, Remains};
use crate::metadata::uploads;
use crate::{BlobStore, Staged};

/// How many items one step takes.
const STEP: u64 = 100;
/// How many places are cleared side by side.
const AT_A_TIME: usize = 8;
/// How many records of the audit one step looks at: a millisecond or two of the database's writer.
const AUDIT_STEP: u64 = 500;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Upload sessions that had expired.
    pub expired_uploads: u64,
    /// Places in the blob store that were cleared.
    pub removed: u64,
    /// Manifests that nothing held any more.
    pub manifests: u64,
    /// Blobs that no repository holds any more.
    pub blobs: u64,
    /// Bytes of those blobs, which go as soon as nobody can be reading them.
    pub bytes: u64,
    /// Removed repositories of which nothing is left.
    pub repositories: u64,
    /// Records of the audit that were too old or too many.
    pub audit_records: u64,
}

impl<B: BlobStore> Registry<B> {
    /// Ends expired upload sessions, trims the audit and removes condemned bytes, all that is due now.
    ///
    /// One item that can't be removed is tried again later and never stops the others. Of several
    /// processes each takes what the others leave. Of a database that was restored, only the audit is
    /// trimmed until somebody accepts it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let mut swept = Swept { audit_records: self.trim_audit().await?, ..Swept::default() };
        if self.age().await? != Age::Same {
            return Ok(swept);
        }
        let now = self.now();
        loop {
            let expired = self.metadata().write((now, STEP), uploads::expire).await?;
            swept.expired_uploads += expired;
            if expired > 0 {
                crash_point("uploads.expired");
            }
            if expired < STEP {
                break;
            }
        }
        let freed = self.collect().await?;
        (swept.manifests, swept.blobs) = (freed.manifests, freed.blobs);
        (swept.bytes, swept.repositories) = (freed.bytes, freed.repositories);
        loop {
            let due = self.metadata().write((now, STEP), condemned::take_due).await?;
            let taken = due.len() as u64;
            if taken > 0 {
                crash_point("condemned.taken");
            }
            let removals = due.into_iter().map(|item| self.clear(item));
            let mut cleared = stream::iter(removals).buffer_unordered(AT_A_TIME);
            let mut gone = Vec::new();
            while let Some((id, outcome)) = cleared.next().await {
                match outcome {
                    Ok(()) => {
                        gone.push(id);
                        crash_point("condemned.cleared");
                    }
                    Err(fault) => {
                        warn!(%fault, "condemned bytes could not be removed; trying again later");
                        self.metadata().write((id, now), condemned::postpone).await?;
                    }
                }
            }
            swept.removed += gone.len() as u64;
            if !gone.is_empty() {
                self.metadata().write(gone, condemned::forget).await?;
                crash_point("condemned.forgotten");
            }
            if taken < STEP {
                return Ok(swept);
            }
        }
    }

    async fn trim_audit(&self) -> Result<u64, Error> {
        let mut gone = 0;
        loop {
            let since = self.now().before(self.shared.audit_keep);
            let trim = Trim { since, most: self.shared.audit_most, step: AUDIT_STEP };
            let now_gone = self.metadata().write(trim, audit::trim).await?;
            gone += now_gone;
            if now_gone < AUDIT_STEP {
                return Ok(gone);
            }
        }
    }

    /// Removes what one condemnation names; its id comes back.
    async fn clear(&self, item: Condemned) -> (String, Result<(), Fault>) {
        (item.id, self.remove(&item.what).await)
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
