//! Lists: tags, the catalog, and what else there is.

use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::{Answer, Berth, Repository};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Shared;

const SORTED: [&str; 6] = ["1.0", "10", "A", "_x", "a", "b-c"];

/// A repository with six tags, pushed in another order than they are listed in.
async fn tagged(repository: &Repository<'_>, seed: u64) {
    let image = repository.push_image("a", &Blob::random(seed, 10)).await;
    for tag in ["b-c", "1.0", "_x", "10", "A"] {
        repository.push_manifest(tag, &image).await;
    }
}

fn next(answer: &Answer) -> Option<String> {
    let link = answer.find_header("link")?;
    let (path, rel) = link.split_once('>').expect("a link in angle brackets");
    assert_eq!(rel, "; rel=\"next\"");
    Some(path.strip_prefix('<').expect("a link in angle brackets").to_owned())
}

#[tokio::test]
async fn tags_are_listed_in_ascii_order() {
    let shared = Shared::new();
    let repository = shared.repository("tags").await;
    tagged(&repository, 100).await;
    let answer = repository.get("/tags/list").await.assert(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), json!({"name": repository.name(), "tags": SORTED}));
    assert_eq!(next(&answer), None);
}

#[tokio::test]
async fn tags_come_in_pages_of_n() {
    let shared = Shared::new();
    let repository = shared.repository("tags").await;
    tagged(&repository, 101).await;
    let mut seen: Vec<Value> = Vec::new();
    let mut path = Some(format!("/v2/{}/tags/list?n=4", repository.name()));
    let mut sizes = Vec::new();
    while let Some(page) = path {
        let answer = repository.get(&page).await.assert(200);
        let tags = answer.json()["tags"].as_array().unwrap().clone();
        sizes.push(tags.len());
        seen.extend(tags);
        path = next(&answer);
    }
    assert_eq!(sizes, [4, 2]);
    assert_eq!(seen, SORTED);
}

#[tokio::test]
async fn a_last_page_that_is_full_has_no_link() {
    let shared = Shared::new();
    let repository = shared.repository("tags").await;
    tagged(&repository, 102).await;
    let answer = repository.get("/tags/list?n=6").await.assert(200);
    assert_eq!((answer.json()["tags"].clone(), next(&answer)), (json!(SORTED), None));
}

#[tokio::test]
async fn last_is_exclusive_needs_no_n_and_need_not_exist() {
    let shared = Shared::new();
    let repository = shared.repository("tags").await;
    tagged(&repository, 103).await;
    for (query, expected) in
        [("last=A", &SORTED[3..]), ("last=B", &SORTED[3..]), ("n=1&last=A", &SORTED[3..4]), ("last=zzz", &[])]
    {
        let answer = repository.get(&format!("/tags/list?{query}")).await.assert(200);
        assert_eq!(answer.json()["tags"], json!(expected), "{query}");
    }
}

#[tokio::test]
async fn a_page_of_none_is_empty_and_has_no_link() {
    let shared = Shared::new();
    let repository = shared.repository("tags").await;
    tagged(&repository, 104).await;
    let answer = repository.get("/tags/list?n=0").await.assert(200);
    assert_eq!((answer.json()["tags"].clone(), next(&answer)), (json!([]), None));
}

#[tokio::test]
async fn more_than_there_is_may_be_asked_for() {
    let shared = Shared::new();
    let repository = shared.repository("tags").await;
    tagged(&repository, 105).await;
    for n in ["1000000000000", "99999999999999999999999999"] {
        let answer = repository.get(&format!("/tags/list?n={n}")).await.assert(200);
        assert_eq!(answer.json()["tags"], json!(SORTED));
    }
}

#[tokio::test]
async fn a_number_that_is_none_is_refused() {
    let shared = Shared::new();
    let repository = shared.repository("tags").await;
    tagged(&repository, 106).await;
    for n in ["-1", "x", "", "1.5"] {
        repository.get(&format!("/tags/list?n={n}")).await.assert_error(400, "UNSUPPORTED");
    }
}

#[tokio::test]
async fn the_tags_of_a_repository_without_any_are_an_empty_list() {
    let shared = Shared::new();
    let repository = shared.repository("tags").await;
    repository.push_blob(&Blob::random(107, 10)).await;
    assert_eq!(repository.get("/tags/list").await.assert(200).json()["tags"], json!([]));
}

#[tokio::test]
async fn the_catalog_lists_repositories_in_pages() {
    let berth = Berth::start();
    let admin = berth.admin();
    assert_eq!(admin.get("/v2/_catalog").await.assert(200).json(), json!({"repositories": []}));
    let names = ["a", "a/b", "b", "c-d", "e"];
    for name in names {
        admin.repository(name).await.push_blob(&Blob::new("x")).await;
    }
    assert_eq!(admin.get("/v2/_catalog").await.assert(200).json(), json!({"repositories": names}));
    let first = admin.get("/v2/_catalog?n=2").await.assert(200);
    assert_eq!(first.json()["repositories"], json!(["a", "a/b"]));
    let second = admin.get(&next(&first).unwrap()).await.assert(200);
    assert_eq!(second.json()["repositories"], json!(["b", "c-d"]));
    let third = admin.get(&next(&second).unwrap()).await.assert(200);
    assert_eq!((third.json()["repositories"].clone(), next(&third)), (json!(["e"]), None));
    assert_eq!(
        admin.get("/v2/_catalog?last=b").await.assert(200).json()["repositories"],
        json!(["c-d", "e"])
    );
    assert_eq!(admin.get("/v2/_catalog?n=0").await.assert(200).json()["repositories"], json!([]));
}

#[tokio::test]
async fn extensions_are_discovered_for_the_registry_and_for_a_repository() {
    let shared = Shared::new();
    let repository = shared.repository("discover").await;
    repository.push_blob(&Blob::random(108, 10)).await;
    let registry = shared.admin.get("/v2/_oci/ext/discover").await.assert(200);
    let here = repository.get("/_oci/ext/discover").await.assert(200);
    for answer in [registry, here] {
        assert_eq!(answer.header("content-type"), "application/json");
        let name = answer.json()["extensions"][0]["name"].clone();
        assert_eq!(name, "_catalog");
    }
}

#[tokio::test]
async fn a_repository_may_be_called_like_a_word_of_the_specification() {
    let shared = Shared::new();
    for name in ["a/manifests/b", "a/blobs/uploads", "a/tags/list", "manifests", "v2/blobs"] {
        let repository = shared.admin.repository(name).await;
        let blob = Blob::random(109, 10);
        let image = repository.push_image("list", &blob).await;
        assert_eq!(repository.get("/manifests/list").await.assert(200).body, image.bytes, "{name}");
        assert_eq!(repository.get("/tags/list").await.assert(200).json()["name"], name);
        let encoded = format!("/v2/{}/blobs/{}", name.replace('/', "%2F"), blob.digest.replace(':', "%3A"));
        let answer = repository.request(Method::GET, &encoded).answer().await.assert(200);
        assert_eq!(answer.body, blob.bytes, "{encoded}");
    }
}
