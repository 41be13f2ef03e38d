//! Layers' archives, unpacked into folders that overlayfs can stack; nothing in one leaves its folder.

mod archive;
mod decompress;
mod folder;
mod lower;
mod root;

use std::fmt;
use std::io;

pub use archive::{Archive, Entry, Kind};
pub(crate) use decompress::{Feed, Sink, decoder as plain, read_layer};
pub use decompress::{is_archive, unpack_any};
pub use folder::{LowerLink, Privilege, Unpacked, unpack};
pub(crate) use lower::link_lower;

/// How much a layer may unpack to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes, of the archive and of the files in it.
    pub bytes: u64,
    /// Entries of the archive.
    pub entries: u64,
}

impl Limits {
    /// What a layer of `compressed` bytes may need: anything up to 1 GiB, beyond that at most 250 times its
    /// size, and never more than 256 GiB or four million entries.
    pub fn for_layer(compressed: u64) -> Self {
        const GIB: u64 = 1 << 30;
        let bytes = compressed.saturating_mul(250).saturating_add(GIB).min(256 * GIB);
        Self { bytes, entries: 4_000_000 }
    }
}

/// Why a layer is not unpacked.
#[derive(Debug)]
pub enum Wrong {
    /// What is in it.
    Archive(String),
    /// Its bytes can't be had.
    Source(io::Error),
    /// The machine can't make what is in it.
    Machine {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl Wrong {
    pub(crate) fn archive(sentence: impl Into<String>) -> Self {
        Self::Archive(sentence.into())
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Archive(sentence) => write!(f, "its archive is refused: {sentence}"),
            Self::Source(error) => write!(f, "it can't be read: {error}"),
            Self::Machine { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}
