//! Content to push, and pushing it.

use std::sync::Arc;
use std::time::Duration;

use berth_oci::{Algorithm, Annotations, Descriptor, Digest, Manifest, MediaType, RepositoryName, Tag};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use serde_json::json;

use super::TestClock;
use crate::{
    Actor, BlobInfo, BlobStore, ByteRange, Chunk, Creation, Delays, Error, NoTelemetry, PushedManifest,
    Registry, RegistryOptions, Row, Sparse, Tx, UploadId, UploadStatus, Value,
};

/// The content of a config that says nothing.
pub const OCI_EMPTY: &[u8] = b"{}";

/// `size` bytes that look like chance but are the same for the same `seed`.
pub fn random_bytes(seed: u64, size: usize) -> Vec<u8> {
    // SplitMix64.
    let mut state = seed;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// The sha256 digest of `bytes`.
pub fn digest_of(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

/// Options of a registry whose time is `clock`'s, with uploads that expire after an hour.
pub fn options(clock: &TestClock) -> RegistryOptions {
    RegistryOptions {
        uploads_expire_after: Duration::from_secs(3600),
        delays: Delays {
            unreferenced: Duration::from_secs(24 * 3600),
            untagged: Some(Duration::from_secs(30 * 24 * 3600)),
        },
        audit_keep: Duration::from_secs(90 * 24 * 3600),
        audit_most: 1_000_000,
        manifest_cache_bytes: 1 << 20,
        clock: clock.clock(),
        observer: Arc::new(|_| {}),
        telemetry: Arc::new(NoTelemetry),
    }
}

/// A request's body, in `pieces`.
pub type Body = BoxStream<'static, Result<Bytes, String>>;

/// A body of these pieces; the last may be why it broke off.
pub fn body(pieces: Vec<Result<&[u8], &str>>) -> Body {
    let pieces: Vec<_> =
        pieces.into_iter().map(|piece| piece.map(Bytes::copy_from_slice).map_err(str::to_owned)).collect();
    stream::iter(pieces).boxed()
}

/// A chunk that says nothing of itself.
pub fn chunk(bytes: &[u8]) -> Chunk<Body> {
    Chunk { range: None, length: None, body: body(vec![Ok(bytes)]) }
}

/// Appends `bytes` to a session.
///
/// # Errors
/// As [`Registry::append_upload`].
pub async fn append<B: BlobStore>(
    registry: &Registry<B>,
    repository: &RepositoryName,
    id: UploadId,
    bytes: &[u8],
) -> Result<UploadStatus, Error> {
    registry.append_upload(repository, id, chunk(bytes)).await
}

/// Pushes a blob in one session.
///
/// # Errors
/// As [`Registry::begin_upload`] and [`Registry::finish_upload`].
pub async fn push_blob<B: BlobStore>(
    registry: &Registry<B>,
    repository: &RepositoryName,
    bytes: &[u8],
) -> Result<Digest, Error> {
    let (digest, actor) = (digest_of(bytes), Actor::default());
    let id = registry.begin_upload(repository, None, Creation::Allowed, &actor).await?;
    registry.finish_upload(repository, id, &digest, chunk(bytes), Creation::Allowed, &actor).await?;
    Ok(digest)
}

/// The whole of a blob.
pub const fn whole(blob: &BlobInfo) -> ByteRange {
    ByteRange { first: 0, end: blob.size }
}

/// The bytes of a blob; none when the repository doesn't show it.
///
/// # Errors
/// When the database or the blob store fails.
pub async fn read_blob<B: BlobStore>(
    registry: &Registry<B>,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(blob) = registry.blob(repository, digest).await? else { return Ok(None) };
    let pieces: Vec<Bytes> = registry.read_blob(&blob, whole(&blob)).await?.bytes.try_collect().await?;
    Ok(Some(pieces.concat()))
}

/// A manifest to push: its bytes and the type it is pushed as.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its bytes.
    pub content: Bytes,
    /// What they say.
    pub manifest: Arc<Manifest>,
}

impl Image {
    /// The sha256 digest of its bytes.
    pub fn digest(&self) -> Digest {
        digest_of(&self.content)
    }

    /// How another manifest names it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.manifest.media_type.clone(),
            digest: self.digest(),
            size: self.content.len() as u64,
            artifact_type: None,
            urls: Vec::new(),
            annotations: Annotations::new(),
            platform: None,
        }
    }

    /// Its push to `repository` under `tags`, which may make the repository.
    pub fn pushed(&self, repository: &RepositoryName, tags: &[&str]) -> PushedManifest {
        PushedManifest {
            repository: repository.clone(),
            digest: self.digest(),
            tags: tags.iter().map(|tag| tag.parse::<Tag>().expect("the test's tag is a tag")).collect(),
            content: self.content.clone(),
            manifest: Arc::clone(&self.manifest),
            sparse: Sparse::Refused,
            creation: Creation::Allowed,
        }
    }

    fn of(media_type: &MediaType, json: &serde_json::Value) -> Self {
        let content = Bytes::from(json.to_string());
        let manifest = Manifest::parse(Some(media_type.as_str()), &content);
        Self { content, manifest: Arc::new(manifest.expect("the test's manifest is a manifest")) }
    }
}

fn blob_json(digest: &Digest) -> serde_json::Value {
    json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": 1})
}

/// An image of these blobs, of which the first is its config.
pub fn image(blobs: &[Digest]) -> Image {
    let (config, layers) = blobs.split_first().expect("an image has a config");
    let layers: Vec<_> = layers.iter().map(blob_json).collect();
    let config = json!({"mediaType": MediaType::OCI_CONFIG, "digest": config, "size": 1});
    Image::of(&MediaType::OCI_MANIFEST, &json!({"schemaVersion": 2, "config": config, "layers": layers}))
}

/// An index of these manifests.
pub fn index(children: &[Descriptor]) -> Image {
    Image::of(&MediaType::OCI_INDEX, &json!({"schemaVersion": 2, "manifests": children}))
}

/// An artifact of `kind` that refers to `subject`, whose config is [`OCI_EMPTY`]; `note` sets it
/// apart from others.
pub fn artifact(subject: &Descriptor, kind: &str, note: &str) -> Image {
    let config =
        json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(OCI_EMPTY), "size": 2});
    let json = json!({
        "schemaVersion": 2, "artifactType": kind, "config": config, "layers": [], "subject": subject,
        "annotations": {"note": note},
    });
    Image::of(&MediaType::OCI_MANIFEST, &json)
}

/// Pushes an image of these blobs' contents under `tags`, blobs first.
///
/// # Errors
/// As the pushes.
pub async fn push_image<B: BlobStore>(
    registry: &Registry<B>,
    repository: &RepositoryName,
    blobs: &[&[u8]],
    tags: &[&str],
) -> Result<Image, Error> {
    let mut digests = Vec::with_capacity(blobs.len());
    for bytes in blobs {
        digests.push(push_blob(registry, repository, bytes).await?);
    }
    let image = image(&digests);
    registry.put_manifest(image.pushed(repository, tags), &Actor::default()).await?;
    Ok(image)
}

/// What a statement finds: tests look at rows that no question of the registry shows.
///
/// # Errors
/// When the database refuses the statement.
pub async fn rows<B: BlobStore>(
    registry: &Registry<B>,
    sql: &'static str,
    args: Vec<Value>,
) -> Result<Vec<Row>, Error> {
    registry.metadata().scan((sql, args), select).await
}

fn select<'t>(
    tx: &'t mut Tx<'_>,
    (sql, args): &'t (&'static str, Vec<Value>),
) -> BoxFuture<'t, Result<Vec<Row>, Error>> {
    Box::pin(async move { Ok(tx.rows(sql, args).await?) })
}
