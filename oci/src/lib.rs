//! The words of the OCI specifications, parsed once at the door and true inside.
//!
//! This crate owns digests, repository names, tags, references, media types, descriptors,
//! manifests and error codes. It never does I/O and knows neither HTTP nor SQL.

mod chunk_range;
mod descriptor;
mod digest;
mod error;
mod hasher;
mod image_config;
mod manifest;
mod media_type;
mod name;
mod tag_pattern;

pub use chunk_range::ChunkRange;
pub use descriptor::{Annotations, Descriptor, Platform};
pub use digest::{Algorithm, Digest};
pub use error::{ErrorBody, ErrorCode, ErrorEntry, ParseError};
pub use hasher::{Hasher, HasherState};
pub use image_config::{
    ContainerConfig, Empty, Healthcheck, History, ImageConfig, MAX_IMAGE_CONFIG_BYTES, RootFs,
};
pub use manifest::{Content, MAX_MANIFEST_BYTES, Manifest};
pub use media_type::MediaType;
pub use name::{Reference, RepositoryName, Tag};
pub use tag_pattern::TagPattern;
