//! Requests that follow no specification: each is refused by its own code, and nothing is lost.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, Manifest, media_type};
use conformance_tests::{ADMIN_PASSWORD, Answer, Repository};
use futures_util::stream;
use reqwest::{Body, Method};
use serde_json::json;

use crate::support::{Shared, raw, raw_cut_off};

const MANIFEST_LIMIT: usize = 4 << 20;

/// The administrator's request as bytes, up to its body; the server is to close after it.
fn request(method: &str, path: &str, headers: &str) -> String {
    let basic = STANDARD.encode(format!("admin:{ADMIN_PASSWORD}"));
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {basic}\r\n{headers}\r\n"
    )
}

/// Fails unless this raw answer is a refusal of this status and code.
#[track_caller]
fn refused(answer: &str, status: u16, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
}

async fn put(repository: &Repository<'_>, content_type: &str, bytes: impl Into<Bytes>) -> Answer {
    let manifest =
        Manifest { bytes: bytes.into(), digest: String::new(), media_type: content_type.to_owned() };
    repository.put_manifest("v1", &manifest).await
}

#[tokio::test]
async fn a_blob_with_a_wrong_digest_is_refused_in_every_form() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let wrong = Blob::new("something else").digest;
    let post = repository.request(Method::POST, &format!("/blobs/uploads/?digest={wrong}")).body("content");
    post.answer().await.assert_error(400, "DIGEST_INVALID");
    let session = repository.open_upload().await;
    repository.finish(&session, &wrong, "content").await.assert_error(400, "DIGEST_INVALID");
    let session = repository.open_upload().await;
    repository.patch(&session, 0, b"content").await.assert(202);
    repository.finish(&session, &wrong, "").await.assert_error(400, "DIGEST_INVALID");
    repository.get(&format!("/blobs/{wrong}")).await.assert_error(404, "BLOB_UNKNOWN");
    repository.finish(&session, &Blob::new("content").digest, "").await.assert(201);
}

#[tokio::test]
async fn a_malformed_or_missing_digest_is_refused() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let session = repository.open_upload().await;
    let upper = Blob::new("x").digest.to_uppercase();
    for digest in
        ["", "sha256", "sha256:", "sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e", ":", "../..", &upper]
    {
        repository.finish(&session, digest, "x").await.assert_error(400, "DIGEST_INVALID");
        repository
            .get(&format!("/blobs/{}", digest.replace('/', "%2F")))
            .await
            .assert(if digest == "../.." { 404 } else { 400 });
    }
    repository.request(Method::PUT, &session).body("x").answer().await.assert_error(400, "DIGEST_INVALID");
    repository.finish(&session, &Blob::new("x").digest, "x").await.assert(201);
}

#[tokio::test]
async fn a_body_that_breaks_off_makes_no_blob() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let digest = Blob::new("0123456789").digest;
    let session = repository.open_upload().await;
    let path = format!("{session}?digest={digest}");
    let head = request("PUT", &path, "Content-Length: 15\r\n");
    let answer = raw_cut_off(&shared.berth, format!("{head}0123456789").as_bytes());
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    let path = format!("/v2/{}/blobs/uploads/?digest={digest}", repository.name());
    let head = request("POST", &path, "Transfer-Encoding: chunked\r\n");
    let answer = raw_cut_off(&shared.berth, format!("{head}a\r\n0123456789\r\n").as_bytes());
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    repository.get(&format!("/blobs/{digest}")).await.assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_manifest_that_breaks_off_is_not_kept() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let image = repository.push_image("whole", &Blob::random(130, 10)).await;
    let path = format!("/v2/{}/manifests/v1", repository.name());
    let length = image.bytes.len() + 1;
    let head =
        request("PUT", &path, &format!("Content-Length: {length}\r\nContent-Type: {}\r\n", image.media_type));
    let answer = raw_cut_off(&shared.berth, &[head.as_bytes(), &image.bytes].concat());
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    repository.get("/manifests/v1").await.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_its_range_changes_nothing() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let session = repository.open_upload().await;
    repository.patch(&session, 0, b"01234").await.assert(202);
    for range in ["5-8", "5-10"] {
        // With a length, and without one.
        for body in [Body::from("56789"), Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>("56789")]))]
        {
            let patch = repository.request(Method::PATCH, &session).header("content-range", range).body(body);
            patch.answer().await.assert_error(400, "SIZE_INVALID");
            assert_eq!(repository.get(&session).await.assert(204).header("range"), "0-4");
        }
    }
    repository.patch(&session, 5, b"56789").await.assert(202);
    repository.finish(&session, &Blob::new("0123456789").digest, "").await.assert(201);
}

#[tokio::test]
async fn a_malformed_range_of_a_chunk_changes_nothing() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let session = repository.open_upload().await;
    for range in ["", "-", "5", "9-5", "a-b", "-1-5", "0-18446744073709551615", "0-4,5-9"] {
        let patch = repository.request(Method::PATCH, &session).header("content-range", range).body("01234");
        patch.answer().await.assert_error(416, "BLOB_UPLOAD_INVALID");
    }
    assert_eq!(repository.get(&session).await.assert(204).header("range"), "0-0");
    repository.finish(&session, &Blob::new("01234").digest, "01234").await.assert(201);
}

#[tokio::test]
async fn the_longest_names_and_tags_are_taken() {
    let shared = Shared::new();
    let name = "n".repeat(255);
    let repository = shared.admin.repository(&name).await;
    let tag = "t".repeat(128);
    let image = repository.push_image(&tag, &Blob::random(131, 10)).await;
    assert_eq!(repository.get(&format!("/manifests/{tag}")).await.assert(200).body, image.bytes);
    assert_eq!(repository.get("/tags/list").await.assert(200).json(), json!({"name": name, "tags": [tag]}));
}

#[tokio::test]
async fn a_malformed_name_is_refused() {
    let shared = Shared::new();
    let too_long = "n".repeat(256);
    for name in [
        "UPPER",
        "a/B",
        "a//b",
        "/a",
        "a/",
        "-a",
        "a-",
        "a..b",
        "a___b",
        "..",
        ".",
        "a/../b",
        "%2e%2e",
        "a%2F..%2Fb",
        "%2e%2e%2f%2e%2e%2fetc",
        "a%00b",
        "a%20b",
        "%C3%A4",
        "_catalog",
        &too_long,
    ] {
        for (method, rest) in [("GET", "manifests/v1"), ("GET", "tags/list"), ("POST", "blobs/uploads/")] {
            let answer = raw(&shared.berth, request(method, &format!("/v2/{name}/{rest}"), "").as_bytes());
            refused(&answer, 400, "NAME_INVALID");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_no_text_is_refused() {
    let shared = Shared::new();
    for rest in ["manifests/v1", "tags/list", "referrers/x"] {
        let answer = raw(&shared.berth, request("GET", &format!("/v2/a%ff/{rest}"), "").as_bytes());
        refused(&answer, 404, "UNSUPPORTED");
    }
}

#[tokio::test]
async fn a_malformed_tag_is_refused() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let image = repository.push_image("v1", &Blob::random(132, 10)).await;
    let too_long = "t".repeat(129);
    for tag in [".a", "-a", "a%20b", "%C3%A4", "a%00", "a%2Bb", "..%5c", &too_long] {
        repository.put_manifest(tag, &image).await.assert_error(400, "NAME_INVALID");
        repository.get(&format!("/manifests/{tag}")).await.assert_error(400, "NAME_INVALID");
    }
    repository.put_manifest("sha256:abc", &image).await.assert_error(400, "DIGEST_INVALID");
    assert_eq!(repository.get("/tags/list").await.assert(200).json()["tags"], json!(["v1"]));
}

#[tokio::test]
async fn a_manifest_of_4_mib_is_taken_and_one_byte_more_is_too_large() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let (config, layer) = (Blob::config(), Blob::random(133, 10));
    repository.push_blob(&config).await;
    repository.push_blob(&layer).await;
    let of_size = |size: usize| {
        let mut image = Manifest::image_json(&config, &[&layer]);
        image["annotations"] = json!({"padding": ""});
        let length = image.to_string().len();
        image["annotations"] = json!({"padding": "p".repeat(size - length)});
        let bytes = Bytes::from(image.to_string());
        assert_eq!(bytes.len(), size);
        bytes
    };
    let largest = of_size(MANIFEST_LIMIT);
    put(&repository, media_type::IMAGE, largest.clone()).await.assert(201);
    assert_eq!(repository.get("/manifests/v1").await.assert(200).body, largest);
    let larger = of_size(MANIFEST_LIMIT + 1);
    put(&repository, media_type::IMAGE, larger.clone()).await.assert_error(413, "SIZE_INVALID");
    // And the same without saying so beforehand.
    let pieces = larger.chunks(65536).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)));
    let body = Body::wrap_stream(stream::iter(pieces.collect::<Vec<_>>()));
    let put = repository.request(Method::PUT, "/manifests/v1").header("content-type", media_type::IMAGE);
    put.body(body).answer().await.assert_error(413, "SIZE_INVALID");
    assert_eq!(repository.get("/manifests/v1").await.assert(200).body, largest);
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let config = Blob::config().descriptor(media_type::CONFIG).to_string();
    let bodies = [
        String::new(),
        "not JSON".to_owned(),
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "{}".to_owned(),
        "\u{0}".to_owned(),
        r#"{"schemaVersion":2}"#.to_owned(),
        r#"{"schemaVersion":2,"config":"x","layers":[]}"#.to_owned(),
        r#"{"schemaVersion":2,"config":{},"layers":[]}"#.to_owned(),
        format!(r#"{{"schemaVersion":3,"config":{config},"layers":[]}}"#),
        format!(r#"{{"config":{config},"layers":[]}}"#),
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{{"digest":"sha256:x"}}]}}"#),
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[],"manifests":[]}}"#),
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[]}} trailing"#),
        format!(r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[]}}"#, media_type::INDEX),
    ];
    for body in bodies {
        let refused = put(&repository, media_type::IMAGE, body.clone()).await;
        let refused = refused.assert_error(400, "MANIFEST_INVALID");
        let message = refused.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(!message.contains('\n'), "one sentence for {body}: {message}");
    }
    repository.get("/manifests/v1").await.assert(404);
}

#[tokio::test]
async fn deep_json_is_refused_and_harms_nobody() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let deep = "[".repeat(100_000);
    let closed = format!("{deep}{}", "]".repeat(100_000));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    for nested in [&deep, &closed, &objects] {
        let config = format!(r#"{{"schemaVersion":2,"config":{nested},"layers":[]}}"#);
        for body in [nested.clone(), config] {
            put(&repository, media_type::IMAGE, body).await.assert_error(400, "MANIFEST_INVALID");
        }
        let unknown = format!(r#"{{"schemaVersion":2,"whatever":{nested},"layers":[]}}"#);
        put(&repository, media_type::IMAGE, unknown).await.assert_error(400, "MANIFEST_INVALID");
    }
    shared.admin.get("/v2/").await.assert(200);
}

#[tokio::test]
async fn a_manifest_of_an_unknown_media_type_is_refused() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let (config, layer) = (Blob::config(), Blob::random(134, 10));
    repository.push_blob(&config).await;
    repository.push_blob(&layer).await;
    let mut image = Manifest::image_json(&config, &[&layer]);
    image.as_object_mut().unwrap().remove("mediaType");
    for content_type in
        ["application/json", "text/html", "application/vnd.oci.image.config.v1+json", "nonsense", "/"]
    {
        let answer = put(&repository, content_type, image.to_string()).await;
        answer.assert_error(400, "MANIFEST_INVALID");
    }
    put(&repository, media_type::IMAGE, image.to_string()).await.assert(201);
}

#[tokio::test]
async fn a_manifest_that_is_not_what_its_digest_says_is_refused() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let image = repository.push_image("v1", &Blob::random(135, 10)).await;
    let wrong = Blob::new("something else").digest;
    repository.put_manifest(&wrong, &image).await.assert_error(400, "DIGEST_INVALID");
    repository.get(&format!("/manifests/{wrong}")).await.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_refused_in_the_registrys_form() {
    let shared = Shared::new();
    for path in
        ["/", "/nothing", "/v2/nothing", "/v2/a/nothing/here", "/v1/_ping", "/v2/a/tags/list/", "/v3/"]
    {
        shared.admin.get(path).await.assert_error(404, "UNSUPPORTED");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_in_the_registrys_form() {
    let shared = Shared::new();
    let digest = Blob::new("x").digest;
    for (method, path, allowed) in [
        (Method::POST, "/v2/".to_owned(), "GET,HEAD"),
        (Method::DELETE, "/v2/_catalog".to_owned(), "GET,HEAD"),
        (Method::PUT, "/v2/a/tags/list".to_owned(), "GET,HEAD"),
        (Method::POST, "/v2/a/manifests/v1".to_owned(), "GET,HEAD,PUT,DELETE"),
        (Method::PUT, format!("/v2/a/blobs/{digest}"), "GET,HEAD,DELETE"),
        (Method::GET, "/v2/a/blobs/uploads/".to_owned(), "POST"),
    ] {
        let answer = shared.admin.basic(method, &path).answer().await.assert_error(405, "UNSUPPORTED");
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
}

#[tokio::test]
async fn too_many_tags_in_one_push_are_refused() {
    let shared = Shared::new();
    let repository = shared.repository("bad").await;
    let image = repository.push_image("v1", &Blob::random(136, 10)).await;
    let query = (0..101).map(|tag| format!("tag=t{tag}")).collect::<Vec<_>>().join("&");
    let answer = repository.put_manifest(&format!("{}?{query}", image.digest), &image).await;
    answer.assert_error(400, "UNSUPPORTED");
    assert_eq!(repository.get("/tags/list").await.assert(200).json()["tags"], json!(["v1"]));
}
