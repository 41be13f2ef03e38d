//! How far something is, told while it happens.

use berth_oci::Digest;

/// What has just happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'e> {
    /// A layer is so far.
    Layer(&'e Digest, LayerStep),
    /// Something that does no harm, but that one may want to know.
    Note(&'e str),
}

/// How far a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerStep {
    /// It is known of, and nothing has been done yet.
    Waiting,
    /// It was here already.
    Present,
    /// So many bytes of so many have come.
    Downloading {
        /// So far.
        done: u64,
        /// Of all.
        total: u64,
    },
    /// All has come, and the rest is being unpacked.
    Unpacking,
    /// It is here.
    Pulled,
    /// So many bytes of so many have been sent.
    Uploading {
        /// So far.
        done: u64,
        /// Of all.
        total: u64,
    },
    /// The registry had it already.
    Existed,
    /// The registry took it over from another repository.
    Mounted,
    /// It has been sent.
    Pushed,
}

/// Whoever is told.
pub type Progress<'p> = &'p (dyn Fn(Event<'_>) + Send + Sync);
