//! What is needed although no image names it: by a process as long as it lives, by a container as long as
//! it exists.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use berth_oci::Digest;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error, Result};
use crate::store::{Image, LocalImages};

/// What is to be kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Roots {
    /// The manifest of an image that is needed whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) manifest: Option<Digest>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) blobs: Vec<Digest>,
    /// Unpacked layers, by the digests of their archives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<Digest>,
    /// Unpacked layers, by the digests of their chains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) chains: Vec<Digest>,
}

/// Keeps what it names as long as it is held and its process lives.
#[derive(Debug)]
pub(crate) struct Lease {
    path: PathBuf,
    _file: File,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Whoever finds it unlocked removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// An image's layers, unpacked and kept from being removed as long as this is held.
#[derive(Debug)]
pub struct LayersInUse {
    lower: Vec<PathBuf>,
    _lease: Lease,
}

impl LayersInUse {
    /// The layers' folders, from the lowest to the topmost. overlayfs wants the topmost first: reversed.
    pub fn lower_to_top(&self) -> &[PathBuf] {
        &self.lower
    }
}

impl LocalImages {
    /// An image's unpacked layers, kept as long as the result is held. One whose layers are only packed, as
    /// after an interrupted removal, has them unpacked again.
    ///
    /// # Errors
    /// When a layer is missing, or the machine fails.
    pub fn use_layers(&self, image: &Image) -> Result<LayersInUse> {
        let roots = Roots { manifest: Some(image.manifest_digest.clone()), ..Roots::default() };
        let lease = self.lease(&roots)?;
        let lower = self.lower_folders(image)?;
        Ok(LayersInUse { lower, _lease: lease })
    }

    /// Keeps an image as long as the container `container` exists, by a file that is to go with it. `container`
    /// is a name of a file.
    ///
    /// # Errors
    /// When the image has been removed meanwhile, or the note can't be written.
    pub fn hold(&self, image: &Image, container: &str) -> Result<PathBuf> {
        let deciding = self.decide()?;
        if !self.has_blob(&image.manifest_digest, image.manifest_size) {
            return Err(Error::NoSuchImage(image.id.to_string()));
        }
        let roots = Roots { manifest: Some(image.manifest_digest.clone()), ..Roots::default() };
        let path = self.path("held").join(container);
        let text = serde_json::to_vec(&roots).map_err(std::io::Error::from);
        let text = text.doing(|| format!("writing {}", path.display()))?;
        // Not flushed: a start is not to wait for the disk, and with the power the container goes as well.
        let file = self.written_aside(&deciding, &path, &text)?;
        file.persist(&path).map_err(|error| error.error).doing(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// Lets go what [`hold`](Self::hold) kept for a container; one that holds nothing is no error.
    ///
    /// # Errors
    /// When the note can't be removed.
    pub fn release(&self, container: &str) -> Result<()> {
        let path = self.path("held").join(container);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.doing(|| format!("removing {}", path.display())),
        }
    }

    /// Keeps `roots` from being removed, whether they are here already or not.
    pub(crate) fn lease(&self, roots: &Roots) -> Result<Lease> {
        let _deciding = self.decide()?;
        let path = self.path("leases").join(format!("{}-{:016x}", std::process::id(), fastrand::u64(..)));
        let writing = || format!("writing {}", path.display());
        let mut file = File::options().create_new(true).write(true).open(&path).doing(writing)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).doing(writing)?;
        let text = serde_json::to_vec(roots).map_err(std::io::Error::from).doing(writing)?;
        file.write_all(&text).doing(writing)?;
        Ok(Lease { path, _file: file })
    }
}
