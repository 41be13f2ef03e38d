//! A blob store that fails, or never answers, where it is told to.

use std::sync::Arc;
use std::time::Duration;

use berth_oci::Digest;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{BlobStore, ByteRange, ByteStream, Fault, Found, Location, SignedUrl, Staged};

/// One call of a blob store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// [`BlobStore::append`].
    Append,
    /// [`BlobStore::sync`].
    Sync,
    /// [`BlobStore::seal`].
    Seal,
    /// [`BlobStore::leftovers`].
    Leftovers,
    /// [`BlobStore::abort`].
    Abort,
    /// [`BlobStore::read`].
    Read,
    /// [`BlobStore::remove`].
    Remove,
    /// [`BlobStore::list`].
    List,
    /// [`BlobStore::url`].
    Url,
    /// [`BlobStore::fact`].
    Fact,
    /// [`BlobStore::note_once`] and [`BlobStore::note`].
    Note,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Pass,
    /// It fails, and nothing is done.
    FailBefore,
    /// It is done, but whoever asked is told that it failed.
    FailAfter,
    /// It never ends, and nothing is done.
    HangBefore,
    /// It is done, but whoever asked never hears of it.
    HangAfter,
}

type Script = Box<dyn FnMut(Call) -> Outcome + Send>;

/// A store that does what `inner` does, but for what a script decides call by call; clones share
/// the script.
#[derive(Clone)]
pub struct FaultyBlobStore<B> {
    inner: B,
    script: Arc<Mutex<Script>>,
    hanging: Arc<Notify>,
}

impl<B: BlobStore> FaultyBlobStore<B> {
    /// The store `inner`, for now without a fault.
    pub fn new(inner: B) -> Self {
        let script: Script = Box::new(|_| Outcome::Pass);
        Self { inner, script: Arc::new(Mutex::new(script)), hanging: Arc::default() }
    }

    /// From now on `script` decides; it is asked once for each call, in order.
    pub fn follow(&self, script: impl FnMut(Call) -> Outcome + Send + 'static) {
        *self.script.lock() = Box::new(script);
    }

    /// Returns once a call hangs; each is told of once.
    pub async fn hangs(&self) {
        self.hanging.notified().await;
    }

    async fn hang<T>(&self) -> T {
        self.hanging.notify_one();
        std::future::pending().await
    }

    async fn decided<T>(
        &self,
        call: Call,
        work: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        let outcome = (self.script.lock())(call);
        match outcome {
            Outcome::Pass => work.await,
            Outcome::FailBefore => Err(scripted(call, "before it was done")),
            Outcome::FailAfter => {
                work.await?;
                Err(scripted(call, "after it was done"))
            }
            Outcome::HangBefore => self.hang().await,
            Outcome::HangAfter => {
                work.await?;
                self.hang().await
            }
        }
    }
}

fn scripted(call: Call, when: &str) -> Fault {
    Fault::because(format!("{call:?}"), format!("the test wants it to fail {when}"))
}

impl<B: std::fmt::Debug> std::fmt::Debug for FaultyBlobStore<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultyBlobStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<B: BlobStore> BlobStore for FaultyBlobStore<B> {
    fn begin(&self) -> Staged {
        self.inner.begin()
    }

    fn largest_blob(&self) -> Option<u64> {
        self.inner.largest_blob()
    }

    async fn append(&self, staged: &mut Staged, bytes: Vec<Bytes>) -> Result<(), Fault> {
        // An append that failed may have left bytes behind, but `staged` knows nothing of them.
        let mut appended = staged.clone();
        self.decided(Call::Append, self.inner.append(&mut appended, bytes)).await?;
        *staged = appended;
        Ok(())
    }

    async fn sync(&self, staged: &mut Staged) -> Result<(), Fault> {
        self.decided(Call::Sync, self.inner.sync(staged)).await
    }

    async fn seal(&self, staged: &Staged, digest: &Digest) -> Result<Location, Fault> {
        self.decided(Call::Seal, self.inner.seal(staged, digest)).await
    }

    async fn leftovers(&self, staged: &Staged, digest: &Digest) -> Result<Vec<Location>, Fault> {
        self.decided(Call::Leftovers, self.inner.leftovers(staged, digest)).await
    }

    async fn abort(&self, staged: &Staged, sealing: Option<&Digest>) -> Result<(), Fault> {
        self.decided(Call::Abort, self.inner.abort(staged, sealing)).await
    }

    async fn read(&self, at: &Location, range: ByteRange) -> Result<Option<ByteStream>, Fault> {
        self.decided(Call::Read, self.inner.read(at, range)).await
    }

    async fn url(&self, at: &Location, ttl: Duration) -> Result<Option<SignedUrl>, Fault> {
        self.decided(Call::Url, self.inner.url(at, ttl)).await
    }

    async fn remove(&self, at: &Location) -> Result<(), Fault> {
        self.decided(Call::Remove, self.inner.remove(at)).await
    }

    fn list(&self) -> BoxStream<'_, Result<Found, Fault>> {
        stream::once(self.decided(Call::List, async { Ok(()) }))
            .flat_map(|decided| match decided {
                Ok(()) => self.inner.list(),
                Err(fault) => stream::once(async { Err(fault) }).boxed(),
            })
            .boxed()
    }

    async fn fact(&self, name: &'static str) -> Result<Option<String>, Fault> {
        self.decided(Call::Fact, self.inner.fact(name)).await
    }

    async fn note_once(&self, name: &'static str, value: &str) -> Result<String, Fault> {
        self.decided(Call::Note, self.inner.note_once(name, value)).await
    }

    async fn note(&self, name: &'static str, value: &str) -> Result<(), Fault> {
        self.decided(Call::Note, self.inner.note(name, value)).await
    }
}
