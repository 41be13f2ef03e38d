//! Access keys in docker's place of a user's name and password.

use conformance_tests::Client;
use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Shared, fresh};

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// A new key of the administrator's, as the management API answers.
async fn make(shared: &Shared, wanted: Value) -> Value {
    let request = shared.admin.basic(Method::POST, "/api/v1/keys").json(&wanted);
    let answer = request.answer().await.assert(201);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

async fn remove(shared: &Shared, key: &Value) {
    let path = format!("/api/v1/keys/{}", text(&key["id"]));
    shared.admin.basic(Method::DELETE, &path).answer().await.assert(204);
}

fn client(shared: &Shared, key: &Value) -> Client {
    shared.berth.user(text(&key["id"]), text(&key["secret"]))
}

#[tokio::test]
async fn a_key_pushes_and_pulls_as_its_user_and_its_token_ends_with_it() {
    let shared = Shared::new();
    let key = make(&shared, json!({"name": "docker"})).await;
    let docker = client(&shared, &key);
    let name = fresh("by-key");
    let repository = docker.repository(&name).await;
    repository.push_image("v1", &Blob::new("pushed with a key")).await;
    repository.get("/manifests/v1").await.assert(200);
    docker.basic(Method::GET, &format!("/v2/{name}/manifests/v1")).answer().await.assert(200);
    remove(&shared, &key).await;
    let refused = repository.get("/manifests/v1").await.assert_error(401, "UNAUTHORIZED");
    let challenge = refused.header("www-authenticate");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    docker.basic(Method::GET, "/token").answer().await.assert_error(401, "UNAUTHORIZED");
    docker.basic(Method::GET, "/v2/").answer().await.assert_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_refresh_token_ends_with_the_key_that_it_was_asked_for_with() {
    let shared = Shared::new();
    let key = make(&shared, json!({})).await;
    let anonymous = shared.berth.anonymous();
    let ask = |form: Vec<(&'static str, String)>| {
        let request = anonymous.request(Method::POST, "/token");
        async move { request.form(&form).answer().await }
    };
    let text = |value: &Value| text(value).to_owned();
    let login = |access_type: &str| {
        vec![
            ("grant_type", "password".to_owned()),
            ("username", text(&key["id"])),
            ("password", text(&key["secret"])),
            ("access_type", access_type.to_owned()),
        ]
    };
    let granted = ask(login("offline")).await.assert(200).json();
    let refresh = || {
        let token = text(&granted["refresh_token"]);
        ask(vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", token)])
    };
    let refreshed = refresh().await.assert(200).json();
    let base = |token: &Value| anonymous.request(Method::GET, "/v2/").bearer_auth(text(token)).answer();
    base(&refreshed["token"]).await.assert(200);
    remove(&shared, &key).await;
    assert_eq!(refresh().await.assert(400).json()["error"], "invalid_grant");
    base(&refreshed["token"]).await.assert(401);
    base(&granted["token"]).await.assert(401);
    ask(login("online")).await.assert(401);
}

#[tokio::test]
async fn another_keys_secret_a_wrong_one_and_an_unknown_key_are_refused_alike() {
    let shared = Shared::new();
    let (key, other) = (make(&shared, json!({})).await, make(&shared, json!({})).await);
    for (id, secret) in [
        (&key["id"], &other["secret"]),
        (&key["id"], &json!("wrong")),
        (&json!("BK23456789ABCDEFGHJK"), &key["secret"]),
        (&json!("admin"), &key["secret"]),
    ] {
        let client = shared.berth.user(id.as_str().unwrap(), secret.as_str().unwrap());
        for path in ["/v2/", "/token", "/v2/_catalog"] {
            let answer = client.basic(Method::GET, path).answer().await.assert_error(401, "UNAUTHORIZED");
            let message = answer.json()["errors"][0]["message"].clone();
            assert_eq!(message, "wrong user name or password", "{path}");
        }
    }
    remove(&shared, &key).await;
    remove(&shared, &other).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_a_problem() {
    let shared = Shared::new();
    for (wanted, status) in [
        (json!({"user": "nobody-of-this-name"}), 404),
        (json!({"name": ""}), 400),
        (json!({"user": "Not A Name"}), 400),
        (json!({"expires_in": -1}), 400),
        (json!({"secret": "chosen"}), 400),
    ] {
        let request = shared.admin.basic(Method::POST, "/api/v1/keys").json(&wanted);
        let answer = request.answer().await.assert(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["status"], status, "{wanted}");
    }
    for (id, status) in [("BK23456789ABCDEFGHJK", 404), ("no-id", 400)] {
        let path = format!("/api/v1/keys/{id}");
        let answer = shared.admin.basic(Method::DELETE, &path).answer().await.assert(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let answer = shared.berth.anonymous().request(Method::GET, "/api/v1/keys").answer().await.assert(401);
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn a_key_makes_no_key_that_outlives_it() {
    let shared = Shared::new();
    let key = make(&shared, json!({"expires_in": 3600})).await;
    let by_key = client(&shared, &key);
    let ask = |wanted: Value| by_key.basic(Method::POST, "/api/v1/keys").json(&wanted).answer();
    let made = ask(json!({})).await.assert(201).json();
    assert_eq!(made["expires_at"], key["expires_at"]);
    let refused = ask(json!({"expires_in": 7200})).await.assert(403);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert!(refused.text().contains("none that it makes may outlive it"), "{refused}");
    remove(&shared, &made).await;
    remove(&shared, &key).await;
}
