//! Deletes.

use conformance_tests::content::{Blob, Manifest};
use conformance_tests::{Berth, Options};
use serde_json::json;

use crate::support::Shared;

#[tokio::test]
async fn a_deleted_tag_is_gone_at_once_and_leaves_its_manifest() {
    let shared = Shared::new();
    let repository = shared.repository("delete").await;
    let image = repository.push_image("v1", &Blob::random(110, 10)).await;
    repository.push_manifest("v2", &image).await;
    repository.get("/manifests/v1").await.assert(200);
    repository.delete("/manifests/v1").await.assert(202);
    repository.get("/manifests/v1").await.assert_error(404, "MANIFEST_UNKNOWN");
    repository.get("/manifests/v2").await.assert(200);
    repository.get(&format!("/manifests/{}", image.digest)).await.assert(200);
    assert_eq!(repository.get("/tags/list").await.assert(200).json()["tags"], json!(["v2"]));
    repository.delete("/manifests/v1").await.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_deleted_manifest_is_gone_at_once_with_its_tags() {
    let shared = Shared::new();
    let repository = shared.repository("delete").await;
    let image = repository.push_image("v1", &Blob::random(111, 10)).await;
    repository.push_manifest("v2", &image).await;
    repository.get("/manifests/v1").await.assert(200);
    repository.delete(&format!("/manifests/{}", image.digest)).await.assert(202);
    for reference in ["v1", "v2", &image.digest] {
        let path = format!("/manifests/{reference}");
        repository.get(&path).await.assert_error(404, "MANIFEST_UNKNOWN");
        repository.head(&path).await.assert(404);
    }
    assert_eq!(repository.get("/tags/list").await.assert(200).json()["tags"], json!([]));
    let path = format!("/manifests/{}", image.digest);
    repository.delete(&path).await.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_deleted_manifest_may_be_pushed_again() {
    let shared = Shared::new();
    let repository = shared.repository("delete").await;
    let image = repository.push_image("v1", &Blob::random(112, 10)).await;
    repository.delete(&format!("/manifests/{}", image.digest)).await.assert(202);
    repository.push_manifest("v1", &image).await;
    assert_eq!(repository.get("/manifests/v1").await.assert(200).body, image.bytes);
}

#[tokio::test]
async fn a_deleted_blob_is_gone_at_once() {
    let shared = Shared::new();
    let repository = shared.repository("delete").await;
    let blob = Blob::random(113, 10);
    repository.push_blob(&blob).await;
    let path = format!("/blobs/{}", blob.digest);
    repository.delete(&path).await.assert(202);
    repository.get(&path).await.assert_error(404, "BLOB_UNKNOWN");
    repository.delete(&path).await.assert_error(404, "BLOB_UNKNOWN");
    repository.push_blob(&blob).await;
    assert_eq!(repository.get(&path).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn a_blob_of_a_living_manifest_is_not_deleted_and_the_manifest_is_named() {
    let shared = Shared::new();
    let repository = shared.repository("delete").await;
    let blob = Blob::random(114, 10);
    let image = repository.push_image("v1", &blob).await;
    let path = format!("/blobs/{}", blob.digest);
    let refused = repository.delete(&path).await.assert_error(405, "UNSUPPORTED");
    assert!(refused.text().contains(&image.digest), "{refused}");
    repository.get(&path).await.assert(200);
    repository.delete(&format!("/manifests/{}", image.digest)).await.assert(202);
    repository.delete(&path).await.assert(202);
    repository.get(&path).await.assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_child_that_is_deleted_leaves_its_index() {
    let shared = Shared::new();
    let repository = shared.repository("delete").await;
    let child = repository.push_image("child", &Blob::random(115, 10)).await;
    let index = Manifest::index(&[&child]);
    repository.push_manifest("index", &index).await;
    repository.delete("/manifests/index").await.assert(202);
    repository.get(&format!("/manifests/{}", index.digest)).await.assert(200);
    repository.get("/manifests/child").await.assert(200);
}

#[tokio::test]
async fn where_deleting_is_off_nothing_is_deleted() {
    let berth: Berth = Options::default().config("[delete]\nenabled = false").start();
    let admin = berth.admin();
    let repository = admin.repository("kept").await;
    let blob = Blob::random(116, 10);
    let image = repository.push_image("v1", &blob).await;
    for path in [
        "/manifests/v1".to_owned(),
        format!("/manifests/{}", image.digest),
        format!("/blobs/{}", blob.digest),
    ] {
        repository.delete(&path).await.assert_error(405, "UNSUPPORTED");
        repository.get(&path).await.assert(200);
    }
    let session = repository.open_upload().await;
    repository.delete(&session).await.assert(204);
}
