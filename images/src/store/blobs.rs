//! Bytes by their digest.

use std::fs::{self, File};
use std::path::PathBuf;

use berth_oci::{Algorithm, Digest};

use crate::error::{Doing, Error, Result};
use crate::store::LocalImages;

impl LocalImages {
    /// Where the blob is, or would be.
    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path("blobs").join(digest.algorithm().as_str()).join(digest.hex())
    }

    /// Whether the whole blob is here.
    pub(crate) fn has_blob(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.blob_path(digest)).is_ok_and(|found| found.len() == size)
    }

    /// A small blob's bytes, checked.
    pub(crate) fn small_blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        let path = self.blob_path(digest);
        let bytes = fs::read(&path).doing(|| format!("reading {}", path.display()))?;
        if Digest::of(digest.algorithm(), &bytes) != *digest {
            let sentence = format!("{} is damaged; pull the image again", path.display());
            return Err(Error::Content(sentence));
        }
        Ok(bytes)
    }

    /// Keeps a small blob.
    pub(crate) fn put_blob(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        self.make_folders(digest.algorithm())?;
        if self.has_blob(digest, bytes.len() as u64) {
            return Ok(());
        }
        self.replace(&self.decide()?, &self.blob_path(digest), bytes)
    }

    /// Keeps a file that was written aside and checked.
    pub(crate) fn keep_blob(&self, digest: &Digest, file: &std::path::Path) -> Result<()> {
        self.make_folders(digest.algorithm())?;
        fs::rename(file, self.blob_path(digest)).doing(|| format!("keeping {digest}"))
    }

    /// Opens a blob.
    pub(crate) fn open_blob(&self, digest: &Digest) -> Result<File> {
        let path = self.blob_path(digest);
        File::open(&path).doing(|| format!("opening {}", path.display()))
    }

    /// Where the part of a blob that has come is kept.
    pub(crate) fn partial_path(&self, digest: &Digest) -> PathBuf {
        self.path("partial").join(digest.hex())
    }

    pub(crate) fn make_folders(&self, algorithm: Algorithm) -> Result<()> {
        for parent in ["blobs", "layers", "chains"] {
            let folder = self.path(parent).join(algorithm.as_str());
            fs::create_dir_all(&folder).doing(|| format!("making {}", folder.display()))?;
        }
        Ok(())
    }
}
