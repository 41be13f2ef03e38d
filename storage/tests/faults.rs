//! Whatever call of the blob store fails or never ends, in whatever way: nothing acknowledged is lost, a
//! retry succeeds, and in the end nothing is on the disk that no row names.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth_oci::{Algorithm, Digest, RepositoryName};
use berth_storage::testing::{
    Call, FaultyBlobStore, Outcome, TestClock, body, chunk, digest_of, options, push_blob, push_image,
    random_bytes, read_blob, rows,
};
use berth_storage::{
    Actor, BlobStore, BufferBudget, Chunk, Creation, Delays, Error, LocalBlobStore, NoTelemetry, Registry,
    RegistryOptions, UploadId,
};
use futures_util::TryStreamExt;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

type Store = FaultyBlobStore<LocalBlobStore>;

struct Yard {
    folder: TempDir,
    store: Store,
    clock: TestClock,
    registry: Registry<Store>,
}

async fn opened(folder: &Path, clock: &TestClock) -> (Store, Registry<Store>) {
    let local =
        LocalBlobStore::open(&folder.join("blobs"), BufferBudget::new(16 << 20), Arc::new(NoTelemetry));
    let store = FaultyBlobStore::new(local.unwrap());
    let database = folder.join("berth.db");
    // What no manifest names yet is read again here long after it was pushed.
    let delays = Delays { unreferenced: Duration::from_secs(365 * 24 * 3600), untagged: None };
    let options = RegistryOptions { delays, ..options(clock) };
    let registry = Registry::open_sqlite(&database, store.clone(), options).await.unwrap();
    (store, registry)
}

impl Yard {
    async fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
        let (store, registry) = opened(folder.path(), &clock).await;
        Self { folder, store, clock, registry }
    }

    /// As after a crash: everything that only memory knew is gone.
    async fn reopened(self) -> Self {
        let Self { folder, store, clock, registry } = self;
        drop((store, registry));
        let (store, registry) = opened(folder.path(), &clock).await;
        Self { folder, store, clock, registry }
    }

    /// The call of number `number` ends so, all others pass.
    fn fail(&self, number: usize, outcome: Outcome) {
        let count = AtomicUsize::new(0);
        self.store.follow(move |_| {
            let is_it = count.fetch_add(1, Ordering::SeqCst) == number;
            if is_it { outcome } else { Outcome::Pass }
        });
    }

    fn fail_all(&self, failing: Call, outcome: Outcome) {
        self.store.follow(move |call| if call == failing { outcome } else { Outcome::Pass });
    }

    /// Sweeps long after every upload expired, until nothing is due any more.
    async fn settle(&self) {
        self.store.follow(|_| Outcome::Pass);
        for _ in 0..3 {
            self.clock.advance(Duration::from_secs(48 * 3600));
            self.registry.sweep().await.unwrap();
        }
        assert_eq!(self.registry.open_uploads().await.unwrap(), 0);
        let condemned = rows(&self.registry, "SELECT id FROM condemned", vec![]).await.unwrap();
        assert_eq!(condemned, []);
    }

    /// What is on the disk is exactly what rows name.
    async fn assert_settled(&self, context: &str) {
        self.settle().await;
        let found: Vec<_> = self.store.list().try_collect().await.unwrap();
        let found: BTreeSet<_> = found.into_iter().map(|it| (it.location.to_string(), it.size)).collect();
        let named = rows(&self.registry, "SELECT location, size FROM blobs", vec![]).await.unwrap();
        let named: BTreeSet<_> =
            named.iter().map(|row| (row.text(0).unwrap().to_owned(), row.size(1).unwrap())).collect();
        assert_eq!(found, named, "{context}");
        let staged = std::fs::read_dir(self.folder.path().join("blobs/uploads")).unwrap();
        let staged: Vec<_> = staged.map(|entry| entry.unwrap().file_name()).collect();
        assert!(staged.is_empty(), "{context}: {staged:?} is left in uploads");
    }

    async fn assert_whole(&self, digest: &Digest, bytes: &[u8], context: &str) {
        let read = read_blob(&self.registry, &name(), digest).await.unwrap();
        assert!(read.as_deref() == Some(bytes), "{context}: {digest} does not read whole");
    }
}

fn name() -> RepositoryName {
    "team/app".parse().unwrap()
}

/// Bytes of several batches, so that more is on its way when one fails.
fn content() -> Vec<u8> {
    random_bytes(7, 5_300_000)
}

/// A body in pieces as a connection brings them.
fn pieces(bytes: &[u8]) -> Chunk<berth_storage::testing::Body> {
    Chunk { range: None, length: None, body: body(bytes.chunks(200_000).map(Ok).collect()) }
}

/// No failed call may leave a request hanging.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("the request ends")
}

async fn begin(registry: &Registry<Store>) -> UploadId {
    registry.begin_upload(&name(), None, Creation::Allowed, &Actor::default()).await.unwrap()
}

async fn finish(registry: &Registry<Store>, id: UploadId, rest: &[u8]) -> Result<(), Error> {
    let (name, digest, actor) = (name(), digest_of(&content()), Actor::default());
    in_time(registry.finish_upload(&name, id, &digest, pieces(rest), Creation::Allowed, &actor)).await
}

/// Two PATCHes and a PUT; how far it came.
async fn push(registry: &Registry<Store>, id: UploadId) -> Result<(), Error> {
    let bytes = content();
    for part in [&bytes[..2_200_000], &bytes[2_200_000..4_400_000]] {
        in_time(registry.append_upload(&name(), id, pieces(part))).await?;
    }
    finish(registry, id, &bytes[4_400_000..]).await
}

/// The calls that a push makes.
async fn calls_of_a_push() -> Vec<Call> {
    let yard = Yard::new().await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    yard.store.follow(move |call| {
        noted.lock().unwrap().push(call);
        Outcome::Pass
    });
    push(&yard.registry, begin(&yard.registry).await).await.unwrap();
    let calls = calls.lock().unwrap().clone();
    assert!(calls.len() >= 8, "{calls:?} are fewer than appends, syncs and a seal");
    calls
}

const WAYS: [Outcome; 2] = [Outcome::FailBefore, Outcome::FailAfter];

#[tokio::test]
async fn after_any_failed_call_a_new_push_succeeds_and_nothing_is_left_over() {
    for number in 0..calls_of_a_push().await.len() {
        for way in WAYS {
            let context = format!("call {number}, {way:?}");
            let yard = Yard::new().await;
            let id = begin(&yard.registry).await;
            yard.fail(number, way);
            let first = push(&yard.registry, id).await;
            assert!(matches!(first, Err(Error::Fault(_))), "{context}: {first:?}");
            let digest = push_blob(&yard.registry, &name(), &content()).await.expect(&context);
            yard.assert_whole(&digest, &content(), &context).await;
            yard.assert_settled(&context).await;
            yard.assert_whole(&digest, &content(), &context).await;
        }
    }
}

#[tokio::test]
async fn after_any_failed_call_the_upload_goes_on_at_once_from_its_status() {
    for number in 0..calls_of_a_push().await.len() {
        for way in WAYS {
            let context = format!("call {number}, {way:?}");
            let yard = Yard::new().await;
            let id = begin(&yard.registry).await;
            yard.fail(number, way);
            assert!(push(&yard.registry, id).await.is_err(), "{context}");
            let status = yard.registry.upload_status(&name(), id).await.unwrap().expect(&context);
            let rest = &content()[status.received as usize..];
            finish(&yard.registry, id, rest).await.expect(&context);
            yard.assert_whole(&digest_of(&content()), &content(), &context).await;
            yard.assert_settled(&context).await;
        }
    }
}

#[tokio::test]
async fn after_any_failed_call_and_a_restart_the_upload_goes_on_from_its_status() {
    for number in 0..calls_of_a_push().await.len() {
        for way in WAYS {
            let context = format!("call {number}, {way:?}");
            let yard = Yard::new().await;
            let id = begin(&yard.registry).await;
            yard.fail(number, way);
            assert!(push(&yard.registry, id).await.is_err(), "{context}");
            let yard = yard.reopened().await;
            let status = yard.registry.upload_status(&name(), id).await.unwrap().expect(&context);
            let rest = &content()[status.received as usize..];
            finish(&yard.registry, id, rest).await.expect(&context);
            yard.assert_whole(&digest_of(&content()), &content(), &context).await;
            yard.assert_settled(&context).await;
        }
    }
}

#[tokio::test]
async fn an_upload_given_up_after_any_failed_call_leaves_nothing() {
    for number in 0..calls_of_a_push().await.len() {
        for way in WAYS {
            let context = format!("call {number}, {way:?}");
            let yard = Yard::new().await;
            let id = begin(&yard.registry).await;
            yard.fail(number, way);
            assert!(push(&yard.registry, id).await.is_err(), "{context}");
            yard.assert_settled(&context).await;
            let status = yard.registry.upload_status(&name(), id).await.unwrap();
            assert_eq!(status, None, "{context}");
        }
    }
}

const SILENT: [Outcome; 2] = [Outcome::HangBefore, Outcome::HangAfter];
/// Longer than a writer that is not heard of keeps its session.
const CLAIM_IS_OVER: Duration = Duration::from_secs(21);

/// A push whose call of number `number` never ends, in a process of its own as far as tasks go.
async fn push_that_hangs(yard: &Yard, id: UploadId, number: usize, way: Outcome) -> Runtime {
    yard.fail(number, way);
    let process = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let registry = yard.registry.clone();
    let pushing = process.spawn(async move { push(&registry, id).await });
    tokio::select! {
        outcome = pushing => panic!("call {number}, {way:?}: {outcome:?}"),
        () = in_time(yard.store.hangs()) => {}
    }
    process
}

#[tokio::test]
async fn beside_a_call_that_never_ends_a_new_push_succeeds_at_once_and_nothing_is_left_over() {
    for number in 0..calls_of_a_push().await.len() {
        for way in SILENT {
            let context = format!("call {number}, {way:?}");
            let yard = Yard::new().await;
            let id = begin(&yard.registry).await;
            let process = push_that_hangs(&yard, id, number, way).await;
            let digest = in_time(push_blob(&yard.registry, &name(), &content())).await.expect(&context);
            yard.assert_whole(&digest, &content(), &context).await;
            yard.assert_settled(&context).await;
            yard.assert_whole(&digest, &content(), &context).await;
            process.shutdown_background();
        }
    }
}

#[tokio::test]
async fn an_upload_whose_call_never_ended_goes_on_after_a_kill_once_its_writer_was_not_heard_of_for_a_while()
{
    let calls = calls_of_a_push().await;
    let seal = calls.iter().position(|call| *call == Call::Seal).unwrap();
    for number in 0..calls.len() {
        for way in SILENT {
            if number > seal || (number == seal && way == Outcome::HangAfter) {
                // All bytes are at their place, and the session knows only those of the PATCHes: it can't
                // go on, and the next push brings them again.
                continue;
            }
            let context = format!("call {number}, {way:?}");
            let yard = Yard::new().await;
            let id = begin(&yard.registry).await;
            let process = push_that_hangs(&yard, id, number, way).await;
            let busy = finish(&yard.registry, id, b"").await;
            assert!(matches!(busy, Err(Error::UploadBusy)), "{context}: {busy:?}");
            // Only its end lets go of the staged file: a late write must not fall between others.
            process.shutdown_background();
            yard.clock.advance(CLAIM_IS_OVER);
            let status = yard.registry.upload_status(&name(), id).await.unwrap().expect(&context);
            let rest = &content()[status.received as usize..];
            finish(&yard.registry, id, rest).await.expect(&context);
            yard.assert_whole(&digest_of(&content()), &content(), &context).await;
            yard.assert_settled(&context).await;
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_every_append_ends_each_request_and_works_again_later() {
    let yard = Yard::new().await;
    for way in WAYS {
        yard.fail_all(Call::Append, way);
        for _ in 0..3 {
            let refused = push(&yard.registry, begin(&yard.registry).await).await;
            assert!(matches!(refused, Err(Error::Fault(_))), "{refused:?}");
        }
    }
    yard.store.follow(|_| Outcome::Pass);
    push(&yard.registry, begin(&yard.registry).await).await.unwrap();
    yard.assert_settled("every append failed").await;
}

#[tokio::test]
async fn a_failed_read_is_a_fault_and_harms_nothing() {
    let yard = Yard::new().await;
    let digest = push_blob(&yard.registry, &name(), b"content").await.unwrap();
    for way in WAYS {
        yard.fail_all(Call::Read, way);
        let refused = read_blob(&yard.registry, &name(), &digest).await;
        assert!(matches!(refused, Err(Error::Fault(_))), "{refused:?}");
    }
    yard.store.follow(|_| Outcome::Pass);
    yard.assert_whole(&digest, b"content", "a failed read").await;
}

#[tokio::test]
async fn what_could_not_be_removed_is_removed_later_and_stops_nothing_else() {
    for failing in [Call::Abort, Call::Remove] {
        for way in WAYS {
            let context = format!("{failing:?}, {way:?}");
            let yard = Yard::new().await;
            // A second arrival of the same bytes is condemned, and so is an upload that expired.
            let digest = push_blob(&yard.registry, &name(), b"content").await.unwrap();
            push_blob(&yard.registry, &name(), b"content").await.unwrap();
            let id = begin(&yard.registry).await;
            yard.registry.append_upload(&name(), id, chunk(b"half")).await.unwrap();
            yard.clock.advance(Duration::from_secs(7200));
            yard.fail_all(failing, way);
            let swept = yard.registry.sweep().await.unwrap();
            assert_eq!((swept.expired_uploads, swept.removed), (1, 1), "{context}");
            assert_eq!(yard.registry.sweep().await.unwrap().removed, 0, "{context}");
            yard.assert_settled(&context).await;
            yard.assert_whole(&digest, b"content", &context).await;
        }
    }
}

#[tokio::test]
async fn each_failed_removal_waits_twice_as_long_but_never_more_than_a_day() {
    let yard = Yard::new().await;
    for _ in 0..2 {
        push_blob(&yard.registry, &name(), b"content").await.unwrap();
    }
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    yard.store.follow(move |call| match call {
        Call::Remove => {
            counted.fetch_add(1, Ordering::SeqCst);
            Outcome::FailBefore
        }
        _ => Outcome::Pass,
    });
    yard.registry.sweep().await.unwrap();
    let minute = Duration::from_secs(60);
    for (failed, minutes) in (1..).zip([2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]) {
        yard.clock.advance(minute * minutes - Duration::from_micros(1));
        yard.registry.sweep().await.unwrap();
        assert_eq!(tries.load(Ordering::SeqCst), failed, "just before {minutes} minutes");
        yard.clock.advance(Duration::from_micros(1));
        yard.registry.sweep().await.unwrap();
        assert_eq!(tries.load(Ordering::SeqCst), failed + 1, "after {minutes} minutes");
    }
    yard.assert_settled("every removal failed").await;
}

#[tokio::test]
async fn an_upload_refused_after_it_was_sealed_leaves_nothing() {
    let yard = Yard::new().await;
    let id = begin(&yard.registry).await;
    let (digest, actor) = (digest_of(b"content"), Actor::default());
    let refused =
        yard.registry.finish_upload(&name(), id, &digest, chunk(b"content"), Creation::Refused, &actor).await;
    assert!(matches!(refused, Err(Error::RepositoryUnknown(_))), "{refused:?}");
    yard.assert_settled("the repository may not be made").await;
}

#[tokio::test]
async fn an_upload_refused_after_it_was_sealed_can_be_finished_once_it_may() {
    let yard = Yard::new().await;
    let id = begin(&yard.registry).await;
    let (digest, actor) = (digest_of(b"content"), Actor::default());
    let refused =
        yard.registry.finish_upload(&name(), id, &digest, chunk(b"content"), Creation::Refused, &actor).await;
    assert!(matches!(refused, Err(Error::RepositoryUnknown(_))), "{refused:?}");
    push_image(&yard.registry, &name(), &[b"config"], &["latest"]).await.unwrap();
    let finished =
        yard.registry.finish_upload(&name(), id, &digest, chunk(b""), Creation::Refused, &actor).await;
    finished.unwrap();
    yard.assert_whole(&digest, b"content", "finished later").await;
    yard.assert_settled("finished later").await;
}

#[tokio::test]
async fn an_upload_sealed_under_one_digest_and_finished_under_another_leaves_nothing() {
    for way in WAYS {
        let yard = Yard::new().await;
        let id = begin(&yard.registry).await;
        yard.fail_all(Call::Seal, way);
        let (sha256, sha512) = (digest_of(b"content"), Digest::of(Algorithm::Sha512, b"content"));
        let actor = Actor::default();
        let put = |digest: Digest, bytes: &'static [u8]| {
            let (registry, actor) = (&yard.registry, &actor);
            async move {
                registry.finish_upload(&name(), id, &digest, chunk(bytes), Creation::Allowed, actor).await
            }
        };
        assert!(put(sha256.clone(), b"content").await.is_err(), "{way:?}");
        yard.store.follow(|_| Outcome::Pass);
        // Whether it may be something else now is not said; what is left of it is.
        let other = put(sha512.clone(), b"").await;
        if other.is_ok() {
            yard.assert_whole(&sha512, b"content", "the other digest").await;
        }
        yard.assert_settled(&format!("{way:?}, {other:?}")).await;
    }
}

/// A session that was hashed as sha256 while `bytes` came.
async fn begun_with(yard: &Yard, bytes: &[u8]) -> UploadId {
    let id = begin(&yard.registry).await;
    in_time(yard.registry.append_upload(&name(), id, pieces(bytes))).await.unwrap();
    id
}

async fn finish_as(yard: &Yard, id: UploadId, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
    let (name, actor) = (name(), Actor::default());
    in_time(yard.registry.finish_upload(&name, id, digest, pieces(bytes), Creation::Allowed, &actor)).await
}

#[tokio::test]
async fn an_upload_that_is_called_sha512_only_at_its_end_is_read_back() {
    let (yard, bytes) = (Yard::new().await, content());
    let digest = Digest::of(Algorithm::Sha512, &bytes);
    finish_as(&yard, begun_with(&yard, &bytes).await, &digest, b"").await.unwrap();
    yard.assert_whole(&digest, &bytes, "read back").await;
    yard.assert_settled("read back").await;
}

#[tokio::test]
async fn an_upload_that_turns_out_to_be_something_else_when_read_back_leaves_nothing() {
    let (yard, bytes) = (Yard::new().await, content());
    let id = begun_with(&yard, &bytes).await;
    let other = Digest::of(Algorithm::Sha512, b"something else");
    let refused = finish_as(&yard, id, &other, b"").await;
    let Err(Error::DigestMismatch { expected, actual }) = refused else { panic!("{refused:?}") };
    assert_eq!((expected, actual), (other, Digest::of(Algorithm::Sha512, &bytes)));
    assert_eq!(yard.registry.upload_status(&name(), id).await.unwrap(), None);
    yard.assert_settled("something else").await;
}

#[tokio::test]
async fn an_upload_whose_reading_back_failed_can_be_finished_at_once() {
    for way in WAYS {
        let (yard, bytes) = (Yard::new().await, content());
        let id = begun_with(&yard, &bytes).await;
        let digest = Digest::of(Algorithm::Sha512, &bytes);
        yard.fail_all(Call::Read, way);
        let refused = finish_as(&yard, id, &digest, b"").await;
        assert!(matches!(refused, Err(Error::Fault(_))), "{refused:?}");
        yard.store.follow(|_| Outcome::Pass);
        finish_as(&yard, id, &digest, b"").await.unwrap();
        yard.assert_whole(&digest, &bytes, "finished later").await;
        yard.assert_settled("finished later").await;
    }
}
