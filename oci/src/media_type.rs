//! Media types of manifests, configs and layers (image-spec `media-types.md`).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// A media type without parameters, such as `application/vnd.oci.image.manifest.v1+json`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaType(Cow<'static, str>);

impl MediaType {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: Self = Self(Cow::Borrowed("application/vnd.oci.image.manifest.v1+json"));
    /// An OCI image index.
    pub const OCI_INDEX: Self = Self(Cow::Borrowed("application/vnd.oci.image.index.v1+json"));
    /// An OCI image configuration.
    pub const OCI_CONFIG: Self = Self(Cow::Borrowed("application/vnd.oci.image.config.v1+json"));
    /// The artifact manifest of image-spec 1.1's release candidates, which some clients still push.
    pub const OCI_ARTIFACT: Self = Self(Cow::Borrowed("application/vnd.oci.artifact.manifest.v1+json"));
    /// A docker image manifest, version 2, schema 2.
    pub const DOCKER_MANIFEST: Self =
        Self(Cow::Borrowed("application/vnd.docker.distribution.manifest.v2+json"));
    /// A docker manifest list.
    pub const DOCKER_LIST: Self =
        Self(Cow::Borrowed("application/vnd.docker.distribution.manifest.list.v2+json"));

    /// The whole type, `type/subtype`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a layer of this type may live elsewhere, so that its bytes need not be pushed
    /// (image-spec `layer.md`, *Non-Distributable Layers*).
    pub fn is_non_distributable(&self) -> bool {
        self.0.contains(".nondistributable.") || self.0.contains(".foreign.")
    }

    /// Whether this is docker's schema 1, which no current client needs and no digest can name.
    pub fn is_docker_schema_1(&self) -> bool {
        self.0.starts_with("application/vnd.docker.distribution.manifest.v1+")
    }
}

/// Which of a manifest's fields its media type promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ManifestKind {
    /// `config` and `layers`.
    Image,
    /// `manifests`.
    Index,
    /// `blobs`, in the release candidates' artifact manifest.
    Artifact,
}

impl MediaType {
    /// What kind of manifest has this type; none for what is no manifest.
    pub(crate) fn manifest_kind(&self) -> Option<ManifestKind> {
        if [Self::OCI_MANIFEST, Self::DOCKER_MANIFEST].contains(self) {
            Some(ManifestKind::Image)
        } else if [Self::OCI_INDEX, Self::DOCKER_LIST].contains(self) {
            Some(ManifestKind::Index)
        } else if *self == Self::OCI_ARTIFACT {
            Some(ManifestKind::Artifact)
        } else {
            None
        }
    }
}

impl FromStr for MediaType {
    type Err = ParseError;

    /// Drops parameters (`; charset=utf-8`).
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let token = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        };
        match essence.split_once('/') {
            Some((kind, subtype)) if essence.len() <= 255 && token(kind) && token(subtype) => {
                Ok(Self(Cow::Owned(essence.to_owned())))
            }
            _ => Err(ParseError::MediaType(format!(
                "'{}'",
                text.escape_default().take(80).collect::<String>()
            ))),
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
