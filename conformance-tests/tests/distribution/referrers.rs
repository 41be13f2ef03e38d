//! Referrers: what names a manifest as its subject.

use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, Manifest, media_type};
use conformance_tests::{Answer, Repository};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Shared;

async fn subject(repository: &Repository<'_>, seed: u64) -> Manifest {
    repository.push_blob(&Blob::new("{}")).await;
    repository.push_image("subject", &Blob::random(seed, 10)).await
}

fn entries(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.header("content-type"), media_type::INDEX);
    let index = answer.json();
    assert_eq!((&index["schemaVersion"], &index["mediaType"]), (&json!(2), &json!(media_type::INDEX)));
    index["manifests"].as_array().expect("a list").clone()
}

fn digests(answer: &Answer) -> Vec<String> {
    let digest = |entry: &Value| entry["digest"].as_str().expect("a digest").to_owned();
    entries(answer).iter().map(digest).collect()
}

#[tokio::test]
async fn a_manifest_with_a_subject_is_acknowledged_and_listed() {
    let shared = Shared::new();
    let repository = shared.repository("referrers").await;
    let subject = subject(&repository, 80).await;
    let mut referrer = Manifest::referrer(&subject, "application/x.signature").json();
    referrer["annotations"] = json!({"who": "me"});
    let referrer = Manifest::new(&referrer);
    let answer = repository.push_manifest(&referrer.digest, &referrer).await;
    assert_eq!(answer.header("oci-subject"), subject.digest);
    let answer = repository.get(&format!("/referrers/{}", subject.digest)).await.assert(200);
    assert_eq!(answer.find_header("oci-filters-applied"), None);
    let expected = json!({
        "mediaType": media_type::IMAGE,
        "digest": referrer.digest,
        "size": referrer.bytes.len(),
        "artifactType": "application/x.signature",
        "annotations": {"who": "me"},
    });
    assert_eq!(entries(&answer), [expected]);
}

#[tokio::test]
async fn a_manifest_without_a_subject_is_not_acknowledged_as_if_it_had_one() {
    let shared = Shared::new();
    let repository = shared.repository("referrers").await;
    let image = repository.push_image("v1", &Blob::random(81, 10)).await;
    let answer = repository.push_manifest("v2", &image).await;
    assert_eq!(answer.find_header("oci-subject"), None);
}

#[tokio::test]
async fn a_subject_need_not_exist_yet() {
    let shared = Shared::new();
    let repository = shared.repository("referrers").await;
    repository.push_blob(&Blob::new("{}")).await;
    let (config, layer) = (Blob::config(), Blob::random(82, 10));
    let subject = Manifest::image(&config, &[&layer]);
    let referrer = Manifest::referrer(&subject, "application/x.signature");
    let answer = repository.push_manifest(&referrer.digest, &referrer).await;
    assert_eq!(answer.header("oci-subject"), subject.digest);
    let path = format!("/referrers/{}", subject.digest);
    assert_eq!(digests(&repository.get(&path).await.assert(200)), [referrer.digest.as_str()]);
    repository.push_image("subject", &layer).await;
    assert_eq!(digests(&repository.get(&path).await.assert(200)), [referrer.digest]);
}

#[tokio::test]
async fn the_list_is_empty_where_nothing_refers_even_in_an_unknown_repository() {
    let shared = Shared::new();
    let repository = shared.repository("nobody-pushed").await;
    let digest = Blob::new("anything").digest;
    let answer = repository.get(&format!("/referrers/{digest}")).await.assert(200);
    assert!(entries(&answer).is_empty());
}

#[tokio::test]
async fn a_malformed_digest_is_refused() {
    let shared = Shared::new();
    let repository = shared.repository("referrers").await;
    for digest in ["sha256:0", "sha256", "latest", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
        repository.get(&format!("/referrers/{digest}")).await.assert_error(400, "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn a_filter_by_artifact_type_is_applied_and_said_so() {
    let shared = Shared::new();
    let repository = shared.repository("referrers").await;
    let subject = subject(&repository, 83).await;
    let signature = Manifest::referrer(&subject, "application/x.signature+json");
    let bill = Manifest::referrer(&subject, "application/x.sbom");
    repository.push_manifest(&signature.digest, &signature).await;
    repository.push_manifest(&bill.digest, &bill).await;
    let path = format!("/referrers/{}", subject.digest);
    let ask = |kind: &str| repository.request(Method::GET, &path).query(&[("artifactType", kind)]).answer();
    let answer = ask("application/x.signature+json").await.assert(200);
    assert_eq!(answer.header("oci-filters-applied"), "artifactType");
    assert_eq!(digests(&answer), [signature.digest]);
    let none = ask("application/x.other").await.assert(200);
    assert_eq!(none.header("oci-filters-applied"), "artifactType");
    assert!(entries(&none).is_empty());
}

#[tokio::test]
async fn an_image_without_an_artifact_type_is_listed_by_its_configs() {
    let shared = Shared::new();
    let repository = shared.repository("referrers").await;
    let subject = subject(&repository, 84).await;
    let (config, layer) = (Blob::config(), Blob::random(85, 10));
    repository.push_blob(&layer).await;
    let mut image = Manifest::image_json(&config, &[&layer]);
    image["subject"] = subject.descriptor();
    let image = Manifest::new(&image);
    repository.push_manifest(&image.digest, &image).await;
    let answer = repository.get(&format!("/referrers/{}", subject.digest)).await.assert(200);
    assert_eq!(entries(&answer)[0]["artifactType"], media_type::CONFIG);
}

#[tokio::test]
async fn an_index_is_listed_by_its_own_artifact_type_or_by_none() {
    let shared = Shared::new();
    let repository = shared.repository("referrers").await;
    let subject = subject(&repository, 86).await;
    let plain = json!({
        "schemaVersion": 2,
        "mediaType": media_type::INDEX,
        "manifests": [],
        "subject": subject.descriptor(),
    });
    let mut typed = plain.clone();
    typed["artifactType"] = json!("application/x.set");
    let (plain, typed) = (Manifest::new(&plain), Manifest::new(&typed));
    repository.push_manifest(&plain.digest, &plain).await;
    repository.push_manifest(&typed.digest, &typed).await;
    let answer = repository.get(&format!("/referrers/{}", subject.digest)).await.assert(200);
    let entries = entries(&answer);
    let of = |manifest: &Manifest| entries.iter().find(|entry| entry["digest"] == manifest.digest).unwrap();
    assert_eq!(of(&typed)["artifactType"], "application/x.set");
    assert_eq!(of(&plain).get("artifactType"), None);
}

#[tokio::test]
async fn the_list_comes_in_pages() {
    let shared = Shared::new();
    let repository = shared.repository("referrers").await;
    let subject = subject(&repository, 87).await;
    let mut pushed = Vec::new();
    for number in 0..5 {
        let referrer = Manifest::referrer(&subject, &format!("application/x.number-{number}"));
        repository.push_manifest(&referrer.digest, &referrer).await;
        pushed.push(referrer.digest);
    }
    pushed.sort();
    let (mut seen, mut pages) = (Vec::new(), 0);
    let mut next = Some(format!("/v2/{}/referrers/{}?n=2", repository.name(), subject.digest));
    while let Some(path) = next {
        let answer = repository.get(&path).await.assert(200);
        seen.extend(digests(&answer));
        pages += 1;
        next = answer.find_header("link").map(|link| {
            let (path, rel) = link.split_once('>').unwrap();
            assert_eq!(rel, "; rel=\"next\"");
            path.trim_start_matches('<').to_owned()
        });
    }
    assert_eq!((seen, pages), (pushed, 3));
}

#[tokio::test]
async fn pages_keep_the_filter() {
    let shared = Shared::new();
    let repository = shared.repository("referrers").await;
    let subject = subject(&repository, 88).await;
    for number in 0..3 {
        let mut referrer = Manifest::referrer(&subject, "application/x.a+b").json();
        referrer["annotations"] = json!({"number": number.to_string()});
        let referrer = Manifest::new(&referrer);
        repository.push_manifest(&referrer.digest, &referrer).await;
        let other = Manifest::referrer(&subject, &format!("application/x.other-{number}"));
        repository.push_manifest(&other.digest, &other).await;
    }
    let mut found = 0;
    let mut next = Some(format!(
        "/v2/{}/referrers/{}?n=1&artifactType=application/x.a%2Bb",
        repository.name(),
        subject.digest
    ));
    while let Some(path) = next {
        let answer = repository.get(&path).await.assert(200);
        assert_eq!(answer.header("oci-filters-applied"), "artifactType");
        for entry in entries(&answer) {
            assert_eq!(entry["artifactType"], "application/x.a+b");
            found += 1;
        }
        let link = answer.find_header("link").map(|link| link.split_once('>').unwrap().0.to_owned());
        next = link.map(|link| link.trim_start_matches('<').to_owned());
    }
    assert_eq!(found, 3);
}

#[tokio::test]
async fn what_was_listed_under_the_fallback_tag_is_included_once() {
    let shared = Shared::new();
    let repository = shared.repository("referrers").await;
    let subject = subject(&repository, 89).await;
    // An old client's: it has no subject field that this registry could read, only the tag's list names it.
    let old = repository.push_image("old", &Blob::random(90, 10)).await;
    let new = Manifest::referrer(&subject, "application/x.signature");
    repository.push_manifest(&new.digest, &new).await;
    let mut listed = old.descriptor();
    listed["artifactType"] = json!("application/x.old");
    let list = Manifest::new(&json!({
        "schemaVersion": 2,
        "mediaType": media_type::INDEX,
        "manifests": [listed, new.descriptor()],
    }));
    repository.push_manifest(&subject.digest.replace(':', "-"), &list).await;
    let answer = repository.get(&format!("/referrers/{}", subject.digest)).await.assert(200);
    let mut both = [old.digest.clone(), new.digest];
    both.sort();
    assert_eq!(digests(&answer), both);
    let path = format!("/referrers/{}?artifactType=application/x.old", subject.digest);
    assert_eq!(digests(&repository.get(&path).await.assert(200)), [old.digest]);
}

#[tokio::test]
async fn a_deleted_referrer_is_not_listed() {
    let shared = Shared::new();
    let repository = shared.repository("referrers").await;
    let subject = subject(&repository, 91).await;
    let referrer = Manifest::referrer(&subject, "application/x.signature");
    repository.push_manifest(&referrer.digest, &referrer).await;
    repository.delete(&format!("/manifests/{}", referrer.digest)).await.assert(202);
    let answer = repository.get(&format!("/referrers/{}", subject.digest)).await.assert(200);
    assert!(entries(&answer).is_empty());
}
