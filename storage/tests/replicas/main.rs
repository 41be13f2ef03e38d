//! Several registries on one PostgreSQL, as several servers have it: whoever races on one thing gets one
//! clean outcome each, and what one changes the others see.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod start;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use berth_oci::{Algorithm, Digest, Reference, RepositoryName};
use berth_storage::testing::{Image, TestClock};
use berth_storage::testing::{
    OCI_EMPTY, append, chunk, digest_of, image, options, push_blob, push_image, read_blob, rows,
};
use berth_storage::{
    Actor, AttachmentRecord, AuditPage, BufferBudget, By, Change, Creation, Error, Lease, Leased,
    LocalBlobStore, NewIdentity, NewRepository, NoTelemetry, PolicyOrigin, PostgresOptions, Records,
    Registry, SharedClock, SigningKeyRecord, TagMutability, Timestamp,
};
use futures_util::future::join_all;
use tempfile::TempDir;
use test_servers::PostgresServer;

static SERVER: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

const DEADLINE: Duration = Duration::from_secs(60);

/// Registries on one database and one folder of blobs, as machines with a shared store have it.
struct Fleet {
    replicas: Vec<Registry<LocalBlobStore>>,
    clock: TestClock,
    /// How often each replica was told that anything may have changed.
    told: Vec<Arc<AtomicUsize>>,
    _folder: TempDir,
}

impl Fleet {
    async fn of(count: usize) -> Self {
        Self::on(&SERVER.database(), count).await
    }

    async fn on(url: &str, count: usize) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
        let told: Vec<Arc<AtomicUsize>> = (0..count).map(|_| Arc::default()).collect();
        // All at once: one migrates, the others wait for it.
        let opening = told.iter().map(|told| open(url, &folder, &clock, Arc::clone(told)));
        let replicas = join_all(opening).await.into_iter().collect::<Result<_, _>>().unwrap();
        Self { replicas, clock, told, _folder: folder }
    }

    /// Runs `work` on every replica at once, several times each.
    async fn race<T>(
        &self,
        times: usize,
        work: impl AsyncFn(&Registry<LocalBlobStore>, usize) -> T,
    ) -> Vec<T> {
        let work = &work;
        let replicas = (0..times * self.replicas.len()).map(|number| {
            let replica = &self.replicas[number % self.replicas.len()];
            async move { work(replica, number).await }
        });
        join_all(replicas).await
    }
}

async fn open(
    url: &str,
    folder: &TempDir,
    clock: &TestClock,
    told: Arc<AtomicUsize>,
) -> Result<Registry<LocalBlobStore>, Error> {
    let blobs = LocalBlobStore::open(
        &folder.path().join("blobs"),
        BufferBudget::new(16 << 20),
        Arc::new(NoTelemetry),
    )?;
    let mut options = options(clock);
    options.observer = Arc::new(move |changes| {
        if changes.contains(&Change::Anything) {
            told.fetch_add(1, Ordering::SeqCst);
        }
    });
    let url = url.parse().unwrap();
    let database = PostgresOptions { url, connections: 6, clock: SharedClock::default() };
    Registry::open_postgres(database, blobs, options).await
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn by() -> By {
    By { actor: Actor::default(), at: Timestamp(1) }
}

fn administrator(name: &str) -> NewIdentity {
    let admin = AttachmentRecord { policy: "admin".to_owned(), prefix: String::new() };
    NewIdentity {
        name: name.to_owned(),
        password: "hash".to_owned(),
        attachments: vec![(admin, PolicyOrigin::Shipped)],
        groups: vec![],
    }
}

async fn number(registry: &Registry<LocalBlobStore>, sql: &'static str) -> i64 {
    rows(registry, sql, vec![]).await.unwrap()[0].int(0).unwrap()
}

/// Polls until it is so; fails after [`DEADLINE`].
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_writers_that_race_on_one_session_one_writes_and_the_others_are_refused() {
    let fleet = Fleet::of(2).await;
    let (app, actor) = (name("app"), Actor::default());
    let id = fleet.replicas[0].begin_upload(&app, None, Creation::Allowed, &actor).await.unwrap();
    let results = fleet
        .race(4, async |registry, number| {
            let mut first = chunk(format!("writer {number}").as_bytes());
            first.range = Some("0-7".parse().unwrap());
            registry.append_upload(&app, id, first).await
        })
        .await;
    let (written, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(written.len(), 1, "{refused:?}");
    for result in refused {
        assert!(
            matches!(result, Err(Error::UploadBusy | Error::ChunkOutOfOrder { received: 8, .. })),
            "{result:?}"
        );
    }
    // What stands there is one writer's, whole; any replica finishes it.
    let mut finished = 0;
    for number in 0..8 {
        let digest = digest_of(format!("writer {number}").as_bytes());
        let end = fleet.replicas[1].finish_upload(&app, id, &digest, chunk(b""), Creation::Allowed, &actor);
        finished += usize::from(end.await.is_ok());
    }
    assert_eq!(finished, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_begun_at_one_replica_goes_on_at_another_and_is_finished_at_a_third() {
    let fleet = Fleet::of(3).await;
    let (app, actor) = (name("app"), Actor::default());
    let algorithm = Some(Algorithm::Sha256);
    let id = fleet.replicas[0].begin_upload(&app, algorithm, Creation::Allowed, &actor).await.unwrap();
    append(&fleet.replicas[1], &app, id, b"one, ").await.unwrap();
    append(&fleet.replicas[2], &app, id, b"two, ").await.unwrap();
    let digest = digest_of(b"one, two, three");
    let end = fleet.replicas[0].finish_upload(&app, id, &digest, chunk(b"three"), Creation::Allowed, &actor);
    end.await.unwrap();
    let read = read_blob(&fleet.replicas[1], &app, &digest).await.unwrap();
    assert_eq!(read.as_deref(), Some(&b"one, two, three"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_finish_one_session_at_once_one_does() {
    let fleet = Fleet::of(2).await;
    let (app, actor) = (name("app"), Actor::default());
    let id = fleet.replicas[0].begin_upload(&app, None, Creation::Allowed, &actor).await.unwrap();
    append(&fleet.replicas[0], &app, id, b"content").await.unwrap();
    let digest = digest_of(b"content");
    let results = fleet
        .race(3, async |registry, _| {
            registry.finish_upload(&app, id, &digest, chunk(b""), Creation::Allowed, &actor).await
        })
        .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    for result in results.iter().filter(|result| result.is_err()) {
        assert!(matches!(result, Err(Error::UploadBusy | Error::UploadUnknown(_))), "{result:?}");
    }
    assert_eq!(read_blob(&fleet.replicas[1], &app, &digest).await.unwrap().as_deref(), Some(&b"content"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_bytes_pushed_everywhere_at_once_are_kept_once() {
    let fleet = Fleet::of(3).await;
    let pushed = fleet
        .race(4, async |registry, number| {
            push_blob(registry, &name(["a", "b", "c"][number % 3]), b"the same").await
        })
        .await;
    for digest in pushed {
        assert_eq!(digest.unwrap(), digest_of(b"the same"));
    }
    assert_eq!(number(&fleet.replicas[0], "SELECT COUNT(*) FROM blobs").await, 1);
    assert_eq!(number(&fleet.replicas[0], "SELECT COUNT(*) FROM repository_blobs").await, 3);
    assert_eq!(number(&fleet.replicas[0], "SELECT COUNT(*) FROM condemned").await, 11);
    assert_eq!(number(&fleet.replicas[0], "SELECT COUNT(*) FROM repositories").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_all_move_at_once_names_one_of_theirs_and_each_move_is_written_down() {
    let fleet = Fleet::of(2).await;
    let (app, actor) = (name("app"), Actor::default());
    let blobs: Vec<Digest> = join_all((0..8).map(|number| {
        let (registry, app) = (fleet.replicas[number % 2].clone(), app.clone());
        async move { push_blob(&registry, &app, format!("config {number}").as_bytes()).await.unwrap() }
    }))
    .await;
    let images: Vec<Image> = blobs.iter().map(|blob| image(std::slice::from_ref(blob))).collect();
    let results = fleet
        .race(4, async |registry, number| {
            registry.put_manifest(images[number].pushed(&app, &["latest"]), &actor).await
        })
        .await;
    for result in results {
        result.unwrap();
    }
    let latest: Reference = "latest".parse().unwrap();
    let named = fleet.replicas[0].manifest(&app, &latest).await.unwrap().unwrap().digest.clone();
    assert!(images.iter().any(|image| image.digest() == named));
    assert_eq!(fleet.replicas[1].manifest(&app, &latest).await.unwrap().unwrap().digest, named);
    let last =
        rows(&fleet.replicas[0], "SELECT digest FROM tag_history ORDER BY id DESC LIMIT 1", vec![]).await;
    assert_eq!(last.unwrap()[0].text(0).unwrap(), named.as_str());
    assert_eq!(number(&fleet.replicas[0], "SELECT COUNT(*) FROM tag_history").await, 8);
    let untagged = "SELECT COUNT(*) FROM manifests WHERE untagged_at IS NULL";
    assert_eq!(number(&fleet.replicas[0], untagged).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_immutable_tag_that_all_push_at_once_is_one_of_theirs_and_the_others_are_refused() {
    let fleet = Fleet::of(2).await;
    let (app, actor) = (name("app"), Actor::default());
    let new = NewRepository { name: app.clone(), description: None, tags: TagMutability::Immutable(vec![]) };
    fleet.replicas[0].records().add_repository(new, by()).await.unwrap();
    let mut images = Vec::new();
    for number in 0..6 {
        let blob = push_blob(&fleet.replicas[0], &app, format!("config {number}").as_bytes()).await.unwrap();
        images.push(image(&[blob]));
    }
    let results = fleet
        .race(3, async |registry, number| {
            registry.put_manifest(images[number].pushed(&app, &["v1"]), &actor).await
        })
        .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    for result in results.iter().filter(|result| result.is_err()) {
        assert!(matches!(result, Err(Error::TagImmutable { .. })), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_is_deleted_while_a_manifest_names_it_is_kept_or_missing_and_never_both() {
    let fleet = Fleet::of(2).await;
    let (app, actor) = (name("app"), Actor::default());
    for round in 0..10 {
        let bytes = format!("config {round}");
        let blob = push_blob(&fleet.replicas[0], &app, bytes.as_bytes()).await.unwrap();
        let image = image(std::slice::from_ref(&blob));
        let (put, deleted) = tokio::join!(
            fleet.replicas[0].put_manifest(image.pushed(&app, &[]), &actor),
            fleet.replicas[1].delete_blob(&app, &blob, &actor),
        );
        match (&put, &deleted) {
            (Ok(()), Err(Error::BlobInUse { .. })) | (Err(Error::ManifestBlobUnknown(_)), Ok(())) => {}
            other => panic!("round {round}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_all_make_at_once_is_made_once() {
    let fleet = Fleet::of(2).await;
    let results = fleet
        .race(4, async |registry, _| {
            let tags = TagMutability::Mutable;
            let new = NewRepository { name: name("app"), description: None, tags };
            registry.records().add_repository(new, by()).await
        })
        .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    for result in results.iter().filter(|result| result.is_err()) {
        assert!(matches!(result, Err(Error::Exists(_))), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_user_and_the_first_signing_key_are_made_once() {
    let fleet = Fleet::of(2).await;
    let first = fleet
        .race(4, async |registry, number| {
            let new = administrator(&format!("admin{number}"));
            registry.records().add_first_identity(new, by()).await.unwrap()
        })
        .await;
    assert_eq!(first.iter().filter(|first| **first).count(), 1);
    assert_eq!(fleet.replicas[0].records().identities(String::new(), 9).await.unwrap().items.len(), 1);
    let first = fleet
        .race(4, async |registry, number| {
            let key = SigningKeyRecord {
                kid: number.to_string(),
                sealed_private: "sealed".into(),
                created_at: Timestamp(1),
                retired_at: None,
            };
            registry.records().replace_signing_key(key, Timestamp(0), &Actor::default()).await.unwrap()
        })
        .await;
    assert_eq!(first.iter().filter(|first| **first).count(), 1);
    assert_eq!(fleet.replicas[0].records().signing_keys().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_sweep_at_once_each_removes_what_the_other_leaves() {
    let fleet = Fleet::of(2).await;
    let (app, actor) = (name("app"), Actor::default());
    for _ in 0..30 {
        let id = fleet.replicas[0].begin_upload(&app, None, Creation::Allowed, &actor).await.unwrap();
        append(&fleet.replicas[0], &app, id, b"never finished").await.unwrap();
    }
    fleet.clock.advance(Duration::from_secs(2 * 3600));
    let swept = fleet.race(2, async |registry, _| registry.sweep().await.unwrap()).await;
    assert_eq!(swept.iter().map(|swept| swept.expired_uploads).sum::<u64>(), 30);
    assert_eq!(swept.iter().map(|swept| swept.removed).sum::<u64>(), 30);
    assert_eq!(number(&fleet.replicas[0], "SELECT COUNT(*) FROM condemned").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_who_may_do_what_is_told_to_all_within_seconds_and_a_push_is_not() {
    let fleet = Fleet::of(2).await;
    let records: Records = fleet.replicas[0].records();
    let told = || fleet.told[1].load(Ordering::SeqCst);
    let before = told();
    push_image(&fleet.replicas[0], &name("app"), &[OCI_EMPTY], &["latest"]).await.unwrap();
    let began = Instant::now();
    let id = records.add_identity(administrator("alice"), by()).await.unwrap();
    until("the other replica is told", async || told() > before).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let before = told();
    assert!(before <= 2, "told {before} times");
    records.set_disabled(id, Some(Timestamp(2)), by()).await.unwrap();
    until("the other replica is told again", async || told() > before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_the_audit_waits_for_records_that_come_before_what_is_there() {
    let url = SERVER.database();
    let fleet = Fleet::on(&url, 1).await;
    let records = fleet.replicas[0].records();
    let (mut client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let slow = client.transaction().await.unwrap();
    let sql = "INSERT INTO audit (at, action, outcome, tags, times) VALUES (1, 'slow', 'done', '', 1)";
    slow.batch_execute(sql).await.unwrap();
    records.add_group("team".to_owned(), by()).await.unwrap();
    let reader = fleet.replicas[0].records();
    let page = AuditPage { since: Timestamp(0), after: 0, limit: 10 };
    let reading = tokio::spawn(async move { reader.audit(page).await.unwrap() });
    until("the reader waits", async || {
        let waiting = "SELECT COUNT(*) FROM pg_locks
                       WHERE locktype = 'advisory' AND NOT granted
                         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        number(&fleet.replicas[0], waiting).await == 1
    })
    .await;
    slow.commit().await.unwrap();
    let read = reading.await.unwrap();
    let actions: Vec<&str> = read.iter().map(|record| record.action.as_str()).collect();
    assert_eq!(actions, ["slow", "group.add"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_one_holders_until_it_runs_out_or_is_given_back() {
    let fleet = Fleet::of(2).await;
    let now = fleet.clock.now();
    let lease = |holder: &str| Lease {
        name: "test".into(),
        holder: holder.to_owned(),
        shown: format!("machine {holder}"),
        lasts: Duration::from_secs(30),
    };
    let (one, other) = (fleet.replicas[0].records(), fleet.replicas[1].records());
    assert_eq!(one.lease(lease("a"), now).await.unwrap(), Leased::Yes);
    assert_eq!(other.lease(lease("b"), now).await.unwrap(), Leased::To("machine a".to_owned()));
    assert_eq!(one.lease(lease("a"), now.after(Duration::from_secs(20))).await.unwrap(), Leased::Yes);
    let later = now.after(Duration::from_secs(40));
    assert_eq!(other.lease(lease("b"), later).await.unwrap(), Leased::To("machine a".to_owned()));
    let over = now.after(Duration::from_secs(50));
    assert_eq!(other.lease(lease("b"), over).await.unwrap(), Leased::Yes);
    one.give_back("test".into(), "a".to_owned()).await.unwrap();
    assert_eq!(one.lease(lease("a"), over).await.unwrap(), Leased::To("machine b".to_owned()));
    other.give_back("test".into(), "b".to_owned()).await.unwrap();
    assert_eq!(one.lease(lease("a"), over).await.unwrap(), Leased::Yes);
}
