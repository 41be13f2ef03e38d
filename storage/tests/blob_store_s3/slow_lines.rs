//! Lines to S3 on which little moves, or nothing any more.

use std::path::Path;
use std::time::{Duration, Instant};

use berth_storage::testing::digest_of;
use berth_storage::{BlobStore, ByteRange, Location, S3BlobStore};
use futures_util::TryStreamExt;
use tempfile::tempdir;
use test_servers::{BadLine, Line};

use crate::server::Server;
use crate::uploads::{MIB, digest_at, fill};
use crate::{options, store};

const SILENCE: Duration = Duration::from_secs(4);
/// Bytes a second of each connection: a part takes twice as long as a request may wait for nothing.
const NARROW: Line = Line::Narrow(1 << 20);

/// A server, the line to it, and a store at the end of the line.
async fn behind_a_line(folder: &Path) -> (Server, BadLine, S3BlobStore) {
    let server = Server::start(&folder.join("s3")).await;
    let line = BadLine::to(server.address);
    let mut options = options(format!("http://{}", line.address()), &folder.join("spool"));
    options.silence = SILENCE;
    (server, line, store(options).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_take_longer_than_any_silence_arrive_while_they_move() {
    let folder = tempdir().unwrap();
    let (_server, line, store) = behind_a_line(folder.path()).await;
    line.becomes(NARROW);
    let (mut staged, started) = (store.begin(), Instant::now());
    let digest = fill(&store, &mut staged, 24 * MIB).await;
    let at = store.seal(&staged, &digest).await.unwrap();
    assert!(started.elapsed() > SILENCE, "the line was narrow: {:?}", started.elapsed());
    line.becomes(Line::Good);
    assert_eq!(digest_at(&store, &at, staged.length).await, digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_a_blob_in_one_request() {
    let folder = tempdir().unwrap();
    let (_server, line, store) = behind_a_line(folder.path()).await;
    line.becomes(NARROW);
    let (mut staged, started) = (store.begin(), Instant::now());
    let digest = fill(&store, &mut staged, 8 * MIB).await;
    let at = store.seal(&staged, &digest).await.unwrap();
    assert!(started.elapsed() > SILENCE, "the line was narrow: {:?}", started.elapsed());
    line.becomes(Line::Good);
    assert_eq!(digest_at(&store, &at, staged.length).await, digest);
}

/// What `work` fails with, not long after nothing moves any more.
async fn fails_in_time<T>(work: impl Future<Output = Result<T, berth_storage::Fault>>) -> String {
    let ended = tokio::time::timeout(SILENCE * 4, work).await.expect("an end in time");
    let Err(fault) = ended else { panic!("it can't succeed") };
    fault.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_dies_under_a_part_is_an_error_that_says_so() {
    let folder = tempdir().unwrap();
    let (_server, line, store) = behind_a_line(folder.path()).await;
    line.becomes(NARROW);
    let mut staged = store.begin();
    let digest = fill(&store, &mut staged, 20 * MIB).await;
    line.becomes(Line::Dead);
    let said = fails_in_time(store.seal(&staged, &digest)).await;
    assert!(said.contains("nothing moved for 4 s"), "{said}");
    line.becomes(Line::Good);
    let mut staged = store.begin();
    let digest = fill(&store, &mut staged, 20 * MIB).await;
    store.seal(&staged, &digest).await.expect("and then it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_dies_before_an_answer_is_an_error_that_says_so() {
    let folder = tempdir().unwrap();
    let (_server, line, store) = behind_a_line(folder.path()).await;
    line.becomes(Line::Dead);
    let mut staged = store.begin();
    let digest = fill(&store, &mut staged, 100).await;
    let said = fails_in_time(store.seal(&staged, &digest)).await;
    assert!(said.contains("nothing moved for 4 s"), "{said}");
}

async fn sealed(store: &S3BlobStore, size: usize) -> Location {
    let mut staged = store.begin();
    fill(store, &mut staged, size).await;
    store.seal(&staged, &digest_of(b"whatever")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_dies_under_a_read_is_an_error_that_says_so() {
    let folder = tempdir().unwrap();
    let (_server, line, store) = behind_a_line(folder.path()).await;
    let size = 16 * MIB;
    let at = sealed(&store, size).await;
    line.becomes(NARROW);
    let range = ByteRange { first: 0, end: size as u64 };
    let mut bytes = store.read(&at, range).await.unwrap().unwrap();
    bytes.try_next().await.unwrap();
    line.becomes(Line::Dead);
    let rest = tokio::time::timeout(SILENCE * 4, bytes.try_for_each(async |_| Ok(())));
    let said = rest.await.expect("an end in time").unwrap_err().to_string();
    assert!(said.contains("nothing moved for 4 s"), "{said}");
}
