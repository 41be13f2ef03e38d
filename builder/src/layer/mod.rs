//! Layers: a folder tree as an archive whose bytes follow from the tree alone.
//!
//! Neither the machine nor the number of its cores, neither the order in which a file system lists names
//! nor the time has a say: entries are sorted, times end at a given one, users and groups are numbers,
//! and the compressor works on blocks of a fixed size.

mod archive;
mod gzip;
mod tree;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use berth_oci::{Algorithm, Digest, Hasher};

pub use gzip::{COMPRESSOR, GzipWriter};

/// How a layer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// The latest time that a file may have, in seconds since 1970; later ones become this one.
    pub newest: u64,
    /// How many threads compress. It has no influence on what comes out.
    pub threads: NonZeroUsize,
}

/// What a packed layer is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The digest of the archive.
    pub diff_id: Digest,
    /// The digest of the compressed archive.
    pub digest: Digest,
    /// The size of the compressed archive in bytes.
    pub size: u64,
}

/// Why a tree can't become a layer.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file can't be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// Which one, seen from the tree's root.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is called like the marks by which layers remove files.
    #[error("{} can't be in a layer: a name that begins with .wh. removes a file there; rename it", path.display())]
    Reserved {
        /// Which one, seen from the tree's root.
        path: PathBuf,
    },
    /// The layer can't be written.
    #[error("writing the layer: {0}")]
    Write(#[source] io::Error),
}

/// Packs the tree below `root` into `out`, compressed with gzip.
///
/// The tree is a plain folder or an overlay's upper one: what that marks as removed or replaced is
/// so in the layer. The root itself isn't part of it; sockets are left out.
///
/// # Errors
/// When a file can't be read or its name is reserved, or `out` can't be written.
pub fn pack(root: &Path, packing: Packing, out: impl Write) -> Result<Packed, PackError> {
    let compressed = Counted::new(out);
    let archive = Counted::new(GzipWriter::new(compressed, packing.threads).map_err(PackError::Write)?);
    let archive = archive::write(root, packing.newest, archive)?;
    let (diff_id, _, gzip) = archive.finish();
    let (digest, size, mut out) = gzip.finish().map_err(PackError::Write)?.finish();
    out.flush().map_err(PackError::Write)?;
    Ok(Packed { diff_id, digest, size })
}

/// Hashes and counts what is written through it.
struct Counted<W> {
    hasher: Hasher,
    size: u64,
    inner: W,
}

impl<W> Counted<W> {
    fn new(inner: W) -> Self {
        Self { hasher: Hasher::new(Algorithm::Sha256), size: 0, inner }
    }

    fn finish(self) -> (Digest, u64, W) {
        (self.hasher.finish(), self.size, self.inner)
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
