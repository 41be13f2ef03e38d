//! A server whose database was restored to an older state than its blob store.

use std::path::Path;

use conformance_tests::content::Blob;
use conformance_tests::{Metadata, Options, Stores};
use reqwest::Method;

const WARNING: &str = "the database is of an older state than its blob store";

fn copy_database(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for name in ["metadata.db", "metadata.db-wal", "metadata.db-shm"] {
        let _ = std::fs::remove_file(to.join(name));
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).expect("copying the database");
        }
    }
}

#[tokio::test]
async fn it_serves_and_says_so_until_that_is_accepted() {
    // Restored as a file; `dumped.rs` does it with PostgreSQL's own tools.
    let stores = Stores { metadata: Metadata::Sqlite, ..Stores::of_environment() };
    let mut berth = Options::default().stores(stores).start();
    let layer = Blob::random(1, 1000);
    berth.admin().repository("team/app").await.push_image("latest", &layer).await;
    assert!(berth.stop().success());
    let (database, backup) = (berth.data().join("registry"), berth.data().with_extension("backup"));
    copy_database(&database, &backup);
    berth.start_again();
    assert!(!berth.log().contains(WARNING), "nothing was restored yet");
    assert!(berth.stop().success());
    copy_database(&backup, &database);
    berth.start_again();
    berth.until_logged(WARNING).await;
    let client = berth.admin().reconnected();
    client.get("/readyz").await.assert(200);
    let repository = client.repository("team/app").await;
    repository.get(&format!("/blobs/{}", layer.digest)).await.assert(200);
    let home = tempfile::tempdir().expect("a home");
    let accepted = berth.accept_restore(home.path());
    assert_eq!(accepted, "Accepted; what nobody needs is collected again\n");
    let nothing = berth.accept_restore(home.path());
    assert_eq!(nothing, "The database was not restored; there is nothing to accept\n");
    let audit = client.basic(Method::GET, "/api/v1/audit").send().await.expect("an answer");
    let audit = audit.text().await.expect("a body");
    assert_eq!(audit.matches("restore.accept").count(), 1, "{audit}");
}
