//! `berth admin backup` on a running server, and `berth admin restore` where nothing or only the blobs are left.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use conformance_tests::content::{Blob, Manifest};
use conformance_tests::stores::{Blobs, Metadata, Stores};
use conformance_tests::{ADMIN_PASSWORD, Berth, Client, Options, Outcome, Program, binary};
use futures_util::future::join_all;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);
const ONE_MACHINE: Stores = Stores { blobs: Blobs::Local, metadata: Metadata::Sqlite };

/// Where a backup goes, and who makes it.
struct Keeper {
    folder: TempDir,
}

impl Keeper {
    fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("berth-backup-").tempdir().expect("a folder") }
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    fn back_up(&self, berth: &Berth, flags: &str) -> Outcome {
        let outcome = self.tries_to_back_up(berth, flags).succeeds();
        outcome.says("keep the master key");
        outcome
    }

    fn tries_to_back_up(&self, berth: &Berth, flags: &str) -> Program {
        let home = self.folder.path();
        let login =
            Program::new(binary::berth()).home(home).args(["login", "-u", "admin", "--password-stdin"]);
        login.arg(berth.host()).stdin(ADMIN_PASSWORD).succeeds();
        let command = format!("backup {flags} {}", self.backup().display());
        berth.admin_command(home, &command).deadline(PATIENCE)
    }

    fn restore(&self, berth: &Berth) -> Program {
        let program = Program::new(binary::berth()).args(["admin", "--data"]).arg(berth.data());
        let program = program.args(["restore", "--config"]).arg(berth.config_file()).arg(self.backup());
        program.home(self.folder.path()).deadline(PATIENCE)
    }

    /// Keeps the master key, as the backup says.
    fn keep_key(&self, berth: &Berth) {
        fs::copy(key_of(berth), self.folder.path().join("key")).expect("keeping the master key");
    }

    fn bring_key(&self, berth: &Berth) {
        fs::copy(self.folder.path().join("key"), key_of(berth)).expect("bringing the master key");
    }
}

fn key_of(berth: &Berth) -> PathBuf {
    berth.data().join("registry/master-key")
}

/// An image that was acknowledged.
struct Pushed {
    tag: String,
    image: Manifest,
    layer: Blob,
}

async fn push(client: &Client, seed: u64) -> Pushed {
    let (tag, layer) = (format!("t{seed}"), Blob::random(seed, 20_000));
    let image = client.repository("team/app").await.push_image(&tag, &layer).await;
    Pushed { tag, image, layer }
}

async fn is_whole(client: &Client, pushed: &Pushed) {
    let repository = client.repository("team/app").await;
    let Pushed { tag, image, layer } = pushed;
    assert_eq!(repository.get(&format!("/manifests/{tag}")).await.assert(200).body, image.bytes, "{tag}");
    let pulled = repository.get(&format!("/blobs/{}", layer.digest)).await.assert(200);
    assert!(pulled.body == layer.bytes, "{tag}");
    repository.get(&format!("/blobs/{}", Blob::config().digest)).await.assert(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_backup_pulls_whole_after_a_restore_from_nothing() {
    let (keeper, mut berth) = (Keeper::new(), Options::default().stores(ONE_MACHINE).start());
    let client = berth.admin();
    let mut before = Vec::new();
    for seed in 0..20 {
        before.push(push(&client, seed).await);
    }
    // Pushes go on meanwhile.
    let done = AtomicBool::new(false);
    let pushing = join_all((1..4).map(|pusher| {
        let (client, done) = (&client, &done);
        async move {
            let (mut count, started) = (0, Instant::now());
            while !done.load(Ordering::Relaxed) && started.elapsed() < PATIENCE {
                push(client, pusher * 1000 + count).await;
                count += 1;
            }
            count
        }
    }));
    let (pushed, outcome) = std::thread::scope(|scope| {
        let backing_up = scope.spawn(|| {
            let outcome = keeper.back_up(&berth, "--blobs");
            done.store(true, Ordering::Relaxed);
            outcome
        });
        let pushed = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(pushing));
        (pushed, backing_up.join().expect("backing up"))
    });
    outcome.says(" copied");
    assert!(pushed.iter().sum::<u64>() > 0, "nothing was pushed meanwhile");

    keeper.keep_key(&berth);
    berth.kill();
    fs::remove_dir_all(berth.data()).expect("losing the data folder");
    let restored = keeper.restore(&berth).succeeds();
    restored.says("now put the master key").says("every digest verified").says(" 0 lost");
    keeper.bring_key(&berth);
    berth.start_again();
    let client = berth.admin().reconnected();
    for pushed in &before {
        is_whole(&client, pushed).await;
    }
    push(&client, 99).await;
    // Twice is once too often.
    assert!(berth.stop().success());
    let refused = keeper.restore(&berth).fails();
    refused.says("a store is there already");
    berth.fsck(&["--deep"]).succeeds();
}

#[tokio::test]
async fn a_damaged_copy_is_told_and_the_rest_is_restored() {
    let (keeper, mut berth) = (Keeper::new(), Options::default().stores(ONE_MACHINE).start());
    let (good, bad) = (push(&berth.admin(), 1).await, push(&berth.admin(), 2).await);
    keeper.back_up(&berth, "--blobs");
    keeper.keep_key(&berth);
    berth.kill();
    fs::remove_dir_all(berth.data()).expect("losing the data folder");
    let hex = bad.layer.digest.strip_prefix("sha256:").expect("sha256");
    let copy = keeper.backup().join("blobs/sha256").join(&hex[..2]).join(hex);
    fs::write(&copy, &bad.layer.bytes[1..]).expect("damaging a copy");
    keeper.restore(&berth).succeeds().says(&format!("{} is lost", bad.layer.digest)).says(" 1 lost");
    keeper.bring_key(&berth);
    berth.start_again();
    let client = berth.admin().reconnected();
    is_whole(&client, &good).await;
    let repository = client.repository("team/app").await;
    repository.get(&format!("/blobs/{}", bad.layer.digest)).await.assert_error(404, "BLOB_UNKNOWN");
    push(&client, 2).await;
    is_whole(&client, &bad).await;
}

/// A database that is restored beside the blobs of a later state serves, and nothing is cleared.
async fn only_the_database_is_lost(stores: Stores, lose: impl Fn(&Path)) {
    let (keeper, mut berth) = (Keeper::new(), Options::default().stores(stores).start());
    let before = push(&berth.admin(), 1).await;
    keeper.back_up(&berth, "").says(" listed");
    push(&berth.admin(), 2).await;
    keeper.keep_key(&berth);
    berth.kill();
    lose(berth.data());
    let restored = keeper.restore(&berth).succeeds();
    restored.says(" 0 lost").says("nothing is cleared until `berth admin gc --accept-restore`");
    keeper.bring_key(&berth);
    berth.start_again();
    let client = berth.admin().reconnected();
    is_whole(&client, &before).await;
    client.repository("team/app").await.get("/manifests/t2").await.assert(404);
    let deadline = Instant::now() + PATIENCE;
    while !berth.log().contains("the database is of an older state than its blob store") {
        assert!(Instant::now() < deadline, "the server says that it was restored");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    berth.admin_command(keeper.folder.path(), "gc --accept-restore").succeeds().says("Accepted");
}

#[tokio::test]
async fn a_database_alone_is_restored_on_one_machine() {
    only_the_database_is_lost(ONE_MACHINE, |data| {
        for name in ["metadata.db", "metadata.db-wal", "metadata.db-shm"] {
            let _ = fs::remove_file(data.join("registry").join(name));
        }
    })
    .await;
}

#[tokio::test]
async fn a_lost_machine_is_restored_beside_its_bucket() {
    only_the_database_is_lost(Stores { blobs: Blobs::S3, ..ONE_MACHINE }, |data| {
        fs::remove_dir_all(data).expect("losing the machine");
    })
    .await;
}

#[tokio::test]
async fn a_backup_beside_postgresql_says_where_that_stands() {
    let keeper = Keeper::new();
    let berth = Options::default().stores(Stores { metadata: Metadata::Postgres, ..ONE_MACHINE }).start();
    push(&berth.admin(), 1).await;
    keeper.back_up(&berth, "--blobs").says("names are in PostgreSQL, which stood at ").says("pg_dump");
    let about = fs::read_to_string(keeper.backup().join("backup.json")).expect("what the backup is");
    assert!(about.contains("\"lsn\": \"") && !keeper.backup().join("metadata.db").exists(), "{about}");
}

#[tokio::test]
async fn a_backup_that_was_not_finished_is_not_restored() {
    let (keeper, mut berth) = (Keeper::new(), Options::default().stores(ONE_MACHINE).start());
    push(&berth.admin(), 1).await;
    keeper.back_up(&berth, "");
    assert!(berth.stop().success());
    fs::remove_file(keeper.backup().join("backup.json")).expect("an unfinished backup");
    let refused = keeper.restore(&berth).fails();
    refused.says("holds no whole backup");
}

#[tokio::test]
async fn a_journal_of_the_lost_database_is_not_played_into_the_restored_one() {
    let (keeper, mut berth) = (Keeper::new(), Options::default().stores(ONE_MACHINE).start());
    let before = push(&berth.admin(), 1).await;
    keeper.back_up(&berth, "");
    push(&berth.admin(), 2).await;
    keeper.keep_key(&berth);
    berth.kill();
    let registry = berth.data().join("registry");
    fs::remove_file(registry.join("metadata.db")).expect("losing the database");
    let left = registry.join("metadata.db-wal");
    assert!(left.exists(), "a killed server leaves its journal");
    keeper.restore(&berth).fails().says("metadata.db-wal is left of another database");
    fs::remove_file(left).expect("moving it away");
    let _ = fs::remove_file(registry.join("metadata.db-shm"));
    keeper.restore(&berth).succeeds();
    keeper.bring_key(&berth);
    berth.start_again();
    is_whole(&berth.admin().reconnected(), &before).await;
}

#[tokio::test]
async fn a_backup_without_copies_is_not_restored_beside_a_blob_store_that_never_had_any() {
    let (keeper, mut berth) = (Keeper::new(), Options::default().stores(ONE_MACHINE).start());
    push(&berth.admin(), 1).await;
    keeper.back_up(&berth, "");
    berth.kill();
    fs::remove_dir_all(berth.data()).expect("losing the data folder");
    keeper.restore(&berth).fails().says("this blob store never belonged to a database");
}

#[tokio::test]
async fn a_backup_that_fails_leaves_the_earlier_one_whole() {
    let (keeper, mut berth) = (Keeper::new(), Options::default().stores(ONE_MACHINE).start());
    push(&berth.admin(), 1).await;
    keeper.back_up(&berth, "--blobs");
    let about = || fs::read(keeper.backup().join("backup.json")).expect("what the backup is");
    let earlier = about();
    let second = push(&berth.admin(), 2).await;
    // Where its copy would go stands something else.
    let hex = second.layer.digest.strip_prefix("sha256:").expect("sha256").to_owned();
    let folder = keeper.backup().join("blobs/sha256").join(&hex[..2]);
    fs::create_dir_all(folder.join(&hex).join("x")).expect("a folder in the way");
    keeper.tries_to_back_up(&berth, "--blobs").fails();
    assert_eq!(about(), earlier);
    assert!(berth.stop().success());
}
