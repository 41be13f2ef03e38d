//! `berth admin migrate`: a store goes from one machine's disk to PostgreSQL and S3, and back, whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, Manifest};
use conformance_tests::s3_server::S3Server;
use conformance_tests::stores::{Blobs, Metadata, Stores};
use conformance_tests::{Berth, Client, Options, Outcome, Program, binary};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use test_servers::{BadLine, Line, PostgresServer};

const MIB: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// Two places for a store, neither of which holds anything yet.
struct Table {
    folder: TempDir,
    postgres: PostgresServer,
    s3: S3Server,
    line: BadLine,
    database: String,
}

impl Table {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("berth-migrate-").tempdir().expect("a temporary folder");
        let (postgres, s3) = (PostgresServer::start(), S3Server::start(folder.path()));
        let (line, database) = (BadLine::to(s3.address()), postgres.database());
        Self { folder, postgres, s3, line, database }
    }

    fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration of one machine, without where its data is.
    fn several(&self) -> String {
        let blobs =
            self.s3.config().replace(&self.s3.address().to_string(), &self.line.address().to_string());
        format!("[metadata]\nurl = \"{}\"\n{blobs}", self.database)
    }

    /// Writes a configuration file for `migrate`.
    fn file(&self, name: &str, lines: &str) -> PathBuf {
        let file = self.folder.path().join(format!("{name}.toml"));
        fs::write(&file, format!("data = \"{}\"\n{lines}", self.data(name).display()))
            .expect("writing a config");
        file
    }

    fn migrate(&self, from: &Path, to: &Path) -> Program {
        let program =
            Program::new(binary::berth()).args(["admin", "migrate", "--from"]).arg(from).arg("--to");
        program.arg(to).home(self.folder.path()).deadline(PATIENCE)
    }

    /// A server on these places.
    fn serve(&self, name: &str, lines: &str) -> Berth {
        let stores = Stores { blobs: Blobs::Local, metadata: Metadata::Sqlite };
        Options::default().stores(stores).config(lines).data(&self.data(name)).start()
    }
}

/// What is pushed, so that it can be looked for again.
struct Pushed {
    layers: Vec<Blob>,
    image: Manifest,
    index: Manifest,
}

async fn push(client: &Client) -> Pushed {
    let repository = client.repository("team/app").await;
    let layers: Vec<Blob> =
        [(1, 0), (2, 1), (3, MIB), (4, 20 * MIB)].map(|(seed, size)| Blob::random(seed, size)).to_vec();
    let config = Blob::config();
    for blob in layers.iter().chain([&config]) {
        repository.push_blob(blob).await;
    }
    let image = Manifest::image(&config, &layers.iter().collect::<Vec<_>>());
    repository.push_manifest("1", &image).await;
    let index = Manifest::index(&[&image]);
    repository.push_manifest("latest", &index).await;
    repository
        .push_manifest(&referrer(&image).digest, &{
            repository.push_blob(&Blob::new("{}")).await;
            referrer(&image)
        })
        .await;
    repository.push_image("gone", &Blob::random(5, 1000)).await;
    repository.delete("/manifests/gone").await.assert(202);
    let user = json!({"name": "alice", "password": "alice's password", "policies": [{"policy": "reader"}]});
    client.basic(Method::POST, "/api/v1/users").json(&user).answer().await.assert(201);
    Pushed { layers, image, index }
}

fn referrer(image: &Manifest) -> Manifest {
    Manifest::referrer(image, "application/vnd.example.signature")
}

async fn is_whole(berth: &Berth, pushed: &Pushed) {
    let client = berth.user("alice", "alice's password");
    let repository = client.repository("team/app").await;
    for blob in &pushed.layers {
        let pulled = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
        assert!(pulled.body == blob.bytes, "{}", blob.digest);
    }
    for (tag, manifest) in [("1", &pushed.image), ("latest", &pushed.index)] {
        assert_eq!(repository.get(&format!("/manifests/{tag}")).await.assert(200).body, manifest.bytes);
    }
    let tags = repository.get("/tags/list").await.assert(200).json();
    assert_eq!(tags["tags"], json!(["1", "latest"]));
    let referrers = repository.get(&format!("/referrers/{}", pushed.image.digest)).await.assert(200).json();
    assert_eq!(referrers["manifests"][0]["digest"], referrer(&pushed.image).digest);
    let audit = berth.admin().get("/api/v1/audit?limit=1000").await.assert(200).json();
    let audit = audit.as_array().expect("records");
    assert!(audit.iter().any(|record| record["action"] == "tag.delete"), "the audit came along");
    // And it goes on.
    let next = Blob::random(6, 2 * MIB);
    berth.admin().repository("team/app").await.push_image("next", &next).await;
    berth.admin().repository("team/app").await.delete("/manifests/next").await.assert(202);
}

#[track_caller]
fn sentence(outcome: &Outcome) -> &str {
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let sentence = outcome.stderr.trim_end();
    assert_eq!(sentence.lines().count(), 1, "{outcome}");
    sentence
}

#[tokio::test]
async fn a_store_goes_to_postgresql_and_s3_and_back_whole() {
    let table = Table::new();
    let mut one = table.serve("one", "");
    let pushed = push(&one.admin()).await;
    assert!(one.stop().success());
    let (from, to) = (table.file("one", ""), table.file("several", &table.several()));
    table.migrate(&from, &to).succeeds().says("every digest verified");
    let mut several = table.serve("several", &table.several());
    is_whole(&several, &pushed).await;
    assert!(several.stop().success());
    // What is there twice stays as it is.
    assert!(sentence(&table.migrate(&from, &to).run()).contains("holds users or images already"));
    let back = table.file("back", "");
    table.migrate(&to, &back).succeeds();
    is_whole(&table.serve("back", ""), &pushed).await;
}

#[tokio::test]
async fn a_migration_that_was_killed_goes_on_where_it_was() {
    let table = Table::new();
    let mut one = table.serve("one", "");
    let pushed = push(&one.admin()).await;
    assert!(one.stop().success());
    let (from, to) = (table.file("one", ""), table.file("several", &table.several()));
    table.line.becomes(Line::Narrow(2 << 20));
    let mut running = table.migrate(&from, &to).into_command().spawn().expect("starting to migrate");
    let started = Instant::now();
    let bucket = table.folder.path().join("s3/berth");
    while count(&bucket) < 3 {
        assert!(started.elapsed() < PATIENCE, "something arrives");
        std::thread::sleep(Duration::from_millis(20));
    }
    running.kill().expect("killing it");
    running.wait().expect("waiting for it");
    table.line.becomes(Line::Good);
    let serve = Program::new(binary::berth()).args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&to);
    let refused = serve.home(table.folder.path()).deadline(PATIENCE).run();
    assert!(
        sentence(&refused).contains("not all of it has arrived; run `berth admin migrate` again"),
        "{refused}"
    );
    table.migrate(&from, &to).succeeds();
    is_whole(&table.serve("several", &table.several()), &pushed).await;
}

/// How many files are below a folder.
fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn a_damaged_blob_is_named_and_the_target_serves_nobody() {
    let table = Table::new();
    let mut one = table.serve("one", "");
    let pushed = push(&one.admin()).await;
    assert!(one.stop().success());
    let digest = &pushed.layers[2].digest;
    let file = blob_file(&table.data("one"), digest);
    let mut bytes = fs::read(&file).expect("reading the blob");
    bytes[7] ^= 1;
    fs::write(&file, bytes).expect("damaging the blob");
    let (from, to) = (table.file("one", ""), table.file("several", &table.several()));
    let outcome = table.migrate(&from, &to).fails();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    outcome.says(&format!("{digest}: its bytes are sha256:")).says("1 blobs are damaged");
    let serve = Program::new(binary::berth()).args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&to);
    sentence(&serve.home(table.folder.path()).deadline(PATIENCE).run());
}

#[tokio::test]
async fn a_blob_that_was_cut_short_is_named_like_any_damaged_one() {
    let table = Table::new();
    let mut one = table.serve("one", "");
    let pushed = push(&one.admin()).await;
    assert!(one.stop().success());
    let (hexes, sizes) = ([2, 3].map(|layer| pushed.layers[layer].digest.clone()), [MIB / 2, 0]);
    for (digest, size) in hexes.iter().zip(sizes) {
        let file = fs::File::options().write(true).open(blob_file(&table.data("one"), digest));
        file.and_then(|file| file.set_len(size as u64)).expect("cutting the blob");
    }
    let (from, to) = (table.file("one", ""), table.file("several", &table.several()));
    let outcome = table.migrate(&from, &to).fails();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    for ((digest, size), whole) in hexes.iter().zip(sizes).zip([MIB, 20 * MIB]) {
        outcome.says(&format!("{digest}: {size} bytes are there of {whole}"));
    }
    outcome.says("2 blobs are damaged");
}

/// Where a data folder keeps a blob.
fn blob_file(data: &Path, digest: &str) -> PathBuf {
    let hex = digest.strip_prefix("sha256:").expect("sha256");
    let folder = data.join("registry/blobs/sha256").join(&hex[..2]);
    let files = fs::read_dir(&folder).expect("the blob's folder").flatten().map(|entry| entry.path());
    let of_this = |file: &PathBuf| file.to_string_lossy().contains(hex);
    files.into_iter().find(of_this).expect("the blob")
}

#[tokio::test]
async fn a_store_on_which_a_server_runs_somewhere_is_not_moved() {
    let table = Table::new();
    let mut several = table.serve("several", &table.several());
    let pushed = push(&several.admin()).await;
    // As on another machine: this one's data folder is nobody's.
    let key = table.data("several").join("registry/master-key");
    let lines = format!("{}[auth]\nmaster_key_file = \"{}\"\n", table.several(), key.display());
    let (from, to) = (table.file("elsewhere", &lines), table.file("back", ""));
    let refused = table.migrate(&from, &to).run();
    let said = sentence(&refused);
    assert!(said.contains("a server still runs on it (") && said.contains("/several"), "{said}");
    assert!(several.stop().success());
    table.migrate(&from, &to).succeeds();
    is_whole(&table.serve("back", ""), &pushed).await;
}

#[tokio::test]
async fn what_is_in_the_way_of_a_migration_is_one_sentence() {
    let table = Table::new();
    let one = table.serve("one", "");
    push(&one.admin()).await;
    let (from, to) = (table.file("one", ""), table.file("several", &table.several()));
    // The server still runs.
    sentence(&table.migrate(&from, &to).run());
    drop(one);
    assert!(sentence(&table.migrate(&from, &from).run()).contains("both configurations name the same store"));
    let nowhere = table.folder.path().join("nowhere.toml");
    assert!(sentence(&table.migrate(&nowhere, &to).run()).contains("nowhere.toml"));
    table.postgres.crash();
    assert!(sentence(&table.migrate(&from, &to).run()).contains("reaching the database"));
}
