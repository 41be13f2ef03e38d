//! Manifest push: its forms, its types, and what it may name.

use bytes::Bytes;
use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, Manifest, media_type, sha512};
use conformance_tests::{Berth, Options, Repository};
use futures_util::stream;
use reqwest::{Body, Method};
use serde_json::json;

use crate::support::Shared;

/// An image whose blobs are there, not pushed itself yet.
async fn image(repository: &Repository<'_>, seed: u64) -> Manifest {
    let (config, layer) = (Blob::config(), Blob::random(seed, 100));
    repository.push_blob(&config).await;
    repository.push_blob(&layer).await;
    Manifest::image(&config, &[&layer])
}

#[tokio::test]
async fn a_pushed_manifest_has_a_location_and_the_clients_digest() {
    let shared = Shared::new();
    let repository = shared.repository("manifest").await;
    let image = image(&repository, 60).await;
    for reference in ["v1".to_owned(), image.digest.clone(), sha512(&image.bytes)] {
        let answer = repository.push_manifest(&reference, &image).await;
        let expected = if reference.starts_with("sha512") { &reference } else { &image.digest };
        assert_eq!(answer.header("docker-content-digest"), expected);
        let location = answer.header("location");
        assert_eq!(repository.get(location).await.assert(200).body, image.bytes);
    }
}

#[tokio::test]
async fn a_manifest_may_come_without_a_length() {
    let shared = Shared::new();
    let repository = shared.repository("manifest").await;
    let image = image(&repository, 61).await;
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        image.bytes.chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let request = repository.request(Method::PUT, "/manifests/v1").header("content-type", media_type::IMAGE);
    request.body(Body::wrap_stream(stream::iter(pieces))).answer().await.assert(201);
    assert_eq!(repository.get("/manifests/v1").await.assert(200).body, image.bytes);
}

#[tokio::test]
async fn parameters_of_the_content_type_are_not_kept() {
    let shared = Shared::new();
    let repository = shared.repository("manifest").await;
    let mut image = image(&repository, 62).await;
    image.media_type = format!("{}; charset=utf-8", media_type::IMAGE);
    repository.push_manifest("v1", &image).await;
    assert_eq!(repository.get("/manifests/v1").await.assert(200).header("content-type"), media_type::IMAGE);
}

#[tokio::test]
async fn a_manifest_without_a_content_type_is_what_it_says_it_is() {
    let shared = Shared::new();
    let repository = shared.repository("manifest").await;
    let image = image(&repository, 63).await;
    let request = repository.request(Method::PUT, "/manifests/v1").body(image.bytes.clone());
    request.answer().await.assert(201);
    assert_eq!(repository.get("/manifests/v1").await.assert(200).header("content-type"), media_type::IMAGE);
}

#[tokio::test]
async fn one_push_by_digest_may_set_several_tags() {
    let shared = Shared::new();
    let repository = shared.repository("manifest").await;
    let image = image(&repository, 64).await;
    let tags: Vec<String> = (0..10).map(|tag| format!("t{tag}")).collect();
    let query = tags.iter().map(|tag| format!("tag={tag}")).collect::<Vec<_>>().join("&");
    let answer = repository.push_manifest(&format!("{}?{query}", image.digest), &image).await;
    let accepted: Vec<_> =
        answer.headers.get_all("oci-tag").iter().map(|tag| tag.to_str().unwrap()).collect();
    assert_eq!(accepted, tags);
    for tag in &tags {
        let answer = repository.head(&format!("/manifests/{tag}")).await.assert(200);
        assert_eq!(answer.header("docker-content-digest"), image.digest);
    }
}

#[tokio::test]
async fn a_push_with_one_malformed_tag_sets_none() {
    let shared = Shared::new();
    let repository = shared.repository("manifest").await;
    let image = image(&repository, 65).await;
    let refused = repository.put_manifest(&format!("{}?tag=good&tag=-bad", image.digest), &image).await;
    refused.assert_error(400, "NAME_INVALID");
    repository.head("/manifests/good").await.assert(404);
    repository.head(&format!("/manifests/{}", image.digest)).await.assert(404);
}

#[tokio::test]
async fn a_tag_moves_to_the_manifest_pushed_last() {
    let shared = Shared::new();
    let repository = shared.repository("manifest").await;
    let first = repository.push_image("v1", &Blob::random(66, 10)).await;
    let second = repository.push_image("v1", &Blob::random(67, 10)).await;
    let answer = repository.get("/manifests/v1").await.assert(200);
    assert_eq!(answer.header("docker-content-digest"), second.digest);
    repository.get(&format!("/manifests/{}", first.digest)).await.assert(200);
}

#[tokio::test]
async fn a_manifest_pushed_twice_is_one() {
    let shared = Shared::new();
    let repository = shared.repository("manifest").await;
    let image = image(&repository, 68).await;
    repository.push_manifest("v1", &image).await;
    repository.push_manifest("v1", &image).await;
    assert_eq!(repository.get("/tags/list").await.assert(200).json()["tags"], json!(["v1"]));
}

#[tokio::test]
async fn a_manifest_that_names_a_missing_blob_is_refused() {
    let shared = Shared::new();
    let repository = shared.repository("manifest").await;
    let (config, layer) = (Blob::config(), Blob::random(69, 10));
    repository.push_blob(&config).await;
    let image = Manifest::image(&config, &[&layer]);
    let refused = repository.put_manifest("v1", &image).await.assert_error(404, "MANIFEST_BLOB_UNKNOWN");
    let message = refused.json()["errors"][0]["message"].to_string();
    assert!(message.contains(&layer.digest), "{message}");
    repository.get("/manifests/v1").await.assert(404);
    repository.push_blob(&layer).await;
    repository.push_manifest("v1", &image).await;
}

#[tokio::test]
async fn an_index_that_names_a_missing_manifest_is_refused() {
    let shared = Shared::new();
    let repository = shared.repository("manifest").await;
    let child = image(&repository, 70).await;
    let index = Manifest::index(&[&child]);
    repository.put_manifest("v1", &index).await.assert_error(404, "MANIFEST_BLOB_UNKNOWN");
    repository.push_manifest(&child.digest, &child).await;
    repository.push_manifest("v1", &index).await;
}

#[tokio::test]
async fn where_sparse_indexes_are_allowed_an_index_may_name_what_is_missing() {
    let berth: Berth = Options::default().config("[repositories]\nsparse_indexes = true").start();
    let admin = berth.admin();
    let repository = admin.repository("sparse").await;
    let child = image(&repository, 71).await;
    let index = Manifest::index(&[&child]);
    repository.push_manifest("v1", &index).await;
    assert_eq!(repository.get("/manifests/v1").await.assert(200).body, index.bytes);
    repository.get(&format!("/manifests/{}", child.digest)).await.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn where_creating_by_pushing_is_off_a_push_to_an_unknown_repository_is_refused() {
    let berth: Berth = Options::default().config("[repositories]\ncreate_on_push = false").start();
    let admin = berth.admin();
    let repository = admin.repository("not-made").await;
    let begin = repository.request(Method::POST, "/blobs/uploads/").answer().await;
    begin.assert_error(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn a_child_of_an_index_may_be_a_blob_as_buildkits_cache_has_them() {
    let shared = Shared::new();
    let repository = shared.repository("cache").await;
    let (config, layer) = (Blob::random(72, 200), Blob::random(73, 200));
    repository.push_blob(&config).await;
    repository.push_blob(&layer).await;
    let cache = Manifest::new(&json!({
        "schemaVersion": 2,
        "mediaType": media_type::INDEX,
        "manifests": [
            layer.descriptor(media_type::LAYER_GZIP),
            config.descriptor("application/vnd.buildkit.cacheconfig.v0"),
        ],
    }));
    repository.push_manifest("cache", &cache).await;
    assert_eq!(repository.get("/manifests/cache").await.assert(200).body, cache.bytes);
    repository.delete(&format!("/blobs/{}", layer.digest)).await.assert_error(405, "UNSUPPORTED");
}

#[tokio::test]
async fn dockers_images_and_lists_are_taken() {
    let shared = Shared::new();
    let repository = shared.repository("docker").await;
    let mut image = image(&repository, 74).await.json();
    image["mediaType"] = json!(media_type::DOCKER_IMAGE);
    let image = Manifest::new(&image);
    repository.push_manifest("image", &image).await;
    let list = Manifest::new(&json!({
        "schemaVersion": 2,
        "mediaType": media_type::DOCKER_LIST,
        "manifests": [image.descriptor()],
    }));
    repository.push_manifest("list", &list).await;
    for (tag, manifest) in [("image", &image), ("list", &list)] {
        let answer = repository.get(&format!("/manifests/{tag}")).await.assert(200);
        assert_eq!(answer.header("content-type"), manifest.media_type);
        assert_eq!(answer.body, manifest.bytes);
    }
}

#[tokio::test]
async fn dockers_schema_1_is_refused_with_a_word_on_what_to_do() {
    let shared = Shared::new();
    let repository = shared.repository("docker").await;
    for media_type in ["prettyjws", "json"] {
        let manifest = Manifest {
            bytes: Bytes::from_static(b"{\"schemaVersion\":1,\"name\":\"a\",\"tag\":\"b\",\"fsLayers\":[]}"),
            digest: String::new(),
            media_type: format!("application/vnd.docker.distribution.manifest.v1+{media_type}"),
        };
        let refused = repository.put_manifest("v1", &manifest).await.assert_error(400, "MANIFEST_INVALID");
        assert!(refused.text().contains("newer client"), "{refused}");
    }
}

#[tokio::test]
async fn a_layer_that_lives_elsewhere_need_not_be_pushed() {
    let shared = Shared::new();
    let repository = shared.repository("foreign").await;
    let (config, layer) = (Blob::config(), Blob::random(75, 10));
    repository.push_blob(&config).await;
    let mut image = Manifest::image_json(&config, &[&layer]);
    image["layers"][0]["urls"] = json!(["https://elsewhere.example/layer"]);
    repository.push_manifest("urls", &Manifest::new(&image)).await;
    let mut image = Manifest::image_json(&config, &[&layer]);
    image["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    repository.push_manifest("nondistributable", &Manifest::new(&image)).await;
}

#[tokio::test]
async fn an_artifact_of_any_type_is_taken() {
    let shared = Shared::new();
    let repository = shared.repository("artifact").await;
    let (config, layer) = (Blob::new("{}"), Blob::random(76, 10));
    repository.push_blob(&config).await;
    repository.push_blob(&layer).await;
    let artifact = Manifest::new(&json!({
        "schemaVersion": 2,
        "mediaType": media_type::IMAGE,
        "artifactType": "application/vnd.example.thing",
        "config": config.descriptor(media_type::EMPTY),
        "layers": [layer.descriptor("text/x-anything")],
    }));
    repository.push_manifest("v1", &artifact).await;
    assert_eq!(repository.get("/manifests/v1").await.assert(200).body, artifact.bytes);
}

#[tokio::test]
async fn a_manifest_may_name_one_layer_twice() {
    let shared = Shared::new();
    let repository = shared.repository("manifest").await;
    let (config, layer) = (Blob::config(), Blob::random(77, 10));
    repository.push_blob(&config).await;
    repository.push_blob(&layer).await;
    repository.push_manifest("v1", &Manifest::image(&config, &[&layer, &layer])).await;
}
