//! Upload sessions: where they are, how they end, and what two clients at once may do to them.

use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::{Answer, Repository};
use reqwest::Method;

use crate::support::{Shared, fresh, raw_cut_off};

async fn held(repository: &Repository<'_>, session: &str) -> String {
    repository.get(session).await.assert(204).header("range").to_owned()
}

#[tokio::test]
async fn a_session_says_where_it_is_and_what_it_holds() {
    let shared = Shared::new();
    let repository = shared.repository("session").await;
    let session = repository.open_upload().await;
    let answer = repository.get(&session).await.assert(204);
    assert_eq!((answer.header("range"), answer.header("location")), ("0-0", session.as_str()));
    repository.patch(&session, 0, b"0123456789").await.assert(202);
    let answer = repository.get(&session).await.assert(204);
    assert_eq!((answer.header("range"), answer.header("location")), ("0-9", session.as_str()));
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn a_deleted_session_is_unknown() {
    let shared = Shared::new();
    let repository = shared.repository("session").await;
    let session = repository.open_upload().await;
    repository.patch(&session, 0, b"0123456789").await.assert(202);
    repository.delete(&session).await.assert(204);
    repository.get(&session).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    repository.patch(&session, 10, b"0123456789").await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    let digest = Blob::new("0123456789").digest;
    repository.finish(&session, &digest, "").await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    repository.delete(&session).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_finished_session_is_unknown() {
    let shared = Shared::new();
    let repository = shared.repository("session").await;
    let blob = Blob::random(40, 100);
    let session = repository.open_upload().await;
    repository.finish(&session, &blob.digest, blob.bytes.clone()).await.assert(201);
    repository.get(&session).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_session_that_never_was_is_unknown() {
    let shared = Shared::new();
    let repository = shared.repository("session").await;
    for id in ["4fd4ba42-fe45-41a1-9b9f-1a1f1c8f9f31", "no-uuid-at-all"] {
        let path = format!("/v2/{}/blobs/uploads/{id}", repository.name());
        repository.get(&path).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
        repository.patch(&path, 0, b"0123").await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
}

#[tokio::test]
async fn a_session_of_another_repository_is_unknown() {
    let shared = Shared::new();
    let (one, other) = (shared.repository("one").await, shared.repository("other").await);
    let session = one.open_upload().await;
    one.patch(&session, 0, b"0123456789").await.assert(202);
    let elsewhere = session.replace(one.name(), other.name());
    let digest = Blob::new("0123456789").digest;
    other.get(&elsewhere).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    other.patch(&elsewhere, 10, b"0123").await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    other.finish(&elsewhere, &digest, "").await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    other.delete(&elsewhere).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    one.finish(&session, &digest, "").await.assert(201);
}

#[tokio::test]
async fn a_chunk_out_of_order_is_refused_and_the_offset_kept() {
    let shared = Shared::new();
    let repository = shared.repository("session").await;
    let session = repository.open_upload().await;
    repository.patch(&session, 0, b"0123456789").await.assert(202);
    for first in [0, 9, 11, 1_000_000] {
        let refused = repository.patch(&session, first, b"abcde").await;
        let refused = refused.assert_error(416, "BLOB_UPLOAD_INVALID");
        assert_eq!(refused.header("range"), "0-9");
        assert_eq!(refused.header("location"), session);
    }
    assert_eq!(held(&repository, &session).await, "0-9");
    repository.patch(&session, 10, b"abcde").await.assert(202);
    repository.finish(&session, &Blob::new("0123456789abcde").digest, "").await.assert(201);
}

#[tokio::test]
async fn a_last_chunk_out_of_order_is_refused_and_the_offset_kept() {
    let shared = Shared::new();
    let repository = shared.repository("session").await;
    let blob = Blob::new("0123456789abcde");
    let session = repository.open_upload().await;
    repository.patch(&session, 0, b"0123456789").await.assert(202);
    let put = |range: &'static str| {
        let put = repository.request(Method::PUT, &session).query(&[("digest", &blob.digest)]);
        put.header("content-range", range).body("abcde")
    };
    for range in ["0-4", "9-13", "11-15"] {
        put(range).answer().await.assert_error(416, "BLOB_UPLOAD_INVALID");
    }
    assert_eq!(held(&repository, &session).await, "0-9");
    put("10-14").answer().await.assert(201);
}

#[tokio::test]
async fn two_writers_of_one_chunk_lose_nothing() {
    let shared = Shared::new();
    let repository = shared.repository("session").await;
    let blob = Blob::random(41, 4 << 20);
    let session = repository.open_upload().await;
    let (one, other) =
        tokio::join!(repository.patch(&session, 0, &blob.bytes), repository.patch(&session, 0, &blob.bytes));
    let taken = |answer: &Answer| answer.status == 202;
    assert!(taken(&one) ^ taken(&other), "exactly one is taken: {one}{other}");
    let refused = if taken(&one) { other } else { one };
    assert!(matches!(refused.status.as_u16(), 409 | 416), "{refused}");
    assert_eq!(refused.json()["errors"][0]["code"], "BLOB_UPLOAD_INVALID");
    assert_eq!(held(&repository, &session).await, format!("0-{}", blob.bytes.len() - 1));
    let answer = repository.finish(&session, &blob.digest, "").await.assert(201);
    assert_eq!(repository.get(answer.header("location")).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn two_requests_that_finish_one_session_make_one_blob() {
    let shared = Shared::new();
    let repository = shared.repository("session").await;
    let blob = Blob::random(42, 4 << 20);
    let session = repository.open_upload().await;
    repository.patch(&session, 0, &blob.bytes).await.assert(202);
    let (one, other) = tokio::join!(
        repository.finish(&session, &blob.digest, ""),
        repository.finish(&session, &blob.digest, "")
    );
    let statuses = [one.status.as_u16(), other.status.as_u16()];
    assert!(statuses.contains(&201), "{one}{other}");
    assert!(statuses.iter().all(|status| matches!(status, 201 | 404 | 409)), "{one}{other}");
    let pulled = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
    assert_eq!(pulled.body, blob.bytes);
}

#[tokio::test]
async fn a_chunk_that_breaks_off_is_kept_as_far_as_it_came() {
    let shared = Shared::new();
    let repository = shared.repository("session").await;
    let token = shared.admin.token(&[&format!("repository:{}:pull,push", repository.name())]).await;
    let session = repository.open_upload().await;
    let head = format!(
        "PATCH {session} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 15\r\n\r\n"
    );
    let answer = raw_cut_off(&shared.berth, format!("{head}0123456789").as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    // The server may still be saving what came.
    while held(&repository, &session).await == "0-0" {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(held(&repository, &session).await, "0-9");
    repository.patch(&session, 10, b"abcde").await.assert(202);
    repository.finish(&session, &Blob::new("0123456789abcde").digest, "").await.assert(201);
}

#[tokio::test]
async fn a_wrong_digest_at_the_end_leaves_the_session_as_it_was() {
    let shared = Shared::new();
    let repository = shared.repository("session").await;
    let blob = Blob::new("0123456789abcde");
    let session = repository.open_upload().await;
    repository.patch(&session, 0, b"0123456789").await.assert(202);
    let wrong = Blob::new(fresh("wrong")).digest;
    repository.finish(&session, &wrong, "abcde").await.assert_error(400, "DIGEST_INVALID");
    assert_eq!(held(&repository, &session).await, "0-9");
    repository.get(&format!("/blobs/{wrong}")).await.assert_error(404, "BLOB_UNKNOWN");
    repository.finish(&session, &blob.digest, "abcde").await.assert(201);
}

#[tokio::test]
async fn many_sessions_of_one_blob_finish_side_by_side() {
    let shared = Shared::new();
    let repository = shared.repository("session").await;
    let blob = Blob::random(43, 1 << 20);
    let pushes = (0..16).map(|_| repository.push_blob(&blob));
    futures_util::future::join_all(pushes).await;
    let pulled = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
    assert_eq!(pulled.body, blob.bytes);
}
