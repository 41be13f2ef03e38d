//! A server whose names are in PostgreSQL, as whoever runs it meets it: what is in its way is one sentence,
//! and what is in the database's way passes.

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use conformance_tests::content::Blob;
use conformance_tests::{ADMIN_PASSWORD, Berth, Options, Program, binary};
use tempfile::TempDir;
use test_servers::PostgresServer;

/// Shared by the tests that don't stop it.
static SERVER: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

const PATIENCE: Duration = Duration::from_secs(60);

fn on(url: &str) -> Berth {
    Options::default().config(&format!("[metadata]\nurl = \"{url}\"")).start()
}

/// Fails unless a server on that database and this folder ends with one sentence, which is given.
#[track_caller]
fn refused(url: &str, data: &Path) -> String {
    let program = Program::new(binary::berth()).args(["serve", "--listen", "127.0.0.1:0"]);
    let program = program.arg("--data").arg(data).env("BERTH_METADATA__URL", url);
    let outcome = program.env("BERTH_ADMIN_PASSWORD", ADMIN_PASSWORD).deadline(PATIENCE).fails();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let sentence = outcome.stderr.trim_end().to_owned();
    assert!(
        sentence.starts_with("berth: starting the registry: ") && sentence.lines().count() == 1,
        "{outcome}"
    );
    sentence
}

#[track_caller]
fn says(sentence: &str, words: &str) {
    assert!(sentence.contains(words), "expected {words:?} in: {sentence}");
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("berth-postgres-").tempdir().expect("a temporary folder")
}

async fn pulls(berth: &Berth, blob: &Blob) {
    let repository = berth.admin().reconnected();
    let repository = repository.repository("team/app").await;
    repository.get("/manifests/latest").await.assert(200);
    let answer = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
    assert_eq!(answer.body, blob.bytes);
}

#[tokio::test]
async fn what_was_pushed_is_there_after_a_kill_and_a_start_at_once() {
    let mut berth = on(&SERVER.database());
    let layer = Blob::random(1, 100_000);
    berth.admin().repository("team/app").await.push_image("latest", &layer).await;
    berth.kill();
    berth.start_again();
    pulls(&berth, &layer).await;
    assert!(berth.stop().success());
    berth.start_again();
    pulls(&berth, &layer).await;
}

#[tokio::test]
async fn a_second_machine_with_blobs_of_its_own_is_refused_until_the_first_has_stopped() {
    let url = SERVER.database();
    let mut first = on(&url);
    let second = folder();
    let sentence = refused(&url, second.path());
    says(&sentence, "the blobs of this database are on the disk of another berth (");
    says(&sentence, &format!("{}", first.data().display()));
    assert!(first.stop().success());
    // Now the blobs might move, but the secrets are still sealed.
    let sentence = refused(&url, second.path());
    says(&sentence, "are sealed under a master key that is not here; copy registry/master-key");
    let (from, to) = (first.data().join("registry/master-key"), second.path().join("registry/master-key"));
    std::fs::write(&to, b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").expect("writing a key");
    says(&refused(&url, second.path()), "the master key is not the one that this store was made with");
    std::fs::copy(from, to).expect("copying the key");
    let lines = format!("[metadata]\nurl = \"{url}\"");
    // The lease of the start that was refused just now is that folder's.
    Options::default().config(&lines).data(second.path()).start();
}

#[test]
fn the_folder_of_a_server_on_postgresql_has_no_users_and_says_where_they_are() {
    let mut berth = on(&SERVER.database());
    assert!(berth.stop().success());
    let program = Program::new(binary::berth()).args(["admin", "--data"]).arg(berth.data());
    let outcome = program.args(["user", "list"]).deadline(PATIENCE).fails();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    says(&outcome.stderr, "its users are not there but in the database");
    assert!(!berth.data().join("registry/metadata.db").exists());
}

#[tokio::test]
async fn while_postgresql_is_away_requests_say_so_and_then_go_on() {
    let postgres = PostgresServer::start();
    let berth = on(&postgres.database());
    let layer = Blob::random(2, 1000);
    berth.admin().repository("team/app").await.push_image("latest", &layer).await;
    let client = berth.admin();
    postgres.crash();
    client.get("/readyz").await.assert(503);
    let answer = client.basic(reqwest::Method::GET, "/v2/team/app/manifests/latest").send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 503);
    let text = answer.text().await.expect("a body");
    says(&text, "the registry's database does not answer now; try again");
    postgres.start_again();
    let deadline = Instant::now() + PATIENCE;
    while client.basic(reqwest::Method::GET, "/readyz").send().await.expect("an answer").status() != 200 {
        assert!(Instant::now() < deadline, "it is ready again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    pulls(&berth, &layer).await;
}

#[test]
fn a_database_that_can_not_be_had_is_one_sentence_without_its_password() {
    let data = folder();
    let sentence = refused("postgres://berth:s3cret@127.0.0.1:1/berth", data.path());
    says(&sentence, "reaching the database postgres://berth:…@127.0.0.1:1/berth: ");
    says(&sentence, "refused");
    assert!(!sentence.contains("s3cret"), "{sentence}");
    let sentence = refused(&SERVER.url("nowhere"), data.path());
    says(&sentence, "database \"nowhere\" does not exist");
}

#[test]
fn a_database_that_somebody_else_uses_is_left_alone_with_one_sentence() {
    let (data, postgres) = (folder(), PostgresServer::start());
    postgres.sql("CREATE TABLE customers (id int)");
    let sentence = refused(&postgres.url("postgres"), data.path());
    says(&sentence, "it holds tables that are not berth's (customers); give berth a database of its own");
}
