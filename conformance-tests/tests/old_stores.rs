//! A data folder that an earlier version left opens in this one and pulls whole; a database of a newer version
//! is refused.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, Manifest};
use conformance_tests::stores::{Blobs, Metadata, Stores};
use conformance_tests::{Berth, Client, Options, Program, binary};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::json;

const ONE_MACHINE: Stores = Stores { blobs: Blobs::Local, metadata: Metadata::Sqlite };
const PASSWORD: &str = "alice's password";

/// The folder that the first version with online collection left.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_stores/collection.tar.gz")
}

/// What it holds: two images that share a layer, an index over both, and what refers to one.
struct Known {
    blobs: Vec<Blob>,
    images: [Manifest; 2],
    index: Manifest,
    signature: Manifest,
}

fn known() -> Known {
    let config = Blob::config();
    let layers = [(1, 0), (2, 1), (3, 40_000)].map(|(seed, size)| Blob::random(seed, size));
    let images = [
        Manifest::image(&config, &[&layers[0], &layers[2]]),
        Manifest::image(&config, &[&layers[1], &layers[2]]),
    ];
    let index = Manifest::index(&[&images[0], &images[1]]);
    let signature = Manifest::referrer(&images[0], "application/vnd.example.signature");
    let blobs = layers.into_iter().chain([config, Blob::new("{}")]).collect();
    Known { blobs, images, index, signature }
}

async fn fill(berth: &Berth) {
    let (client, known) = (berth.admin(), known());
    let repository = client.repository("team/app").await;
    for blob in &known.blobs {
        repository.push_blob(blob).await;
    }
    for image in &known.images {
        repository.push_manifest(&image.digest, image).await;
    }
    repository.push_manifest("latest", &known.index).await;
    repository.push_manifest("one", &known.images[0]).await;
    repository.push_manifest(&known.signature.digest, &known.signature).await;
    repository.push_image("gone", &Blob::random(4, 1000)).await;
    repository.delete("/manifests/gone").await.assert(202);
    let user = json!({"name": "alice", "password": PASSWORD, "policies": [{"policy": "developer"}]});
    client.basic(Method::POST, "/api/v1/users").json(&user).answer().await.assert(201);
}

async fn is_whole(client: &Client) {
    let known = known();
    let repository = client.repository("team/app").await;
    for blob in &known.blobs {
        let pulled = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
        assert_eq!(pulled.body, blob.bytes, "{}", blob.digest);
    }
    for (tag, manifest) in [("latest", &known.index), ("one", &known.images[0])] {
        assert_eq!(
            repository.get(&format!("/manifests/{tag}")).await.assert(200).body,
            manifest.bytes,
            "{tag}"
        );
    }
    let tags = repository.get("/tags/list").await.assert(200).json();
    assert_eq!(tags["tags"], json!(["latest", "one"]));
    let referrers =
        repository.get(&format!("/referrers/{}", known.images[0].digest)).await.assert(200).json();
    assert_eq!(referrers["manifests"][0]["digest"], known.signature.digest);
}

/// Run by hand, with `BERTH_BIN` naming the version whose folder is to be kept.
#[tokio::test]
#[ignore = "it writes the fixture"]
async fn keep_what_this_version_leaves() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut berth = Options::default().stores(ONE_MACHINE).data(&data).start();
    fill(&berth).await;
    assert!(berth.stop().success());
    fs::create_dir_all(fixture().parent().expect("a folder")).expect("a folder");
    let packed = GzEncoder::new(File::create(fixture()).expect("the fixture"), Compression::best());
    let mut archive = tar::Builder::new(packed);
    archive.append_dir_all("data", &data).expect("packing the folder");
    archive.into_inner().expect("packing").finish().expect("packing");
}

#[tokio::test]
async fn a_folder_of_the_first_version_that_collects_opens_and_pulls_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let packed = GzDecoder::new(File::open(fixture()).expect("the fixture"));
    tar::Archive::new(packed).unpack(folder.path()).expect("unpacking the fixture");
    let mut berth = Options::default().stores(ONE_MACHINE).data(&folder.path().join("data")).start();
    is_whole(&berth.admin()).await;
    is_whole(&berth.user("alice", PASSWORD)).await;
    // And it goes on.
    let next = Blob::random(5, 50_000);
    berth.user("alice", PASSWORD).repository("team/app").await.push_image("next", &next).await;
    assert!(berth.stop().success());
    berth.fsck(&["--deep"]).succeeds().says("0 findings");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_with_a_sentence() {
    let mut berth = Options::default().stores(ONE_MACHINE).start();
    assert!(berth.stop().success());
    let database =
        rusqlite::Connection::open(berth.data().join("registry/metadata.db")).expect("the database");
    let newer = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
                 SELECT 9999, 'from_the_future', applied_on, checksum FROM refinery_schema_history LIMIT 1";
    database.execute(newer, []).expect("a newer schema");
    drop(database);
    let serve = Program::new(binary::berth()).args(["serve", "--listen", "127.0.0.1:0", "--data"]);
    let refused = serve.arg(berth.data()).deadline(Duration::from_secs(60)).fails();
    assert_eq!(refused.code(), Some(1), "{refused}");
    let sentence = refused.stderr.trim_end();
    assert_eq!(sentence.lines().count(), 1, "{refused}");
    assert!(
        sentence.ends_with("its schema is 9999, of a newer berth than this one; start that version"),
        "{refused}"
    );
}
