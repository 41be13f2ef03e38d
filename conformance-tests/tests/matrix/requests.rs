//! The request that a cell stands for.

use conformance_tests::Client;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::answers::Cell;
use crate::callers::Shown;
use crate::fixtures::{Fixture, PASSWORD, api_path, document, loose, manifest};

/// What this cell's caller sends, showing `shown`.
pub(crate) fn request(anonymous: &Client, cell: &Cell, fixture: &Fixture, shown: &Shown) -> RequestBuilder {
    let path = path(&cell.row.path, fixture, &cell.query(fixture));
    let request = anonymous.request(cell.method.clone(), &path);
    let request = with_body(request, cell, fixture, shown);
    match shown {
        Shown::Nothing => request,
        Shown::Login(user, password) => request.basic_auth(user, Some(password)),
        Shown::Token(token) => request.bearer_auth(token),
    }
}

/// A path of the router with its parameters filled in.
pub(crate) fn path(template: &str, fixture: &Fixture, query: &str) -> String {
    let Fixture { repository, session, key, name } = fixture;
    let digest = if template.contains("/referrers/") { manifest().digest } else { loose().digest };
    let path = match template.strip_prefix("/api/v1/repositories/{name}") {
        Some(rest) => api_path(repository, &rest.replace("{reference}", "v1").replace("{tag}", "v1")),
        None => template
            .replace("{repository}", repository)
            .replace("{reference}", "v1")
            .replace("{digest}", &digest)
            .replace("{session}", session)
            .replace("{id}", key)
            .replace("{name}", name)
            .replace("{user}", name)
            .replace("{scope}", &format!("{name}%2F")),
    };
    assert!(!path.contains('{'), "{template}: the matrix has nothing for a parameter of this path");
    format!("{path}{query}")
}

impl Cell {
    /// The query that makes the request one that succeeds, where it needs one.
    fn query(&self, fixture: &Fixture) -> String {
        match (&*self.row.method, &*self.row.path) {
            ("PUT", "/v2/{repository}/blobs/uploads/{session}") => format!("?digest={}", loose().digest),
            ("DELETE", "/api/v1/repositories/{name}") => "?force=true".to_owned(),
            ("GET", "/api/v1/explain") => {
                format!("?user=reader&action=ecr:PutImage&repository={}", fixture.repository)
            }
            ("GET", "/token") => format!("?service=berth&scope=repository:{}:pull", fixture.repository),
            _ => String::new(),
        }
    }
}

/// The body that makes the request one that succeeds; none where none is needed.
fn with_body(request: RequestBuilder, cell: &Cell, fixture: &Fixture, shown: &Shown) -> RequestBuilder {
    let name = &fixture.name;
    let attached = |prefix: &str| json!({"policy": "reader", "prefix": prefix});
    match (&*cell.row.method, &*cell.row.path) {
        ("PUT", "/v2/{repository}/manifests/{reference}") => {
            let manifest = manifest();
            request.header("content-type", manifest.media_type).body(manifest.bytes)
        }
        ("PATCH" | "PUT", "/v2/{repository}/blobs/uploads/{session}") => request.body(loose().bytes),
        ("POST", "/token") => request.form(&login(shown)),
        ("POST", "/api/v1/users") => request.json(&json!({"name": name, "password": PASSWORD})),
        ("PUT", "/api/v1/users/{name}/password") => request.json(&json!({"password": PASSWORD})),
        ("POST", "/api/v1/users/{name}/policies" | "/api/v1/groups/{name}/policies") => {
            request.json(&attached("new/"))
        }
        ("DELETE", "/api/v1/users/{name}/policies" | "/api/v1/groups/{name}/policies") => {
            request.json(&attached("attached/"))
        }
        ("POST", "/api/v1/groups") => request.json(&json!({"name": name})),
        ("PUT", "/api/v1/policies/{name}") => request.json(&document()),
        ("POST", "/api/v1/keys") if cell.row.of == "someone" => request.json(&json!({"user": "owner"})),
        ("POST", "/api/v1/keys") => request.json(&json!({})),
        ("POST", "/api/v1/repositories") => request.json(&json!({"name": format!("made/{}", cell.number)})),
        ("PUT", "/api/v1/repositories/{name}/policy") => request.json(&json!({"Version": "2012-10-17",
            "Statement": {"Effect": "Deny", "Principal": "*", "Action": "ecr:DeleteRepository"}})),
        ("PUT", "/api/v1/repositories/{name}/untagged") => request.json(&json!({"keep": "14d"})),
        ("PUT", "/api/v1/retention/{scope}") | ("POST", "/api/v1/repositories/{name}/expiring") => request
            .json(&json!({"rules": [{"rulePriority": 1, "action": {"type": "expire"}, "selection": {
                "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1000}}]})),
        _ => request,
    }
}

/// The form of an OAuth2 client: a login, or a token where a refresh token belongs.
fn login(shown: &Shown) -> Vec<(&'static str, String)> {
    match shown {
        Shown::Nothing => vec![("grant_type", "password".to_owned())],
        Shown::Login(user, password) => vec![
            ("grant_type", "password".to_owned()),
            ("username", user.clone()),
            ("password", password.clone()),
        ],
        Shown::Token(token) => {
            vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", token.clone())]
        }
    }
}

/// Every method that a client may think of.
pub(crate) const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
