//! Locks between processes: files that are locked as long as their owner lives, however it ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{Doing, Result};
use crate::store::LocalImages;

/// A locked file, which is removed when it is let go.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Waits for the lock at `path`. Blocks.
    fn wait(path: PathBuf) -> io::Result<Self> {
        loop {
            let file = File::options().create(true).append(true).open(&path)?;
            match flock(&file, FlockOperation::LockExclusive) {
                Err(Errno::INTR) => continue,
                locked => locked?,
            }
            // Whoever held it before has removed the file, and another may be locked by that name.
            if is_at(&file, &path)? {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still locked. Left behind, it costs an empty file.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The right to decide what is kept, and what is made aside in `tmp` without a lock of its own.
#[derive(Debug)]
pub(crate) struct Deciding {
    _file: File,
}

/// Whether `file` is the one that `path` names.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the owner of a file or folder that was locked is gone.
pub(crate) fn is_abandoned(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

impl LocalImages {
    /// Waits to be the only one who decides what is kept. Short: nothing is downloaded meanwhile. Blocks.
    pub(crate) fn decide(&self) -> Result<Deciding> {
        let path = self.path("lock");
        let open = || File::options().create(true).append(true).open(&path);
        let file = open().doing(|| format!("opening {}", path.display()))?;
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Err(Errno::INTR) => {}
                locked => {
                    locked.doing(|| format!("locking {}", path.display()))?;
                    return Ok(Deciding { _file: file });
                }
            }
        }
    }

    /// Waits to be the only one who fetches what `digest` names. Blocks.
    pub(crate) fn fetching(&self, digest: &berth_oci::Digest) -> Result<Lock> {
        let path = self.path("locks").join(digest.hex());
        Lock::wait(path).doing(|| format!("waiting for whoever fetches {digest}"))
    }
}
