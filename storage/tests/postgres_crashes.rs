//! PostgreSQL crashes and comes back, while registries work on it: what was acknowledged is there, what was
//! not says so, and the work goes on by itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use berth_oci::{Reference, RepositoryName};
use berth_storage::testing::{TestClock, options, push_image};
use berth_storage::{
    BufferBudget, Error, FaultKind, LocalBlobStore, NoTelemetry, PostgresOptions, Registry, SharedClock,
};
use futures_util::future::join_all;
use test_servers::PostgresServer;

const DEADLINE: Duration = Duration::from_secs(60);

async fn open(url: &str, folder: &std::path::Path) -> Registry<LocalBlobStore> {
    let blobs =
        LocalBlobStore::open(&folder.join("blobs"), BufferBudget::new(16 << 20), Arc::new(NoTelemetry))
            .unwrap();
    let url = url.parse().unwrap();
    let database = PostgresOptions { url, connections: 6, clock: SharedClock::default() };
    Registry::open_postgres(database, blobs, options(&TestClock::new())).await.unwrap()
}

/// Pushes image after image; gives the tags of those that were acknowledged.
async fn push_until_stopped(registry: &Registry<LocalBlobStore>, who: usize, work: &Work) -> Vec<String> {
    let app = app(who);
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if work.stop.load(Ordering::SeqCst) {
            break;
        }
        let (tag, config) = (format!("v{number}"), format!("{who} {number}"));
        match push_image(registry, &app, &[config.as_bytes()], &[&tag]).await {
            Ok(_) => {
                acknowledged.push(tag);
                work.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Err(Error::Fault(fault)) => {
                assert_eq!(fault.kind(), FaultKind::Unavailable, "{fault}");
                work.failed.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
            // Whether the COMMIT before the crash was done is known only now.
            Err(Error::UploadUnknown(_) | Error::UploadBusy) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    acknowledged
}

fn app(who: usize) -> RepositoryName {
    format!("app{who}").parse().unwrap()
}

/// What all who push have done so far.
#[derive(Default)]
struct Work {
    stop: AtomicBool,
    acknowledged: AtomicUsize,
    failed: AtomicUsize,
}

impl Work {
    /// Waits for so many more acknowledged pushes.
    async fn until_more(&self, more: usize) {
        let (deadline, enough) = (Instant::now() + DEADLINE, self.acknowledged.load(Ordering::SeqCst) + more);
        while self.acknowledged.load(Ordering::SeqCst) < enough {
            assert!(Instant::now() < deadline, "pushes are acknowledged");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_crashes_and_work_goes_on_after_them() {
    let server = Arc::new(PostgresServer::start());
    let folder = tempfile::tempdir().unwrap();
    let url = server.database();
    let (one, other) = (open(&url, folder.path()).await, open(&url, folder.path()).await);
    let work = Work::default();
    let pushing =
        join_all((0..8).map(|who| push_until_stopped(if who % 2 == 0 { &one } else { &other }, who, &work)));
    let crashing = async {
        for _ in 0..3 {
            work.until_more(16).await;
            let server = Arc::clone(&server);
            tokio::task::spawn_blocking(move || server.crash_and_restart()).await.unwrap();
        }
        work.until_more(16).await;
        work.stop.store(true, Ordering::SeqCst);
    };
    let (pushed, ()) = tokio::join!(pushing, crashing);
    for (who, tags) in pushed.iter().enumerate() {
        for tag in tags {
            let reference: Reference = tag.parse().unwrap();
            assert!(other.manifest(&app(who), &reference).await.unwrap().is_some(), "{}:{tag}", app(who));
        }
    }
    assert!(work.failed.load(Ordering::SeqCst) > 0, "no crash was noticed: nothing was tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_down_requests_fail_soon_and_say_so() {
    let server = PostgresServer::start();
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&server.database(), folder.path()).await;
    server.crash();
    let began = Instant::now();
    for _ in 0..3 {
        let Err(Error::Fault(fault)) = registry.check().await else { panic!("it answers") };
        assert_eq!(fault.kind(), FaultKind::Unavailable, "{fault}");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    server.start_again();
    registry.check().await.unwrap();
}
