//! What a backup of a running registry is made of.

use std::path::Path;

use berth_oci::Digest;

use super::Registry;
use crate::error::Error;
use crate::metadata::damage::{Kept, Mark};
use crate::metadata::snapshot;
use crate::{BlobInfo, BlobStore, Location};

/// What is kept of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Snapshot {
    /// The file holds all of it.
    File,
    /// Its own tools keep it; this is where it stood (PostgreSQL's LSN).
    Point(String),
}

/// A blob, as whoever keeps copies is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its size, in bytes.
    pub size: u64,
    /// Where the blob store has its bytes.
    pub location: Location,
    /// Whether they are known to be lost or wrong.
    pub damaged: bool,
}

impl<B: BlobStore> Registry<B> {
    /// Keeps the state of the database at one moment, while everybody works: in the new file `to` where it
    /// is SQLite. Afterwards the epoch is a later one, so that this state is known as an older one wherever
    /// it is restored beside what came later.
    ///
    /// # Errors
    /// When it can't be read, or the file can't be written.
    pub async fn snapshot(&self, to: &Path) -> Result<Snapshot, Error> {
        let snapshot = self.metadata().snapshot(to).await?;
        self.raise_epoch().await?;
        Ok(snapshot)
    }

    /// Blobs after the digest `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_after(&self, after: &str, limit: u64) -> Result<Vec<ListedBlob>, Error> {
        self.metadata().scan((after.to_owned(), limit), snapshot::blobs).await
    }

    /// A blob, whichever repository holds it.
    ///
    /// # Errors
    /// [`Error::BlobUnknown`], [`Error::BlobDamaged`].
    pub async fn any_blob(&self, digest: &Digest) -> Result<BlobInfo, Error> {
        match self.metadata().read(digest.clone(), snapshot::blob).await? {
            None => Err(Error::BlobUnknown(digest.clone())),
            Some(Kept { mark: Mark::Damaged, .. }) => Err(Error::BlobDamaged(digest.clone())),
            Some(Kept { digest, size, location, mark: Mark::None }) => {
                Ok(BlobInfo::at(digest, size, location))
            }
        }
    }
}
