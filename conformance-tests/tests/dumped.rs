//! A PostgreSQL that was restored from a dump, while the bucket is of a newer state.

use std::path::Path;
use std::time::{Duration, Instant};

use conformance_tests::content::Blob;
use conformance_tests::{Blobs, Metadata, Options, Program, S3Server, Stores};
use test_servers::PostgresServer;

const PATIENCE: Duration = Duration::from_secs(30);
const WARNING: &str = "the database is of an older state than its blob store";

/// How many objects with bytes are in the bucket.
fn objects(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let below = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => objects(&entry.path()),
        Ok(data) => usize::from(data.len() > 0),
        Err(_) => 0,
    };
    entries.map(below).sum()
}

#[tokio::test]
async fn a_dump_of_postgresql_that_is_older_than_the_bucket_is_known_and_costs_no_byte_until_it_is_accepted()
{
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (postgres, s3) = (PostgresServer::start(), S3Server::start(folder.path()));
    let url = postgres.database();
    let config = format!("[metadata]\nurl = \"{url}\"\n[uploads]\nexpire_after = \"5s\"\n{}", s3.config());
    let stores = Stores { blobs: Blobs::Local, metadata: Metadata::Sqlite };
    let mut berth = Options::default().stores(stores).config(&config).start();
    let (old, new) = (Blob::random(1, 1000), Blob::random(2, 2000));
    let client = berth.admin();
    let repository = client.repository("team/app").await;
    repository.push_image("old", &old).await;
    // Its session is in the dump; what becomes of it afterwards is not.
    let session = repository.open_upload().await;
    let dump = folder.path().join("dump.sql");
    Program::new("pg_dump").arg("--file").arg(&dump).arg(&url).succeeds();
    // A start is one of the moments from which on a dump is known to be old; the others are minutes.
    assert!(berth.stop().success());
    berth.start_again();
    let client = client.reconnected();
    let repository = client.repository("team/app").await;
    repository.finish(&session, &new.digest, new.bytes.clone()).await.assert(201);
    repository.push_image("new", &new).await;
    assert!(berth.stop().success());
    let psql = || Program::new("psql").args(["-q", "-v", "ON_ERROR_STOP=1", &url]);
    psql().args(["-c", "DROP SCHEMA public CASCADE; CREATE SCHEMA public"]).succeeds();
    psql().arg("-f").arg(&dump).succeeds();
    let bucket = folder.path().join("s3/berth/blobs");
    let before = objects(&bucket);
    assert!(before >= 3, "two layers and a config");

    berth.start_again();
    berth.until_logged(WARNING).await;
    let client = berth.admin().reconnected();
    let repository = client.repository("team/app").await;
    repository.get(&format!("/blobs/{}", old.digest)).await.assert(200);
    repository.get("/manifests/new").await.assert(404);
    // Meanwhile its session expires, and every five seconds one is looked for.
    let sweeps = berth.log().matches("cleared what nobody needs").count();
    let later = Instant::now() + Duration::from_secs(12);
    while Instant::now() < later {
        assert_eq!(objects(&bucket), before, "nothing goes");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(berth.log().matches("cleared what nobody needs").count(), sweeps);
    let home = tempfile::tempdir().expect("a home");
    assert_eq!(berth.accept_restore(home.path()), "Accepted; what nobody needs is collected again\n");
    let deadline = Instant::now() + PATIENCE;
    while objects(&bucket) == before {
        assert!(Instant::now() < deadline, "what the expired session had staged goes");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    repository.push_image("new", &new).await;
    let pulled = client.reconnected();
    let pulled = pulled.repository("team/app").await;
    assert_eq!(pulled.get(&format!("/blobs/{}", new.digest)).await.assert(200).body, new.bytes);
}
