//! A blob store in memory, which forgets at a crash what was not flushed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_oci::Digest;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;

use super::{Scheduler, Step, Turn};
use crate::{BlobStore, ByteRange, ByteStream, Fault, Found, Location, SignedUrl, Staged};

/// Bytes in memory; its clones are the same store.
#[derive(Debug, Clone)]
pub struct MemoryBlobStore {
    scheduler: Arc<Scheduler>,
    bytes: Arc<Mutex<Store>>,
}

#[derive(Debug, Default)]
struct Store {
    staged: BTreeMap<String, Upload>,
    sealed: BTreeMap<String, Bytes>,
    /// Every location that ever was.
    used: BTreeSet<String>,
    facts: BTreeMap<&'static str, String>,
}

#[derive(Debug, Default)]
struct Upload {
    bytes: Vec<u8>,
    /// How many of them survive a crash.
    flushed: usize,
}

impl MemoryBlobStore {
    /// An empty store whose calls wait for their turn.
    pub fn new(scheduler: Arc<Scheduler>) -> Self {
        Self { scheduler, bytes: Arc::default() }
    }

    /// What is left after a crash: what was flushed.
    pub fn crash(&self) {
        self.bytes.lock().staged.retain(|_, upload| {
            upload.bytes.truncate(upload.flushed);
            upload.flushed > 0
        });
    }

    /// The names of what is staged.
    pub fn staged(&self) -> Vec<String> {
        self.bytes.lock().staged.keys().cloned().collect()
    }

    /// What is sealed, by its location.
    pub fn sealed(&self) -> BTreeMap<String, Bytes> {
        self.bytes.lock().sealed.clone()
    }

    /// Damages what is at a location.
    pub fn damage(&self, location: &str) {
        self.bytes.lock().sealed.insert(location.to_owned(), Bytes::from_static(b"damaged"));
    }

    async fn call<T>(
        &self,
        step: Step,
        work: impl FnOnce(&mut Store) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match self.scheduler.turn(step).await {
            Turn::Pass => work(&mut self.bytes.lock()),
            Turn::FailBefore => Err(failed()),
            Turn::FailAfter => work(&mut self.bytes.lock()).and(Err(failed())),
        }
    }
}

fn failed() -> Fault {
    Fault::because("asking the blob store", "the simulation wants it to fail")
}

fn location_of(staged: &Staged, digest: &Digest) -> String {
    format!("{digest}/{}", staged.id)
}

impl BlobStore for MemoryBlobStore {
    fn begin(&self) -> Staged {
        Staged::of_test(crate::ids::new_id())
    }

    fn largest_blob(&self) -> Option<u64> {
        None
    }

    async fn append(&self, staged: &mut Staged, bytes: Vec<Bytes>) -> Result<(), Fault> {
        let (id, length) = (staged.id.clone(), usize::try_from(staged.length).unwrap_or(usize::MAX));
        let added: u64 = bytes.iter().map(|bytes| bytes.len() as u64).sum();
        self.call(Step::Bytes, move |store| {
            let upload = match (store.staged.get_mut(&id), length) {
                (Some(upload), _) => upload,
                (None, 0) => store.staged.entry(id).or_default(),
                (None, _) => return Err(Fault::because("appending to an upload", "its bytes are gone")),
            };
            if upload.bytes.len() < length {
                return Err(Fault::because(
                    "appending to an upload",
                    "fewer bytes are staged than were saved",
                ));
            }
            upload.bytes.truncate(length);
            upload.flushed = upload.flushed.min(length);
            bytes.iter().for_each(|bytes| upload.bytes.extend_from_slice(bytes));
            Ok(())
        })
        .await?;
        staged.length += added;
        Ok(())
    }

    async fn sync(&self, staged: &mut Staged) -> Result<(), Fault> {
        let id = staged.id.clone();
        self.call(Step::Bytes, move |store| {
            if let Some(upload) = store.staged.get_mut(&id) {
                upload.flushed = upload.bytes.len();
            }
            Ok(())
        })
        .await
    }

    async fn seal(&self, staged: &Staged, digest: &Digest) -> Result<Location, Fault> {
        let (id, location) = (staged.id.clone(), location_of(staged, digest));
        let length = usize::try_from(staged.length).unwrap_or(usize::MAX);
        self.call(Step::Bytes, move |store| {
            if store.sealed.contains_key(&location) {
                return Ok(location);
            }
            let bytes = match store.staged.remove(&id) {
                Some(upload) => upload.bytes,
                None if length == 0 => Vec::new(),
                None => return Err(Fault::because("sealing an upload", "its bytes are gone")),
            };
            if bytes.len() != length {
                return Err(Fault::because("sealing an upload", "its length is not what was appended"));
            }
            assert!(store.used.insert(location.clone()), "{location} is used a second time");
            store.sealed.insert(location.clone(), bytes.into());
            Ok(location)
        })
        .await
        .map(|location| location.parse().unwrap_or_else(|never: std::convert::Infallible| match never {}))
    }

    async fn leftovers(&self, _: &Staged, _: &Digest) -> Result<Vec<Location>, Fault> {
        Ok(Vec::new())
    }

    async fn abort(&self, staged: &Staged, sealing: Option<&Digest>) -> Result<(), Fault> {
        let (id, location) = (staged.id.clone(), sealing.map(|digest| location_of(staged, digest)));
        self.call(Step::Bytes, move |store| {
            store.staged.remove(&id);
            location.map(|location| store.sealed.remove(&location));
            Ok(())
        })
        .await
    }

    async fn read(&self, at: &Location, range: ByteRange) -> Result<Option<ByteStream>, Fault> {
        let location = at.as_str().to_owned();
        self.call(Step::ReadBytes, move |store| {
            let Some(bytes) = store.sealed.get(&location) else { return Ok(None) };
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            let bytes = bytes.slice(at(range.first)..at(range.end));
            let whole = bytes.len() as u64 == range.end - range.first;
            let short = || Err(Fault::because("reading a blob", "it is shorter than its row says"));
            let end = (!whole).then(short);
            Ok(Some(stream::iter([Ok(bytes)].into_iter().chain(end)).boxed()))
        })
        .await
    }

    async fn url(&self, _: &Location, _: Duration) -> Result<Option<SignedUrl>, Fault> {
        Ok(None)
    }

    async fn remove(&self, at: &Location) -> Result<(), Fault> {
        let location = at.as_str().to_owned();
        self.call(Step::Bytes, move |store| {
            store.sealed.remove(&location);
            Ok(())
        })
        .await
    }

    fn list(&self) -> BoxStream<'_, Result<Found, Fault>> {
        let found: Vec<_> = self.sealed().into_iter().collect();
        let found = found.into_iter().map(|(location, bytes)| {
            let location = location.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
            Ok(Found { location, size: bytes.len() as u64, modified: SystemTime::UNIX_EPOCH })
        });
        stream::iter(found).boxed()
    }

    async fn fact(&self, name: &'static str) -> Result<Option<String>, Fault> {
        Ok(self.bytes.lock().facts.get(name).cloned())
    }

    async fn note_once(&self, name: &'static str, value: &str) -> Result<String, Fault> {
        Ok(self.bytes.lock().facts.entry(name).or_insert_with(|| value.to_owned()).clone())
    }

    async fn note(&self, name: &'static str, value: &str) -> Result<(), Fault> {
        self.bytes.lock().facts.insert(name, value.to_owned());
        Ok(())
    }
}
