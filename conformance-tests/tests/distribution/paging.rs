//! The lists of the management API, page by page.

use conformance_tests::Client;
use conformance_tests::client::Ask;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Shared, fresh};

const PASSWORD: &str = "a password for paging";
const DENY: &str = r#"{"Statement":{"Effect":"Deny","Action":"ecr:*","Resource":"*"}}"#;

/// One page of a list, and what comes next.
async fn page(client: &Client, list: &str, after: &str, limit: usize) -> (Vec<Value>, Option<String>) {
    let path = format!("/api/v1/{list}?after={after}&limit={limit}");
    let answer = client.get(&path).await.assert(200).json();
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("no items: {answer}")).clone();
    (items, answer.get("next").map(|next| next.as_str().expect("a text").to_owned()))
}

/// What a field says of all items, gone through by pages of `limit`.
async fn all(client: &Client, list: &str, limit: usize, field: &str) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let (items, next) = page(client, list, &after, limit).await;
        found.extend(items.iter().map(|item| item[field].as_str().expect("a text").to_owned()));
        let Some(next) = next else { return found };
        assert_eq!(items.len(), limit, "{list} after {after} is cut short");
        after = next;
    }
}

async fn make(shared: &Shared, list: &str, new: Value) -> Value {
    let path = format!("/api/v1/{list}");
    let made = shared.admin.basic(Method::POST, &path).json(&new).answer().await.assert(201);
    if made.body.is_empty() { Value::Null } else { made.json() }
}

async fn user(shared: &Shared) -> String {
    let name = fresh("user");
    make(shared, "users", json!({"name": name, "password": PASSWORD})).await;
    name
}

#[tokio::test]
async fn each_list_is_gone_through_page_by_page_with_nothing_twice_or_left_out() {
    let shared = Shared::alone();
    for _ in 0..5 {
        let name = user(&shared).await;
        make(&shared, "groups", json!({"name": fresh("group")})).await;
        make(&shared, "repositories", json!({"name": format!("team-a/{}", fresh("listed"))})).await;
        make(&shared, "keys", json!({"user": name})).await;
        make(&shared, "keys", json!({})).await;
        let policy = format!("/api/v1/policies/{}", fresh("policy"));
        shared.admin.basic(Method::PUT, &policy).body(DENY).answer().await.assert(204);
    }
    for (list, field, expected) in [
        ("users", "name", 6),
        ("groups", "name", 5),
        ("repositories", "name", 5),
        ("keys", "id", 10),
        ("policies", "name", 8),
    ] {
        let whole = all(&shared.admin, list, 1000, field).await;
        assert_eq!(whole.len(), expected, "{list}: {whole:?}");
        for limit in 1..=expected {
            assert_eq!(all(&shared.admin, list, limit, field).await, whole, "{list} by {limit}");
        }
    }
}

#[tokio::test]
async fn a_page_holds_a_hundred_items_unless_asked_for_more_or_fewer() {
    let shared = Shared::alone();
    for number in 0..101 {
        make(&shared, "groups", json!({"name": format!("group-{number:03}")})).await;
    }
    let answer = shared.admin.get("/api/v1/groups").await.assert(200).json();
    assert_eq!(answer["items"].as_array().map(Vec::len), Some(100));
    assert_eq!(answer["next"], "group-099");
    let (rest, next) = page(&shared.admin, "groups", "group-099", 100).await;
    assert_eq!((rest.len(), next), (1, None));
    let (whole, next) = page(&shared.admin, "groups", "", 1_000_000).await;
    assert_eq!((whole.len(), next), (101, None));
}

#[tokio::test]
async fn a_list_goes_on_after_an_item_that_is_gone() {
    let shared = Shared::alone();
    let name = user(&shared).await;
    for _ in 0..3 {
        make(&shared, "keys", json!({"user": name})).await;
    }
    let whole = all(&shared.admin, "keys", 1000, "id").await;
    let (_, next) = page(&shared.admin, "keys", "", 2).await;
    let path = format!("/api/v1/keys/{}", whole[1]);
    shared.admin.basic(Method::DELETE, &path).answer().await.assert(204);
    let (rest, next) = page(&shared.admin, "keys", &next.expect("a third key"), 2).await;
    assert_eq!((rest[0]["id"].as_str(), rest.len(), next), (Some(whole[2].as_str()), 1, None));
}

#[tokio::test]
async fn whoever_manages_no_users_goes_through_their_own_keys_only() {
    let shared = Shared::new();
    let (name, other) = (user(&shared).await, user(&shared).await);
    let mut own = Vec::new();
    for _ in 0..3 {
        let made = make(&shared, "keys", json!({"user": name})).await;
        own.push(made["id"].as_str().expect("an id").to_owned());
        make(&shared, "keys", json!({"user": other})).await;
    }
    let client = shared.berth.user(&name, PASSWORD);
    assert_eq!(all(&client, "keys", 2, "id").await, own);
}

#[tokio::test]
async fn a_page_that_can_not_be_is_refused() {
    let shared = Shared::new();
    for wrong in [
        "groups?limit=0",
        "groups?limit=-1",
        "groups?limit=x",
        "groups?unknown=1",
        "keys?after=x",
        "keys?after=a:b:c",
    ] {
        let refused = shared.admin.get(&format!("/api/v1/{wrong}")).await.assert(400);
        assert_eq!(refused.header("content-type"), "application/problem+json", "{wrong}");
    }
}
