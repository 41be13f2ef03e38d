//! What the management API says of itself, and whether it keeps to that.

use std::collections::BTreeSet;

use conformance_tests::client::Ask;
use oas3::Spec;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Shared, fresh};

const PATH: &str = "/api/v1/openapi.json";

async fn document(shared: &Shared) -> Spec {
    oas3::from_json(shared.admin.get(PATH).await.assert(200).text()).expect("an OpenAPI 3.1 document")
}

#[tokio::test]
async fn the_document_names_each_operation_once_and_says_how_it_is_refused() {
    let shared = Shared::new();
    let document = document(&shared).await;
    assert_eq!(document.validate_version().expect("a version").minor, 1);
    assert_eq!(document.primary_server().expect("a server").url, "/api/v1");
    let mut names = BTreeSet::new();
    for (path, method, operation) in document.operations() {
        let name = operation.operation_id.clone().expect("an operationId");
        assert!(names.insert(name.clone()), "{method} {path} is called {name}, as another one is");
        assert!(operation.summary.is_some(), "{name} has no summary");
        let responses = operation.responses(&document);
        for status in ["401", "403", "429", "500", "507"] {
            assert!(responses.contains_key(status), "{name} lacks {status}");
        }
        for (status, response) in responses.iter().filter(|(status, _)| !status.starts_with('2')) {
            let types: Vec<_> = response.content.keys().collect();
            assert_eq!(types, ["application/problem+json"], "{name} {status}");
        }
        for parameter in path.split('{').skip(1).map(|rest| rest.split('}').next().expect("a name")) {
            let described = operation.parameter(parameter, &document).expect("its parameters");
            assert!(described.is_some(), "{name} does not say what {parameter} is");
        }
    }
    assert!(names.contains("list_users") && names.contains("show_openapi"), "{names:?}");
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    let shared = Shared::new();
    let document = shared.admin.get(PATH).await.assert(200).json();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.contains("#/components/schemas/User"), "{references:?}");
    for reference in references {
        let found = document.pointer(reference.trim_start_matches('#'));
        assert!(found.is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn each_path_takes_the_methods_that_the_document_says_and_no_others() {
    let shared = Shared::new();
    for (path, item) in document(&shared).await.paths.expect("paths") {
        let mut documented: BTreeSet<String> =
            item.methods().into_iter().map(|(method, _)| method.to_string()).collect();
        // Whoever answers GET answers HEAD (RFC 9110, section 9.3.2).
        if documented.contains("GET") {
            documented.insert("HEAD".to_owned());
        }
        let words: Vec<&str> =
            path.split('/').map(|word| if word.starts_with('{') { "x" } else { word }).collect();
        let request = shared.admin.basic(Method::PATCH, &format!("/api/v1{}", words.join("/")));
        let refused = request.answer().await.assert(405);
        let allowed: BTreeSet<String> =
            refused.header("allow").split(',').map(|method| method.trim().to_owned()).collect();
        assert_eq!(allowed, documented, "{path}");
    }
}

#[tokio::test]
async fn whoever_is_logged_in_reads_the_document_and_nobody_else() {
    let shared = Shared::new();
    let name = fresh("reader");
    let new = json!({"name": name, "password": "a password for reading"});
    shared.admin.basic(Method::POST, "/api/v1/users").json(&new).answer().await.assert(201);
    shared.berth.user(&name, "a password for reading").get(PATH).await.assert(200);
    let refused = shared.berth.anonymous().request(Method::GET, PATH).answer().await.assert(401);
    assert_eq!(refused.header("content-type"), "application/problem+json");
}
