//! What goes wrong with images, in the words in which a person is told.

use std::{fmt, io};

use berth_oci::Digest;

/// Why something could not be done with an image: what was wrong and, where it helps, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No image here goes by that name or id.
    #[error("there is no such image here: {0}")]
    NoSuchImage(String),
    /// Several images' ids begin so.
    #[error("more than one image's id begins with {0}; write more of it")]
    Ambiguous(String),
    /// The image is used.
    #[error("{0}")]
    InUse(String),
    /// The registry has nothing under that name, or not for this caller.
    #[error("{0}")]
    NotFound(String),
    /// The registry wants a login, or another one.
    #[error("{0}")]
    Unauthorized(String),
    /// The registry can't be reached or fails.
    #[error("{0}")]
    Registry(String),
    /// What came is not what was announced, or is something else than an image.
    #[error("{0}")]
    Content(String),
    /// A layer can't be used.
    #[error("layer {layer}: {wrong}")]
    Layer {
        /// The layer, as its manifest names it.
        layer: Digest,
        /// What is wrong with it.
        wrong: String,
    },
    /// The machine failed at something.
    #[error("{doing}: {}", reason(source))]
    Machine {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a person can do about an error of the system.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full; make room and try again".to_owned(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up; make room and try again".to_owned(),
        _ => error.to_string(),
    }
}

pub(crate) trait Doing<T> {
    /// Says what was being done when the system failed.
    fn doing<W: fmt::Display>(self, what: impl FnOnce() -> W) -> Result<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing<W: fmt::Display>(self, what: impl FnOnce() -> W) -> Result<T> {
        self.map_err(|error| Error::Machine { doing: what().to_string(), source: error.into() })
    }
}
