//! What can come of asking the store: outcomes without HTTP, and machinery that failed.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use berth_oci::{Digest, Reference, RepositoryName, Tag};

use crate::UploadId;
use crate::metadata::{Failure, Remedy};

/// Why the store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No such repository.
    #[error("repository {0} is not known")]
    RepositoryUnknown(RepositoryName),
    /// The repository holds no such blob.
    #[error("blob {0} is not known to this repository")]
    BlobUnknown(Digest),
    /// The blob is part of a manifest and can't be deleted before it.
    #[error("blob {blob} is part of manifest {manifest}; delete the manifest first")]
    BlobInUse {
        /// The blob that was to be deleted.
        blob: Digest,
        /// One living manifest that names it.
        manifest: Digest,
    },
    /// The repository holds no such manifest or tag.
    #[error("manifest {0} is not known to this repository")]
    ManifestUnknown(Reference),
    /// A manifest names a blob or child that the repository doesn't hold.
    #[error("the manifest names {0}, which this repository does not hold; push it first")]
    ManifestBlobUnknown(Digest),
    /// No such upload session in this repository: never begun, finished, cancelled or expired.
    #[error("upload session {0} is not known to this repository; begin a new one")]
    UploadUnknown(UploadId),
    /// Another request is writing to the session.
    #[error("another request is writing to this upload session; wait for it to end")]
    UploadBusy,
    /// A chunk doesn't begin where the last one ended.
    #[error("the chunk begins at {first} but the upload session holds {received} bytes")]
    ChunkOutOfOrder {
        /// The offset the chunk said it begins at.
        first: u64,
        /// How many bytes the session holds.
        received: u64,
    },
    /// A body is not as long as was announced for it.
    #[error("{announced} bytes were announced but {received} came")]
    LengthMismatch {
        /// What was announced.
        announced: u64,
        /// What came; where more came, what had come when it was noticed.
        received: u64,
    },
    /// A blob is larger than the store can keep.
    #[error("the blob is larger than {largest} bytes, which is the most that this registry's store keeps")]
    BlobTooLarge {
        /// The largest that it keeps, in bytes.
        largest: u64,
    },
    /// The content is not what its digest says.
    #[error("the content's digest is {actual}, not {expected}")]
    DigestMismatch {
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// The client's body broke off; what had come is kept.
    #[error("the body broke off after {received} bytes of the upload: {why}")]
    BodyBroken {
        /// How many bytes the session holds now.
        received: u64,
        /// What the connection said.
        why: String,
    },
    /// Something that must be unique is there already.
    #[error("{0} exists already")]
    Exists(String),
    /// A policy that is still attached can't be removed.
    #[error("policy {policy} is attached to {to}; detach it first")]
    PolicyAttached {
        /// The policy that was to be removed.
        policy: String,
        /// All who have it.
        to: String,
    },
    /// A tag that is there can't name another manifest.
    #[error(
        "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten \
         because the tag is immutable."
    )]
    TagImmutable {
        /// The tag.
        tag: Tag,
        /// Whose tag it is.
        repository: RepositoryName,
    },
    /// A repository that holds images is not removed by mistake.
    #[error("repository {0} holds images; --force removes them too")]
    RepositoryNotEmpty(RepositoryName),
    /// A named record is not there.
    #[error("{0} does not exist")]
    Missing(String),
    /// The machinery failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Machinery that failed: a disk, a database, a file.
#[derive(Clone)]
pub struct Fault {
    doing: Arc<str>,
    source: Arc<dyn StdError + Send + Sync>,
    kind: FaultKind,
}

/// What a person would do about a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// No room is left on the disk.
    Full,
    /// The database can't be reached or is too busy; it may do it a little later.
    Unavailable,
    /// Anything else.
    Other,
}

impl Fault {
    /// A fault met while `doing` something, as in "sealing upload 123".
    pub fn new(doing: impl Into<String>, source: impl StdError + Send + Sync + 'static) -> Self {
        let source: Arc<dyn StdError + Send + Sync> = Arc::new(source);
        let kind = kind_of(source.as_ref());
        Self { doing: doing.into().into(), source, kind }
    }

    /// A fault that is known by a sentence alone.
    pub fn because(doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(doing, io::Error::other(why.into()))
    }

    /// Something ended before all of it was read.
    pub(crate) fn cut_short(doing: impl Into<String>, why: &'static str) -> Self {
        Self::new(doing, io::Error::new(io::ErrorKind::UnexpectedEof, why))
    }

    /// Whether the store has less of something than it should: no broken connection is meant.
    pub(crate) fn is_cut_short(&self) -> bool {
        let error = self.source.downcast_ref::<io::Error>();
        error.is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
    }

    /// What a person would do about it.
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }
}

fn kind_of(source: &(dyn StdError + 'static)) -> FaultKind {
    let mut next = Some(source);
    while let Some(error) = next {
        let io_full = error.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        });
        let sqlite_full = error
            .downcast_ref::<rusqlite::Error>()
            .and_then(rusqlite::Error::sqlite_error_code)
            .is_some_and(|code| code == rusqlite::ErrorCode::DiskFull);
        let postgres = error.downcast_ref::<Failure>().map(Failure::remedy);
        if io_full || sqlite_full || postgres == Some(Remedy::MakeRoom) {
            return FaultKind::Full;
        }
        if matches!(postgres, Some(Remedy::RunAgain | Remedy::Reconnect | Remedy::Wait)) {
            return FaultKind::Unavailable;
        }
        next = error.source();
    }
    FaultKind::Other
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.source)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({self})")
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref())
    }
}

/// Turns an error of the machinery into a [`Fault`] that says what was being done.
pub(crate) trait OrFault<T> {
    /// `doing` is only called when there is an error.
    fn or_fault(self, doing: impl FnOnce() -> String) -> Result<T, Fault>;
}

impl<T, E: StdError + Send + Sync + 'static> OrFault<T> for Result<T, E> {
    fn or_fault(self, doing: impl FnOnce() -> String) -> Result<T, Fault> {
        self.map_err(|error| Fault::new(doing(), error))
    }
}
