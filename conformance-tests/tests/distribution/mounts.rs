//! Mounts: a blob that another repository has already.

use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::{Answer, Repository};
use reqwest::Method;

use crate::support::{Shared, fresh};

async fn mount(target: &Repository<'_>, digest: &str, from: Option<&str>) -> Answer {
    let from = from.map(|from| format!("&from={from}")).unwrap_or_default();
    let path = format!("/blobs/uploads/?mount={digest}{from}");
    target.request(Method::POST, &path).answer().await
}

#[tokio::test]
async fn a_blob_is_mounted_from_a_repository_that_one_may_read() {
    let shared = Shared::new();
    let source = shared.repository("source").await;
    let blob = Blob::random(50, 1000);
    source.push_blob(&blob).await;
    let target = shared.admin.repository_and(&fresh("target"), &[source.name()]).await;
    let answer = mount(&target, &blob.digest, Some(source.name())).await.assert(201);
    assert_eq!(answer.header("docker-content-digest"), blob.digest);
    assert_eq!(answer.header("location"), format!("/v2/{}/blobs/{}", target.name(), blob.digest));
    assert_eq!(target.get(answer.header("location")).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn a_mount_of_a_blob_that_the_source_does_not_have_becomes_a_session() {
    let shared = Shared::new();
    let source = shared.repository("source").await;
    source.push_blob(&Blob::random(51, 10)).await;
    let target = shared.admin.repository_and(&fresh("target"), &[source.name()]).await;
    let blob = Blob::new("not there yet");
    let answer = mount(&target, &blob.digest, Some(source.name())).await.assert(202);
    assert_eq!(answer.header("range"), "0-0");
    target.finish(answer.header("location"), &blob.digest, blob.bytes.clone()).await.assert(201);
}

#[tokio::test]
async fn a_mount_from_a_repository_that_does_not_exist_becomes_a_session() {
    let shared = Shared::new();
    let source = fresh("nobody-pushed");
    let target = shared.admin.repository_and(&fresh("target"), &[&source]).await;
    let digest = Blob::new("not there yet").digest;
    mount(&target, &digest, Some(&source)).await.assert(202);
}

#[tokio::test]
async fn an_anonymous_mount_takes_the_blob_from_any_repository_that_one_may_read() {
    let shared = Shared::new();
    let source = shared.repository("source").await;
    let blob = Blob::random(52, 1000);
    source.push_blob(&blob).await;
    let target = shared.repository("target").await;
    mount(&target, &blob.digest, None).await.assert(201);
    assert_eq!(target.get(&format!("/blobs/{}", blob.digest)).await.assert(200).body, blob.bytes);
}

#[tokio::test]
async fn an_anonymous_mount_of_a_blob_that_nobody_has_becomes_a_session() {
    let shared = Shared::new();
    let target = shared.repository("target").await;
    let digest = Blob::new("nobody has this").digest;
    let answer = mount(&target, &digest, None).await.assert(202);
    target.get(answer.header("location")).await.assert(204);
}

#[tokio::test]
async fn a_token_without_the_source_is_told_the_scopes_of_both() {
    let shared = Shared::new();
    let source = shared.repository("source").await;
    let blob = Blob::random(53, 10);
    source.push_blob(&blob).await;
    let target = shared.repository("target").await;
    let answer = mount(&target, &blob.digest, Some(source.name())).await;
    let answer = answer.assert_error(401, "UNAUTHORIZED");
    let scopes =
        format!("scope=\"repository:{}:pull,push repository:{}:pull\"", target.name(), source.name());
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains(&scopes), "{challenge}");
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
}

#[tokio::test]
async fn a_mounted_blob_outlives_its_source() {
    let shared = Shared::new();
    let source = shared.repository("source").await;
    let blob = Blob::random(54, 1000);
    source.push_blob(&blob).await;
    let target = shared.repository("target").await;
    mount(&target, &blob.digest, None).await.assert(201);
    source.delete(&format!("/blobs/{}", blob.digest)).await.assert(202);
    assert_eq!(target.get(&format!("/blobs/{}", blob.digest)).await.assert(200).body, blob.bytes);
}
