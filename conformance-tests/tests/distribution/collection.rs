//! What was deleted comes back, and what goes is told before.

use conformance_tests::Repository;
use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, Manifest};
use reqwest::Method;
use serde_json::json;

use crate::support::Shared;

/// A path about a repository in the management API.
fn api(repository: &Repository<'_>, rest: &str) -> String {
    format!("/api/v1/repositories/{}{rest}", repository.name())
}

#[tokio::test]
async fn a_deleted_tag_is_listed_and_comes_back() {
    let shared = Shared::new();
    let repository = shared.repository("undelete").await;
    let image = repository.push_image("v1", &Blob::new("layer")).await;
    repository.push_manifest("v2", &image).await;
    repository.delete("/manifests/v1").await.assert(202);
    let list = api(&repository, "/deleted");
    let deleted = shared.admin.basic(Method::GET, &list).answer().await.assert(200).json();
    assert_eq!(deleted[0]["tag"], "v1");
    assert_eq!(deleted[0]["digest"], image.digest);
    let one = api(&repository, "/deleted/v1");
    let back = shared.admin.basic(Method::POST, &one).answer().await.assert(200).json();
    assert_eq!(back["digest"], image.digest);
    assert_eq!(repository.get("/manifests/v1").await.assert(200).body, image.bytes);
    shared.admin.basic(Method::POST, &one).answer().await.assert(404);
}

#[tokio::test]
async fn a_deleted_manifest_comes_back_whole_with_its_tags() {
    let shared = Shared::new();
    let repository = shared.repository("undelete").await;
    let layer = Blob::new("a layer that comes back");
    let image = repository.push_image("v1", &layer).await;
    repository.delete(&format!("/manifests/{}", image.digest)).await.assert(202);
    repository.get("/manifests/v1").await.assert_error(404, "MANIFEST_UNKNOWN");
    let one = api(&repository, &format!("/deleted/{}", image.digest));
    shared.admin.basic(Method::POST, &one).answer().await.assert(200);
    assert_eq!(repository.get("/manifests/v1").await.assert(200).body, image.bytes);
    assert_eq!(repository.get(&format!("/blobs/{}", layer.digest)).await.assert(200).body, layer.bytes);
}

#[tokio::test]
async fn a_removed_repository_comes_back_once_its_name_is_free() {
    let shared = Shared::new();
    let repository = shared.repository("undelete").await;
    let image = repository.push_image("v1", &Blob::new("of the removed")).await;
    let (this, back) = (api(&repository, "?force=true"), api(&repository, "/deleted"));
    shared.admin.basic(Method::POST, &back).answer().await.assert(409);
    shared.admin.basic(Method::DELETE, &this).answer().await.assert(204);
    shared.admin.basic(Method::POST, &back).answer().await.assert(204);
    assert_eq!(repository.get("/manifests/v1").await.assert(200).body, image.bytes);
}

#[tokio::test]
async fn the_history_of_a_tag_tells_what_it_named_and_who_moved_it() {
    let shared = Shared::new();
    let repository = shared.repository("history").await;
    let first = repository.push_image("prod", &Blob::new("first")).await;
    let config = Blob::config();
    let second = Manifest::image(&config, &[]);
    repository.push_manifest("prod", &second).await;
    repository.delete("/manifests/prod").await.assert(202);
    let history = api(&repository, "/tags/prod/history");
    let changes = shared.admin.basic(Method::GET, &history).answer().await.assert(200).json();
    let digests: Vec<_> =
        changes.as_array().expect("a list").iter().map(|one| one["digest"].as_str()).collect();
    assert_eq!(digests, [None, Some(&*second.digest), Some(&*first.digest)]);
    assert!(changes.as_array().expect("a list").iter().all(|one| one["by"] == "admin"), "{changes}");
}

#[tokio::test]
async fn what_a_delete_will_free_is_told_at_once() {
    let shared = Shared::alone();
    let repository = shared.admin.repository("app").await;
    let forecast = async || {
        let found = shared.admin.basic(Method::GET, "/api/v1/gc/forecast").answer().await.assert(200).json();
        (found["manifests"].as_u64(), found["blobs"].as_u64(), found["bytes"].as_u64())
    };
    let layer = Blob::new("a layer that goes");
    let image = repository.push_image("v1", &layer).await;
    assert_eq!(forecast().await, (Some(0), Some(0), Some(0)));
    let usage = shared.admin.basic(Method::GET, "/api/v1/gc/usage").answer().await.assert(200).json();
    let bytes = (layer.bytes.len() + Blob::config().bytes.len()) as u64;
    assert_eq!(usage["repositories"][0]["own"], bytes);
    repository.delete(&format!("/manifests/{}", image.digest)).await.assert(202);
    assert_eq!(forecast().await, (Some(1), Some(2), Some(bytes)));
    // A day is left.
    let freed = shared.admin.basic(Method::POST, "/api/v1/gc?wait=true").answer().await.assert(200).json();
    assert_eq!(freed, json!({"manifests": 0, "blobs": 0, "bytes": 0}));
    assert_eq!(forecast().await, (Some(1), Some(2), Some(bytes)));
    shared.admin.basic(Method::POST, "/api/v1/gc?wait=perhaps").answer().await.assert(400);
}

/// One rule of a retention policy.
fn rules(selection: &serde_json::Value) -> serde_json::Value {
    json!({"rules": [{"rulePriority": 7, "selection": selection, "action": {"type": "expire"}}]})
}

#[tokio::test]
async fn a_preview_lists_what_would_expire_and_the_rule_that_chose_it() {
    let shared = Shared::new();
    let repository = shared.repository("retention").await;
    let old = repository.push_image("v1", &Blob::new("old")).await;
    repository.push_manifest("prod", &old).await;
    repository.push_image("v2", &Blob::new("new")).await;
    let keep_one = rules(&json!({"tagStatus": "tagged", "tagPrefixList": ["v"],
        "countType": "imageCountMoreThan", "countNumber": 1}));
    let preview = api(&repository, "/expiring");
    shared.admin.basic(Method::POST, &preview).answer().await.assert(404);
    let by_this =
        shared.admin.basic(Method::POST, &preview).json(&keep_one).answer().await.assert(200).json();
    let policy = format!("/api/v1/retention/{}", repository.name());
    shared.admin.basic(Method::PUT, &policy).json(&keep_one).answer().await.assert(204);
    let kept = shared.admin.basic(Method::GET, &policy).answer().await.assert(200);
    assert_eq!(kept.json(), keep_one);
    let by_that = shared.admin.basic(Method::POST, &preview).answer().await.assert(200).json();
    assert_eq!(by_this, by_that);
    assert_eq!(by_that.as_array().map(Vec::len), Some(1));
    assert_eq!(by_that[0]["digest"], old.digest);
    assert_eq!((&by_that[0]["tags"], &by_that[0]["kept_tags"]), (&json!(["v1"]), &json!(["prod"])));
    assert_eq!((&by_that[0]["rule_priority"], &by_that[0]["scope"]), (&json!(7), &json!(repository.name())));
    repository.get("/manifests/v1").await.assert(200);
    let gone = shared.admin.basic(Method::DELETE, &preview).answer().await.assert(200).json();
    assert_eq!(gone, json!({"tags": 1, "images": 0}));
    repository.get("/manifests/v1").await.assert(404);
    assert_eq!(repository.get("/manifests/prod").await.assert(200).body, old.bytes);
    shared.admin.basic(Method::DELETE, &policy).answer().await.assert(204);
    shared.admin.basic(Method::GET, &policy).answer().await.assert(404);
}

#[tokio::test]
async fn a_retention_policy_that_is_none_is_refused_with_what_is_wrong() {
    let shared = Shared::new();
    let repository = shared.repository("retention").await;
    let policy = format!("/api/v1/retention/{}", repository.name());
    let wrong = rules(&json!({"tagStatus": "tagged", "countType": "imageCountMoreThan", "countNumber": 1}));
    let refused = shared.admin.basic(Method::PUT, &policy).json(&wrong).answer().await.assert(400).json();
    assert_eq!(refused["detail"], "rule 7: tagStatus tagged needs either tagPatternList or tagPrefixList");
    let any = rules(&json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}));
    for (scope, status) in [("not-there", 404), ("UPPER", 400), ("a%2F%2F", 400)] {
        let path = format!("/api/v1/retention/{scope}");
        shared.admin.basic(Method::PUT, &path).json(&any).answer().await.assert(status);
    }
}
