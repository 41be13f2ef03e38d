//! What a cell asks about, made before anybody asks: whatever a cell changes is its own, so that no cell
//! changes what another one is answered.

use conformance_tests::Client;
use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, Manifest};
use reqwest::Method;
use serde_json::json;

use crate::answers::Cell;
use crate::table::{Row, names_a_repository};

/// A password that every user here has.
pub(crate) const PASSWORD: &str = "a password of the matrix";
/// A session that there never was.
const NO_SESSION: &str = "4fd4ba42-fe45-41a1-9b9f-1a1f1c8f9f31";
const NO_KEY: &str = "BK23456789ABCDEFGHJK";

/// What there is for one cell.
#[derive(Clone)]
pub(crate) struct Fixture {
    /// The repository's name, whether there is one or not.
    pub(crate) repository: String,
    /// An upload session of the repository.
    pub(crate) session: String,
    /// An access key's id.
    pub(crate) key: String,
    /// A user, a group or a policy.
    pub(crate) name: String,
}

/// A blob that no manifest names.
pub(crate) fn loose() -> Blob {
    Blob::new("a blob that no manifest names")
}

/// The manifest behind the tag `v1`. It names nothing, so any repository takes it.
pub(crate) fn manifest() -> Manifest {
    Manifest::index(&[])
}

/// A path of the management API about a repository.
pub(crate) fn api_path(repository: &str, rest: &str) -> String {
    format!("/api/v1/repositories/{}{rest}", repository.replace('/', "%2F"))
}

/// The words for what `cell` asks about, whether there is anything of the kind or not.
pub(crate) fn named(cell: &Cell) -> Fixture {
    Fixture {
        repository: repository(cell.row, cell.number),
        session: NO_SESSION.to_owned(),
        key: NO_KEY.to_owned(),
        name: format!("target-{}", cell.number),
    }
}

/// Makes what `cell` asks about.
pub(crate) async fn make(admin: &Client, cell: &Cell) -> Fixture {
    let mut fixture = named(cell);
    if names_a_repository(&cell.row.path) && matches!(&*cell.row.of, "own" | "other" | "public") {
        fixture.session = push(admin, &fixture.repository).await;
        if cell.row.of == "public" {
            change(admin, Method::PUT, &api_path(&fixture.repository, "/public"), &json!(null)).await;
        }
    }
    make_named(admin, &cell.row.path, &fixture.name).await;
    if cell.row.path == "/api/v1/keys/{id}" {
        let user = if cell.row.of == "caller" { cell.caller.user() } else { "owner" };
        let made = admin.basic(Method::POST, "/api/v1/keys").json(&json!({"user": user})).answer().await;
        fixture.key = made.assert(201).json()["id"].as_str().expect("an id").to_owned();
    }
    fixture
}

/// As long for each kind and number, so that answers may be compared.
fn repository(row: &Row, number: usize) -> String {
    let folder = match &*row.of {
        "other" | "elsewhere" => "team-b",
        "public" => "public",
        _ => "team-a",
    };
    // Cells that only read share a number, and nothing is to be where nothing is looked for.
    let start = if matches!(&*row.of, "absent" | "elsewhere") { "none" } else { "here" };
    format!("{folder}/{start}-{number:05}")
}

/// A repository with a blob, a manifest and an open session; gives the session.
async fn push(admin: &Client, name: &str) -> String {
    let uploads = format!("/v2/{name}/blobs/uploads/");
    let (blob, manifest) = (loose(), manifest());
    let push = admin.basic(Method::POST, &format!("{uploads}?digest={}", blob.digest));
    push.body(blob.bytes).answer().await.assert(201);
    let push = admin.basic(Method::PUT, &format!("/v2/{name}/manifests/v1"));
    push.header("content-type", manifest.media_type).body(manifest.bytes).answer().await.assert(201);
    let begun = admin.basic(Method::POST, &uploads).answer().await.assert(202);
    begun.header("docker-upload-uuid").to_owned()
}

/// The user, group or policy of this name, if the path speaks of one.
async fn make_named(admin: &Client, path: &str, name: &str) {
    let reader = json!({"policy": "reader", "prefix": "attached/"});
    if path.starts_with("/api/v1/users/{name}") || path.contains("/members/") {
        let user = json!({"name": name, "password": PASSWORD, "policies": [reader]});
        change(admin, Method::POST, "/api/v1/users", &user).await;
    }
    if path.starts_with("/api/v1/groups/{name}") {
        change(admin, Method::POST, "/api/v1/groups", &json!({"name": name})).await;
        change(admin, Method::POST, &format!("/api/v1/groups/{name}/policies"), &reader).await;
    }
    if path.contains("/members/") {
        let path = format!("/api/v1/groups/{name}/members/{name}");
        change(admin, Method::PUT, &path, &json!(null)).await;
    }
    if path.starts_with("/api/v1/policies/{name}") {
        change(admin, Method::PUT, &format!("/api/v1/policies/{name}"), &document()).await;
    }
}

/// A policy document that is right and allows nothing of importance.
pub(crate) fn document() -> serde_json::Value {
    json!({"Version": "2012-10-17",
        "Statement": {"Effect": "Deny", "Action": "ecr:ListImages", "Resource": "*"}})
}

async fn change(admin: &Client, method: Method, path: &str, body: &serde_json::Value) {
    let answer = admin.basic(method, path).json(body).answer().await;
    assert!(answer.status.is_success(), "{answer}");
}
