//! Repositories that say themselves who may use them.

use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::{Client, Repository};
use reqwest::Method;
use serde_json::json;

use crate::support::{Shared, fresh};

const PASSWORD: &str = "a password of carol's own";

async fn administer(shared: &Shared, method: Method, name: &str, what: &str) {
    let path = format!("/api/v1/repositories/{}/{what}", name.replace('/', "%2F"));
    shared.admin.basic(method, &path).answer().await.assert(204);
}

async fn put_policy(shared: &Shared, name: &str, document: &serde_json::Value) {
    let path = format!("/api/v1/repositories/{}/policy", name.replace('/', "%2F"));
    shared.admin.basic(Method::PUT, &path).body(document.to_string()).answer().await.assert(204);
}

/// A user to whom nothing is attached.
async fn carol(shared: &Shared) -> Client {
    let new = json!({"name": "carol", "password": PASSWORD});
    let made = shared.admin.basic(Method::POST, "/api/v1/users").json(&new).answer().await;
    assert!(matches!(made.status.as_u16(), 201 | 409), "{made}");
    shared.berth.user("carol", PASSWORD)
}

async fn with_image<'s>(shared: &'s Shared, start: &str) -> Repository<'s> {
    let name = format!("{start}/{}", fresh("app"));
    let repository = shared.admin.repository(&name).await;
    repository.push_image("v1", &Blob::new("anything")).await;
    repository
}

#[tokio::test]
async fn an_anonymous_token_pulls_from_a_public_repository_and_does_nothing_else() {
    let shared = Shared::alone();
    let repository = with_image(&shared, "public").await;
    administer(&shared, Method::PUT, repository.name(), "public").await;
    let anonymous = shared.berth.anonymous();
    let name = repository.name();
    let token = anonymous.token(&[&format!("repository:{name}:pull")]).await;
    let digest = Blob::new("anything").digest;
    for path in ["/manifests/v1", &format!("/blobs/{digest}"), "/tags/list", &format!("/referrers/{digest}")]
    {
        let request = anonymous.request(Method::GET, &format!("/v2/{name}{path}"));
        request.bearer_auth(&token).answer().await.assert(200);
        // Whoever asks for no token first needs none.
        anonymous.request(Method::GET, &format!("/v2/{name}{path}")).answer().await.assert(200);
    }
    let all = anonymous.token(&[&format!("repository:{name}:pull,push,delete")]).await;
    for (method, path) in
        [(Method::PUT, "/manifests/v2"), (Method::DELETE, "/manifests/v1"), (Method::POST, "/blobs/uploads/")]
    {
        let request = || anonymous.request(method.clone(), &format!("/v2/{name}{path}"));
        request().bearer_auth(&all).answer().await.assert_error(401, "UNAUTHORIZED");
        request().answer().await.assert_error(401, "UNAUTHORIZED");
    }
    anonymous.request(Method::GET, "/v2/").answer().await.assert(401);
    anonymous.request(Method::GET, "/v2/_catalog").answer().await.assert(401);
}

#[tokio::test]
async fn one_public_repository_shows_nothing_of_others() {
    let shared = Shared::alone();
    let (public, private) = (with_image(&shared, "public").await, with_image(&shared, "private").await);
    administer(&shared, Method::PUT, public.name(), "public").await;
    let anonymous = shared.berth.anonymous();
    for name in [private.name(), "private/never"] {
        anonymous.request(Method::GET, &format!("/v2/{name}/tags/list")).answer().await.assert(401);
        let scope = format!("repository:{name}:pull");
        let answer = anonymous.request(Method::GET, "/token").query(&[("scope", &scope)]).answer().await;
        assert_eq!(answer.assert(200).json()["scope"], "");
    }
}

#[tokio::test]
async fn a_repository_is_private_again_at_the_next_request() {
    let shared = Shared::alone();
    let repository = with_image(&shared, "public").await;
    let anonymous = shared.berth.anonymous();
    let path = format!("/v2/{}/manifests/v1", repository.name());
    let pull = async || anonymous.request(Method::GET, &path).answer().await.status.as_u16();
    assert_eq!(pull().await, 401);
    administer(&shared, Method::PUT, repository.name(), "public").await;
    administer(&shared, Method::PUT, repository.name(), "public").await;
    assert_eq!(pull().await, 200);
    administer(&shared, Method::DELETE, repository.name(), "public").await;
    assert_eq!(pull().await, 401);
}

#[tokio::test]
async fn someone_whom_a_repository_names_sees_it_in_no_more_than_it_says() {
    let shared = Shared::alone();
    let carol = carol(&shared).await;
    let repository = with_image(&shared, "carols").await;
    let path = |what: &str| format!("/v2/{}{what}", repository.name());
    carol.get(&path("/manifests/v1")).await.assert_error(403, "DENIED");
    let allow = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:user/carol"}, "Action": "ecr:BatchGetImage"}});
    put_policy(&shared, repository.name(), &allow).await;
    carol.get(&path("/manifests/v1")).await.assert(200);
    carol.get(&path("/tags/list")).await.assert_error(403, "DENIED");
    shared.berth.anonymous().request(Method::GET, &path("/manifests/v1")).answer().await.assert(401);
}

#[tokio::test]
async fn a_repository_that_denies_everyone_looks_like_none_to_whoever_has_no_right() {
    let shared = Shared::alone();
    let carol = carol(&shared).await;
    let repository = with_image(&shared, "denied").await;
    let deny = json!({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "ecr:*"}});
    put_policy(&shared, repository.name(), &deny).await;
    let said = async |client: &Client, name: &str| {
        let answer = client.get(&format!("/v2/{name}/manifests/v1")).await.assert_error(403, "DENIED");
        answer.text().replace(name, "NAME")
    };
    let never = fresh("denied/never");
    assert_eq!(said(&carol, repository.name()).await, said(&carol, &never).await);
    let admin = said(&shared.admin, repository.name()).await;
    assert!(admin.contains("the repository's own policy denies ecr:BatchGetImage"), "{admin}");
}

#[tokio::test]
async fn a_document_that_is_broken_is_refused_with_its_place() {
    let shared = Shared::alone();
    let repository = with_image(&shared, "broken").await;
    let path = format!("/api/v1/repositories/{}/policy", repository.name().replace('/', "%2F"));
    let put = |body: &'static str| shared.admin.basic(Method::PUT, &path).body(body).answer();
    let broken = put(r#"{"Statement":[{"Effect":"Allow","Principal":"bob","Action":"ecr:*"}]}"#).await;
    let broken = broken.assert(400);
    assert_eq!(broken.header("content-type"), "application/problem+json");
    let detail = broken.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("Statement[0].Principal: expected"), "{detail}");
    let never = "/api/v1/repositories/broken%2Fnever/policy";
    shared
        .admin
        .basic(Method::PUT, never)
        .body(r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*"}]}"#)
        .answer()
        .await
        .assert(404);
    shared.admin.get(&path).await.assert(404);
}

#[tokio::test]
async fn the_catalog_shows_someone_what_a_repository_lets_them_see() {
    let shared = Shared::alone();
    let new =
        json!({"name": "dora", "password": PASSWORD, "policies": [{"policy": "reader", "prefix": "doras/"}]});
    let made = shared.admin.basic(Method::POST, "/api/v1/users").json(&new).answer().await;
    assert!(matches!(made.status.as_u16(), 201 | 409), "{made}");
    let dora = shared.berth.user("dora", PASSWORD);
    let repository = with_image(&shared, "listed").await;
    let listed =
        async || dora.get("/v2/_catalog?n=1000").await.assert(200).text().contains(repository.name());
    assert!(!listed().await);
    administer(&shared, Method::PUT, repository.name(), "public").await;
    assert!(listed().await);
}
