//! Blobs: read, mounted, deleted.

use std::time::Duration;

use berth_oci::{Digest, RepositoryName};

use super::{Creation, Registry, fault};
use crate::error::Error;
use crate::metadata::blobs::{self, Mount};
use crate::metadata::reviews::Kind;
use crate::{Actor, BlobStore, By, ByteRange, ByteStream, Location, SignedUrl};

/// A blob that a repository may show.
#[derive(Debug, Clone)]
pub struct BlobInfo {
    /// Its size, in bytes.
    pub size: u64,
    location: Location,
}

/// A part of a blob, to be sent.
pub struct BlobRead {
    /// Which bytes these are.
    pub range: ByteRange,
    /// The bytes.
    pub bytes: ByteStream,
}

impl std::fmt::Debug for BlobRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobRead").field("range", &self.range).finish_non_exhaustive()
    }
}

impl<B: BlobStore> Registry<B> {
    /// The blob `digest`, if the repository may show it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<BlobInfo>, Error> {
        let found = self.metadata().read((repository.clone(), digest.clone()), blobs::find).await?;
        Ok(found.map(|row| BlobInfo { size: row.size, location: row.location }))
    }

    /// The same for a client that counts on it from now on, and therefore won't send it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blob_to_count_on(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<BlobInfo>, Error> {
        let Some(row) = self.metadata().read((repository.clone(), digest.clone()), blobs::find).await? else {
            return Ok(None);
        };
        let kept = self.keep_longer(repository, Kind::Blob, digest, row.review_after).await?;
        Ok(kept.then_some(BlobInfo { size: row.size, location: row.location }))
    }

    /// The bytes of `range` of a blob.
    ///
    /// # Errors
    /// A fault when the blob store has lost them.
    pub async fn read_blob(&self, blob: &BlobInfo, range: ByteRange) -> Result<BlobRead, Error> {
        let bytes = self.shared.blobs.read(&blob.location, range).await?;
        let lost =
            || fault(&format!("reading blob {}", blob.location), "its bytes are gone; push the image again");
        Ok(BlobRead { range, bytes: bytes.ok_or_else(lost)? })
    }

    /// Where a client may read a blob for so long; none: only from this registry.
    ///
    /// # Errors
    /// A fault when the blob store can't sign.
    pub async fn blob_url(&self, blob: &BlobInfo, ttl: Duration) -> Result<Option<SignedUrl>, Error> {
        Ok(self.shared.blobs.url(&blob.location, ttl).await?)
    }

    /// Repositories that may show the blob, after `last`, in order of name, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holders(
        &self,
        digest: &Digest,
        last: &str,
        limit: u64,
    ) -> Result<Vec<RepositoryName>, Error> {
        self.metadata().scan((digest.clone(), last.to_owned(), limit), blobs::holders).await
    }

    /// Lets `target` show a blob that `source` shows; false when `source` doesn't.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when the target may not be made.
    pub async fn mount(
        &self,
        target: &RepositoryName,
        source: &RepositoryName,
        digest: &Digest,
        creation: Creation,
        actor: &Actor,
    ) -> Result<bool, Error> {
        let (target, source, digest) = (target.clone(), source.clone(), digest.clone());
        let mount = Mount {
            target,
            source,
            digest,
            creation,
            actor: actor.clone(),
            now: self.now(),
            kept_until: self.now().after(self.shared.delays.unreferenced),
        };
        self.metadata().write(mount, blobs::mount).await
    }

    /// Takes a blob from a repository.
    ///
    /// # Errors
    /// [`Error::BlobUnknown`] when it isn't there, [`Error::BlobInUse`] while a manifest names it.
    pub async fn delete_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        actor: &Actor,
    ) -> Result<(), Error> {
        let by = By { actor: actor.clone(), at: self.now() };
        self.metadata().write((repository.clone(), digest.clone(), by), blobs::delete).await
    }
}
