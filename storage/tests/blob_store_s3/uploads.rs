//! How uploads become parts and objects, and what is left of them when something fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use berth_oci::{Algorithm, Digest, Hasher};
use berth_storage::testing::{digest_of, random_bytes};
use berth_storage::{BlobStore, ByteRange, Location, PartSizes, S3BlobStore, Staged};
use bytes::Bytes;
use futures_util::TryStreamExt;
use s3s::S3ErrorCode;
use tempfile::tempdir;

use crate::served;
use crate::server::{Asked, Server};

pub(crate) const MIB: usize = 1 << 20;

/// Appends `size` bytes, a little at a time; gives their digest.
pub(crate) async fn fill(store: &S3BlobStore, staged: &mut Staged, size: usize) -> Digest {
    let (mut hasher, bytes) = (Hasher::new(Algorithm::Sha256), Bytes::from(random_bytes(7, MIB)));
    let mut left = size;
    while left > 0 {
        let piece = bytes.slice(..left.min(256 * 1024));
        left -= piece.len();
        hasher.update(&piece);
        store.append(staged, vec![piece]).await.unwrap();
    }
    hasher.finish()
}

pub(crate) async fn digest_at(store: &S3BlobStore, at: &Location, size: u64) -> Digest {
    let range = ByteRange { first: 0, end: size };
    let stream = store.read(at, range).await.unwrap().unwrap();
    let hash = |mut hasher: Hasher, piece: Bytes| async move {
        hasher.update(&piece);
        Ok(hasher)
    };
    stream.try_fold(Hasher::new(Algorithm::Sha256), hash).await.unwrap().finish()
}

/// As another process takes it up.
fn taken_up(staged: &Staged) -> Staged {
    serde_json::from_str(&serde_json::to_string(staged).unwrap()).unwrap()
}

fn sizes(asked: &[Asked], operation: &str) -> Vec<i64> {
    asked.iter().filter(|asked| asked.operation == operation).map(|asked| asked.size).collect()
}

fn count(asked: &[Asked], operation: &str) -> usize {
    asked.iter().filter(|asked| asked.operation == operation).count()
}

#[tokio::test]
async fn a_small_blob_is_one_object_and_its_marker() {
    let folder = tempdir().unwrap();
    let (server, store) = served(folder.path(), |_| {}).await;
    let mut staged = store.begin();
    let digest = fill(&store, &mut staged, MIB).await;
    let at = store.seal(&staged, &digest).await.unwrap();
    let asked = server.asked();
    assert_eq!(count(&asked, "PutObject"), 2, "{asked:?}");
    assert_eq!(asked.len(), 2, "{asked:?}");
    let marker = format!("some/prefix/digests/sha256/{}/{}", digest.hex(), staged.id);
    assert!(asked.iter().any(|asked| asked.key == marker && asked.size == 0), "{asked:?}");
    assert_eq!(digest_at(&store, &at, staged.length).await, digest);
}

#[tokio::test]
async fn a_small_blob_that_was_saved_whole_is_sealed_where_it_is() {
    let folder = tempdir().unwrap();
    let (server, store) = served(folder.path(), |_| {}).await;
    let mut staged = store.begin();
    let digest = fill(&store, &mut staged, MIB).await;
    store.sync(&mut staged).await.unwrap();
    let saved = server.asked();
    assert_eq!((saved.len(), sizes(&saved, "PutObject")), (1, vec![MIB as i64]), "{saved:?}");
    let staged = taken_up(&staged);
    let at = store.seal(&staged, &digest).await.unwrap();
    let sealed = server.asked();
    assert_eq!((sealed.len(), sizes(&sealed, "PutObject")), (2, vec![0]), "{sealed:?}");
    assert_eq!(count(&sealed, "HeadObject"), 1, "{sealed:?}");
    assert_eq!(store.leftovers(&staged, &digest).await.unwrap(), []);
    assert_eq!(digest_at(&store, &at, staged.length).await, digest);
}

#[tokio::test]
async fn a_writer_that_was_stalled_overwrites_nothing_of_the_next_one() {
    let folder = tempdir().unwrap();
    let (_server, store) = served(folder.path(), |_| {}).await;
    let row = store.begin();
    let (mut stalled, mut next) = (taken_up(&row), taken_up(&row));
    store.append(&mut next, vec!["the next one's".into()]).await.unwrap();
    store.sync(&mut next).await.unwrap();
    let digest = digest_of(b"the next one's");
    let at = store.seal(&next, &digest).await.unwrap();
    store.append(&mut stalled, vec!["late".into()]).await.unwrap();
    store.sync(&mut stalled).await.unwrap();
    assert_eq!(digest_at(&store, &at, next.length).await, digest);
    clear(&store, &next, &digest).await;
    assert_eq!(digest_at(&store, &at, next.length).await, digest);
    assert_eq!(keys_below(folder.path(), "blobs"), 1);
}

#[tokio::test]
async fn a_large_blob_goes_in_parts_while_it_arrives_and_is_never_copied() {
    let folder = tempdir().unwrap();
    let (server, store) = served(folder.path(), |_| {}).await;
    let mut staged = store.begin();
    let digest = fill(&store, &mut staged, 30 * MIB).await;
    let before = server.asked();
    assert!(count(&before, "CreateMultipartUpload") == 1, "{before:?}");
    let at = store.seal(&staged, &digest).await.unwrap();
    let all = [before, server.asked()].concat();
    let mut parts = sizes(&all, "UploadPart");
    parts.sort_unstable();
    assert_eq!(parts, [6 * MIB as i64, 8 * MIB as i64, 8 * MIB as i64, 8 * MIB as i64]);
    assert_eq!(count(&all, "CompleteMultipartUpload"), 1);
    // It is looked at, and not read.
    assert_eq!((count(&all, "GetObject"), count(&all, "HeadObject")), (0, 1), "{all:?}");
    assert_eq!(digest_at(&store, &at, staged.length).await, digest);
    assert_eq!(server.open_uploads(), 0);
}

#[tokio::test]
async fn uniform_parts_are_all_alike_but_for_the_last() {
    let folder = tempdir().unwrap();
    let parts = PartSizes::Uniform((5 * MIB as u64).try_into().unwrap());
    let (server, store) = served(folder.path(), |options| options.parts = parts).await;
    let mut staged = store.begin();
    fill(&store, &mut staged, 11 * MIB).await;
    store.sync(&mut staged).await.unwrap();
    let mut staged = taken_up(&staged);
    fill(&store, &mut staged, 11 * MIB).await;
    store.seal(&staged, &digest_of(b"whatever")).await.unwrap();
    let mut parts = sizes(&server.asked(), "UploadPart");
    parts.sort_unstable();
    let five = 5 * MIB as i64;
    assert_eq!(parts, [2 * MIB as i64, five, five, five, five]);
}

#[tokio::test]
async fn another_process_goes_on_with_parts_and_the_end_that_is_none_yet() {
    let folder = tempdir().unwrap();
    let (_server, one) = served(folder.path(), |_| {}).await;
    let mut staged = one.begin();
    fill(&one, &mut staged, 18 * MIB).await;
    one.sync(&mut staged).await.unwrap();
    let row = serde_json::to_string(&staged).unwrap();
    assert!(row.len() < 1024, "{row}");
    drop((one, staged));
    let (server, other) = served(folder.path(), |_| {}).await;
    // What the first server knew of the upload is on the disk; this one's watch is new.
    server.adopt_uploads_of(&row);
    let mut staged: Staged = serde_json::from_str(&row).unwrap();
    fill(&other, &mut staged, 9 * MIB).await;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let bytes = random_bytes(7, MIB);
    for size in [18 * MIB, 9 * MIB] {
        (0..size / (256 * 1024)).for_each(|_| hasher.update(&bytes[..256 * 1024]));
    }
    let digest = hasher.finish();
    let at = other.seal(&staged, &digest).await.unwrap();
    clear(&other, &staged, &digest).await;
    assert_eq!(digest_at(&other, &at, staged.length).await, digest);
    assert_eq!(keys_below(folder.path(), "blobs"), 1);
}

/// Removes what an upload that was sealed leaves besides.
async fn clear(store: &S3BlobStore, staged: &Staged, digest: &Digest) {
    for left in store.leftovers(staged, digest).await.unwrap() {
        store.remove(&left).await.unwrap();
    }
}

/// How many objects are below a folder of the prefix.
fn keys_below(folder: &std::path::Path, name: &str) -> usize {
    fn files(folder: &std::path::Path) -> usize {
        let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
        entries
            .map(|entry| entry.unwrap().path())
            .map(|path| if path.is_dir() { files(&path) } else { 1 })
            .sum()
    }
    files(&folder.join("s3").join(crate::BUCKET).join("some/prefix").join(name))
}

#[tokio::test]
async fn a_crash_between_completing_and_the_row_ends_at_the_same_place() {
    let folder = tempdir().unwrap();
    let (server, store) = served(folder.path(), |_| {}).await;
    for size in [MIB, 8 * MIB, 20 * MIB] {
        let mut staged = store.begin();
        let digest = fill(&store, &mut staged, size).await;
        store.sync(&mut staged).await.unwrap();
        let row = taken_up(&staged);
        let at = store.seal(&staged, &digest).await.unwrap();
        assert_eq!(store.seal(&row, &digest).await.unwrap(), at);
        assert_eq!(store.seal(&taken_up(&row), &digest).await.unwrap(), at);
        clear(&store, &row, &digest).await;
        assert_eq!(digest_at(&store, &at, size as u64).await, digest);
    }
    assert_eq!((server.open_uploads(), keys_below(folder.path(), "blobs")), (0, 3));
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let folder = tempdir().unwrap();
    let (server, store) = served(folder.path(), |_| {}).await;
    let mut staged = store.begin();
    fill(&store, &mut staged, 20 * MIB).await;
    store.sync(&mut staged).await.unwrap();
    fill(&store, &mut staged, 9 * MIB).await;
    store.abort(&taken_up(&staged), None).await.unwrap();
    drop(staged);
    assert_eq!((server.open_uploads(), keys_below(folder.path(), "blobs")), (0, 0));
}

#[tokio::test]
async fn an_upload_begun_by_a_process_that_was_killed_before_it_could_save_is_ended() {
    let folder = tempdir().unwrap();
    let (server, store) = served(folder.path(), |_| {}).await;
    let row = store.begin();
    fill(&store, &mut taken_up(&row), 10 * MIB).await;
    assert_eq!(server.open_uploads(), 1);
    let mut staged = taken_up(&row);
    let digest = fill(&store, &mut staged, 10 * MIB).await;
    assert_eq!(server.open_uploads(), 1);
    store.seal(&staged, &digest).await.unwrap();
    assert_eq!(server.open_uploads(), 0);
}

#[tokio::test]
async fn a_refused_request_can_go_back_behind_many_saves() {
    let folder = tempdir().unwrap();
    let (_server, store) = served(folder.path(), |_| {}).await;
    let mut staged = store.begin();
    store.append(&mut staged, vec!["kept;".into()]).await.unwrap();
    store.sync(&mut staged).await.unwrap();
    let before = taken_up(&staged);
    let mut refused = before.clone();
    for _ in 0..4 {
        store.append(&mut refused, vec!["refused;".into()]).await.unwrap();
        store.sync(&mut refused).await.unwrap();
    }
    let mut staged = taken_up(&before);
    store.append(&mut staged, vec!["sent again".into()]).await.unwrap();
    let expected = b"kept;sent again";
    let at = store.seal(&staged, &digest_of(expected)).await.unwrap();
    clear(&store, &staged, &digest_of(expected)).await;
    assert_eq!(digest_at(&store, &at, expected.len() as u64).await, digest_of(expected));
    assert_eq!(keys_below(folder.path(), "blobs"), 1);
}

/// Refuses the first `times` requests of each operation in `operations`.
fn refuse_first(
    server: &Server,
    times: usize,
    code: S3ErrorCode,
    operations: &'static [&'static str],
) -> Arc<AtomicUsize> {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    server.refuse(move |asked| {
        let due = operations.contains(&asked.operation) && count.load(Ordering::Relaxed) < times;
        due.then(|| {
            count.fetch_add(1, Ordering::Relaxed);
            code.clone()
        })
    });
    refused
}

#[tokio::test]
async fn what_fails_on_the_servers_side_is_tried_again() {
    for code in [S3ErrorCode::InternalError, S3ErrorCode::SlowDown, S3ErrorCode::ServiceUnavailable] {
        for operation in
            [&["UploadPart"], &["PutObject"], &["CompleteMultipartUpload"], &["CreateMultipartUpload"]]
        {
            let folder = tempdir().unwrap();
            let (server, store) = served(folder.path(), |_| {}).await;
            let refused = refuse_first(&server, 2, code.clone(), operation);
            let mut staged = store.begin();
            let digest = fill(&store, &mut staged, 10 * MIB).await;
            let at = store.seal(&staged, &digest).await.unwrap();
            assert_eq!(refused.load(Ordering::Relaxed), 2, "{operation:?}");
            assert_eq!(digest_at(&store, &at, staged.length).await, digest);
        }
    }
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let folder = tempdir().unwrap();
    let (server, store) = served(folder.path(), |_| {}).await;
    let mut staged = store.begin();
    let digest = fill(&store, &mut staged, MIB).await;
    let refused = refuse_first(&server, 100, S3ErrorCode::AccessDenied, &["PutObject"]);
    let error = store.seal(&staged, &digest).await.unwrap_err().to_string();
    assert!(error.contains("AccessDenied") && error.contains(&staged.id), "{error}");
    // The object and its marker, each once at most.
    assert!(refused.load(Ordering::Relaxed) <= 2);
}

#[tokio::test]
async fn an_upload_that_could_not_be_completed_goes_on() {
    let folder = tempdir().unwrap();
    let (server, store) = served(folder.path(), |_| {}).await;
    let mut staged = store.begin();
    fill(&store, &mut staged, 9 * MIB).await;
    refuse_first(&server, 1, S3ErrorCode::AccessDenied, &["CompleteMultipartUpload"]);
    store.seal(&staged, &digest_of(b"refused")).await.unwrap_err();
    store.sync(&mut staged).await.unwrap();
    let mut staged = taken_up(&staged);
    fill(&store, &mut staged, 9 * MIB).await;
    let at = store.seal(&staged, &digest_of(b"whatever")).await.unwrap();
    let bytes = random_bytes(7, MIB);
    let mut hasher = Hasher::new(Algorithm::Sha256);
    (0..18 * 4).for_each(|_| hasher.update(&bytes[..256 * 1024]));
    assert_eq!(digest_at(&store, &at, 18 * MIB as u64).await, hasher.finish());
}

#[tokio::test]
async fn a_signed_url_reads_the_blob_without_a_key() {
    let folder = tempdir().unwrap();
    let (_server, store) = served(folder.path(), |_| {}).await;
    let mut staged = store.begin();
    store.append(&mut staged, vec!["content".into()]).await.unwrap();
    let at = store.seal(&staged, &digest_of(b"content")).await.unwrap();
    let url = store.url(&at, Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(format!("{url:?}"), "SignedUrl");
    let client = reqwest::Client::new();
    let answer = client.get(url.expose()).header("range", "bytes=1-3").send().await.unwrap();
    assert_eq!(answer.status(), 206);
    assert_eq!(answer.text().await.unwrap(), "ont");
    let unsigned = url.expose().split('?').next().unwrap();
    assert_eq!(client.get(unsigned).send().await.unwrap().status(), 403);
}
