//! A bucket of S3, or of any server that speaks like it.
//!
//! What arrives waits in a bounded spool until it is a part; parts are sent while more arrives.
//! The key is chosen before the first byte and never used again, so an upload ends with
//! `CompleteMultipartUpload`, without a copy.

mod bucket;
mod check;
mod clock;
mod failure;
mod keys;
mod list;
mod options;
mod parts;
mod read;
mod segment;
mod silence;
mod spool;
mod upload;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::presigning::PresigningConfig;
use berth_oci::Digest;
use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::stream::BoxStream;
use futures_util::try_join;
use tokio::sync::Semaphore;
use uuid::Uuid;

pub use options::{Addressing, Checksums, Encryption, S3Credentials, S3Options};
pub use parts::PartSizes;
pub(super) use upload::Staging;

use super::{BlobStore, ByteRange, ByteStream, Found, Location, SignedUrl, Staged, Way};
use crate::error::{Fault, OrFault};
use crate::{BufferBudget, Telemetry};
use bucket::Bucket;
use failure::{S3Error, unless_missing};
use keys::Keys;
use segment::content_of;
use spool::Spool;
use upload::{Completion, OpenError};

/// The largest blob that is put in one request, from memory, in bytes.
const SMALL: u64 = 8 << 20;
/// How many KiB all requests together may send from memory.
const PUT_MEMORY: usize = 16 << 10;
/// How many parts are sent at once.
const SENDS: usize = 10;

/// Blobs as objects of one bucket; cheap to clone.
#[derive(Clone)]
pub struct S3BlobStore {
    shared: Arc<Shared>,
    telemetry: Arc<dyn Telemetry>,
}

struct Shared {
    bucket: Bucket,
    keys: Keys,
    options: S3Options,
    spool: Spool,
    budget: BufferBudget,
    /// In KiB.
    puts: Semaphore,
    sends: Semaphore,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("S3").field(&self.options).finish()
    }
}

impl std::fmt::Debug for S3BlobStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.shared.fmt(f)
    }
}

impl S3BlobStore {
    /// The store in a bucket that is there; what a part is sent from is taken from `budget`.
    ///
    /// # Errors
    /// When the spool's folder can't be made.
    pub async fn open(
        options: S3Options,
        budget: BufferBudget,
        telemetry: Arc<dyn Telemetry>,
    ) -> Result<Self, Fault> {
        let shared = Shared {
            bucket: Bucket::new(&options).await,
            keys: Keys::below(&options.prefix),
            spool: Spool::open(&options.spool, options.spool_capacity)?,
            budget,
            puts: Semaphore::new(PUT_MEMORY),
            sends: Semaphore::new(SENDS),
            options,
        };
        Ok(Self { shared: Arc::new(shared), telemetry })
    }

    async fn timed<T>(&self, operation: &'static str, work: impl Future<Output = T> + Send) -> T {
        let started = Instant::now();
        let done = work.await;
        self.telemetry.blob_store(operation, started.elapsed());
        done
    }
}

impl Shared {
    /// Ends every multipart upload to a key.
    async fn abort_all(&self, key: &str) -> Result<(), S3Error> {
        let uploads = self.bucket.uploads_to(key).await?;
        try_join_all(uploads.iter().map(|upload| self.bucket.abort(key, upload))).await?;
        Ok(())
    }

    /// The names of all objects of an upload: what was sealed, its ends, and what was left by a process that
    /// was killed or by a request that was refused.
    async fn names(&self, id: &str) -> Result<Vec<String>, S3Error> {
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let (objects, next) = self.bucket.list(&self.keys.blob(id), token).await?;
            let keys = objects.into_iter().filter_map(|object| object.key);
            names.extend(keys.filter_map(|key| Some(key.rsplit_once('/')?.1.to_owned())));
            if next.is_none() {
                return Ok(names);
            }
            token = next;
        }
    }

    async fn seal(self: &Arc<Self>, staged: &Staged, digest: &Digest) -> Result<Location, Fault> {
        let doing = || format!("sealing upload {} as {digest}", staged.id);
        let name = sealed_name(staged)?;
        let marker = self.keys.marker(digest, name);
        let mark = async {
            let put = self.bucket.put(&marker, content_of(Bytes::new(), false)).await;
            put.map(drop).or_fault(doing)
        };
        let complete = async {
            if name == staged.id { self.complete(staged).await } else { self.find(name, staged).await }
        };
        try_join!(complete, mark)?;
        Ok(keys::location(digest, name))
    }

    /// Makes sure that the object which holds all of an upload is still there.
    async fn find(&self, name: &str, staged: &Staged) -> Result<(), Fault> {
        let doing = || format!("sealing upload {}", staged.id);
        let there = unless_missing(self.bucket.size(&self.keys.blob(name)).await, doing)?;
        if there == Some(staged.length) {
            return Ok(());
        }
        Err(Fault::because(doing(), "what was saved of it is not there any more"))
    }

    async fn leftovers(&self, staged: &Staged, digest: &Digest) -> Result<Vec<Location>, Fault> {
        let sealed = sealed_name(staged)?;
        let names = self.names(&staged.id).await;
        let names = names.or_fault(|| format!("looking for what is left of upload {}", staged.id))?;
        let left = names.iter().filter(|name| *name != sealed);
        Ok(left.map(|name| keys::location(digest, name)).collect())
    }

    async fn complete(self: &Arc<Self>, staged: &Staged) -> Result<(), Fault> {
        let doing = || format!("sealing upload {}", staged.id);
        let mut staging = staged.way.s3()?.clone();
        let why = match staging.open(self, &staged.id, staged.length).await {
            Ok(mut open) => match open.complete().await {
                Ok(()) => return Ok(()),
                Err(Completion::Refused(error)) => Fault::new(doing(), error),
                Err(Completion::Fault(fault)) => return Err(fault),
            },
            Err(OpenError::TailIsGone(fault)) => fault,
            Err(OpenError::Fault(fault)) => return Err(fault),
        };
        // A crash may have come between this and the row: then it is there already.
        let there = unless_missing(self.bucket.size(&self.keys.blob(&staged.id)).await, doing)?;
        if there == Some(staged.length) { Ok(()) } else { Err(why) }
    }

    async fn abort(&self, staged: &Staged, sealing: Option<&Digest>) -> Result<(), S3Error> {
        let (key, id) = (self.keys.blob(&staged.id), &staged.id);
        let staging = staged.way.s3().map_or_else(|_| Staging::default(), Clone::clone);
        let end_upload = async {
            if let Some(upload) = &staging.upload {
                self.bucket.abort(&key, upload).await?;
            }
            self.abort_all(&key).await
        };
        let remove_objects = async {
            let mut names = self.names(id).await?;
            // These may have a marker also where they are gone.
            names.push(id.clone());
            names.extend(staging.tail.iter().map(|tail| tail.name.clone()));
            try_join_all(names.iter().map(async |name| {
                if let Some(digest) = sealing {
                    // First, for without its object nothing leads to it.
                    self.bucket.delete(&self.keys.marker(digest, name)).await?;
                }
                self.bucket.delete(&self.keys.blob(name)).await
            }))
            .await
        };
        try_join!(end_upload, remove_objects)?;
        Ok(())
    }

    async fn remove(&self, digest: &Digest, name: &str) -> Result<(), S3Error> {
        let (key, marker) = (self.keys.blob(name), self.keys.marker(digest, name));
        try_join!(self.bucket.delete(&key), self.bucket.delete(&marker))?;
        Ok(())
    }
}

/// The name of the object that holds an upload's bytes once it is sealed: the end that was saved, if that is
/// all of it.
fn sealed_name(staged: &Staged) -> Result<&str, Fault> {
    let whole = staged.way.s3()?.whole(staged.length);
    Ok(whole.map_or(&staged.id, |tail| &tail.name))
}

impl BlobStore for S3BlobStore {
    fn begin(&self) -> Staged {
        let id = Uuid::new_v4().simple().to_string();
        Staged { id, length: 0, way: Way::S3(Staging::default()) }
    }

    fn largest_blob(&self) -> Option<u64> {
        Some(self.shared.options.parts.largest_blob())
    }

    async fn append(&self, staged: &mut Staged, bytes: Vec<Bytes>) -> Result<(), Fault> {
        let count: u64 = bytes.iter().map(|piece| piece.len() as u64).sum();
        let append = async {
            let staging = staged.way.s3_mut()?;
            let mut open = staging.open(&self.shared, &staged.id, staged.length).await?;
            open.append(bytes).await
        };
        self.timed("append", append).await?;
        staged.length += count;
        Ok(())
    }

    async fn sync(&self, staged: &mut Staged) -> Result<(), Fault> {
        let staging = staged.way.s3_mut()?;
        if !staging.is_open() || staging.synced == Some(staged.length) {
            return Ok(());
        }
        let sync = async {
            let mut open = staging.open(&self.shared, &staged.id, staged.length).await?;
            let (parts, tail) = open.sync().await?;
            Ok::<_, Fault>((open.upload.clone(), parts, tail))
        };
        let (upload, parts, tail) = self.timed("sync", sync).await?;
        // The row names the tail that was the last one until now. Of those before that, the one that this
        // process began with may be gone back to.
        let outdated = staging.before.clone().filter(|before| staging.began_with.as_ref() != Some(before));
        if let Some(name) = outdated {
            let removed = self.shared.bucket.delete(&self.shared.keys.blob(&name)).await;
            removed.or_fault(|| format!("saving upload {}", staged.id))?;
        }
        staging.before = staging.tail.take().map(|tail| tail.name);
        (staging.upload, staging.parts, staging.tail) = (upload, parts, tail);
        staging.synced = Some(staged.length);
        Ok(())
    }

    async fn seal(&self, staged: &Staged, digest: &Digest) -> Result<Location, Fault> {
        self.timed("seal", self.shared.seal(staged, digest)).await
    }

    async fn leftovers(&self, staged: &Staged, digest: &Digest) -> Result<Vec<Location>, Fault> {
        self.timed("list", self.shared.leftovers(staged, digest)).await
    }

    async fn abort(&self, staged: &Staged, sealing: Option<&Digest>) -> Result<(), Fault> {
        let abort = self.shared.abort(staged, sealing);
        self.timed("remove", abort).await.or_fault(|| format!("aborting upload {}", staged.id))
    }

    async fn read(&self, at: &Location, range: ByteRange) -> Result<Option<ByteStream>, Fault> {
        self.timed("read", read::read(&self.shared, at, range)).await
    }

    async fn url(&self, at: &Location, ttl: Duration) -> Result<Option<SignedUrl>, Fault> {
        let (_, name) = keys::parse_location(at)?;
        let doing = || format!("signing a URL of blob {at}");
        let terms = PresigningConfig::expires_in(ttl).or_fault(doing)?;
        let url = self.shared.bucket.url(&self.shared.keys.blob(name), terms).await;
        Ok(Some(SignedUrl(url.or_fault(doing)?)))
    }

    async fn remove(&self, at: &Location) -> Result<(), Fault> {
        let (digest, name) = keys::parse_location(at)?;
        let remove = self.shared.remove(&digest, name);
        self.timed("remove", remove).await.or_fault(|| format!("removing blob {at}"))
    }

    fn list(&self) -> BoxStream<'_, Result<Found, Fault>> {
        list::list(&self.shared)
    }

    async fn fact(&self, name: &'static str) -> Result<Option<String>, Fault> {
        let doing = || format!("reading the store's {name} from {}", self.shared.options);
        let answer = self.shared.bucket.get_whole(&self.shared.keys.fact(name)).await;
        let Some(answer) = unless_missing(answer, doing)? else { return Ok(None) };
        let bytes = answer.body.collect().await.or_fault(doing)?.into_bytes();
        Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    async fn note_once(&self, name: &'static str, value: &str) -> Result<String, Fault> {
        let doing = || format!("noting the store's {name} in {}", self.shared.options);
        let content = content_of(value.to_owned().into(), self.shared.bucket.checks());
        match self.shared.bucket.put_new(&self.shared.keys.fact(name), content).await {
            Ok(_) => {}
            Err(error) if error.is_precondition_failed() => {}
            Err(error) => return Err(Fault::new(doing(), error)),
        }
        // Also for servers that don't know the condition.
        let there = self.fact(name).await?;
        there.ok_or_else(|| Fault::because(doing(), "what was written is not there"))
    }

    async fn note(&self, name: &'static str, value: &str) -> Result<(), Fault> {
        let content = content_of(value.to_owned().into(), self.shared.bucket.checks());
        let noted = self.shared.bucket.put(&self.shared.keys.fact(name), content).await;
        noted.map(drop).or_fault(|| format!("noting the store's {name} in {}", self.shared.options))
    }
}
