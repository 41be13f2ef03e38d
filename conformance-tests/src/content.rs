//! Content to push: blobs, and manifests over them.

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

/// Media types, as the specification and docker write them.
pub mod media_type {
    /// An OCI image.
    pub const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI image's config.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// An uncompressed layer.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// A compressed layer.
    pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// The empty descriptor's content, `{}`.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// docker's image.
    pub const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// docker's list of images.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
}

/// Bytes and their digest.
#[derive(Clone, Debug)]
pub struct Blob {
    /// The bytes.
    pub bytes: Bytes,
    /// Their sha256 digest.
    pub digest: String,
}

/// A manifest as it is pushed.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The bytes.
    pub bytes: Bytes,
    /// Their sha256 digest.
    pub digest: String,
    /// What Content-Type says.
    pub media_type: String,
}

/// The sha256 digest of some bytes.
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// The sha512 digest of some bytes.
pub fn sha512(bytes: &[u8]) -> String {
    format!("sha512:{}", hex::encode(Sha512::digest(bytes)))
}

impl Blob {
    /// These bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { digest: sha256(&bytes), bytes }
    }

    /// That many bytes that no other call with another seed returns.
    pub fn random(seed: u64, length: usize) -> Self {
        let mut bytes = vec![0; length];
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        Self::new(bytes)
    }

    /// The config of an image for this machine's platform, without layers.
    pub fn config() -> Self {
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": []},
        });
        Self::new(config.to_string())
    }

    /// A descriptor of these bytes.
    pub fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

impl Manifest {
    /// Any JSON, pushed as its `mediaType`.
    pub fn new(content: &Value) -> Self {
        let media_type = content["mediaType"].as_str().expect("a mediaType").to_owned();
        let bytes = Bytes::from(serde_json::to_vec_pretty(content).expect("JSON"));
        Self { digest: sha256(&bytes), bytes, media_type }
    }

    /// An OCI image.
    pub fn image(config: &Blob, layers: &[&Blob]) -> Self {
        Self::new(&Self::image_json(config, layers))
    }

    /// An OCI image, still to be changed.
    pub fn image_json(config: &Blob, layers: &[&Blob]) -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": media_type::IMAGE,
            "config": config.descriptor(media_type::CONFIG),
            "layers": layers.iter().map(|layer| layer.descriptor(media_type::LAYER)).collect::<Vec<_>>(),
        })
    }

    /// An OCI index over these manifests.
    pub fn index(children: &[&Self]) -> Self {
        let children: Vec<_> = children.iter().map(|child| child.descriptor()).collect();
        Self::new(&json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": children}))
    }

    /// An artifact of this type about `subject`, whose one blob is the empty one.
    pub fn referrer(subject: &Self, artifact_type: &str) -> Self {
        let empty = Blob::new("{}").descriptor(media_type::EMPTY);
        Self::new(&json!({
            "schemaVersion": 2,
            "mediaType": media_type::IMAGE,
            "artifactType": artifact_type,
            "config": empty,
            "layers": [empty],
            "subject": subject.descriptor(),
        }))
    }

    /// A descriptor of this manifest.
    pub fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }

    /// The content, to be changed and pushed again.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("JSON")
    }
}
