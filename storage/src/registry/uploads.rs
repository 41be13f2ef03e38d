//! Pushing a blob: sessions that any process can go on with.
//!
//! Bytes are copied into buffers from a common budget, and hashed and appended side by side while
//! more arrive. A session is saved at least every [`SAVE_BYTES`] or [`SAVE_TIME`] and whenever a
//! request ends, also when its connection broke, so the work runs in a task of its own that nobody's
//! going away can stop.

use std::time::Duration;

use berth_oci::{Algorithm, ChunkRange, Digest, Hasher, RepositoryName};
use bytes::Bytes;
use futures_util::future::{BoxFuture, join, try_join};
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::{Creation, Registry, fault};
use crate::buffers::Filled;
use crate::crash::crash_point;
use crate::error::{Error, Fault, FaultKind};
use crate::ids::new_id;
use crate::metadata::uploads::{self, Begin, Claim, Finish, Save, Session};
use crate::{Actor, BlobStore, ByteRange, Location, Timestamp, UploadId, blocking};

/// A session is saved at least every so many bytes: a killed server takes back no more.
const SAVE_BYTES: u64 = 32 * 1024 * 1024;
/// A session is saved at least this often while a request writes to it.
const SAVE_TIME: Duration = Duration::from_secs(5);
/// A writer that was killed blocks its session no longer than this.
const CLAIM_TIME: Duration = Duration::from_secs(20);
/// How many bytes are hashed and appended at a time, where the budget has room for them: fewer make
/// more hops between threads.
const BATCH: usize = 1024 * 1024;
/// Up to here a batch is hashed where it is received: a hop to another thread takes as long.
const HASHED_HERE: usize = 32 * 1024;

/// Bytes of an upload, as a request brings them.
pub struct Chunk<S> {
    /// Which bytes these are, if the request says so.
    pub range: Option<ChunkRange>,
    /// How many bytes these are, if the request says so.
    pub length: Option<u64>,
    /// The bytes; an error when the connection breaks.
    pub body: S,
}

impl<S> Chunk<S> {
    /// How many bytes must come.
    fn announced(&self) -> Result<Option<u64>, Error> {
        match (self.range.map(ChunkRange::len), self.length) {
            (Some(announced), Some(received)) if announced != received => {
                Err(Error::LengthMismatch { announced, received })
            }
            (range, length) => Ok(range.or(length)),
        }
    }
}

impl<S> std::fmt::Debug for Chunk<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunk")
            .field("range", &self.range)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadStatus {
    /// The session.
    pub id: UploadId,
    /// How many bytes it holds.
    pub received: u64,
}

impl<B: BlobStore> Registry<B> {
    /// Begins an upload session; `algorithm` is what the final digest will be of, if known.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when the repository may not be made.
    pub async fn begin_upload(
        &self,
        repository: &RepositoryName,
        algorithm: Option<Algorithm>,
        creation: Creation,
        actor: &Actor,
    ) -> Result<UploadId, Error> {
        let id = UploadId::random();
        let now = self.now();
        let begin = Begin {
            id,
            repository: repository.clone(),
            hasher: Hasher::new(algorithm.unwrap_or(Algorithm::Sha256)),
            staged: self.shared.blobs.begin(),
            creation,
            actor: actor.clone(),
            now,
            expires_at: now.after(self.shared.uploads_expire_after),
        };
        self.metadata().write(begin, uploads::begin).await?;
        crash_point("upload.begun");
        Ok(id)
    }

    /// How far an upload is; none when the repository has no such session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upload_status(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<Option<UploadStatus>, Error> {
        let received = self.metadata().read((repository.clone(), id), uploads::received).await?;
        Ok(received.map(|received| UploadStatus { id, received }))
    }

    /// Appends a chunk. When the body breaks off, what had come is kept; a chunk that isn't what it
    /// was announced to be changes nothing.
    ///
    /// # Errors
    /// [`Error::UploadUnknown`], [`Error::UploadBusy`], [`Error::ChunkOutOfOrder`],
    /// [`Error::LengthMismatch`], [`Error::BodyBroken`].
    pub async fn append_upload<S>(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        chunk: Chunk<S>,
    ) -> Result<UploadStatus, Error>
    where
        S: Stream<Item = Result<Bytes, String>> + Send + Unpin + 'static,
    {
        let announced = chunk.announced()?;
        let (registry, repository) = (self.clone(), repository.clone());
        in_own_task(Box::pin(async move {
            let first = chunk.range.map(|range| range.first);
            let mut writer = Writer::claim(&registry, repository, id, first, None).await?;
            match writer.receive(chunk.body, announced).await {
                Ok(()) => writer.leave().await,
                Err(error) => Err(writer.leave_after(error).await),
            }
        }))
        .await
    }

    /// Ends an upload with its last bytes, if any: it becomes the blob `digest` of the repository.
    /// A refused request changes nothing; where only the repository may not be made, the bytes stay.
    ///
    /// # Errors
    /// [`Error::DigestMismatch`], and all of [`Registry::append_upload`].
    pub async fn finish_upload<S>(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        digest: &Digest,
        chunk: Chunk<S>,
        creation: Creation,
        actor: &Actor,
    ) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, String>> + Send + Unpin + 'static,
    {
        let announced = chunk.announced()?;
        let (registry, repository) = (self.clone(), repository.clone());
        let (digest, actor) = (digest.clone(), actor.clone());
        in_own_task(Box::pin(async move {
            let first = chunk.range.map(|range| range.first);
            let mut writer = Writer::claim(&registry, repository, id, first, Some(digest.clone())).await?;
            if let Err(error) = writer.receive(chunk.body, announced).await {
                return Err(writer.leave_after(error).await);
            }
            writer.finish(&digest, creation, actor).await
        }))
        .await
    }

    /// Ends an upload session early.
    ///
    /// # Errors
    /// [`Error::UploadUnknown`], [`Error::UploadBusy`].
    pub async fn cancel_upload(&self, repository: &RepositoryName, id: UploadId) -> Result<(), Error> {
        self.metadata().write((repository.clone(), id, self.now()), uploads::cancel).await
    }

    /// How many upload sessions are open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_uploads(&self) -> Result<u64, Error> {
        self.metadata().scan((), uploads::count).await
    }
}

/// Runs `work` to its end even when the caller is dropped because its client went away.
async fn in_own_task<T: Send + 'static>(work: BoxFuture<'static, Result<T, Error>>) -> Result<T, Error> {
    tokio::spawn(work).await.map_err(|error| Fault::new("running an upload", error))?
}

/// The one request that may write to a session.
struct Writer<'r, B> {
    registry: &'r Registry<B>,
    repository: RepositoryName,
    id: UploadId,
    name: String,
    session: Session,
    before: Session,
    /// What the database and the disk hold for sure.
    saved: Session,
    claimed_until: Timestamp,
    save_at: Instant,
}

impl<'r, B: BlobStore> Writer<'r, B> {
    async fn claim(
        registry: &'r Registry<B>,
        repository: RepositoryName,
        id: UploadId,
        first: Option<u64>,
        sealing: Option<Digest>,
    ) -> Result<Self, Error> {
        let (name, now) = (new_id(), registry.now());
        let claimed_until = now.after(CLAIM_TIME);
        let claim = Claim {
            id,
            repository: repository.clone(),
            writer: name.clone(),
            first,
            sealing: sealing.clone(),
            now,
            until: claimed_until,
        };
        let before = registry.metadata().write(claim, uploads::claim).await?;
        crash_point("upload.claimed");
        let mut session = before.clone();
        if let Some(digest) = sealing.as_ref().filter(|_| session.received == 0) {
            session.hasher = Hasher::new(digest.algorithm());
        }
        session.sealing = sealing.or(session.sealing);
        let saved = before.clone();
        let save_at = Instant::now() + SAVE_TIME;
        Ok(Self { registry, repository, id, name, session, before, claimed_until, save_at, saved })
    }

    /// Takes in a body: while one batch is hashed and written, the next is received.
    async fn receive<S>(&mut self, mut body: S, announced: Option<u64>) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, String>> + Send + Unpin,
    {
        self.refuse_too_large(announced.unwrap_or(0))?;
        let (batches, mut received) = mpsc::channel::<Bytes>(1);
        let budget = self.registry.shared.upload_buffers.clone();
        let collecting = async move {
            let (mut rest, mut total) = (Bytes::new(), 0u64);
            loop {
                // A place in the queue first: one batch is stored while one is gathered, and no third.
                // Storing failed when there is none, and says why itself.
                let Ok(place) = batches.reserve().await else { return Ok(None) };
                let mut batch = Filled::new(budget.take(BATCH));
                let end = loop {
                    // Copied: a piece as it came keeps the connection's whole read buffer alive.
                    batch.take_from(&mut rest);
                    if batch.is_full() {
                        break None;
                    }
                    match body.next().await {
                        Some(Ok(bytes)) => {
                            total += bytes.len() as u64;
                            if announced.is_some_and(|announced| total > announced) {
                                // Nothing of a chunk that is too long counts.
                                return Ok(Some(total));
                            }
                            rest = bytes;
                        }
                        Some(Err(why)) => break Some(Err(why)),
                        None => break Some(Ok((total < announced.unwrap_or(0)).then_some(total))),
                    }
                };
                // Nothing is no reason to open a place that may have been sealed already.
                if !batch.as_ref().is_empty() {
                    place.send(Bytes::from_owner(batch));
                }
                if let Some(end) = end {
                    return end;
                }
            }
        };
        let writer = &mut *self;
        // Owns the receiver, so that collecting ends too when storing fails.
        let storing = async move {
            loop {
                match timeout_at(writer.save_at, received.recv()).await {
                    Ok(Some(batch)) => writer.store(batch).await?,
                    Ok(None) => return Ok(()),
                    Err(_) => writer.save(Some(CLAIM_TIME)).await?,
                }
                if Instant::now() >= writer.save_at
                    || writer.session.received - writer.saved.received >= SAVE_BYTES
                {
                    writer.save(Some(CLAIM_TIME)).await?;
                }
            }
        };
        let (collected, stored) = join(collecting, storing).await;
        stored.map_err(|error: Error| error)?;
        match collected {
            Ok(None) => Ok(()),
            Ok(Some(received)) => {
                let announced = announced.unwrap_or_default();
                Err(Error::LengthMismatch { announced, received })
            }
            Err(why) => Err(Error::BodyBroken { received: self.session.received, why }),
        }
    }

    /// Refuses what would make the blob larger than the store can keep.
    fn refuse_too_large(&self, more: u64) -> Result<(), Error> {
        match self.registry.shared.blobs.largest_blob() {
            Some(largest) if self.session.received.saturating_add(more) > largest => {
                Err(Error::BlobTooLarge { largest })
            }
            _ => Ok(()),
        }
    }

    /// Renews a claim of which little is left. It may have run out and be another's by now (this
    /// machine slept, say), and a write would fall between the bytes of that one.
    async fn hold_claim(&mut self) -> Result<(), Error> {
        let soon = self.registry.now().after(CLAIM_TIME / 2);
        if soon >= self.claimed_until { self.save(Some(CLAIM_TIME)).await } else { Ok(()) }
    }

    /// Hashes and appends a batch, side by side; both happened or neither.
    async fn store(&mut self, batch: Bytes) -> Result<(), Error> {
        self.refuse_too_large(batch.len() as u64)?;
        self.hold_claim().await?;
        let session = &mut self.session;
        let size = batch.len();
        let (mut hasher, piece) = (session.hasher.clone(), batch.clone());
        let hash = move || {
            hasher.update(&piece);
            hasher
        };
        let hashing = async move {
            if size <= HASHED_HERE { Ok(hash()) } else { blocking("hashing an upload", hash).await }
        };
        let appending = self.registry.shared.blobs.append(&mut session.staged, vec![batch]);
        let (appended, hasher) = join(appending, hashing).await;
        appended?;
        crash_point("upload.appended");
        session.hasher = hasher?;
        session.received += size as u64;
        Ok(())
    }

    /// Makes the session durable as it is; afterwards this writer stays the only one for
    /// `keep`, or is done.
    async fn save(&mut self, keep: Option<Duration>) -> Result<(), Error> {
        self.registry.shared.blobs.sync(&mut self.session.staged).await?;
        crash_point("upload.synced");
        let now = self.registry.now();
        let session = &self.session;
        let save = Save {
            id: self.id,
            writer: self.name.clone(),
            staged: session.staged.clone(),
            received: session.received,
            hasher: session.hasher.clone(),
            sealing: session.sealing.clone(),
            expires_at: now.after(self.registry.shared.uploads_expire_after),
            keep_until: keep.map(|keep| now.after(keep)),
        };
        self.registry.metadata().write(save, uploads::save).await?;
        crash_point("upload.saved");
        self.claimed_until = now.after(keep.unwrap_or_default());
        self.saved = self.session.clone();
        self.save_at = Instant::now() + SAVE_TIME;
        Ok(())
    }

    /// Leaves the session to the next request.
    async fn leave(mut self) -> Result<UploadStatus, Error> {
        if let Err(error) = self.save(None).await {
            self.let_go().await;
            return Err(error);
        }
        Ok(UploadStatus { id: self.id, received: self.session.received })
    }

    /// Leaves the session after `error`, before anything was sealed: with what had come when the
    /// body merely broke off or the disk was full, else as it was before this request.
    async fn leave_after(mut self, error: Error) -> Error {
        if matches!(error, Error::BodyBroken { .. } | Error::Fault(_)) {
            self.session.sealing.clone_from(&self.before.sealing);
        } else {
            self.session = self.before.clone();
        }
        let mut left = self.save(None).await;
        if matches!(&left, Err(Error::Fault(fault)) if fault.kind() == FaultKind::Full) {
            left = self.fall_back().await;
        }
        if let Err(error) = left {
            warn!(upload = %self.id, %error, "an upload session could not be saved; it can go on from its last save");
            self.let_go().await;
        }
        error
    }

    /// Gives up what came since the last save, for the room on the disk that saving takes.
    async fn fall_back(&mut self) -> Result<(), Error> {
        // Whoever claimed it meanwhile may be writing where this would cut.
        if self.registry.now() >= self.claimed_until {
            return Err(Error::UploadBusy);
        }
        self.session = self.saved.clone();
        self.session.sealing.clone_from(&self.before.sealing);
        // Appending, even nothing, cuts off what lies behind.
        self.registry.shared.blobs.append(&mut self.session.staged, Vec::new()).await?;
        self.save(None).await
    }

    /// Leaves the session with what had come and what it was being sealed as.
    async fn leave_as_is_after(mut self, error: Error) -> Error {
        if let Err(error) = self.save(None).await {
            warn!(upload = %self.id, %error, "an upload session could not be saved; it can go on from its last save");
            self.let_go().await;
        }
        error
    }

    /// Lets the next request go on from the last save, without waiting for the claim to run out.
    async fn let_go(&self) {
        let released = self.registry.metadata().write((self.id, self.name.clone()), uploads::release).await;
        if let Err(error) = released {
            warn!(upload = %self.id, %error, "an upload session stays claimed until its claim runs out");
        }
    }

    async fn finish(mut self, digest: &Digest, creation: Creation, actor: Actor) -> Result<(), Error> {
        let hasher = &self.session.hasher;
        let is_known = hasher.algorithm() == digest.algorithm();
        if is_known {
            let actual = hasher.clone().finish();
            if actual != *digest {
                let error = Error::DigestMismatch { expected: digest.clone(), actual };
                return Err(self.leave_after(error).await);
            }
        }
        if let Err(error) = self.hold_claim().await {
            return Err(self.leave_after(error).await);
        }
        let (blobs, staged) = (&self.registry.shared.blobs, &self.session.staged);
        let sealed = try_join(blobs.seal(staged, digest), blobs.leftovers(staged, digest)).await;
        let (location, leftovers) = match sealed {
            Ok(sealed) => sealed,
            Err(fault) => return Err(self.leave_as_is_after(fault.into()).await),
        };
        crash_point("upload.sealed");
        if !is_known {
            match self.read_back(&location, digest).await {
                Ok(None) => {}
                Ok(Some(actual)) => return Err(self.abandon(digest, actual).await),
                Err(error) => return Err(self.leave_as_is_after(error).await),
            }
        }
        let finish = Finish {
            id: self.id,
            writer: self.name.clone(),
            repository: self.repository.clone(),
            digest: digest.clone(),
            size: self.session.received,
            location,
            leftovers,
            creation,
            actor,
            now: self.registry.now(),
            kept_until: self.registry.now().after(self.registry.shared.delays.unreferenced),
        };
        match self.registry.metadata().write(finish, uploads::finish).await {
            Ok(()) => {
                crash_point("upload.finished");
                Ok(())
            }
            // The bytes have left their staging place: only what they were sealed as leads to them.
            Err(error) => Err(self.leave_as_is_after(error).await),
        }
    }

    /// Hashes what was sealed: the final request was the first to name this algorithm, after bytes
    /// had come. Gives the digest it has instead, if it is another.
    async fn read_back(&self, location: &Location, digest: &Digest) -> Result<Option<Digest>, Error> {
        let range = ByteRange { first: 0, end: self.session.received };
        let bytes = self.registry.shared.blobs.read(location, range).await?;
        let mut bytes = bytes.ok_or_else(|| fault("reading back an upload", "its bytes are gone"))?;
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(piece) = bytes.next().await {
            let piece = piece?;
            hasher = blocking("hashing an upload", move || {
                hasher.update(&piece);
                hasher
            })
            .await?;
        }
        let actual = hasher.finish();
        Ok((actual != *digest).then_some(actual))
    }

    /// Throws away what turned out to be something else when it was read back, for its bytes have
    /// left their staging place.
    async fn abandon(self, expected: &Digest, actual: Digest) -> Error {
        let ended = (self.id, self.name.clone(), self.registry.now());
        match self.registry.metadata().write(ended, uploads::abandon).await {
            Ok(()) => Error::DigestMismatch { expected: expected.clone(), actual },
            Err(error) => self.leave_as_is_after(error).await,
        }
    }
}
