//! What is kept: a [`Registry`] is metadata (SQL) and a blob store (bytes), side by side.
//!
//! The rule between the two: name the place, write the bytes, then the row; row gone before bytes
//! gone. No step needs both at once. This crate knows neither HTTP nor who is asking: an [`Actor`]
//! is only written down.

mod blob_store;
mod buffers;
mod crash;
mod data_folder;
mod error;
mod ids;
mod metadata;
mod page;
mod registry;
mod telemetry;
mod time;

#[cfg(feature = "testing")]
pub mod testing;

pub use blob_store::{
    Addressing, BlobStore, Blobs, ByteRange, ByteStream, Checksums, Encryption, Found, Item, LocalBlobStore,
    Location, PartSizes, S3BlobStore, S3Credentials, S3Options, SignedUrl, Staged,
};
pub use buffers::BufferBudget;
pub use crash::CRASH_POINTS;
pub use data_folder::DataFolder;
pub use error::{Error, Fault, FaultKind};
pub use ids::{Actor, By, UploadId};
pub use metadata::access_keys::{AccessKeyPlace, AccessKeyRecord};
pub use metadata::audit::{AuditOutcome, AuditPage, AuditRecord, Refusal};
pub use metadata::forecast::{Forecast, RepositoryForecast};
pub use metadata::groups::{GroupRecord, MembershipRecord, PolicyOrigin};
pub use metadata::leases::{Lease, Leased};
pub use metadata::policies::PolicyRecord;
pub use metadata::records::{AttachmentRecord, IdentityRecord, NewIdentity, Records};
pub use metadata::refresh_tokens::RefreshTokenRecord;
pub use metadata::repositories::Swap;
pub use metadata::retention::{Expire, Expired, ImageRecord, KeepUntagged, RetentionRecord};
pub use metadata::reviews::Delays;
pub use metadata::settings::{Images, NewRepository, RepositoryRecord, TagMutability};
pub use metadata::signing_keys::SigningKeyRecord;
pub use metadata::undelete::{Deleted, TagChange};
pub use metadata::usage::{RepositoryUsage, Usage};
pub use metadata::{
    Change, Metadata, NotAPostgresUrl, Observer, PostgresOptions, PostgresUrl, Row, Tx, Unit, Value,
};
pub use page::Page;
pub use registry::{
    Age, BlobInfo, BlobRead, Chunk, Creation, Depth, Finding, FullSpeed, Inspection, ListedBlob, Migrated,
    Pace, Progress, PushedManifest, Referrer, Registry, RegistryOptions, Remedies, Restored, Scrubbed,
    Snapshot, Sparse, StoredManifest, Swept, UploadStatus, mark_restoring, place_of_copy,
};
pub use telemetry::{NoTelemetry, Telemetry};
pub use time::{Clock, SharedClock, Timestamp};

/// Runs `work` on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Fault::new(doing, error))
}
