//! What browsers are told with every answer.

use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::{Answer, Options};
use reqwest::Method;

use crate::support::Shared;

#[track_caller]
fn guarded(answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.find_header(name), Some(value), "{answer}");
    }
}

#[tokio::test]
async fn every_answer_tells_browsers_to_take_it_for_no_page() {
    let shared = Shared::new();
    let repository = shared.repository("guarded").await;
    let blob = Blob::new("<script>alert(1)</script>");
    repository.push_image("v1", &blob).await;
    guarded(&repository.get("/manifests/v1").await.assert(200));
    guarded(&repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200));
    guarded(&repository.get("/manifests/never").await.assert(404));
    guarded(&shared.admin.get("/api/v1/users").await.assert(200));
    let anonymous = shared.berth.anonymous();
    for (path, status) in [("/livez", 200), ("/token", 200), ("/v2/", 401), ("/nothing", 401)] {
        guarded(&anonymous.request(Method::GET, path).answer().await.assert(status));
    }
}

#[tokio::test]
async fn tokens_and_what_the_management_api_says_stay_out_of_caches() {
    let shared = Shared::new();
    let anonymous = shared.berth.anonymous();
    for answer in [
        anonymous.request(Method::GET, "/token").answer().await.assert(200),
        anonymous.request(Method::POST, "/token").answer().await.assert(400),
        anonymous.request(Method::GET, "/api/v1/users").answer().await.assert(401),
        shared.admin.get("/api/v1/users").await.assert(200),
        shared.admin.get("/api/v1/users/never").await.assert(404),
    ] {
        assert_eq!(answer.find_header("cache-control"), Some("no-store"), "{answer}");
    }
    let keys = anonymous.request(Method::GET, "/.well-known/jwks.json").answer().await.assert(200);
    assert_eq!(keys.find_header("cache-control"), None);
}

#[tokio::test]
async fn browsers_are_told_to_come_back_by_tls_where_clients_come_by_it() {
    let told = async |config: &str| {
        let berth = Options::default().config(config).start();
        let answer = berth.anonymous().request(Method::GET, "/livez").answer().await.assert(200);
        answer.find_header("strict-transport-security").map(str::to_owned)
    };
    assert_eq!(told("").await, None);
    assert_eq!(told("public_url = \"http://registry.example.com\"").await, None);
    let https = told("public_url = \"https://registry.example.com\"").await;
    assert_eq!(https.as_deref(), Some("max-age=31536000"));
}
