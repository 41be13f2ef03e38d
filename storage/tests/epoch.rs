//! A database that was restored to an older state than its blob store is known, and collects nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_storage::testing::{Call, FaultyBlobStore, Outcome, TestClock, options, rows};
use berth_storage::{
    Actor, Age, AuditPage, BufferBudget, Creation, LocalBlobStore, NoTelemetry, Registry, Timestamp,
};
use tempfile::TempDir;

type Store = FaultyBlobStore<LocalBlobStore>;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct House {
    folder: TempDir,
    clock: TestClock,
}

impl House {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: TestClock::new() }
    }

    async fn opened(&self) -> (Registry<Store>, Store) {
        let budget = BufferBudget::new(1 << 20);
        let local = LocalBlobStore::open(&self.folder.path().join("blobs"), budget, Arc::new(NoTelemetry));
        let blobs = FaultyBlobStore::new(local.unwrap());
        let database = self.folder.path().join("db/berth.db");
        std::fs::create_dir_all(database.parent().unwrap()).unwrap();
        let registry = Registry::open_sqlite(&database, blobs.clone(), options(&self.clock)).await.unwrap();
        registry.join_stores().await.unwrap();
        (registry, blobs)
    }

    async fn registry(&self) -> Registry<Store> {
        self.opened().await.0
    }

    /// Copies the database's folder, in the place of another, once nobody has the database open.
    async fn copy(&self, from: &str, to: &str) {
        let log = self.folder.path().join("db/berth.db-wal");
        let deadline = Instant::now() + Duration::from_secs(10);
        while log.exists() {
            assert!(Instant::now() < deadline, "the database is closed");
            // Two that close it at the same moment each leave its log to the other; whoever comes last takes it.
            let database = rusqlite::Connection::open(self.folder.path().join("db/berth.db")).unwrap();
            let _ = database.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()));
            drop(database);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let to = self.folder.path().join(to);
        let _ = std::fs::remove_dir_all(&to);
        copy_folder(&self.folder.path().join(from), &to);
    }

    /// The registry over a database as it was before the last two times that the epoch was raised.
    async fn restored(&self) -> Registry<Store> {
        let registry = self.registry().await;
        registry.raise_epoch().await.unwrap();
        let repository = "app".parse().unwrap();
        registry.begin_upload(&repository, None, Creation::Allowed, &Actor::default()).await.unwrap();
        drop(registry);
        self.copy("db", "backup").await;
        let registry = self.registry().await;
        for _ in 0..2 {
            assert_eq!(registry.raise_epoch().await.unwrap(), Age::Same);
        }
        drop(registry);
        self.copy("backup", "db").await;
        self.registry().await
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

const BEHIND: Age = Age::Restored { database: 1, blob_store: 3 };

#[tokio::test]
async fn a_store_that_goes_on_is_of_the_same_state() {
    let house = House::new();
    let registry = house.registry().await;
    assert_eq!(registry.age().await.unwrap(), Age::Same);
    for _ in 0..3 {
        assert_eq!(registry.raise_epoch().await.unwrap(), Age::Same);
    }
    drop(registry);
    assert_eq!(house.registry().await.age().await.unwrap(), Age::Same);
}

#[tokio::test]
async fn a_restored_database_is_known_and_raises_nothing() {
    let house = House::new();
    let registry = house.restored().await;
    for _ in 0..5 {
        assert_eq!(registry.raise_epoch().await.unwrap(), BEHIND);
    }
    assert_eq!(registry.age().await.unwrap(), BEHIND);
}

#[tokio::test]
async fn of_a_restored_database_nothing_is_collected_until_that_is_accepted() {
    let house = House::new();
    let registry = house.restored().await;
    house.clock.advance(30 * DAY);
    let swept = registry.sweep().await.unwrap();
    assert_eq!((swept.expired_uploads, swept.removed), (0, 0));
    assert_eq!(registry.open_uploads().await.unwrap(), 1);
    assert_eq!(registry.accept_restore(&Actor::default()).await.unwrap(), BEHIND);
    assert_eq!(registry.age().await.unwrap(), Age::Same);
    let swept = registry.sweep().await.unwrap();
    assert_eq!((swept.expired_uploads, swept.removed), (1, 1));
}

#[tokio::test]
async fn accepting_is_written_down_and_a_second_time_there_is_nothing_to_accept() {
    let house = House::new();
    let registry = house.restored().await;
    let admin = Actor { user: Some("admin".into()), ..Actor::default() };
    registry.accept_restore(&admin).await.unwrap();
    assert_eq!(registry.accept_restore(&admin).await.unwrap(), Age::Same);
    let page = AuditPage { since: Timestamp(0), after: 0, limit: 10 };
    let audit = registry.records().audit(page).await.unwrap();
    let accepted: Vec<_> = audit.iter().filter(|record| record.action == "restore.accept").collect();
    assert_eq!(accepted.len(), 1, "{audit:?}");
    assert_eq!(accepted[0].user.as_deref(), Some("admin"));
    assert_eq!(accepted[0].detail.as_deref(), Some("the database was behind its blob store: 1, now 4"));
}

#[tokio::test]
async fn a_blob_store_that_could_not_be_told_is_no_restore() {
    let house = House::new();
    let (registry, blobs) = house.opened().await;
    registry.raise_epoch().await.unwrap();
    for outcome in [Outcome::FailBefore, Outcome::FailAfter] {
        blobs.follow(move |call| if call == Call::Note { outcome } else { Outcome::Pass });
        registry.raise_epoch().await.unwrap_err();
        assert_eq!(registry.age().await.unwrap(), Age::Same, "{outcome:?}");
    }
    blobs.follow(|_| Outcome::Pass);
    assert_eq!(registry.raise_epoch().await.unwrap(), Age::Same);
    let found = rows(&registry, "SELECT value FROM store WHERE name = 'epoch'", vec![]).await.unwrap();
    assert_eq!(found[0].text(0).unwrap(), "4");
}

#[tokio::test]
async fn while_the_blob_store_does_not_tell_nothing_is_collected() {
    let house = House::new();
    let (registry, blobs) = house.opened().await;
    let repository = "app".parse().unwrap();
    registry.begin_upload(&repository, None, Creation::Allowed, &Actor::default()).await.unwrap();
    house.clock.advance(30 * DAY);
    blobs.follow(|call| if call == Call::Fact { Outcome::FailBefore } else { Outcome::Pass });
    registry.sweep().await.unwrap_err();
    assert_eq!(registry.open_uploads().await.unwrap(), 1);
}
