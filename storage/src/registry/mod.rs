//! The registry: what a push, a pull and a delete do to metadata and bytes together.

mod belonging;
mod blobs;
mod cache;
mod collection;
mod epoch;
mod manifests;
mod migration;
pub(crate) mod pulls;
mod sweep;
mod uploads;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use berth_oci::{Annotations, Descriptor, Digest, MediaType};
use bytes::Bytes;

pub use blobs::{BlobInfo, BlobRead};
pub use epoch::Age;
pub use manifests::PushedManifest;
pub use migration::{Migrated, Progress};
pub use sweep::Swept;
pub use uploads::{Chunk, UploadStatus};

use crate::error::{Error, Fault};
use crate::metadata::records::Records;
use crate::metadata::reviews::Delays;
use crate::metadata::uploads as session_rows;
use crate::{
    BlobStore, BufferBudget, Change, Clock, Metadata, Observer, PostgresOptions, Telemetry, Timestamp,
};
use cache::ManifestCache;
use pulls::{LastPull, Pulls};

/// How much memory the buffers of all uploads may take before each new one is the smallest, in bytes.
const UPLOAD_BUFFERS: usize = 8 << 20;

/// Whether a push may make the repository it goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It may.
    Allowed,
    /// The repository must be there.
    Refused,
}

/// Whether a manifest may name children or blobs that are not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sparse {
    /// It may.
    Allowed,
    /// Each must be here first.
    Refused,
}

/// A manifest as it was pushed.
#[derive(Debug)]
pub struct StoredManifest {
    /// The digest it is known by.
    pub digest: Digest,
    /// The type it was pushed as.
    pub media_type: MediaType,
    /// The pushed bytes.
    pub content: Bytes,
    /// When it may go, unless something comes to hold it; asked for by digest only.
    pub(crate) review_after: Option<Timestamp>,
    /// When it was last pulled.
    pub(crate) last_pull: LastPull,
}

/// Of the same bytes, under the same digest and as the same type.
impl PartialEq for StoredManifest {
    fn eq(&self, other: &Self) -> bool {
        (&self.digest, &self.media_type, &self.content) == (&other.digest, &other.media_type, &other.content)
    }
}

/// A manifest that names another as its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its size, in bytes.
    pub size: u64,
    /// Its artifact type, else its config's media type.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: Annotations,
}

impl From<Referrer> for Descriptor {
    fn from(referrer: Referrer) -> Self {
        Self {
            media_type: referrer.media_type,
            digest: referrer.digest,
            size: referrer.size,
            artifact_type: referrer.artifact_type,
            urls: Vec::new(),
            annotations: referrer.annotations,
            platform: None,
        }
    }
}

/// What a [`Registry`] is told at its making.
#[derive(Clone)]
pub struct RegistryOptions {
    /// How long an upload session lives after its last byte.
    pub uploads_expire_after: Duration,
    /// How long the audit's records are kept.
    pub audit_keep: Duration,
    /// How many of the audit's records are kept.
    pub audit_most: u64,
    /// How long what nobody needs is kept.
    pub delays: Delays,
    /// How much memory the manifest cache of SQLite may take, in bytes.
    pub manifest_cache_bytes: u64,
    /// The present moment.
    pub clock: Clock,
    /// Told of every committed change besides the registry's own caches.
    pub observer: Observer,
    /// Told how long things take.
    pub telemetry: Arc<dyn Telemetry>,
}

/// All repositories of one store; cheap to clone.
pub struct Registry<B> {
    shared: Arc<Shared<B>>,
}

struct Shared<B> {
    metadata: Metadata,
    blobs: B,
    /// Only where this process alone changes the database.
    cache: Option<Arc<ManifestCache>>,
    clock: Clock,
    telemetry: Arc<dyn Telemetry>,
    uploads_expire_after: Duration,
    delays: Delays,
    audit_keep: Duration,
    audit_most: u64,
    upload_buffers: BufferBudget,
    pulls: Pulls,
}

impl<B> Clone for Registry<B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<B> std::fmt::Debug for Registry<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registry")
    }
}

impl<B: BlobStore> Registry<B> {
    /// Opens the registry whose metadata is the SQLite file `database`, which only this process
    /// has open.
    ///
    /// # Errors
    /// When the database can't be opened.
    pub async fn open_sqlite(database: &Path, blobs: B, options: RegistryOptions) -> Result<Self, Error> {
        let (cache, observer) = cache_and_observer(&options);
        let metadata = Metadata::open_sqlite(database, observer, Arc::clone(&options.telemetry))?;
        metadata.write((), session_rows::free_all).await?;
        Ok(Self::new(metadata, blobs, Some(cache), options))
    }

    /// Opens the registry whose metadata is in a PostgreSQL that other processes may use, too: what
    /// they change is seen, so manifests are looked up each time.
    ///
    /// # Errors
    /// When the database can't be reached or is none for berth.
    pub async fn open_postgres(
        database: PostgresOptions,
        blobs: B,
        options: RegistryOptions,
    ) -> Result<Self, Error> {
        let (observer, telemetry) = (Arc::clone(&options.observer), Arc::clone(&options.telemetry));
        let metadata = Metadata::open_postgres(database, observer, telemetry).await?;
        Ok(Self::new(metadata, blobs, None, options))
    }

    /// Opens the registry of the next process of a simulation on the database that the one before
    /// had; gives it with that database.
    ///
    /// # Errors
    /// When there is no memory.
    #[cfg(feature = "testing")]
    pub fn open_inline(
        database: &Metadata,
        scheduler: Arc<crate::testing::simulation::Scheduler>,
        blobs: B,
        options: RegistryOptions,
    ) -> Result<(Self, Metadata), Error> {
        let (cache, observer) = cache_and_observer(&options);
        let metadata = database.reopen_inline(observer, scheduler)?;
        metadata.look("UPDATE uploads SET writer = NULL, writer_until = 0 WHERE writer IS NOT NULL")?;
        Ok((Self::new(metadata.clone(), blobs, Some(cache), options), metadata))
    }

    fn new(
        metadata: Metadata,
        blobs: B,
        cache: Option<Arc<ManifestCache>>,
        options: RegistryOptions,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                metadata,
                blobs,
                cache,
                clock: options.clock,
                telemetry: options.telemetry,
                uploads_expire_after: options.uploads_expire_after,
                delays: options.delays,
                audit_keep: options.audit_keep,
                audit_most: options.audit_most,
                upload_buffers: BufferBudget::new(UPLOAD_BUFFERS),
                pulls: Pulls::default(),
            }),
        }
    }

    /// The records beside the images: identities, keys, facts about the store.
    pub fn records(&self) -> Records {
        Records::new(self.shared.metadata.clone(), self.shared.delays)
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn check(&self) -> Result<(), Error> {
        self.records().identity(String::new()).await.map(drop)
    }

    /// The present moment, as the store sees it.
    pub fn now(&self) -> Timestamp {
        (self.shared.clock)()
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.shared.metadata
    }

    #[cfg(feature = "testing")]
    pub(crate) fn blob_store(&self) -> &B {
        &self.shared.blobs
    }
}

/// A cache of manifests, and an observer that keeps it true.
fn cache_and_observer(options: &RegistryOptions) -> (Arc<ManifestCache>, Observer) {
    let cache = Arc::new(ManifestCache::new(options.manifest_cache_bytes));
    let (own, next) = (Arc::clone(&cache), Arc::clone(&options.observer));
    let observer = Arc::new(move |changes: &[Change]| {
        own.forget(changes);
        next(changes);
    });
    (cache, observer)
}

/// A fault that says only why.
fn fault(doing: &str, why: &str) -> Error {
    Fault::because(doing, why).into()
}
