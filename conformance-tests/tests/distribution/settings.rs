//! What administrators set of a repository, as a push meets it.

use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, Manifest};
use reqwest::Method;
use serde_json::json;

use crate::support::{Shared, fresh};

#[tokio::test]
async fn an_immutable_tag_stays_where_it_is() {
    let shared = Shared::new();
    let name = fresh("immutable");
    let new = json!({"name": name, "immutable": true, "immutable_except": ["dev-*"]});
    shared.admin.basic(Method::POST, "/api/v1/repositories").json(&new).answer().await.assert(201);
    let repository = shared.admin.repository(&name).await;
    let image = repository.push_image("v1", &Blob::new("one")).await;
    repository.push_manifest("v1", &image).await;
    repository.push_manifest("dev-1", &image).await;
    let config = Blob::config();
    let other = Manifest::image(&config, &[]);
    let refused = repository.put_manifest("v1", &other).await.assert_error(409, "DENIED");
    let sentence = format!(
        "The image tag 'v1' already exists in the '{name}' repository and cannot be overwritten because the \
         tag is immutable."
    );
    assert_eq!(refused.json()["errors"][0]["message"], sentence);
    assert_eq!(repository.get("/manifests/v1").await.assert(200).body, image.bytes);
    repository.push_manifest("dev-1", &other).await;
    repository.push_manifest("v2", &other).await;
}

#[tokio::test]
async fn a_removed_repository_is_gone_at_once_and_a_new_one_begins_empty() {
    let shared = Shared::new();
    let repository = shared.repository("removed").await;
    let blob = Blob::new("of the removed");
    repository.push_image("v1", &blob).await;
    let session = repository.open_upload().await;
    let path = format!("/api/v1/repositories/{}", repository.name());
    let kept = shared.admin.basic(Method::DELETE, &path).answer().await.assert(409);
    assert_eq!(kept.header("content-type"), "application/problem+json");
    repository.get("/manifests/v1").await.assert(200);
    shared.admin.basic(Method::DELETE, &format!("{path}?force=true")).answer().await.assert(204);
    let gone = async || {
        repository.get("/manifests/v1").await.assert(404);
        repository.get(&format!("/blobs/{}", blob.digest)).await.assert(404);
        repository.get(&session).await.assert(404);
    };
    gone().await;
    repository.get("/tags/list").await.assert_error(404, "NAME_UNKNOWN");
    let new = json!({"name": repository.name()});
    shared.admin.basic(Method::POST, "/api/v1/repositories").json(&new).answer().await.assert(201);
    gone().await;
    assert_eq!(repository.get("/tags/list").await.assert(200).json()["tags"], json!([]));
}
