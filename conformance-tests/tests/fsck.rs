//! `berth fsck`: what is missing, damaged and unknown is found on all stores, and put right as far as it can be.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use conformance_tests::content::{Blob, Manifest};
use conformance_tests::stores::{Blobs, Metadata, Stores};
use conformance_tests::{Berth, Options, Outcome};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const ONE_MACHINE: Stores = Stores { blobs: Blobs::Local, metadata: Metadata::Sqlite };

/// What `berth fsck` says, as JSON, and that its exit code fits.
#[track_caller]
fn inspect(berth: &Berth, flags: &[&str]) -> Vec<Value> {
    let outcome = berth.fsck(flags).args(["--format", "json"]).deadline(PATIENCE).run();
    let Ok(said) = serde_json::from_str::<Value>(&outcome.stdout) else { panic!("{outcome}") };
    let findings = said["findings"].as_array().expect("findings").clone();
    assert_eq!(outcome.code(), Some(i32::from(!findings.is_empty())), "{outcome}");
    findings
}

/// The findings of a kind: the digests or names.
fn of_kind(findings: &[Value], kind: &str) -> Vec<String> {
    let found = findings.iter().filter(|finding| finding["kind"] == kind);
    let words = found.map(|finding| finding["digest"].as_str().or(finding["name"].as_str()));
    let mut words: Vec<_> = words.map(|word| word.expect("a digest or a name").to_owned()).collect();
    words.sort();
    words
}

fn sorted(blobs: &[&Blob]) -> Vec<String> {
    let mut digests: Vec<_> = blobs.iter().map(|blob| blob.digest.clone()).collect();
    digests.sort();
    digests
}

/// The file below `folder`, or its folders, whose name is told to be the right one.
fn find(folder: &Path, is_it: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        let found = if path.is_dir() {
            find(&path, is_it)
        } else {
            is_it(&entry.file_name().to_string_lossy()).then_some(path)
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The file that holds a blob's bytes, on either kind of blob store.
#[track_caller]
fn file_of(berth: &Berth, blob: &Blob) -> PathBuf {
    let hex = blob.digest.strip_prefix("sha256:").expect("sha256");
    let file = match berth.s3() {
        None => find(&berth.data().join("registry/blobs/sha256"), &|name| name.starts_with(hex)),
        Some(s3) => {
            let marker = find(&s3.bucket().join("digests/sha256").join(hex), &|_| true).expect("a marker");
            let id = marker.file_name().expect("a name").to_string_lossy().into_owned();
            find(&s3.bucket().join("blobs"), &|name| name == id)
        }
    };
    file.unwrap_or_else(|| panic!("no file holds {}", blob.digest))
}

/// Bytes that nothing names, as a lost row would leave them.
fn leave_a_stray(berth: &Berth, like: &Blob) -> PathBuf {
    let file = file_of(berth, like);
    let id = "0123456789abcdef0123456789abcdef";
    let stray = match berth.s3() {
        None => file.with_extension(id),
        Some(s3) => s3.bucket().join("blobs/01").join(id),
    };
    fs::create_dir_all(stray.parent().expect("a folder")).expect("a folder");
    fs::copy(file, &stray).expect("a copy");
    stray
}

fn flip_a_byte(file: &Path) {
    let mut bytes = fs::read(file).expect("reading a blob");
    bytes[7] ^= 1;
    fs::write(file, bytes).expect("damaging a blob");
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn copy_database(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for name in ["metadata.db", "metadata.db-wal", "metadata.db-shm"] {
        let _ = fs::remove_file(to.join(name));
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).expect("copying the database");
        }
    }
}

#[track_caller]
fn sentence(outcome: &Outcome) -> &str {
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let sentence = outcome.stderr.trim_end();
    assert_eq!(sentence.lines().count(), 1, "{outcome}");
    sentence
}

async fn push(berth: &Berth, layers: &[Blob; 4]) -> Manifest {
    let client = berth.admin().reconnected();
    let repository = client.repository("team/app").await;
    let config = Blob::config();
    for blob in layers.iter().chain([&config]) {
        repository.push_blob(blob).await;
    }
    let image = Manifest::image(&config, &layers.iter().collect::<Vec<_>>());
    repository.push_manifest("latest", &image).await;
    image
}

async fn damage_is_found_and_healed(stores: Stores) {
    let mut berth = Options::default().stores(stores).start();
    let layers = [(1, 1000), (2, 2000), (3, 3000), (4, 4000)].map(|(seed, size)| Blob::random(seed, size));
    let [shortened, flipped, removed, sound] = &layers;
    let image = push(&berth, &layers).await;
    // A session that somebody may go on with is named, too.
    let client = berth.admin().reconnected();
    let repository = client.repository("team/app").await;
    let session = repository.open_upload().await;
    repository.patch(&session, 0, &Blob::random(5, 100_000).bytes).await.assert(202);
    let refused = berth.fsck(&[]).deadline(PATIENCE).run();
    assert!(sentence(&refused).contains("another berth (process "), "{refused}");
    assert!(berth.stop().success());
    assert_eq!(inspect(&berth, &["--deep"]), Vec::<Value>::new());

    let file = file_of(&berth, shortened);
    fs::write(&file, &shortened.bytes[..999]).expect("shortening a blob");
    flip_a_byte(&file_of(&berth, flipped));
    fs::remove_file(file_of(&berth, removed)).expect("removing a blob");
    let stray = leave_a_stray(&berth, sound);
    for _ in 0..2 {
        let shallow = inspect(&berth, &[]);
        assert_eq!(of_kind(&shallow, "damaged"), sorted(&[shortened]), "{shallow:?}");
        assert_eq!(of_kind(&shallow, "missing"), sorted(&[removed]), "{shallow:?}");
        let id = stray.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(of_kind(&shallow, "unknown").iter().any(|name| name.ends_with(&id)), "{shallow:?}");
        // It only looked.
        assert!(stray.exists());
    }
    let deep = inspect(&berth, &["--deep", "--repair"]);
    assert_eq!(of_kind(&deep, "damaged"), sorted(&[shortened, flipped]), "{deep:?}");
    assert_eq!(of_kind(&deep, "missing"), sorted(&[removed]), "{deep:?}");
    assert!(!stray.exists(), "{deep:?}");
    let marked = inspect(&berth, &[]);
    assert_eq!(of_kind(&marked, "unknown"), Vec::<String>::new(), "{marked:?}");
    assert_eq!(of_kind(&marked, "damaged"), sorted(&[shortened, flipped]), "{marked:?}");

    berth.start_again();
    let client = berth.admin().reconnected();
    let repository = client.repository("team/app").await;
    for blob in [shortened, flipped, removed] {
        repository.head(&format!("/blobs/{}", blob.digest)).await.assert(404);
        let answer = repository.get(&format!("/blobs/{}", blob.digest)).await;
        let answer = answer.assert_error(404, "BLOB_UNKNOWN");
        assert!(answer.text().contains("is damaged; push it again"), "{answer}");
    }
    until("three are counted", async || berth.metric("berth_blobs_damaged").await == 3.0).await;
    repository.put_manifest("other", &image).await.assert_error(404, "MANIFEST_BLOB_UNKNOWN");
    push(&berth, &layers).await;
    for blob in &layers {
        let pulled = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
        assert!(pulled.body == blob.bytes, "{}", blob.digest);
    }
    // The upload goes on.
    let answer = repository.get(&session).await.assert(204);
    assert_eq!(answer.header("range"), "0-99999");
    assert!(berth.stop().success());
    assert_eq!(inspect(&berth, &["--deep"]), Vec::<Value>::new());
}

#[tokio::test]
async fn damage_is_found_and_healed_on_one_machine() {
    damage_is_found_and_healed(ONE_MACHINE).await;
}

#[tokio::test]
async fn damage_is_found_and_healed_on_s3() {
    damage_is_found_and_healed(Stores { blobs: Blobs::S3, ..ONE_MACHINE }).await;
}

#[tokio::test]
async fn damage_is_found_and_healed_on_postgresql() {
    damage_is_found_and_healed(Stores { metadata: Metadata::Postgres, ..ONE_MACHINE }).await;
}

#[tokio::test]
async fn damage_is_found_and_healed_on_postgresql_and_s3() {
    damage_is_found_and_healed(Stores { blobs: Blobs::S3, metadata: Metadata::Postgres }).await;
}

#[tokio::test]
async fn a_bucket_is_not_inspected_while_a_server_of_another_machine_runs() {
    let berth = Options::default().stores(Stores { blobs: Blobs::S3, metadata: Metadata::Postgres }).start();
    berth.admin().repository("team/app").await.push_image("latest", &Blob::random(1, 1000)).await;
    let elsewhere = tempfile::tempdir().expect("a folder");
    let refused = berth.fsck_on(elsewhere.path(), &["--repair"]).deadline(PATIENCE).run();
    assert!(sentence(&refused).contains("a server still runs on it"), "{refused}");
}

#[tokio::test]
async fn an_object_that_lost_its_marker_gets_it_back() {
    let mut berth = Options::default().stores(Stores { blobs: Blobs::S3, ..ONE_MACHINE }).start();
    let layer = Blob::random(1, 1000);
    berth.admin().repository("team/app").await.push_image("latest", &layer).await;
    assert!(berth.stop().success());
    let bucket = berth.s3().expect("S3").bucket();
    let hex = layer.digest.strip_prefix("sha256:").expect("sha256");
    fs::remove_dir_all(bucket.join("digests/sha256").join(hex)).expect("removing the marker");
    assert_eq!(of_kind(&inspect(&berth, &["--repair"]), "untold"), sorted(&[&layer]));
    assert_eq!(inspect(&berth, &["--deep"]), Vec::<Value>::new());
}

#[tokio::test]
async fn a_lost_blob_is_found_among_what_nobody_names() {
    let mut berth = Options::default().stores(ONE_MACHINE).start();
    let layer = Blob::random(1, 1000);
    berth.admin().repository("team/app").await.push_image("latest", &layer).await;
    assert!(berth.stop().success());
    let file = file_of(&berth, &layer);
    fs::rename(&file, file.with_extension("moved")).expect("moving a blob");
    let found = inspect(&berth, &["--repair"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0]["done"].as_str().is_some_and(|done| done.starts_with("found at sha256/")), "{found:?}");
    assert_eq!(inspect(&berth, &["--deep"]), Vec::<Value>::new());
    berth.start_again();
    let client = berth.admin().reconnected();
    let pulled =
        client.repository("team/app").await.get(&format!("/blobs/{}", layer.digest)).await.assert(200);
    assert_eq!(pulled.body, layer.bytes);
}

#[tokio::test]
async fn nothing_is_removed_under_a_database_that_was_restored() {
    let mut berth = Options::default().stores(ONE_MACHINE).start();
    berth.admin().repository("team/app").await.push_image("before", &Blob::random(1, 1000)).await;
    assert!(berth.stop().success());
    let (database, backup) = (berth.data().join("registry"), berth.data().with_extension("backup"));
    copy_database(&database, &backup);
    berth.start_again();
    let after = Blob::random(2, 1000);
    berth.admin().reconnected().repository("team/app").await.push_image("after", &after).await;
    assert!(berth.stop().success());
    let file = file_of(&berth, &after);
    copy_database(&backup, &database);
    let found = inspect(&berth, &["--repair"]);
    let hex = after.digest.strip_prefix("sha256:").expect("sha256");
    assert!(of_kind(&found, "unknown").iter().any(|name| name.contains(hex)), "{found:?}");
    for finding in &found {
        assert!(finding["done"].as_str().is_some_and(|done| done.starts_with("kept: ")), "{found:?}");
    }
    assert!(file.exists());
}

#[tokio::test]
async fn the_scrub_finds_damage_while_the_server_runs() {
    let scrub = "[scrub]\nbytes_per_second = \"1GiB\"\nevery = \"1s\"";
    let berth = Options::default().stores(ONE_MACHINE).config(scrub).start();
    let layers = [1, 2, 3, 4].map(|seed| Blob::random(seed, 1000));
    push(&berth, &layers).await;
    flip_a_byte(&file_of(&berth, &layers[0]));
    let client = berth.admin();
    let repository = client.repository("team/app").await;
    let path = format!("/blobs/{}", layers[0].digest);
    until("the scrub finds it", async || repository.head(&path).await.status == 404).await;
    until("what it read is counted", async || berth.metric("berth_scrubbed_bytes_total").await >= 4000.0)
        .await;
    repository.push_blob(&layers[0]).await;
    let pulled = repository.get(&path).await.assert(200);
    assert_eq!(pulled.body, layers[0].bytes);
    let audit = client.get("/api/v1/audit?limit=1000").await.assert(200).text();
    assert!(audit.contains("blob.damaged") && audit.contains("the scrub"), "{audit}");
}

#[tokio::test]
async fn a_store_that_is_not_there_is_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let program =
        conformance_tests::Program::new(conformance_tests::binary::berth()).args(["fsck", "--data"]);
    let refused = program.arg(folder.path().join("nowhere")).deadline(PATIENCE).run();
    assert!(sentence(&refused).contains("no berth server has kept anything there"), "{refused}");
    assert!(!folder.path().join("nowhere").exists());
}
