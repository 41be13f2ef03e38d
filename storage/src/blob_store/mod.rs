//! Bytes and places; no repository, no tag, no name for people.

mod blobs;
mod local;
mod read;
mod s3;

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use berth_oci::Digest;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

pub use blobs::Blobs;
pub use local::LocalBlobStore;
pub use s3::{Addressing, Checksums, Encryption, PartSizes, S3BlobStore, S3Credentials, S3Options};

use crate::error::Fault;

/// A place for bytes. Chosen before the first byte is written, written once, never used again: a
/// late delete can't hit a fresh push.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location(String);

impl Location {
    /// The store's own words for the place.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Location {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Bytes on their way to a [`Location`]: all that another process needs to go on, kept as JSON in
/// the upload session's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Staged {
    /// Names the place; chosen by [`BlobStore::begin`], never used again.
    pub id: String,
    /// How many bytes have been appended.
    pub length: u64,
    /// What the store that began it knows besides. Rows that don't say are from before there was another
    /// kind than a folder.
    #[serde(default)]
    way: Way,
}

/// What one kind of store knows of bytes on their way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    Local(local::Handle),
    S3(s3::Staging),
}

impl Default for Way {
    fn default() -> Self {
        Self::Local(local::Handle::default())
    }
}

impl Way {
    fn local_mut(&mut self) -> Result<&mut local::Handle, Fault> {
        match self {
            Self::Local(handle) => Ok(handle),
            Self::S3(_) => Err(elsewhere("S3", "a local folder")),
        }
    }

    fn local(&self) -> Result<&local::Handle, Fault> {
        match self {
            Self::Local(handle) => Ok(handle),
            Self::S3(_) => Err(elsewhere("S3", "a local folder")),
        }
    }

    fn s3_mut(&mut self) -> Result<&mut s3::Staging, Fault> {
        match self {
            Self::S3(staging) => Ok(staging),
            Self::Local(_) => Err(elsewhere("a local folder", "S3")),
        }
    }

    fn s3(&self) -> Result<&s3::Staging, Fault> {
        match self {
            Self::S3(staging) => Ok(staging),
            Self::Local(_) => Err(elsewhere("a local folder", "S3")),
        }
    }
}

fn elsewhere(begun: &str, now: &str) -> Fault {
    let why = format!("it was begun in {begun}, and this store is {now}; push again");
    Fault::because("going on with an upload", why)
}

impl Staged {
    /// Bytes on their way to a store of tests.
    #[cfg(feature = "testing")]
    pub(crate) fn of_test(id: String) -> Self {
        Self { id, length: 0, way: Way::Local(local::Handle::default()) }
    }

    /// The JSON that the session's row keeps.
    pub(crate) fn to_json(&self) -> Result<String, Fault> {
        serde_json::to_string(self).map_err(|error| Fault::new("saving an upload session", error))
    }

    /// What [`Staged::to_json`] gave.
    pub(crate) fn from_json(text: &str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(|error| Fault::new("reading an upload session", error))
    }
}

/// A part of a blob, in bytes: from `first` up to but without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The offset of the first byte.
    pub first: u64,
    /// One past the offset of the last byte.
    pub end: u64,
}

/// A blob's bytes, in pieces.
pub type ByteStream = BoxStream<'static, Result<Bytes, Fault>>;

/// A URL that anyone may read a blob with for a while; never to be logged.
#[derive(Clone)]
pub struct SignedUrl(String);

impl SignedUrl {
    /// The URL, for the client that may have it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedUrl")
    }
}

/// What a listing of the store found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it is.
    pub location: Location,
    /// Its size, in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: SystemTime,
}

/// Where large bytes live.
///
/// An upload is `begin`, any number of `append` and `sync`, then `seal` or `abort`. Every clause of
/// this contract is a test in `blob_store_suite!`.
pub trait BlobStore: Send + Sync + 'static {
    /// Chooses a new place; writes nothing that outlives a crash.
    fn begin(&self) -> Staged;

    /// The largest blob that can be kept, in bytes; none: no limit of the store's own.
    fn largest_blob(&self) -> Option<u64>;

    /// Appends `bytes` at `staged.length`, and nowhere else: what an earlier attempt left behind
    /// that offset is cut off.
    fn append(
        &self,
        staged: &mut Staged,
        bytes: Vec<Bytes>,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Makes what was appended durable; only afterwards may `staged` be saved.
    fn sync(&self, staged: &mut Staged) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Makes the bytes durable under a final place that also tells their `digest`. Doing it again
    /// after a crash in between gives the same place.
    fn seal(&self, staged: &Staged, digest: &Digest) -> impl Future<Output = Result<Location, Fault>> + Send;

    /// What an upload leaves in the store beside what sealing it under `digest` makes of it: to be removed
    /// once that has a row, and never by whoever may have lost the upload to another process.
    fn leftovers(
        &self,
        staged: &Staged,
        digest: &Digest,
    ) -> impl Future<Output = Result<Vec<Location>, Fault>> + Send;

    /// Removes what was staged and, if it was `sealing` under a digest, what may have been sealed.
    /// Doing it again does no harm.
    fn abort(
        &self,
        staged: &Staged,
        sealing: Option<&Digest>,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// The bytes of `range`; none when nothing is at the location. A blob shorter than the range
    /// ends the stream with a fault, never early with success.
    fn read(
        &self,
        at: &Location,
        range: ByteRange,
    ) -> impl Future<Output = Result<Option<ByteStream>, Fault>> + Send;

    /// Where anyone can read the bytes for the time of `ttl`; none: this store serves them itself.
    fn url(
        &self,
        at: &Location,
        ttl: Duration,
    ) -> impl Future<Output = Result<Option<SignedUrl>, Fault>> + Send;

    /// Removes the bytes at a location; does no harm when they are gone.
    fn remove(&self, at: &Location) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Everything that was sealed. Only checks of the whole store list.
    fn list(&self) -> BoxStream<'_, Result<Found, Fault>>;

    /// A fact about the store itself that was noted in it, such as its id; none: it never was.
    fn fact(&self, name: &'static str) -> impl Future<Output = Result<Option<String>, Fault>> + Send;

    /// Notes a fact unless one of that name was noted, also by another process at the same moment;
    /// gives what stands there now.
    fn note_once(
        &self,
        name: &'static str,
        value: &str,
    ) -> impl Future<Output = Result<String, Fault>> + Send;

    /// Notes a fact, whatever was noted under that name before.
    fn note(&self, name: &'static str, value: &str) -> impl Future<Output = Result<(), Fault>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_begun_before_there_was_s3_goes_on_in_its_folder() {
        let staged = Staged::from_json(r#"{"id":"a1","length":3}"#).unwrap();
        assert_eq!((staged.id.as_str(), staged.length), ("a1", 3));
        assert!(staged.way.local().is_ok());
    }
}
