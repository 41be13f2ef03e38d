//! Tokens: how they are got, and which ones are not believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::{Answer, Berth};
use rcgen::{KeyPair, PKCS_ED25519, SigningKey};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Shared;

/// Asks for a manifest with this token.
async fn pull_with(shared: &Shared, name: &str, token: &str) -> Answer {
    let request = shared.admin.request(Method::GET, &format!("/v2/{name}/manifests/v1"));
    request.bearer_auth(token).answer().await
}

fn refused_as_invalid(answer: Answer) {
    let answer = answer.assert_error(401, "UNAUTHORIZED");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A repository with an image, and a token that pulls it.
async fn image_and_token(shared: &Shared, seed: u64) -> (String, String) {
    let repository = shared.repository("token").await;
    repository.push_image("v1", &Blob::random(seed, 10)).await;
    let name = repository.name().to_owned();
    let token = shared.admin.token(&[&format!("repository:{name}:pull")]).await;
    pull_with(shared, &name, &token).await.assert(200);
    (name, token)
}

#[tokio::test]
async fn a_token_is_given_as_dockers_clients_read_it() {
    let shared = Shared::new();
    let path = "/token?service=berth&scope=repository:a:pull,push&offline_token=true&client_id=docker";
    let answer = shared.admin.get(path).await.assert(200);
    let granted = answer.json();
    assert_eq!(granted["token"], granted["access_token"]);
    assert!(granted["expires_in"].as_u64().unwrap() >= 60, "{granted}");
    assert!(granted["issued_at"].as_str().unwrap().ends_with('Z'), "{granted}");
    assert_eq!(granted.get("refresh_token"), None, "docker would keep it instead of the password");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let shared = Shared::new();
    let wrong = shared.berth.user("admin", "not the password");
    wrong.get("/token").await.assert_error(401, "UNAUTHORIZED");
    let answer = wrong.get("/v2/").await.assert_error(401, "UNAUTHORIZED");
    assert!(answer.header("www-authenticate").starts_with("Bearer "), "{answer}");
    let nobody = shared.berth.user("nobody", "not the password");
    nobody.get("/token").await.assert_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_wrong_password_and_a_user_that_is_not_there_are_refused_alike() {
    let shared = Shared::new();
    let refused = |name: &'static str| {
        let client = shared.berth.user(name, "not the password");
        async move { client.get("/token").await.assert(401).text() }
    };
    assert_eq!(refused("admin").await, refused("nobody").await);
}

#[tokio::test]
async fn a_token_whose_claims_were_changed_is_not_believed() {
    let shared = Shared::new();
    let (name, token) = image_and_token(&shared, 120).await;
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims = decoded(parts[1]);
    claims["exp"] = json!(claims["exp"].as_i64().unwrap() + 1000);
    let changed = format!("{}.{}.{}", parts[0], encoded(&claims), parts[2]);
    refused_as_invalid(pull_with(&shared, &name, &changed).await);
}

#[tokio::test]
async fn a_token_without_a_signature_is_not_believed() {
    let shared = Shared::new();
    let (name, token) = image_and_token(&shared, 121).await;
    let parts: Vec<&str> = token.split('.').collect();
    let key = decoded(parts[0])["kid"].clone();
    for algorithm in ["none", "None", "NONE", "", "HS256", "ES256"] {
        let header = encoded(&json!({"alg": algorithm, "typ": "JWT", "kid": key}));
        for signature in ["", parts[2]] {
            let forged = format!("{header}.{}.{signature}", parts[1]);
            refused_as_invalid(pull_with(&shared, &name, &forged).await);
        }
    }
    refused_as_invalid(pull_with(&shared, &name, &format!("{}.{}.", parts[0], parts[1])).await);
}

#[tokio::test]
async fn a_token_signed_with_another_key_is_not_believed() {
    let shared = Shared::new();
    let (name, token) = image_and_token(&shared, 122).await;
    let parts: Vec<&str> = token.split('.').collect();
    let forger = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    // Once under the registry's own key id, once under a name that it has never heard.
    for key in [decoded(parts[0])["kid"].clone(), json!("mine")] {
        let header = encoded(&json!({"alg": "EdDSA", "typ": "JWT", "kid": key}));
        let signed = format!("{header}.{}", parts[1]);
        let signature = URL_SAFE_NO_PAD.encode(forger.sign(signed.as_bytes()).unwrap());
        refused_as_invalid(pull_with(&shared, &name, &format!("{signed}.{signature}")).await);
    }
}

#[tokio::test]
async fn a_token_of_another_registry_is_not_believed() {
    let shared = Shared::new();
    let (name, _) = image_and_token(&shared, 123).await;
    let other = Berth::start();
    let token = other.admin().token(&[&format!("repository:{name}:pull")]).await;
    refused_as_invalid(pull_with(&shared, &name, &token).await);
}

#[tokio::test]
async fn what_is_no_token_at_all_is_not_believed() {
    let shared = Shared::new();
    let (name, _) = image_and_token(&shared, 124).await;
    for token in ["x", "a.b.c", "..", &"x".repeat(20_000)] {
        refused_as_invalid(pull_with(&shared, &name, token).await);
    }
    for authorization in ["Basic", "Basic !!!", "Digest a=b", "Bearer", "nonsense"] {
        let request = shared.admin.request(Method::GET, &format!("/v2/{name}/manifests/v1"));
        request.header("authorization", authorization).answer().await.assert_error(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn a_token_without_the_scope_asks_for_it() {
    let shared = Shared::new();
    let (name, token) = image_and_token(&shared, 125).await;
    let request = shared.admin.request(Method::DELETE, &format!("/v2/{name}/manifests/v1"));
    let answer = request.bearer_auth(&token).answer().await.assert_error(401, "UNAUTHORIZED");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains(&format!("scope=\"repository:{name}:delete\"")), "{challenge}");
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    refused_elsewhere(&shared, &token).await;
}

async fn refused_elsewhere(shared: &Shared, token: &str) {
    let (other, _) = image_and_token(shared, 126).await;
    pull_with(shared, &other, token).await.assert_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn name_and_password_do_without_a_token() {
    let shared = Shared::new();
    let (name, _) = image_and_token(&shared, 127).await;
    shared.admin.get(&format!("/v2/{name}/manifests/v1")).await.assert(200);
}

#[tokio::test]
async fn guesses_are_slowed_down_and_say_when_to_come_back() {
    let berth = Berth::start();
    let guesser = berth.user("admin", "a guess");
    for _ in 0..5 {
        guesser.basic(Method::GET, "/token").answer().await.assert_error(401, "UNAUTHORIZED");
        guesser.basic(Method::GET, "/v2/").answer().await.assert_error(401, "UNAUTHORIZED");
    }
    for path in ["/token", "/v2/", "/v2/a/tags/list"] {
        let answer = guesser.basic(Method::GET, path).answer().await.assert_error(429, "TOOMANYREQUESTS");
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=10).contains(&wait), "{answer}");
    }
    let form = [("grant_type", "password"), ("username", "admin"), ("password", "a guess")];
    let request = berth.anonymous().request(Method::POST, "/token").form(&form);
    request.answer().await.assert_error(429, "TOOMANYREQUESTS");
    let answer = guesser.basic(Method::GET, "/api/v1/users").answer().await.assert(429);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    answer.header("retry-after");
    berth.anonymous().request(Method::GET, "/token").answer().await.assert(200);
}
