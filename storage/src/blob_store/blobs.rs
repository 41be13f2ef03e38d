//! Either kind of blob store, as it was configured.

use std::time::Duration;

use berth_oci::Digest;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{
    BlobStore, ByteRange, ByteStream, Found, Item, LocalBlobStore, Location, S3BlobStore, SignedUrl, Staged,
};
use crate::error::Fault;

/// The blob store that a server was configured with; cheap to clone.
#[derive(Clone)]
pub enum Blobs {
    /// A folder on this machine.
    Local(LocalBlobStore),
    /// A bucket.
    S3(S3BlobStore),
}

/// The same call of whichever store it is.
macro_rules! either {
    ($blobs:expr, $store:ident => $call:expr) => {
        match $blobs {
            Blobs::Local($store) => $call,
            Blobs::S3($store) => $call,
        }
    };
}

impl BlobStore for Blobs {
    fn begin(&self) -> Staged {
        either!(self, store => store.begin())
    }

    fn largest_blob(&self) -> Option<u64> {
        either!(self, store => store.largest_blob())
    }

    async fn append(&self, staged: &mut Staged, bytes: Vec<Bytes>) -> Result<(), Fault> {
        either!(self, store => store.append(staged, bytes).await)
    }

    async fn sync(&self, staged: &mut Staged) -> Result<(), Fault> {
        either!(self, store => store.sync(staged).await)
    }

    async fn seal(&self, staged: &Staged, digest: &Digest) -> Result<Location, Fault> {
        either!(self, store => store.seal(staged, digest).await)
    }

    async fn leftovers(&self, staged: &Staged, digest: &Digest) -> Result<Vec<Location>, Fault> {
        either!(self, store => store.leftovers(staged, digest).await)
    }

    async fn abort(&self, staged: &Staged, sealing: Option<&Digest>) -> Result<(), Fault> {
        either!(self, store => store.abort(staged, sealing).await)
    }

    async fn read(&self, at: &Location, range: ByteRange) -> Result<Option<ByteStream>, Fault> {
        either!(self, store => store.read(at, range).await)
    }

    async fn url(&self, at: &Location, ttl: Duration) -> Result<Option<SignedUrl>, Fault> {
        either!(self, store => store.url(at, ttl).await)
    }

    async fn remove(&self, at: &Location) -> Result<(), Fault> {
        either!(self, store => store.remove(at).await)
    }

    fn list(&self) -> BoxStream<'_, Result<Found, Fault>> {
        either!(self, store => store.list())
    }

    fn survey(&self) -> BoxStream<'_, Result<Item, Fault>> {
        either!(self, store => store.survey())
    }

    fn item_name(&self, at: &Location) -> Result<String, Fault> {
        either!(self, store => store.item_name(at))
    }

    async fn discard(&self, item: &Item) -> Result<(), Fault> {
        either!(self, store => store.discard(item).await)
    }

    async fn tell(&self, at: &Location) -> Result<(), Fault> {
        either!(self, store => store.tell(at).await)
    }

    async fn fact(&self, name: &'static str) -> Result<Option<String>, Fault> {
        either!(self, store => store.fact(name).await)
    }

    async fn note_once(&self, name: &'static str, value: &str) -> Result<String, Fault> {
        either!(self, store => store.note_once(name, value).await)
    }

    async fn note(&self, name: &'static str, value: &str) -> Result<(), Fault> {
        either!(self, store => store.note(name, value).await)
    }
}
