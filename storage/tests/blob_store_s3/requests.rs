//! How many requests a layer takes that is pushed as docker does, and one that is pulled.

use std::collections::BTreeMap;

use berth_oci::{Digest, RepositoryName};
use berth_storage::testing::{TestClock, body, digest_of, options, random_bytes};
use berth_storage::{Actor, ByteRange, Chunk, Creation, Registry, S3BlobStore};
use futures_util::TryStreamExt;
use tempfile::{TempDir, tempdir};

use crate::served;
use crate::server::{Asked, Server};
use crate::uploads::MIB;

struct House {
    _folder: TempDir,
    server: Server,
    registry: Registry<S3BlobStore>,
    repository: RepositoryName,
}

impl House {
    async fn new() -> Self {
        let folder = tempdir().unwrap();
        let (server, store) = served(folder.path(), |_| {}).await;
        let database = folder.path().join("berth.db");
        let registry = Registry::open_sqlite(&database, store, options(&TestClock::new())).await.unwrap();
        Self { _folder: folder, server, registry, repository: "team/app".parse().unwrap() }
    }

    /// One PATCH with everything, one PUT with nothing, each perhaps at another server.
    async fn push(&self, layer: &[u8]) -> Digest {
        let (registry, repository, actor) = (&self.registry, &self.repository, Actor::default());
        let id = registry.begin_upload(repository, None, Creation::Allowed, &actor).await.unwrap();
        let pieces = layer.chunks(64 * 1024).map(Ok).collect();
        let chunk = Chunk { range: None, length: Some(layer.len() as u64), body: body(pieces) };
        registry.append_upload(repository, id, chunk).await.unwrap();
        let (digest, nothing) =
            (digest_of(layer), Chunk { range: None, length: Some(0), body: body(vec![]) });
        registry.finish_upload(repository, id, &digest, nothing, Creation::Allowed, &actor).await.unwrap();
        digest
    }

    async fn pull(&self, digest: &Digest) -> usize {
        let blob = self.registry.blob(&self.repository, digest).await.unwrap().unwrap();
        let range = ByteRange { first: 0, end: blob.size };
        let read = self.registry.read_blob(&blob, range).await.unwrap();
        read.bytes.try_fold(0, |sum, piece| async move { Ok(sum + piece.len()) }).await.unwrap()
    }

    /// How often each operation was asked for since the last time.
    fn asked(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for Asked { operation, .. } in self.server.asked() {
            *counts.entry(operation).or_default() += 1;
        }
        counts
    }
}

#[tokio::test]
async fn a_small_layer_is_put_once_and_marked() {
    let house = House::new().await;
    let layer = random_bytes(1, 3 * MIB);
    let digest = house.push(&layer).await;
    assert_eq!(house.asked(), BTreeMap::from([("PutObject", 2), ("HeadObject", 1), ("ListObjectsV2", 1)]));
    assert_eq!(house.pull(&digest).await, layer.len());
    assert_eq!(house.asked(), BTreeMap::from([("GetObject", 1)]));
    // Nothing is left to be cleared.
    house.registry.sweep().await.unwrap();
    assert_eq!(house.asked().get("DeleteObject"), None);
}

#[tokio::test]
async fn a_large_layer_takes_a_request_for_each_part_and_six_more() {
    let house = House::new().await;
    let layer = random_bytes(2, 30 * MIB);
    let digest = house.push(&layer).await;
    let expected = BTreeMap::from([
        ("ListMultipartUploads", 1),
        ("CreateMultipartUpload", 1),
        ("UploadPart", 4),
        ("CompleteMultipartUpload", 1),
        ("HeadObject", 1),
        ("PutObject", 1),
        ("ListObjectsV2", 1),
    ]);
    assert_eq!(house.asked(), expected);
    assert_eq!(house.pull(&digest).await, layer.len());
    assert_eq!(house.asked(), BTreeMap::from([("GetObject", 1)]));
}

#[tokio::test]
async fn the_end_of_a_layer_that_is_no_part_is_cleared_later() {
    let house = House::new().await;
    let layer = random_bytes(3, 18 * MIB);
    let digest = house.push(&layer).await;
    let pushed = house.asked();
    assert_eq!((pushed["PutObject"], pushed["GetObject"]), (2, 1), "{pushed:?}");
    assert_eq!(pushed.get("DeleteObject"), None);
    assert_eq!(house.registry.sweep().await.unwrap().removed, 1);
    assert_eq!(house.pull(&digest).await, layer.len());
}
