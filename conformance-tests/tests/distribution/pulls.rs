//! Pull: manifests and blobs, whole and in parts.

use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, Manifest, media_type, sha512};
use conformance_tests::{Answer, Repository};
use reqwest::Method;

use crate::support::Shared;

const SIZE: usize = 1000;

async fn part(repository: &Repository<'_>, blob: &Blob, range: &str) -> Answer {
    let request = repository.request(Method::GET, &format!("/blobs/{}", blob.digest));
    request.header("range", range).answer().await
}

#[tokio::test]
async fn a_registry_says_that_it_is_one() {
    let shared = Shared::new();
    let answer = shared.admin.get("/v2/").await.assert(200);
    assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
}

#[tokio::test]
async fn a_blob_is_served_as_it_was_pushed() {
    let shared = Shared::new();
    let repository = shared.repository("pull").await;
    let blob = Blob::random(1, SIZE);
    repository.push_blob(&blob).await;
    let answer = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
    assert_eq!(answer.body, blob.bytes);
    assert_eq!(answer.header("docker-content-digest"), blob.digest);
    assert_eq!(answer.header("content-length"), "1000");
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    assert_eq!(answer.header("accept-ranges"), "bytes");
}

#[tokio::test]
async fn a_head_of_a_blob_says_its_length_and_digest_and_has_no_body() {
    let shared = Shared::new();
    let repository = shared.repository("pull").await;
    let blob = Blob::random(2, SIZE);
    repository.push_blob(&blob).await;
    let answer = repository.head(&format!("/blobs/{}", blob.digest)).await.assert(200);
    assert_eq!(answer.header("content-length"), "1000");
    assert_eq!(answer.header("docker-content-digest"), blob.digest);
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn an_empty_blob_is_served() {
    let shared = Shared::new();
    let repository = shared.repository("pull").await;
    let blob = Blob::new("");
    repository.push_blob(&blob).await;
    let answer = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
    assert_eq!(answer.header("content-length"), "0");
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn a_manifest_is_served_as_it_was_pushed_by_tag_and_by_digest() {
    let shared = Shared::new();
    let repository = shared.repository("pull").await;
    let image = repository.push_image("v1", &Blob::random(3, 10)).await;
    for reference in ["v1", &image.digest] {
        let path = format!("/manifests/{reference}");
        let answer = repository.get(&path).await.assert(200);
        assert_eq!(answer.body, image.bytes);
        for answer in [answer, repository.head(&path).await.assert(200)] {
            assert_eq!(answer.header("content-type"), media_type::IMAGE);
            assert_eq!(answer.header("docker-content-digest"), image.digest);
            assert_eq!(answer.header("content-length"), image.bytes.len().to_string());
        }
    }
}

#[tokio::test]
async fn a_manifest_pushed_by_sha512_is_served_with_that_digest() {
    let shared = Shared::new();
    let repository = shared.repository("pull").await;
    let image = repository.push_image("v1", &Blob::random(4, 10)).await;
    let digest = sha512(&image.bytes);
    let pushed = repository.push_manifest(&digest, &image).await;
    assert_eq!(pushed.header("docker-content-digest"), digest);
    for answer in [
        repository.get(&format!("/manifests/{digest}")).await.assert(200),
        repository.head(&format!("/manifests/{digest}")).await.assert(200),
    ] {
        assert_eq!(answer.header("docker-content-digest"), digest);
    }
    let by_tag = repository.head("/manifests/v1").await.assert(200);
    assert_eq!(by_tag.header("docker-content-digest"), image.digest);
}

#[tokio::test]
async fn accept_neither_converts_nor_refuses() {
    let shared = Shared::new();
    let repository = shared.repository("pull").await;
    let image = repository.push_image("v1", &Blob::random(5, 10)).await;
    let request = repository.request(Method::GET, "/manifests/v1").header("accept", media_type::INDEX);
    let answer = request.answer().await.assert(200);
    assert_eq!(answer.header("content-type"), media_type::IMAGE);
    assert_eq!(answer.body, image.bytes);
}

#[tokio::test]
async fn what_is_not_there_is_unknown() {
    let shared = Shared::new();
    let repository = shared.repository("pull").await;
    repository.push_image("v1", &Blob::random(6, 10)).await;
    let absent = Blob::new("never pushed").digest;
    repository.get("/manifests/v2").await.assert_error(404, "MANIFEST_UNKNOWN");
    repository.get(&format!("/manifests/{absent}")).await.assert_error(404, "MANIFEST_UNKNOWN");
    repository.get(&format!("/blobs/{absent}")).await.assert_error(404, "BLOB_UNKNOWN");
    repository.head("/manifests/v2").await.assert(404);
    repository.head(&format!("/blobs/{absent}")).await.assert(404);
}

#[tokio::test]
async fn a_pull_from_a_repository_that_does_not_exist_is_not_found() {
    let shared = Shared::new();
    let repository = shared.repository("nobody-pushed").await;
    let absent = Blob::new("never pushed").digest;
    repository.get("/manifests/latest").await.assert(404);
    repository.get(&format!("/blobs/{absent}")).await.assert(404);
    repository.get("/tags/list").await.assert_error(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn a_blob_of_another_repository_is_unknown() {
    let shared = Shared::new();
    let (one, other) = (shared.repository("one").await, shared.repository("other").await);
    let blob = Blob::random(7, 10);
    one.push_blob(&blob).await;
    other.push_image("v1", &Blob::random(8, 10)).await;
    other.get(&format!("/blobs/{}", blob.digest)).await.assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_range_of_a_blob_is_served_alone() {
    let shared = Shared::new();
    let repository = shared.repository("range").await;
    let blob = Blob::random(9, SIZE);
    repository.push_blob(&blob).await;
    for (range, first, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=900-", 900, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=-5000", 0, SIZE),
        ("bytes=999-5000", 999, SIZE),
        ("bytes=0-99999999999999999999999999", 0, SIZE),
    ] {
        let answer = part(&repository, &blob, range).await.assert(206);
        assert_eq!(answer.body, blob.bytes[first..end], "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {first}-{}/{SIZE}", end - 1), "{range}");
        assert_eq!(answer.header("content-length"), (end - first).to_string(), "{range}");
        assert_eq!(answer.header("docker-content-digest"), blob.digest, "{range}");
    }
}

#[tokio::test]
async fn a_range_outside_of_the_blob_is_not_satisfiable() {
    let shared = Shared::new();
    let repository = shared.repository("range").await;
    let blob = Blob::random(10, SIZE);
    repository.push_blob(&blob).await;
    for range in
        ["bytes=500-0", "bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=99999999999999999999999-"]
    {
        let answer = part(&repository, &blob, range).await.assert_error(416, "SIZE_INVALID");
        assert_eq!(answer.header("content-range"), "bytes */1000", "{range}");
    }
}

#[tokio::test]
async fn several_overlapping_ranges_cost_no_more_than_the_whole_blob() {
    let shared = Shared::new();
    let repository = shared.repository("range").await;
    let blob = Blob::random(11, SIZE);
    repository.push_blob(&blob).await;
    let many = format!("bytes=0-999{}", ",0-999".repeat(1000));
    for range in ["bytes=0-1,3-4", "bytes=0-,0-,0-", &many] {
        let answer = part(&repository, &blob, range).await.assert(200);
        assert_eq!(answer.body, blob.bytes, "{range}");
    }
}

#[tokio::test]
async fn what_is_no_range_of_bytes_is_ignored() {
    let shared = Shared::new();
    let repository = shared.repository("range").await;
    let blob = Blob::random(12, SIZE);
    repository.push_blob(&blob).await;
    for range in ["lines=1-2", "bytes=a-b", "bytes=-", "0-5", "bytes"] {
        assert_eq!(part(&repository, &blob, range).await.assert(200).body, blob.bytes, "{range}");
    }
}

#[tokio::test]
async fn a_manifest_that_is_known_already_is_not_sent_again() {
    let shared = Shared::new();
    let repository = shared.repository("etag").await;
    let image = repository.push_image("v1", &Blob::random(13, 10)).await;
    let etag = repository.get("/manifests/v1").await.assert(200).header("etag").to_owned();
    assert_eq!(etag, format!("\"{}\"", image.digest));
    let ask = |known: String| repository.request(Method::GET, "/manifests/v1").header("if-none-match", known);
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let answer = ask(known).answer().await.assert(304);
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("docker-content-digest"), image.digest);
        assert_eq!(answer.header("etag"), etag);
    }
    assert_eq!(ask("\"other\"".to_owned()).answer().await.assert(200).body, image.bytes);
}

#[tokio::test]
async fn the_name_space_that_a_mirrors_client_adds_is_ignored() {
    let shared = Shared::new();
    let repository = shared.repository("mirror").await;
    let blob = Blob::random(14, SIZE);
    let image = repository.push_image("v1", &blob).await;
    let manifest = repository.get("/manifests/v1?ns=docker.io").await.assert(200);
    assert_eq!(manifest.body, image.bytes);
    let answer = repository.get(&format!("/blobs/{}?ns=docker.io", blob.digest)).await.assert(200);
    assert_eq!(answer.body, blob.bytes);
}

#[tokio::test]
async fn an_index_is_pulled_with_its_children() {
    let shared = Shared::new();
    let repository = shared.repository("index").await;
    let child = repository.push_image("child", &Blob::random(15, 10)).await;
    let index = Manifest::index(&[&child]);
    repository.push_manifest("v1", &index).await;
    let answer = repository.get("/manifests/v1").await.assert(200);
    assert_eq!(answer.header("content-type"), media_type::INDEX);
    assert_eq!(answer.body, index.bytes);
}
