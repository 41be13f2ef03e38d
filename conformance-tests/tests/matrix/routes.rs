//! Which routes there are: read out of the server's own source text, so that none can be forgotten.

use std::collections::BTreeSet;
use std::path::Path;

/// Where the text of the router lies; nothing of it is compiled in here.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/src");
const METHODS: [&str; 5] = ["get", "head", "post", "put", "patch"];

/// Every method and path that the server's source text gives a router.
pub(crate) fn routes() -> BTreeSet<(String, String)> {
    let mut routes = BTreeSet::new();
    collect(Path::new(SOURCES), &mut routes);
    // A router that is written in another way must not make this test say nothing.
    for known in ["/v2/{repository}/manifests/{reference}", "/token", "/metrics", "/api/v1/users"] {
        let found = |(method, path): &(String, String)| method == "GET" && path == known;
        assert!(routes.iter().any(found), "GET {known} was not found in {SOURCES}");
    }
    routes
}

fn collect(folder: &Path, routes: &mut BTreeSet<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("the server's sources") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            collect(&path, routes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let nested =
                if path.components().any(|part| part.as_os_str() == "management") { "/api/v1" } else { "" };
            let found = in_text(&text).into_iter();
            routes.extend(found.map(|(method, path)| (method, format!("{nested}{path}"))));
        }
    }
}

/// What a source text has of `.route("path", get(…).put(…))` and of `utoipa::path(get, path = "path", …)`.
fn in_text(text: &str) -> Vec<(String, String)> {
    let mut found = described_in(text);
    for call in text.split(".route(").skip(1) {
        let Some((path, rest)) = call.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'))
        else {
            continue;
        };
        let handlers = until_closed(rest);
        let methods = METHODS.iter().chain(&["delete"]);
        let named = |method: &&&str| {
            let call = format!("{method}(");
            handlers.match_indices(&call).any(|(at, _)| !handlers[..at].ends_with(is_word))
        };
        found.extend(methods.filter(named).map(|method| (method.to_uppercase(), path.to_owned())));
    }
    found
}

/// The handlers that are routed by what is written above them.
fn described_in(text: &str) -> Vec<(String, String)> {
    let described = |above: &str| {
        let (method, rest) = above.trim_start().split_once(',')?;
        let (path, _) = rest.trim_start().strip_prefix("path = \"")?.split_once('"')?;
        Some((method.to_uppercase(), path.to_owned()))
    };
    text.split("#[utoipa::path(").skip(1).filter_map(described).collect()
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The text up to the parenthesis that closes one that is open.
fn until_closed(text: &str) -> &str {
    let mut open = 1;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return &text[..at];
        }
    }
    text
}

#[test]
fn routes_are_found_where_they_are_described() {
    let text = r#"
        #[utoipa::path(
            put, path = "/a/{name}/b", operation_id = "c",
        )]
        pub(crate) async fn put()"#;
    assert_eq!(in_text(text), [("PUT".to_owned(), "/a/{name}/b".to_owned())]);
}

#[test]
fn routes_are_found_however_their_calls_are_broken_into_lines() {
    let text = r#"
        .route("/a", get(a::list).post(a::add))
        .route(
            "/a/{name}",
            axum::routing::delete(a::remove).patch(a::get_more),
        )
        .layer(x)"#;
    let expected = [("GET", "/a"), ("POST", "/a"), ("PATCH", "/a/{name}"), ("DELETE", "/a/{name}")];
    let expected = expected.map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(in_text(text), expected);
}
