//! The audit, as an administrator reads it after what others did.

use std::time::{Duration, Instant};

use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::server::{ADMIN_PASSWORD, Options};
use conformance_tests::{Berth, Client};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Shared, fresh};

const PASSWORD: &str = "a password of her own";

/// All records there are.
async fn audit(admin: &Client) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = admin.get(&format!("/api/v1/audit?after={after}&limit=500")).await.assert(200).json();
        let page = page.as_array().expect("a list");
        let Some(last) = page.last() else { return all };
        after = last["id"].as_i64().expect("a number");
        all.extend_from_slice(page);
    }
}

/// The records of a request; refusals come a moment later.
async fn of_request(admin: &Client, request: &str) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found: Vec<_> =
            audit(admin).await.into_iter().filter(|record| record["request"] == request).collect();
        if !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < deadline, "nothing was written down of {request}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Sends a request under a name of its own and gives its one record, which says whence it came.
async fn record_of(admin: &Client, request: RequestBuilder, status: u16) -> Value {
    let id = fresh("request");
    request.header("x-request-id", &id).answer().await.assert(status);
    let mut found = of_request(admin, &id).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let record = found.remove(0);
    assert_eq!(record["address"], "127.0.0.1", "{record}");
    assert!(record["time"].as_str().expect("a text").ends_with('Z'), "{record}");
    record
}

/// A new user with this policy; her id and herself.
async fn user(shared: &Shared, policy: &str) -> (String, String, Client) {
    let name = fresh("user");
    let new = json!({"name": name, "password": PASSWORD, "policies": [{"policy": policy}]});
    let made = shared.admin.basic(Method::POST, "/api/v1/users").json(&new).answer().await.assert(201).json();
    let client = shared.berth.user(&name, PASSWORD);
    (made["id"].as_str().expect("a text").to_owned(), name, client)
}

#[track_caller]
fn assert_says(record: &Value, expected: &Value) {
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(record[key], *value, "{key} of {record}");
    }
}

#[tokio::test]
async fn a_push_a_tag_and_a_delete_are_written_down_with_who_did_it() {
    let shared = Shared::new();
    let (id, name, developer) = user(&shared, "admin").await;
    let repository = developer.repository(&fresh("audited")).await;
    let blob = Blob::new("audited");
    let session = repository.open_upload().await;
    let put = repository.request(Method::PUT, &session).query(&[("digest", &blob.digest)]);
    let request = fresh("request");
    let put = put.header("x-request-id", &request).body(blob.bytes.clone());
    put.answer().await.assert(201);
    let records = of_request(&shared.admin, &request).await;
    let who = json!({"identity": id, "user": name, "repository": repository.name(), "outcome": "done"});
    let actions: Vec<_> = records.iter().map(|record| record["action"].as_str().expect("a text")).collect();
    assert_eq!(actions, ["repo.create", "blob.put"]);
    records.iter().for_each(|record| assert_says(record, &who));
    assert_eq!(records[1]["digest"], blob.digest);

    let image = repository.push_image("v1", &blob).await;
    let put = repository.request(Method::PUT, "/manifests/v2").header("content-type", &image.media_type);
    let record = record_of(&shared.admin, put.body(image.bytes.clone()), 201).await;
    assert_says(&record, &who);
    assert_says(&record, &json!({"action": "manifest.put", "digest": image.digest, "tags": ["v2"]}));

    let delete = |path: String| repository.request(Method::DELETE, &path);
    let record = record_of(&shared.admin, delete("/manifests/v2".to_owned()), 202).await;
    assert_says(&record, &json!({"action": "tag.delete", "digest": image.digest, "tags": ["v2"]}));
    let record = record_of(&shared.admin, delete(format!("/manifests/{}", image.digest)), 202).await;
    assert_says(&record, &who);
    assert_says(&record, &json!({"action": "manifest.delete", "digest": image.digest, "tags": ["v1"]}));
    let record = record_of(&shared.admin, delete(format!("/blobs/{}", blob.digest)), 202).await;
    assert_says(&record, &json!({"action": "blob.delete", "digest": blob.digest, "identity": id}));
}

#[tokio::test]
async fn a_refused_login_is_written_down_with_the_name_and_why() {
    let shared = Shared::alone();
    let (_, name, _) = user(&shared, "reader").await;
    let key = shared.admin.basic(Method::POST, "/api/v1/keys").json(&json!({})).answer().await.assert(201);
    let key = key.json()["id"].as_str().expect("a text").to_owned();
    for (user, key, login, why) in [
        (json!(name), Value::Null, name.as_str(), "wrong password"),
        (json!("nobody"), Value::Null, "nobody", "unknown user"),
        (Value::Null, Value::Null, "what is NO name", "unknown user"),
        (json!("admin"), json!(key), key.as_str(), "wrong secret"),
    ] {
        for path in ["/v2/", "/token"] {
            let wrong = shared.berth.user(login, "not her password");
            let record = record_of(&shared.admin, wrong.basic(Method::GET, path), 401).await;
            let expected = json!({"action": "login", "outcome": "refused", "detail": why, "identity": null});
            assert_says(&record, &expected);
            assert_says(&record, &json!({"user": user, "access_key": key}));
        }
    }
    let disabled = format!("/api/v1/users/{name}/disabled");
    shared.admin.basic(Method::PUT, &disabled).answer().await.assert(204);
    let her = shared.berth.user(&name, PASSWORD);
    let record = record_of(&shared.admin, her.basic(Method::GET, "/v2/"), 401).await;
    assert_says(&record, &json!({"user": name, "detail": "disabled user"}));
    let whole = Value::from(audit(&shared.admin).await).to_string();
    for secret in ["not her password", PASSWORD, ADMIN_PASSWORD, "what is NO name", "argon2"] {
        assert!(!whole.contains(secret), "{secret} in {whole}");
    }
}

#[tokio::test]
async fn whoever_guesses_on_makes_few_records() {
    let shared = Shared::alone();
    for _ in 0..60 {
        let wrong = shared.berth.user("somebody", "a guess");
        wrong.basic(Method::GET, "/v2/").answer().await;
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let times = |records: &[Value], detail: &str| {
        let found = records.iter().filter(|record| record["detail"] == detail);
        found.map(|record| record["times"].as_u64().unwrap()).sum::<u64>()
    };
    loop {
        let records = audit(&shared.admin).await;
        let (wrong, throttled) = (times(&records, "unknown user"), times(&records, "too many wrong logins"));
        if wrong + throttled == 60 {
            assert!(wrong >= 10 && throttled > 0, "{wrong} and {throttled}");
            let refused = records.iter().filter(|record| record["outcome"] == "refused").count();
            assert!(refused < 60, "{refused} records of 60 refusals");
            return;
        }
        assert!(Instant::now() < deadline, "{wrong} and {throttled} of 60 were written down");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_refused_permission_is_written_down_with_the_action_and_why() {
    let shared = Shared::new();
    let (id, name, reader) = user(&shared, "reader").await;
    let repository = fresh("not-hers");
    let path = format!("/v2/{repository}/blobs/uploads/");
    let who = json!({
        "identity": id, "user": name, "outcome": "refused", "repository": repository,
        "action": "ecr:InitiateLayerUpload",
    });
    let record = record_of(&shared.admin, reader.basic(Method::POST, &path), 403).await;
    assert_says(&record, &who);
    let why = record["detail"].as_str().expect("a text");
    assert!(why.contains("ecr:InitiateLayerUpload"), "{why}");
    let token = reader.token(&[&format!("repository:{repository}:pull")]).await;
    let push = reader.request(Method::POST, &path).bearer_auth(token);
    let record = record_of(&shared.admin, push, 401).await;
    assert_says(&record, &who);
}

#[tokio::test]
async fn changes_of_users_policies_and_repositories_are_written_down() {
    let shared = Shared::new();
    let admin = &shared.admin;
    let (user, policy, repository) = (fresh("changed"), fresh("changed"), fresh("changed"));
    let everything = r#"{"Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;
    let public = format!("/api/v1/repositories/{repository}/public");
    for (request, status, expected) in [
        (
            admin.basic(Method::POST, "/api/v1/users").json(&json!({"name": user, "password": PASSWORD})),
            201,
            json!({"action": "user.add", "subject": user}),
        ),
        (
            admin.basic(Method::PUT, &format!("/api/v1/policies/{policy}")).body(everything),
            204,
            json!({"action": "policy.put", "subject": policy}),
        ),
        (
            admin
                .basic(Method::POST, &format!("/api/v1/users/{user}/policies"))
                .json(&json!({"policy": policy})),
            204,
            json!({"action": "policy.attach", "subject": policy, "detail": format!("user {user}")}),
        ),
        (
            admin
                .basic(Method::POST, "/api/v1/repositories")
                .json(&json!({"name": repository, "immutable": true})),
            201,
            json!({"action": "repo.create", "repository": repository, "detail": "tags immutable"}),
        ),
        (
            admin.basic(Method::PUT, &public),
            204,
            json!({"action": "repo.policy.put", "repository": repository}),
        ),
        (admin.basic(Method::POST, "/api/v1/signing-keys"), 201, json!({"action": "signing-key.rotate"})),
    ] {
        let record = record_of(admin, request, status).await;
        assert_says(&record, &expected);
        assert_says(&record, &json!({"user": "admin", "outcome": "done"}));
        assert!(record["identity"].is_string(), "{record}");
    }
}

#[tokio::test]
async fn what_was_not_done_is_not_written_down() {
    let shared = Shared::new();
    let (name, request) = (fresh("not-made"), fresh("request"));
    let new = json!({"name": name, "password": PASSWORD, "groups": ["no-such-group"]});
    let add = shared.admin.basic(Method::POST, "/api/v1/users").json(&new);
    add.header("x-request-id", &request).answer().await.assert(404);
    shared.admin.get(&format!("/api/v1/users/{name}")).await.assert(404);
    let found = audit(&shared.admin).await.into_iter().find(|record| record["request"] == *request);
    assert_eq!(found, None);
}

#[tokio::test]
async fn an_address_is_a_forwarded_one_only_where_the_proxy_is_trusted() {
    let refused = async |berth: &Berth| {
        let (admin, id) = (berth.admin(), fresh("request"));
        let wrong = berth.user("admin", "wrong").basic(Method::GET, "/v2/").header("x-request-id", &id);
        wrong.header("x-forwarded-for", "203.0.113.7").answer().await.assert(401);
        of_request(&admin, &id).await[0]["address"].clone()
    };
    assert_eq!(refused(&Berth::start()).await, "127.0.0.1");
    let trusting = Options::default().config("trusted_proxies = [\"127.0.0.1\"]").start();
    assert_eq!(refused(&trusting).await, "203.0.113.7");
}

#[tokio::test]
async fn only_administrators_read_the_audit() {
    let shared = Shared::new();
    let (_, _, reader) = user(&shared, "developer").await;
    let refused = reader.basic(Method::GET, "/api/v1/audit").answer().await.assert(403);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    shared.berth.anonymous().request(Method::GET, "/api/v1/audit").answer().await.assert(401);
}

#[tokio::test]
async fn the_audit_is_read_page_by_page_and_since_a_moment() {
    let shared = Shared::alone();
    for _ in 0..5 {
        let new = json!({"name": fresh("group")});
        shared.admin.basic(Method::POST, "/api/v1/groups").json(&new).answer().await.assert(201);
    }
    let all = audit(&shared.admin).await;
    let page = async |query: String| {
        let page = shared.admin.get(&format!("/api/v1/audit?{query}")).await.assert(200).json();
        page.as_array().expect("a list").clone()
    };
    assert_eq!(page(format!("after={}&limit=2", all[1]["id"])).await, all[2..4]);
    let third = &all[all.len() - 3];
    assert_eq!(
        page(format!("since={}", third["time"].as_str().expect("a text"))).await,
        all[all.len() - 3..]
    );
    for wrong in ["since=yesterday", "after=x", "limit=-1", "unknown=1"] {
        let refused = shared.admin.get(&format!("/api/v1/audit?{wrong}")).await.assert(400);
        assert_eq!(refused.header("content-type"), "application/problem+json", "{wrong}");
    }
}
