//! The images of this machine: their bytes, their unpacked layers, their names.
//!
//! ```text
//! blobs/<algorithm>/<hex>     manifests, configurations, layers as they were pulled
//! layers/<algorithm>/<hex>/   a layer by the digest of its archive: fs/ (a lower directory of overlayfs), layer.json
//! chains/<algorithm>/<hex>/   the same for a layer that links to files of those below, by the chain's digest
//! images.json                 which images there are, and what they are called; replaced as a whole
//! partial/                    layers that are being downloaded, to be gone on with
//! tmp/                        what is being made; each owner locks its own
//! leases/, held/              what is needed just now by a process, and for long by a container
//! hashes                      what files of build contexts hold
//! recipes/                    which layers came of which steps of builds
//! caches/                     what `RUN --mount=type=cache` keeps from one build to the next
//! locks/                      who downloads which layer
//! lock                        held for as long as any of this is decided
//! ```
//!
//! Everything is made aside and renamed when it is whole, so that a process that is killed leaves nothing
//! that is taken for more than it is. What it leaves is removed by the next call.

mod blobs;
mod catalog;
mod collect;
mod layers;
mod leases;
mod locks;
mod lookup;
mod names;

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Doing, Result};
use crate::unpack::Privilege;

pub use layers::Scratch;
pub(crate) use layers::{LayerFacts, boot};
pub use leases::LayersInUse;
pub(crate) use leases::{Lease, Roots};
pub(crate) use locks::Deciding;
pub use lookup::{Image, ImageSummary};
pub use names::{Force, Removed};

/// The images of this machine, or of one user on it.
#[derive(Debug, Clone)]
pub struct LocalImages {
    root: PathBuf,
    privilege: Privilege,
}

impl LocalImages {
    /// Those below `root`, which is made (0700) if it isn't there.
    ///
    /// # Errors
    /// When the folders can't be made.
    pub fn open(root: &Path) -> Result<Self> {
        for folder in ["blobs", "layers", "chains", "partial", "tmp", "leases", "held", "locks", "recipes"] {
            let folder = root.join(folder);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .doing(|| format!("making {}", folder.display()))?;
        }
        Ok(Self { root: root.to_owned(), privilege: Privilege::of_this_process() })
    }

    /// The folder that everything is below.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What this process may do when it unpacks.
    pub fn privilege(&self) -> Privilege {
        self.privilege
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Makes a file whole or not at all, and puts it in the place of what was there. It survives a loss of
    /// power.
    pub(crate) fn replace(&self, deciding: &Deciding, path: &Path, bytes: &[u8]) -> Result<()> {
        let writing = || format!("writing {}", path.display());
        let file = self.written_aside(deciding, path, bytes)?;
        file.as_file().sync_all().doing(writing)?;
        file.persist(path).map_err(|error| error.error).doing(writing)?;
        let folder = fs::File::open(path.parent().unwrap_or(&self.root));
        folder.and_then(|folder| folder.sync_all()).doing(writing)
    }

    fn written_aside(&self, _: &Deciding, path: &Path, bytes: &[u8]) -> Result<NamedTempFile> {
        let writing = || format!("writing {}", path.display());
        let mut file = NamedTempFile::new_in(self.path("tmp")).doing(writing)?;
        file.write_all(bytes).doing(writing)?;
        Ok(file)
    }

    /// Waits until everything written so far would survive a loss of power.
    pub(crate) fn flush(&self) -> Result<()> {
        let folder = fs::File::open(&self.root).doing(|| "opening the images' folder")?;
        rustix::fs::syncfs(&folder).doing(|| "writing the images to disk")
    }
}

/// Does what blocks where that does no harm.
pub(crate) async fn in_background<T: Send + 'static>(
    images: &LocalImages,
    work: impl FnOnce(&LocalImages) -> Result<T> + Send + 'static,
) -> Result<T> {
    let images = images.clone();
    let done = tokio::task::spawn_blocking(move || work(&images)).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
