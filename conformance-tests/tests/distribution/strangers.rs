//! What someone learns who may not: nothing.

use std::collections::BTreeMap;

use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::{Answer, Berth, Client};
use reqwest::Method;
use serde_json::json;

use crate::support::{Shared, raw};

const PASSWORD: &str = "a password of bob's own";
const PULL: &str = "pull";
const PUSH: &str = "pull,push";
const DELETE: &str = "delete";

/// Every route of a repository, and the words that its challenge asks a token for.
fn routes(name: &str) -> Vec<(Method, String, &'static str)> {
    let digest = Blob::new("anything").digest;
    let manifest = |reference: &str| format!("/v2/{name}/manifests/{reference}");
    let blob = format!("/v2/{name}/blobs/{digest}");
    let session = format!("/v2/{name}/blobs/uploads/4fd4ba42-fe45-41a1-9b9f-1a1f1c8f9f31");
    vec![
        (Method::GET, manifest("v1"), PULL),
        (Method::HEAD, manifest("v1"), PULL),
        (Method::GET, manifest(&digest), PULL),
        (Method::PUT, manifest("v1"), PUSH),
        (Method::DELETE, manifest("v1"), DELETE),
        (Method::GET, blob.clone(), PULL),
        (Method::HEAD, blob.clone(), PULL),
        (Method::DELETE, blob, DELETE),
        (Method::POST, format!("/v2/{name}/blobs/uploads/"), PUSH),
        (Method::POST, format!("/v2/{name}/blobs/uploads/?digest={digest}"), PUSH),
        (Method::GET, session.clone(), PUSH),
        (Method::PATCH, session.clone(), PUSH),
        (Method::PUT, format!("{session}?digest={digest}"), PUSH),
        (Method::DELETE, session, PUSH),
        (Method::GET, format!("/v2/{name}/tags/list"), PULL),
        (Method::GET, format!("/v2/{name}/referrers/{digest}"), PULL),
        (Method::GET, format!("/v2/{name}/_oci/ext/discover"), PULL),
    ]
}

/// Fails unless this is a 401 with one Bearer challenge for exactly this scope.
#[track_caller]
fn challenged(berth: &Berth, answer: &Answer, scope: Option<&str>) {
    assert_eq!(answer.status, 401, "{answer}");
    let realm = format!("{}/token", berth.url());
    let scope = scope.map(|scope| format!(",scope=\"{scope}\"")).unwrap_or_default();
    let expected = format!("Bearer realm=\"{realm}\",service=\"berth\"{scope}");
    assert_eq!(answer.header("www-authenticate"), expected, "{answer}");
}

/// All that an answer says, but for what is never the same twice; `name` becomes NAME.
fn said(answer: &Answer, name: &str) -> (u16, BTreeMap<String, String>, String) {
    let headers = answer.headers.iter().map(|(header, value)| {
        (header.to_string(), value.to_str().expect("a header of text").replace(name, "NAME"))
    });
    let headers = headers.filter(|(header, _)| !matches!(header.as_str(), "date" | "x-request-id")).collect();
    (answer.status.as_u16(), headers, answer.text().replace(name, "NAME"))
}

#[tokio::test]
async fn every_route_of_a_repository_asks_a_stranger_for_exactly_one_token() {
    let shared = Shared::new();
    let repository = shared.repository("there").await;
    repository.push_image("v1", &Blob::new("anything")).await;
    let anonymous = shared.berth.anonymous();
    for (method, path, words) in routes(repository.name()) {
        let answer = anonymous.request(method.clone(), &path).answer().await;
        challenged(&shared.berth, &answer, Some(&format!("repository:{}:{words}", repository.name())));
        if method != Method::HEAD {
            answer.assert_error(401, "UNAUTHORIZED");
        }
    }
}

#[tokio::test]
async fn every_other_route_asks_a_stranger_who_they_are() {
    let shared = Shared::new();
    let anonymous = shared.berth.anonymous();
    for (method, path) in [
        (Method::GET, "/v2/"),
        (Method::HEAD, "/v2/"),
        (Method::GET, "/v2"),
        (Method::GET, "/v2/_oci/ext/discover"),
        (Method::GET, "/metrics"),
        (Method::GET, "/"),
        (Method::GET, "/nothing/here"),
        (Method::GET, "/v2/nothing"),
        (Method::GET, "/v2/a/nothing/here"),
        (Method::POST, "/v2/"),
        (Method::DELETE, "/v2/_catalog"),
        (Method::PATCH, "/v2/a/tags/list"),
        (Method::GET, "/v2/a%ff/manifests/v1"),
        (Method::PUT, "/v2/a%ff/manifests/v1"),
        (Method::GET, "/v2/a%ff/tags/list"),
        (Method::GET, "/api/v1/users"),
        (Method::POST, "/api/v1/users"),
        (Method::GET, "/api/v1/users/admin"),
        (Method::DELETE, "/api/v1/users/admin"),
        (Method::PUT, "/api/v1/users/admin/password"),
        (Method::POST, "/api/v1/users/admin/policies"),
        (Method::DELETE, "/api/v1/users/admin/policies"),
        (Method::GET, "/api/v1/repositories/a/policy"),
        (Method::PUT, "/api/v1/repositories/a%2Fb/public"),
        (Method::GET, "/api/v1/nothing"),
    ] {
        let answer = anonymous.request(method, path).answer().await;
        challenged(&shared.berth, &answer, None);
    }
    let catalog = anonymous.request(Method::GET, "/v2/_catalog").answer().await;
    challenged(&shared.berth, &catalog, Some("registry:catalog:*"));
}

#[tokio::test]
async fn a_stranger_does_not_learn_what_a_name_may_look_like() {
    let shared = Shared::new();
    for name in ["UPPER", "..", "a//b", "%2e%2e", "a%00b", &"a".repeat(300)] {
        let request = format!("GET /v2/{name}/manifests/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = raw(&shared.berth, request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 401 "), "{name}: {answer}");
    }
}

#[tokio::test]
async fn probes_and_what_tokens_are_checked_with_are_open() {
    let shared = Shared::new();
    let anonymous = shared.berth.anonymous();
    for path in ["/livez", "/readyz"] {
        let answer = anonymous.request(Method::GET, path).answer().await.assert(200);
        assert_eq!(answer.text(), "ok\n");
    }
    let token = anonymous.request(Method::GET, "/token?scope=repository:a:pull").answer().await.assert(200);
    assert_eq!(token.json()["scope"], "", "anonymous may do nothing");
    let keys = anonymous.request(Method::GET, "/.well-known/jwks.json").answer().await.assert(200).json();
    assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["crv"]), (&json!("OKP"), &json!("Ed25519")));
    assert_eq!(keys["keys"][0].get("d"), None, "the private half stays here");
}

#[tokio::test]
async fn an_anonymous_token_opens_nothing() {
    let shared = Shared::new();
    let repository = shared.repository("there").await;
    repository.push_image("v1", &Blob::new("anything")).await;
    let anonymous = shared.berth.anonymous();
    let scope = format!("repository:{}:pull,push,delete", repository.name());
    let token = anonymous.request(Method::GET, "/token").query(&[("scope", &scope)]).answer().await;
    let token = token.assert(200).json()["token"].as_str().unwrap().to_owned();
    for (method, path, _) in routes(repository.name()) {
        anonymous.request(method, &path).bearer_auth(&token).answer().await.assert(401);
    }
    anonymous.request(Method::GET, "/v2/").bearer_auth(&token).answer().await.assert(401);
}

#[tokio::test]
async fn a_stranger_cannot_tell_a_name_that_exists_from_one_that_does_not() {
    let shared = Shared::new();
    let repository = shared.admin.repository("strangers/there").await;
    repository.push_image("v1", &Blob::new("anything")).await;
    let anonymous = shared.berth.anonymous();
    let (there, absent) = (routes("strangers/there"), routes("strangers/never"));
    for ((method, path, _), (_, other, _)) in there.into_iter().zip(absent) {
        let one = anonymous.request(method.clone(), &path).answer().await.assert(401);
        let two = anonymous.request(method, &other).answer().await.assert(401);
        assert_eq!(said(&one, "strangers/there"), said(&two, "strangers/never"));
    }
}

/// A user who reads below `bobs/`, and one image elsewhere.
async fn bob(shared: &Shared) -> Client {
    let new =
        json!({"name": "bob", "password": PASSWORD, "policies": [{"policy": "reader", "prefix": "bobs/"}]});
    let made = shared.admin.basic(Method::POST, "/api/v1/users").json(&new).answer().await;
    assert!(matches!(made.status.as_u16(), 201 | 409), "{made}");
    let repository = shared.admin.repository("others/there").await;
    repository.push_image("v1", &Blob::new("anything")).await;
    shared.berth.user("bob", PASSWORD)
}

#[tokio::test]
async fn someone_who_may_not_cannot_tell_a_name_that_exists_from_one_that_does_not() {
    let shared = Shared::new();
    let bob = bob(&shared).await;
    for ((method, path, _), (_, other, _)) in routes("others/there").into_iter().zip(routes("others/never")) {
        let one = bob.basic(method.clone(), &path).answer().await.assert(403);
        let two = bob.basic(method.clone(), &other).answer().await.assert(403);
        assert_eq!(said(&one, "others/there"), said(&two, "others/never"));
        if method != Method::HEAD {
            one.assert_error(403, "DENIED");
        }
    }
}

#[tokio::test]
async fn a_token_that_could_not_be_granted_is_refused_alike_for_both_names() {
    let shared = Shared::new();
    let bob = bob(&shared).await;
    let refusals = async |name: &str| {
        let token = bob.token(&[&format!("repository:{name}:pull,push,delete")]).await;
        let mut refusals = Vec::new();
        for (method, path, _) in routes(name) {
            let answer = bob.request(method, &path).bearer_auth(&token).answer().await.assert(401);
            refusals.push(said(&answer, name));
        }
        refusals
    };
    assert_eq!(refusals("others/there").await, refusals("others/never").await);
}

#[tokio::test]
async fn a_blob_that_one_may_not_read_is_not_mounted() {
    let shared = Shared::new();
    let bob = bob(&shared).await;
    let developer = json!({"policy": "developer", "prefix": "bobs/"});
    let path = "/api/v1/users/bob/policies";
    let attached = shared.admin.basic(Method::POST, path).json(&developer).answer().await;
    assert!(matches!(attached.status.as_u16(), 204 | 409), "{attached}");
    let digest = Blob::new("anything").digest;
    for from in ["&from=others/there", "&from=others/never", ""] {
        let path = format!("/v2/bobs/own/blobs/uploads/?mount={digest}{from}");
        bob.basic(Method::POST, &path).answer().await.assert(202);
    }
}

#[tokio::test]
async fn the_catalog_shows_someone_only_what_they_may_see() {
    let shared = Shared::new();
    let bob = bob(&shared).await;
    shared.admin.repository("bobs/own").await.push_blob(&Blob::new("x")).await;
    let listed = bob.get("/v2/_catalog").await.assert(200).json();
    let names = listed["repositories"].as_array().unwrap();
    assert!(names.contains(&json!("bobs/own")), "{listed}");
    assert!(names.iter().all(|name| name.as_str().unwrap().starts_with("bobs/")), "{listed}");
}
