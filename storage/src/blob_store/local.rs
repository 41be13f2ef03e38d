//! A folder on a local disk.
//!
//! ```text
//! <root>/uploads/<id>                               bytes on their way
//! <root>/<algorithm>/<2 of hex>/<hex>.<id>          bytes that were sealed: Location is the path
//! <root>/store/<fact>                               facts about the store itself
//! ```
//! Sealing is fsync of the file, rename, fsync of the folder; nothing is acknowledged before.

mod survey;

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use berth_oci::Digest;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::read::stream_file;
use super::{BlobStore, ByteRange, ByteStream, Found, Item, Location, SignedUrl, Staged, Way};
use crate::error::{Fault, OrFault};
use crate::{BufferBudget, Telemetry, blocking};

/// Bytes are handed to the disk while more arrive, this many at a time, so that the last fsync has
/// little left to do.
const FLUSH_EVERY: u64 = 16 * 1024 * 1024;

/// Blobs as files below one folder.
#[derive(Clone)]
pub struct LocalBlobStore {
    root: Arc<Path>,
    budget: BufferBudget,
    telemetry: Arc<dyn Telemetry>,
}

/// What an upload has open in this process; another one opens it anew.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Handle {
    #[serde(skip)]
    open: Option<Arc<Open>>,
    #[serde(skip)]
    flushed: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Held while flushing. The kernel tells of a failed write only once, so the flush that was
    /// told remembers it for the others.
    failed: Mutex<Option<io::ErrorKind>>,
    /// Whether its name may be lost in a power cut, whatever was written to it.
    nameless: AtomicBool,
}

impl Open {
    const fn new(file: File) -> Self {
        Self { file, failed: Mutex::new(None), nameless: AtomicBool::new(false) }
    }

    /// Opens a staged file for appending at `offset`, once nobody else has it open: a writer that
    /// was stalled until its claim ran out would go on writing between the bytes of the next.
    fn at(path: &Path, offset: u64) -> io::Result<Arc<Self>> {
        let file = OpenOptions::new().create(offset == 0).append(true).mode(0o600).open(path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        let open = Self::new(file);
        open.nameless.store(offset == 0, Ordering::Relaxed);
        Ok(Arc::new(open))
    }

    /// Takes off what lies behind `offset`.
    fn cut(&self, offset: u64) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if length < offset {
            let why = format!("{length} bytes are staged where {offset} were saved");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        if length > offset { self.file.set_len(offset) } else { Ok(()) }
    }

    /// Waits until the file would be found again.
    fn keep_name(&self, path: &Path) -> io::Result<()> {
        if self.nameless.load(Ordering::Relaxed) {
            File::open(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?.sync_all()?;
            self.nameless.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Waits until everything written is on the disk.
    fn flush(&self) -> io::Result<()> {
        let mut failed = self.failed.lock();
        if let Some(kind) = *failed {
            return Err(kind.into());
        }
        let synced = self.file.sync_all();
        *failed = synced.as_ref().err().map(io::Error::kind);
        synced
    }
}

impl LocalBlobStore {
    /// The store below `root`, which is made if it isn't there.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn open(root: &Path, budget: BufferBudget, telemetry: Arc<dyn Telemetry>) -> Result<Self, Fault> {
        let uploads = root.join("uploads");
        fs::create_dir_all(&uploads).or_fault(|| format!("making the folder {}", uploads.display()))?;
        Ok(Self { root: root.into(), budget, telemetry })
    }

    fn staging_path(&self, staged: &Staged) -> PathBuf {
        self.root.join("uploads").join(&staged.id)
    }

    /// Where `staged` goes when it turns out to be `digest`.
    fn sealed_location(staged: &Staged, digest: &Digest) -> Location {
        let (hex, algorithm) = (digest.hex(), digest.algorithm());
        Location(format!("{algorithm}/{}/{hex}.{}", &hex[..2], staged.id))
    }

    fn path(&self, at: &Location) -> PathBuf {
        self.root.join(at.as_str())
    }

    async fn timed<T>(&self, operation: &'static str, work: impl Future<Output = T> + Send) -> T {
        let started = Instant::now();
        let done = work.await;
        self.telemetry.blob_store(operation, started.elapsed());
        done
    }
}

impl BlobStore for LocalBlobStore {
    fn begin(&self) -> Staged {
        Staged { id: Uuid::new_v4().simple().to_string(), length: 0, way: Way::Local(Handle::default()) }
    }

    fn largest_blob(&self) -> Option<u64> {
        None
    }

    async fn append(&self, staged: &mut Staged, bytes: Vec<Bytes>) -> Result<(), Fault> {
        let path = self.staging_path(staged);
        let offset = staged.length;
        let open = staged.way.local()?.open.clone();
        let write = blocking("appending to an upload", move || {
            let open = open.map_or_else(|| Open::at(&path, offset), Ok)?;
            open.cut(offset)?;
            let written = write_all_vectored(&open.file, &bytes);
            Ok::<_, io::Error>((open, written))
        });
        let doing = || format!("appending to upload {}", staged.id);
        let (open, written) = self.timed("append", write).await?.or_fault(doing)?;
        // Kept also when writing failed, for `sync` to flush what earlier appends wrote.
        staged.way.local_mut()?.open = Some(Arc::clone(&open));
        let count = written.or_fault(doing)?;
        staged.length += count;
        let handle = staged.way.local_mut()?;
        if staged.length - handle.flushed >= FLUSH_EVERY && !open.failed.is_locked() {
            let early = Arc::clone(&open);
            handle.flushed = staged.length;
            // Only a head start; `sync` and `seal` flush again, and it is they who report errors.
            tokio::task::spawn_blocking(move || drop(early.flush()));
        }
        Ok(())
    }

    async fn sync(&self, staged: &mut Staged) -> Result<(), Fault> {
        let Some(open) = staged.way.local()?.open.clone() else { return Ok(()) };
        let path = self.staging_path(staged);
        let sync = blocking("flushing an upload", move || {
            open.flush()?;
            open.keep_name(&path)
        });
        self.timed("sync", sync).await?.or_fault(|| format!("flushing upload {}", staged.id))
    }

    async fn seal(&self, staged: &Staged, digest: &Digest) -> Result<Location, Fault> {
        let location = Self::sealed_location(staged, digest);
        let (from, to) = (self.staging_path(staged), self.path(&location));
        let (open, length) = (staged.way.local()?.open.clone(), staged.length);
        let seal = blocking("sealing an upload", move || seal_file(open, length, &from, &to));
        self.timed("seal", seal).await?.or_fault(|| format!("sealing upload {} as {digest}", staged.id))?;
        Ok(location)
    }

    async fn leftovers(&self, _: &Staged, _: &Digest) -> Result<Vec<Location>, Fault> {
        Ok(Vec::new())
    }

    async fn abort(&self, staged: &Staged, sealing: Option<&Digest>) -> Result<(), Fault> {
        let mut paths = vec![self.staging_path(staged)];
        paths.extend(sealing.map(|digest| self.path(&Self::sealed_location(staged, digest))));
        let remove =
            blocking("aborting an upload", move || paths.iter().try_for_each(|path| remove_file(path)));
        self.timed("remove", remove).await?.or_fault(|| format!("aborting upload {}", staged.id))
    }

    async fn read(&self, at: &Location, range: ByteRange) -> Result<Option<ByteStream>, Fault> {
        let started = Instant::now();
        // A path lookup in the kernel's cache is quicker than a hop to another thread.
        let opened = match File::open(self.path(at)) {
            Ok(file) => Ok(Some(stream_file(file, at.as_str(), range, &self.budget))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::new(format!("opening blob {at}"), error)),
        };
        self.telemetry.blob_store("read", started.elapsed());
        opened
    }

    async fn url(&self, _: &Location, _: Duration) -> Result<Option<SignedUrl>, Fault> {
        Ok(None)
    }

    async fn remove(&self, at: &Location) -> Result<(), Fault> {
        let path = self.path(at);
        let remove = blocking("removing a blob", move || remove_file(&path));
        self.timed("remove", remove).await?.or_fault(|| format!("removing blob {at}"))
    }

    fn list(&self) -> BoxStream<'_, Result<Found, Fault>> {
        let root = Arc::clone(&self.root);
        let listing = blocking("listing the blob store", move || {
            list_sealed(&root).or_fault(|| format!("listing the folder {}", root.display()))
        });
        let listing = async move { listing.await.unwrap_or_else(Err) };
        stream::once(listing)
            .flat_map(|listed| match listed {
                Ok(found) => stream::iter(found).map(Ok).boxed(),
                Err(fault) => stream::once(async { Err(fault) }).boxed(),
            })
            .boxed()
    }

    fn survey(&self) -> BoxStream<'_, Result<Item, Fault>> {
        let root = Arc::clone(&self.root);
        let listing = blocking("listing the blob store", move || {
            survey::everything(&root).or_fault(|| format!("listing the folder {}", root.display()))
        });
        let listing = async move { listing.await.unwrap_or_else(Err) };
        stream::once(listing).map_ok(|items| stream::iter(items).map(Ok)).try_flatten().boxed()
    }

    fn item_name(&self, at: &Location) -> Result<String, Fault> {
        Ok(at.as_str().to_owned())
    }

    async fn discard(&self, item: &Item) -> Result<(), Fault> {
        let path = self.root.join(&item.name);
        let remove = blocking("removing a file", move || remove_file(&path));
        self.timed("remove", remove).await?.or_fault(|| format!("removing {}", item.name))
    }

    async fn tell(&self, _: &Location) -> Result<(), Fault> {
        // The path does.
        Ok(())
    }

    async fn fact(&self, name: &'static str) -> Result<Option<String>, Fault> {
        let path = self.root.join("store").join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::new(format!("reading {}", path.display()), error)),
        }
    }

    async fn note_once(&self, name: &'static str, value: &str) -> Result<String, Fault> {
        let (folder, value) = (self.root.join("store"), value.to_owned());
        let path = folder.join(name);
        let noting = || format!("writing {}", path.display());
        let (to, text) = (path.clone(), format!("{value}\n"));
        let note = blocking("noting a fact about the store", move || note_file(&folder, &to, &text));
        note.await?.or_fault(noting)?;
        let there = self.fact(name).await?;
        there.ok_or_else(|| Fault::because(noting(), "what was written is not there"))
    }

    async fn note(&self, name: &'static str, value: &str) -> Result<(), Fault> {
        let folder = self.root.join("store");
        let (to, text) = (folder.join(name), format!("{value}\n"));
        let noting = format!("writing {}", to.display());
        let note = blocking("noting a fact about the store", move || {
            fs::rename(new_file(&folder, &text)?, to)?;
            File::open(folder)?.sync_all()
        });
        note.await?.or_fault(|| noting)
    }
}

/// Makes a durable file under a name of its own; gives that.
fn new_file(folder: &Path, text: &str) -> io::Result<PathBuf> {
    make_folder(folder)?;
    let new = folder.join(format!("{}.new", Uuid::new_v4().simple()));
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(new)
}

/// Makes a file durable, whole or not at all, unless it is there.
fn note_file(folder: &Path, to: &Path, text: &str) -> io::Result<()> {
    let new = new_file(folder, text)?;
    // Not renamed: a link doesn't take the place of what another process noted.
    let linked = fs::hard_link(&new, to);
    fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        linked => linked?,
    }
    File::open(folder)?.sync_all()
}

fn write_all_vectored(mut file: &File, bytes: &[Bytes]) -> io::Result<u64> {
    let total = bytes.iter().map(|piece| piece.len() as u64).sum();
    let mut slices: Vec<IoSlice<'_>> = bytes.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut slices = slices.as_mut_slice();
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

fn seal_file(open: Option<Arc<Open>>, length: u64, from: &Path, to: &Path) -> io::Result<()> {
    let open = match open.map_or_else(|| Open::at(from, length), Ok) {
        // A crash came between the rename and the row: it is where it belongs already.
        Err(error) if error.kind() == io::ErrorKind::NotFound && to.exists() => {
            Arc::new(Open::new(File::open(to)?))
        }
        opened => {
            let open = opened?;
            open.cut(length)?;
            open
        }
    };
    open.flush()?;
    let folder = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_folder(folder)?;
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && to.exists() => {}
        renamed => renamed?,
    }
    File::open(folder)?.sync_all()
}

/// Makes `folder` durable together with the folders above it that are made on the way.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_folder(above)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    File::open(above)?.sync_all()
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn list_sealed(root: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for algorithm in ["sha256", "sha512"] {
        let Ok(shards) = fs::read_dir(root.join(algorithm)) else { continue };
        for shard in shards {
            for entry in fs::read_dir(shard?.path())? {
                let (entry, root) = (entry?, root);
                let metadata = entry.metadata()?;
                let path = entry.path();
                let relative = path.strip_prefix(root).map_err(io::Error::other)?;
                let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                let location = Location(relative.to_string_lossy().into_owned());
                found.push(Found { location, size: metadata.len(), modified });
            }
        }
    }
    Ok(found)
}
