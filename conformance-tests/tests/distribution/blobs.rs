//! Blob push: every form that the specification has.

use bytes::Bytes;
use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, sha512};
use futures_util::stream;
use reqwest::{Body, Method};

use crate::support::Shared;

const MIB: usize = 1 << 20;

/// A body without a Content-Length.
fn chunked(bytes: &Bytes) -> Body {
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        bytes.chunks(100_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::wrap_stream(stream::iter(pieces))
}

#[tokio::test]
async fn a_session_begins_with_a_location_and_no_bytes() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let answer = repository.request(Method::POST, "/blobs/uploads/").answer().await.assert(202);
    assert_eq!(answer.header("range"), "0-0");
    let location = answer.header("location");
    assert!(!location.contains('?'), "{location}");
    let start = format!("/v2/{}/blobs/uploads/", repository.name());
    let id = location.strip_prefix(start.as_str()).unwrap();
    assert_eq!(id, answer.header("docker-upload-uuid"));
    assert_eq!((id.len(), id.matches('-').count()), (36, 4), "{id} is a UUID");
}

#[tokio::test]
async fn a_session_may_be_begun_without_the_final_slash() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let path = format!("/v2/{}/blobs/uploads", repository.name());
    repository.request(Method::POST, &path).answer().await.assert(202);
}

#[tokio::test]
async fn a_blob_is_pushed_by_post_and_put() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::random(20, 1000);
    let session = repository.open_upload().await;
    let answer = repository.finish(&session, &blob.digest, blob.bytes.clone()).await.assert(201);
    assert_eq!(answer.header("docker-content-digest"), blob.digest);
    let location = answer.header("location");
    assert_eq!(repository.get(location).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn a_blob_is_pushed_by_a_single_post() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::random(21, 1000);
    let request = repository.request(Method::POST, &format!("/blobs/uploads/?digest={}", blob.digest));
    let answer = request.body(blob.bytes.clone()).answer().await.assert(201);
    assert_eq!(answer.header("docker-content-digest"), blob.digest);
    assert_eq!(repository.get(answer.header("location")).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn a_blob_is_pushed_by_chunks() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::random(22, 1000);
    let mut session = repository.open_upload().await;
    for (first, end) in [(0, 300), (300, 301), (301, 900)] {
        let answer = repository.patch(&session, first, &blob.bytes[first..end]).await.assert(202);
        assert_eq!(answer.header("range"), format!("0-{}", end - 1));
        session = answer.header("location").to_owned();
    }
    let last = repository.request(Method::PUT, &session).query(&[("digest", &blob.digest)]);
    let last = last.header("content-range", "900-999").body(blob.bytes.slice(900..));
    let answer = last.answer().await.assert(201);
    assert_eq!(repository.get(answer.header("location")).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn a_blob_is_pushed_by_one_patch_without_a_range() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::random(23, 1000);
    let session = repository.open_upload().await;
    let patch = repository.request(Method::PATCH, &session).body(blob.bytes.clone());
    assert_eq!(patch.answer().await.assert(202).header("range"), "0-999");
    let answer = repository.finish(&session, &blob.digest, "").await.assert(201);
    assert_eq!(repository.get(answer.header("location")).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn a_blob_is_pushed_by_bodies_without_a_length() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::random(24, 3 * MIB);
    let session = repository.open_upload().await;
    let patch = repository.request(Method::PATCH, &session).body(chunked(&blob.bytes.slice(..2 * MIB)));
    assert_eq!(patch.answer().await.assert(202).header("range"), format!("0-{}", 2 * MIB - 1));
    let rest = chunked(&blob.bytes.slice(2 * MIB..));
    let answer = repository.finish(&session, &blob.digest, rest).await.assert(201);
    assert_eq!(repository.get(answer.header("location")).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn an_empty_blob_is_pushed() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::new("");
    repository.push_blob(&blob).await;
    repository.head(&format!("/blobs/{}", blob.digest)).await.assert(200);
}

#[tokio::test]
async fn the_same_blob_may_be_pushed_twice() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::random(25, 1000);
    repository.push_blob(&blob).await;
    repository.push_blob(&blob).await;
    assert_eq!(repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn a_digest_algorithm_may_be_chosen_at_the_start() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::random(26, 17 * MIB);
    let digest = sha512(&blob.bytes);
    let begin = repository.request(Method::POST, "/blobs/uploads/?digest-algorithm=sha512");
    let session = begin.answer().await.assert(202).header("location").to_owned();
    repository.patch(&session, 0, &blob.bytes).await.assert(202);
    let answer = repository.finish(&session, &digest, "").await.assert(201);
    assert_eq!(answer.header("docker-content-digest"), digest);
    let pulled = repository.get(&format!("/blobs/{digest}")).await.assert(200);
    assert_eq!(pulled.header("docker-content-digest"), digest);
    assert_eq!(pulled.body, blob.bytes);
}

#[tokio::test]
async fn an_unknown_digest_algorithm_is_refused_at_the_start() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let begin = repository.request(Method::POST, "/blobs/uploads/?digest-algorithm=md5");
    begin.answer().await.assert_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn a_small_blob_may_turn_out_to_be_sha512_at_the_end() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::random(27, 1000);
    let digest = sha512(&blob.bytes);
    let session = repository.open_upload().await;
    repository.patch(&session, 0, &blob.bytes[..400]).await.assert(202);
    let answer = repository.finish(&session, &digest, blob.bytes.slice(400..)).await.assert(201);
    assert_eq!(answer.header("docker-content-digest"), digest);
    assert_eq!(repository.get(answer.header("location")).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn a_blob_above_16_mib_may_turn_out_to_be_sha512_at_the_end() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::random(28, 17 * MIB);
    let digest = sha512(&blob.bytes);
    let session = repository.open_upload().await;
    repository.patch(&session, 0, &blob.bytes).await.assert(202);
    let answer = repository.finish(&session, &digest, "").await.assert(201);
    assert_eq!(repository.get(answer.header("location")).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn a_blob_above_16_mib_with_a_wrong_sha512_is_refused() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::random(29, 17 * MIB);
    let wrong = sha512(b"something else");
    let session = repository.open_upload().await;
    repository.patch(&session, 0, &blob.bytes).await.assert(202);
    repository.finish(&session, &wrong, "").await.assert_error(400, "DIGEST_INVALID");
    repository.get(&format!("/blobs/{wrong}")).await.assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_single_post_by_sha512_is_taken() {
    let shared = Shared::new();
    let repository = shared.repository("push").await;
    let blob = Blob::random(30, 1000);
    let digest = sha512(&blob.bytes);
    let request = repository.request(Method::POST, &format!("/blobs/uploads/?digest={digest}"));
    request.body(blob.bytes.clone()).answer().await.assert(201);
    repository.head(&format!("/blobs/{digest}")).await.assert(200);
}
