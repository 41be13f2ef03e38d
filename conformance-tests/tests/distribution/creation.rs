//! Repositories that are made by pushing to them, by whoever may make them.

use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, Manifest};
use reqwest::Method;
use serde_json::json;

use crate::support::{Shared, fresh};

const PASSWORD: &str = "a password of eve's own";

/// Whoever pushes below `eves/` and makes no repositories; and a developer of the same.
async fn users(shared: &Shared) {
    let push_only = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:ecr:*:*:repository/eves/*"},
        {"Effect": "Deny", "Action": "ecr:CreateRepository", "Resource": "*"}]});
    let kept = shared.admin.basic(Method::PUT, "/api/v1/policies/push-only").body(push_only.to_string());
    kept.answer().await.assert(204);
    for (user, policy, prefix) in [("eve", "push-only", ""), ("dan", "developer", "eves/")] {
        let new = json!({"name": user, "password": PASSWORD});
        let made = shared.admin.basic(Method::POST, "/api/v1/users").json(&new).answer().await;
        assert!(matches!(made.status.as_u16(), 201 | 409), "{made}");
        let attached = json!({"policy": policy, "prefix": prefix});
        let path = format!("/api/v1/users/{user}/policies");
        shared.admin.basic(Method::POST, &path).json(&attached).answer().await.assert(204);
    }
}

#[tokio::test]
async fn a_push_without_the_right_to_make_the_repository_is_denied_and_makes_none() {
    let shared = Shared::new();
    users(&shared).await;
    let (eve, name) = (shared.berth.user("eve", PASSWORD), fresh("eves/app"));
    let repository = eve.repository(&name).await;
    let blob = Blob::new("eve's");
    let source = shared.admin.repository(&fresh("eves/source")).await;
    source.push_blob(&blob).await;
    let uploads = format!("/v2/{name}/blobs/uploads/");
    let empty = Manifest::image(&Blob::config(), &[]);
    for refused in [
        repository.request(Method::POST, "/blobs/uploads/").answer().await,
        eve.basic(Method::POST, &format!("{uploads}?mount={}&from={}", blob.digest, source.name()))
            .answer()
            .await,
        eve.basic(Method::POST, &format!("{uploads}?digest={}", blob.digest)).body("eve's").answer().await,
        repository.put_manifest("v1", &empty).await,
    ] {
        let refused = refused.assert_error(403, "DENIED");
        assert!(refused.text().contains(&format!("ecr:CreateRepository on {name}")), "{refused}");
    }
    shared.admin.get(&format!("/v2/{name}/tags/list")).await.assert_error(404, "NAME_UNKNOWN");
    shared.admin.repository(&name).await.push_blob(&blob).await;
    repository.push_image("v1", &blob).await;
}

#[tokio::test]
async fn a_developer_makes_repositories_below_her_prefix() {
    let shared = Shared::new();
    users(&shared).await;
    let (dan, name) = (shared.berth.user("dan", PASSWORD), fresh("eves/dans"));
    dan.repository(&name).await.push_image("v1", &Blob::new("dan's")).await;
    let elsewhere = dan.basic(Method::POST, "/v2/elsewhere/blobs/uploads/").answer().await;
    elsewhere.assert_error(403, "DENIED");
}
