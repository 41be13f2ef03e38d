//! Moving a whole store: every blob, then every row, into another database and blob store.
//!
//! Both must stand still. The target is marked before anything is written to it, and serves nobody
//! until the mark is gone; what was interrupted goes on from the blobs that had arrived. Upload
//! sessions and condemned bytes stay behind.

mod bytes;
mod tables;

use berth_oci::Digest;

use super::{Registry, fault};
use crate::BlobStore;
use crate::error::Error;
use crate::metadata::store;

/// In a database that a store is being moved into: the id of that store.
pub(super) const MOVING_FROM: &str = "moving_from";

const DOING: &str = "moving the store";

/// How far a migration is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of blobs that are in the target.
    pub bytes: u64,
    /// Bytes of all blobs.
    pub bytes_in_all: u64,
    /// Blobs that are in the target.
    pub blobs: u64,
    /// All blobs.
    pub blobs_in_all: u64,
    /// Rows, other than those of blobs, that are in the target.
    pub rows: u64,
}

/// What came of a migration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// What is in the target now.
    pub progress: Progress,
    /// Blobs whose bytes are missing, cut short or wrong in the source, and how. If there are any, the target
    /// is not complete and still marked.
    pub damaged: Vec<(Digest, String)>,
}

impl<B: BlobStore> Registry<B> {
    /// Copies all of this store into `target`, or goes on with that. Every blob is hashed on its way.
    ///
    /// # Errors
    /// One sentence when the target holds something else, a fault when either store fails.
    pub async fn move_into(
        &self,
        target: &Self,
        told: &(impl Fn(Progress) + Sync),
    ) -> Result<Migrated, Error> {
        self.refuse_half_moved().await?;
        self.join_stores().await?;
        target.join_stores().await?;
        let ours = self.store_id().await?;
        if target.store_id().await? == ours {
            return Err(fault(DOING, "both configurations name the same store"));
        }
        target.take_for_moving(ours).await?;
        // What an interrupted run had copied of what goes in one piece, and what it had staged: its
        // sessions have expired.
        target.clear_rows().await?;
        target.sweep().await?;
        let mut migrated = self.move_blobs(target, told).await?;
        if migrated.damaged.is_empty() {
            self.move_rows(target, &mut migrated.progress, told).await?;
            target.metadata().write(MOVING_FROM, store::forget).await?;
        }
        Ok(migrated)
    }

    /// Refuses a store that is still being filled.
    ///
    /// # Errors
    /// One sentence when it is, a fault when the database can't be asked.
    pub async fn refuse_half_moved(&self) -> Result<(), Error> {
        match self.metadata().read(MOVING_FROM, store::fact).await? {
            None => Ok(()),
            Some(_) => {
                let why = "another store is being moved there and not all of it has arrived; run `berth admin \
                           migrate` again";
                Err(fault("opening the store", why))
            }
        }
    }

    async fn store_id(&self) -> Result<String, Error> {
        let id = self.metadata().read(super::belonging::STORE_ID, store::fact).await?;
        id.ok_or_else(|| fault(DOING, "the database has no id"))
    }

    /// Marks a store that is empty as one that is being filled.
    async fn take_for_moving(&self, from: String) -> Result<(), Error> {
        let marked = self.metadata().read(MOVING_FROM, store::fact).await?;
        if marked.is_none() && self.metadata().scan((), tables::any).await? {
            let why = "the store that it goes to holds users or images already; name an empty database and an \
                       empty bucket or folder";
            return Err(fault(DOING, why));
        }
        if self.metadata().write((MOVING_FROM, from.clone()), store::note_once).await? == from {
            return Ok(());
        }
        Err(fault(DOING, "another store is being moved there; name an empty one"))
    }
}
