//! The contract of [`BlobStore`], clause by clause.
//!
//! `make` opens the store of a folder; opened twice, it stands for two processes. What a process
//! held is dropped before another goes on, as a crash would.
#![expect(missing_docs, reason = "a clause's name is its sentence")]

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use berth_oci::{Algorithm, Digest, Hasher};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use tempfile::TempDir;

use super::content::{digest_of, random_bytes};
use crate::{BlobStore, ByteRange, Fault, Location, Staged};

/// Stamps the contract of a blob store on `make`, an `async fn(PathBuf) -> impl BlobStore`.
#[macro_export]
macro_rules! blob_store_suite {
    ($make:path) => {
        $crate::stamp_clauses! { $make, blob_store:
            begin_chooses_a_place_that_was_never_chosen_before
            begin_leaves_nothing_in_the_store
            what_is_appended_in_pieces_reads_back_in_order
            append_counts_its_bytes_and_nothing_else
            appending_after_a_resume_cuts_off_what_lies_behind
            appending_from_an_earlier_copy_cuts_off_what_lies_behind
            sealing_after_a_resume_leaves_out_what_lies_behind
            an_upload_goes_on_in_another_process
            an_upload_that_was_saved_before_its_first_byte_goes_on_in_another_process
            a_resume_beyond_what_is_stored_is_a_fault
            syncing_twice_does_no_harm
            sealing_tells_the_digest_and_keeps_the_bytes
            sealing_again_after_a_crash_gives_the_same_place
            sealing_again_in_the_same_process_gives_the_same_place
            sealing_something_empty_again_gives_the_same_place
            the_same_bytes_twice_are_two_places
            abort_removes_what_was_staged
            abort_of_what_was_never_written_does_no_harm
            abort_removes_what_was_sealed_under_the_digest
            abort_before_sealing_came_to_pass_does_no_harm
            abort_twice_does_no_harm
            abort_leaves_other_uploads_alone
            a_range_reads_exactly_its_bytes
            an_empty_range_reads_nothing
            a_place_with_nothing_at_it_reads_as_none
            a_blob_shorter_than_the_range_ends_with_a_fault
            a_location_that_was_kept_as_text_reads_the_same
            removed_bytes_are_gone
            removing_twice_does_no_harm
            list_finds_exactly_what_is_sealed_with_its_size
            list_tells_when_a_blob_was_written
            an_empty_blob_is_a_blob
            sha512_is_kept_under_its_own_digest
            a_large_blob_in_many_appends_reads_back_whole
            uploads_side_by_side_do_not_mix
            readers_side_by_side_read_the_same
        }
    };
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// The store of a new folder.
async fn opened<B: BlobStore>(make: &impl AsyncFn(PathBuf) -> B) -> (TempDir, B) {
    let folder = folder();
    let store = make(folder.path().to_owned()).await;
    (folder, store)
}

/// `staged` as another process takes it up from the session's row.
fn taken_up(saved: &str) -> Staged {
    serde_json::from_str(saved).expect("what was saved is read")
}

fn saved(staged: &Staged) -> String {
    serde_json::to_string(staged).expect("what is staged can be saved")
}

/// Appends `bytes`, syncs, and gives what the session's row would keep; then the process is gone.
async fn stage(store: &impl BlobStore, mut staged: Staged, bytes: &[u8]) -> String {
    store.append(&mut staged, vec![Bytes::copy_from_slice(bytes)]).await.unwrap();
    store.sync(&mut staged).await.unwrap();
    saved(&staged)
}

async fn sealed(store: &impl BlobStore, bytes: &[u8]) -> Location {
    let mut staged = store.begin();
    store.append(&mut staged, vec![Bytes::copy_from_slice(bytes)]).await.unwrap();
    store.seal(&staged, &digest_of(bytes)).await.unwrap()
}

/// The bytes of a range, or none where nothing is.
async fn read(store: &impl BlobStore, at: &Location, first: u64, end: u64) -> Result<Option<Vec<u8>>, Fault> {
    let Some(stream) = store.read(at, ByteRange { first, end }).await? else { return Ok(None) };
    let pieces: Vec<Bytes> = stream.try_collect().await?;
    Ok(Some(pieces.concat()))
}

async fn whole(store: &impl BlobStore, at: &Location, size: usize) -> Vec<u8> {
    read(store, at, 0, size as u64).await.unwrap().expect("something is at the place")
}

async fn listed(store: &impl BlobStore) -> BTreeMap<String, u64> {
    let found: Vec<_> = store.list().try_collect().await.unwrap();
    let count = found.len();
    let by_place: BTreeMap<_, _> =
        found.into_iter().map(|found| (found.location.to_string(), found.size)).collect();
    assert_eq!(by_place.len(), count, "no place is listed twice");
    by_place
}

pub async fn begin_chooses_a_place_that_was_never_chosen_before<B: BlobStore>(
    make: impl AsyncFn(PathBuf) -> B,
) {
    let folder = folder();
    let (one, other) = (make(folder.path().to_owned()).await, make(folder.path().to_owned()).await);
    let mut chosen = HashSet::new();
    for _ in 0..500 {
        for staged in [one.begin(), other.begin()] {
            assert_eq!(staged.length, 0);
            assert!(chosen.insert(staged.id.clone()), "{} was chosen before", staged.id);
        }
    }
}

pub async fn begin_leaves_nothing_in_the_store<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let staged = store.begin();
    assert_eq!(listed(&store).await, BTreeMap::new());
    store.abort(&staged, None).await.unwrap();
}

pub async fn what_is_appended_in_pieces_reads_back_in_order<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let mut staged = store.begin();
    for pieces in [vec!["one", "", "two"], vec![], vec!["three"], vec!["", "four"]] {
        store.append(&mut staged, pieces.into_iter().map(Bytes::from).collect()).await.unwrap();
    }
    let expected = b"onetwothreefour";
    let at = store.seal(&staged, &digest_of(expected)).await.unwrap();
    assert_eq!(whole(&store, &at, expected.len()).await, expected);
}

pub async fn append_counts_its_bytes_and_nothing_else<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let mut staged = store.begin();
    let id = staged.id.clone();
    for (pieces, length) in [(vec!["abc"], 3), (vec![], 3), (vec!["d", "", "ef"], 6)] {
        store.append(&mut staged, pieces.into_iter().map(Bytes::from).collect()).await.unwrap();
        assert_eq!((staged.length, &staged.id), (length, &id));
    }
}

pub async fn appending_after_a_resume_cuts_off_what_lies_behind<B: BlobStore>(
    make: impl AsyncFn(PathBuf) -> B,
) {
    let (_folder, store) = opened(&make).await;
    let row = stage(&store, store.begin(), b"kept;").await;
    let longer = stage(&store, taken_up(&row), b"lost because the row was never saved").await;
    assert_ne!(row, longer);
    let mut staged = taken_up(&row);
    store.append(&mut staged, vec!["sent again".into()]).await.unwrap();
    let expected = b"kept;sent again";
    assert_eq!(staged.length, expected.len() as u64);
    let at = store.seal(&staged, &digest_of(expected)).await.unwrap();
    assert_eq!(whole(&store, &at, expected.len()).await, expected);
    assert_eq!(listed(&store).await, [(at.to_string(), expected.len() as u64)].into());
}

pub async fn appending_from_an_earlier_copy_cuts_off_what_lies_behind<B: BlobStore>(
    make: impl AsyncFn(PathBuf) -> B,
) {
    let (_folder, store) = opened(&make).await;
    let mut staged = store.begin();
    store.append(&mut staged, vec!["kept;".into()]).await.unwrap();
    let mut earlier = staged.clone();
    store.append(&mut staged, vec!["refused, and longer than what follows".into()]).await.unwrap();
    store.append(&mut earlier, vec!["sent again".into()]).await.unwrap();
    let expected = b"kept;sent again";
    let at = store.seal(&earlier, &digest_of(expected)).await.unwrap();
    assert_eq!(whole(&store, &at, expected.len()).await, expected);
    assert_eq!(listed(&store).await, [(at.to_string(), expected.len() as u64)].into());
}

pub async fn sealing_after_a_resume_leaves_out_what_lies_behind<B: BlobStore>(
    make: impl AsyncFn(PathBuf) -> B,
) {
    let (_folder, store) = opened(&make).await;
    let row = stage(&store, store.begin(), b"kept").await;
    stage(&store, taken_up(&row), b" and what the row never knew").await;
    let at = store.seal(&taken_up(&row), &digest_of(b"kept")).await.unwrap();
    assert_eq!(whole(&store, &at, 4).await, b"kept");
    assert_eq!(listed(&store).await, [(at.to_string(), 4)].into());
}

pub async fn an_upload_goes_on_in_another_process<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let folder = folder();
    let one = make(folder.path().to_owned()).await;
    let row = stage(&one, one.begin(), b"first half, ").await;
    drop(one);
    let other = make(folder.path().to_owned()).await;
    let row = stage(&other, taken_up(&row), b"second half").await;
    drop(other);
    let last = make(folder.path().to_owned()).await;
    let expected = b"first half, second half";
    let at = last.seal(&taken_up(&row), &digest_of(expected)).await.unwrap();
    assert_eq!(whole(&last, &at, expected.len()).await, expected);
}

pub async fn an_upload_that_was_saved_before_its_first_byte_goes_on_in_another_process<B: BlobStore>(
    make: impl AsyncFn(PathBuf) -> B,
) {
    let folder = folder();
    let one = make(folder.path().to_owned()).await;
    let row = saved(&one.begin());
    drop(one);
    let other = make(folder.path().to_owned()).await;
    let row = stage(&other, taken_up(&row), b"all").await;
    let at = other.seal(&taken_up(&row), &digest_of(b"all")).await.unwrap();
    assert_eq!(whole(&other, &at, 3).await, b"all");
}

pub async fn a_resume_beyond_what_is_stored_is_a_fault<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let row = stage(&store, store.begin(), b"short").await;
    let mut staged = taken_up(&row);
    staged.length += 1;
    assert!(store.append(&mut staged, vec!["more".into()]).await.is_err());
    assert!(store.seal(&staged, &digest_of(b"short!")).await.is_err());
    assert_eq!(listed(&store).await, BTreeMap::new());
}

pub async fn syncing_twice_does_no_harm<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let mut staged = store.begin();
    store.sync(&mut staged).await.unwrap();
    store.append(&mut staged, vec!["abc".into()]).await.unwrap();
    store.sync(&mut staged).await.unwrap();
    let row = saved(&staged);
    store.sync(&mut staged).await.unwrap();
    assert_eq!(saved(&staged), row);
    store.append(&mut staged, vec!["def".into()]).await.unwrap();
    let at = store.seal(&staged, &digest_of(b"abcdef")).await.unwrap();
    assert_eq!(whole(&store, &at, 6).await, b"abcdef");
}

pub async fn sealing_tells_the_digest_and_keeps_the_bytes<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let at = sealed(&store, b"content").await;
    assert!(at.as_str().contains(digest_of(b"content").hex()), "{at}");
    assert_eq!(whole(&store, &at, 7).await, b"content");
}

pub async fn sealing_again_after_a_crash_gives_the_same_place<B: BlobStore>(
    make: impl AsyncFn(PathBuf) -> B,
) {
    let folder = folder();
    let one = make(folder.path().to_owned()).await;
    let row = stage(&one, one.begin(), b"content").await;
    let digest = digest_of(b"content");
    let at = one.seal(&taken_up(&row), &digest).await.unwrap();
    drop(one);
    let other = make(folder.path().to_owned()).await;
    for _ in 0..2 {
        assert_eq!(other.seal(&taken_up(&row), &digest).await.unwrap(), at);
    }
    assert_eq!(whole(&other, &at, 7).await, b"content");
    assert_eq!(listed(&other).await, [(at.to_string(), 7)].into());
}

pub async fn sealing_again_in_the_same_process_gives_the_same_place<B: BlobStore>(
    make: impl AsyncFn(PathBuf) -> B,
) {
    let (_folder, store) = opened(&make).await;
    let mut staged = store.begin();
    store.append(&mut staged, vec!["content".into()]).await.unwrap();
    let digest = digest_of(b"content");
    let at = store.seal(&staged, &digest).await.unwrap();
    assert_eq!(store.seal(&staged, &digest).await.unwrap(), at);
    assert_eq!(whole(&store, &at, 7).await, b"content");
}

pub async fn sealing_something_empty_again_gives_the_same_place<B: BlobStore>(
    make: impl AsyncFn(PathBuf) -> B,
) {
    let (_folder, store) = opened(&make).await;
    let row = saved(&store.begin());
    let digest = digest_of(b"");
    let at = store.seal(&taken_up(&row), &digest).await.unwrap();
    assert_eq!(store.seal(&taken_up(&row), &digest).await.unwrap(), at);
    assert_eq!(listed(&store).await, [(at.to_string(), 0)].into());
}

pub async fn the_same_bytes_twice_are_two_places<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let (one, other) = (sealed(&store, b"same").await, sealed(&store, b"same").await);
    assert_ne!(one, other);
    store.remove(&one).await.unwrap();
    assert_eq!(read(&store, &one, 0, 4).await.unwrap(), None);
    assert_eq!(whole(&store, &other, 4).await, b"same");
}

pub async fn abort_removes_what_was_staged<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let row = stage(&store, store.begin(), b"half").await;
    store.abort(&taken_up(&row), None).await.unwrap();
    assert!(store.append(&mut taken_up(&row), vec!["more".into()]).await.is_err());
    assert!(store.seal(&taken_up(&row), &digest_of(b"half")).await.is_err());
}

pub async fn abort_of_what_was_never_written_does_no_harm<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    store.abort(&store.begin(), None).await.unwrap();
    store.abort(&store.begin(), Some(&digest_of(b"never"))).await.unwrap();
}

pub async fn abort_removes_what_was_sealed_under_the_digest<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let row = stage(&store, store.begin(), b"sealed").await;
    let digest = digest_of(b"sealed");
    let at = store.seal(&taken_up(&row), &digest).await.unwrap();
    store.abort(&taken_up(&row), Some(&digest)).await.unwrap();
    assert_eq!(read(&store, &at, 0, 6).await.unwrap(), None);
    assert_eq!(listed(&store).await, BTreeMap::new());
}

pub async fn abort_before_sealing_came_to_pass_does_no_harm<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let row = stage(&store, store.begin(), b"staged").await;
    store.abort(&taken_up(&row), Some(&digest_of(b"staged"))).await.unwrap();
    assert!(store.append(&mut taken_up(&row), vec!["more".into()]).await.is_err());
}

pub async fn abort_twice_does_no_harm<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let row = stage(&store, store.begin(), b"sealed").await;
    let digest = digest_of(b"sealed");
    store.seal(&taken_up(&row), &digest).await.unwrap();
    for sealing in [Some(&digest), Some(&digest), None, None] {
        store.abort(&taken_up(&row), sealing).await.unwrap();
    }
}

pub async fn abort_leaves_other_uploads_alone<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let kept = sealed(&store, b"same").await;
    let going_on = stage(&store, store.begin(), b"same").await;
    let aborted = stage(&store, store.begin(), b"same").await;
    let digest = digest_of(b"same");
    store.seal(&taken_up(&aborted), &digest).await.unwrap();
    store.abort(&taken_up(&aborted), Some(&digest)).await.unwrap();
    assert_eq!(listed(&store).await, [(kept.to_string(), 4)].into());
    let at = store.seal(&taken_up(&going_on), &digest).await.unwrap();
    assert_eq!(whole(&store, &at, 4).await, b"same");
}

pub async fn a_range_reads_exactly_its_bytes<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let bytes = random_bytes(1, 300_000);
    let at = sealed(&store, &bytes).await;
    let end = bytes.len() as u64;
    for (first, end) in [(0, end), (0, 1), (end - 1, end), (1, end - 1), (65_535, 65_537), (65_536, 262_145)]
    {
        let expected = &bytes[first as usize..end as usize];
        assert_eq!(read(&store, &at, first, end).await.unwrap().as_deref(), Some(expected), "{first}-{end}");
    }
}

pub async fn an_empty_range_reads_nothing<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let at = sealed(&store, b"content").await;
    for offset in [0, 3, 7] {
        assert_eq!(read(&store, &at, offset, offset).await.unwrap(), Some(Vec::new()), "{offset}");
    }
}

pub async fn a_place_with_nothing_at_it_reads_as_none<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let at = sealed(&store, b"content").await;
    store.remove(&at).await.unwrap();
    for range in [ByteRange { first: 0, end: 7 }, ByteRange { first: 0, end: 0 }] {
        assert!(store.read(&at, range).await.unwrap().is_none(), "{range:?}");
    }
}

pub async fn a_blob_shorter_than_the_range_ends_with_a_fault<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let bytes = random_bytes(2, 100_000);
    let at = sealed(&store, &bytes).await;
    for (first, end) in [(0, 100_001), (99_999, 100_001), (100_000, 100_001), (100_001, 100_002)] {
        // A store may know it at once, or when it comes to the end.
        let Ok(stream) = store.read(&at, ByteRange { first, end }).await else { continue };
        let items: Vec<_> = stream.expect("something is at the place").collect().await;
        let (last, before) = items.split_last().expect("the stream says how it ends");
        assert!(last.is_err(), "{first}-{end} ends with success");
        let read = before.iter().map(|item| item.as_ref().unwrap().len()).sum::<usize>();
        assert!(read as u64 <= 100_000u64.saturating_sub(first), "{first}-{end} gave {read} bytes");
    }
}

pub async fn a_location_that_was_kept_as_text_reads_the_same<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let folder = folder();
    let one = make(folder.path().to_owned()).await;
    let text = sealed(&one, b"content").await.to_string();
    drop(one);
    let other = make(folder.path().to_owned()).await;
    assert_eq!(whole(&other, &text.parse().unwrap(), 7).await, b"content");
}

pub async fn removed_bytes_are_gone<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let at = sealed(&store, b"content").await;
    store.remove(&at).await.unwrap();
    assert_eq!(read(&store, &at, 0, 7).await.unwrap(), None);
    assert_eq!(listed(&store).await, BTreeMap::new());
}

pub async fn removing_twice_does_no_harm<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let (at, other) = (sealed(&store, b"content").await, sealed(&store, b"other").await);
    for _ in 0..3 {
        store.remove(&at).await.unwrap();
    }
    assert_eq!(listed(&store).await, [(other.to_string(), 5)].into());
}

pub async fn list_finds_exactly_what_is_sealed_with_its_size<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (folder, store) = opened(&make).await;
    let mut expected = BTreeMap::new();
    for size in [0, 1, 1000, 70_000] {
        let bytes = random_bytes(size as u64, size);
        expected.insert(sealed(&store, &bytes).await.to_string(), size as u64);
    }
    let only_staged = stage(&store, store.begin(), b"not sealed").await;
    assert_eq!(listed(&store).await, expected);
    assert_eq!(listed(&make(folder.path().to_owned()).await).await, expected);
    let at = store.seal(&taken_up(&only_staged), &digest_of(b"not sealed")).await.unwrap();
    expected.insert(at.to_string(), 10);
    assert_eq!(listed(&store).await, expected);
}

pub async fn list_tells_when_a_blob_was_written<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    // File systems and object stores keep no more than seconds.
    let before = SystemTime::now() - Duration::from_secs(2);
    sealed(&store, b"content").await;
    let found: Vec<_> = store.list().try_collect().await.unwrap();
    let after = SystemTime::now() + Duration::from_secs(2);
    let [found] = found.as_slice() else { panic!("{found:?} is not one blob") };
    assert!(before <= found.modified && found.modified <= after, "{:?}", found.modified);
}

pub async fn an_empty_blob_is_a_blob<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let mut staged = store.begin();
    store.append(&mut staged, vec![Bytes::new()]).await.unwrap();
    let appended = store.seal(&staged, &digest_of(b"")).await.unwrap();
    let never_appended = store.seal(&store.begin(), &digest_of(b"")).await.unwrap();
    for at in [&appended, &never_appended] {
        assert_eq!(whole(&store, at, 0).await, b"");
    }
    assert_eq!(listed(&store).await, [(appended.to_string(), 0), (never_appended.to_string(), 0)].into());
}

pub async fn sha512_is_kept_under_its_own_digest<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let digest = Digest::of(Algorithm::Sha512, b"content");
    let row = stage(&store, store.begin(), b"content").await;
    let at = store.seal(&taken_up(&row), &digest).await.unwrap();
    assert!(at.as_str().contains("sha512") && at.as_str().contains(digest.hex()), "{at}");
    assert_eq!(whole(&store, &at, 7).await, b"content");
    assert_eq!(listed(&store).await, [(at.to_string(), 7)].into());
    store.abort(&taken_up(&row), Some(&digest)).await.unwrap();
    assert_eq!(listed(&store).await, BTreeMap::new());
}

pub async fn a_large_blob_in_many_appends_reads_back_whole<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let (mut staged, mut hasher) = (store.begin(), Hasher::new(Algorithm::Sha256));
    // Past what a store hands on in one go, with a resume in between.
    for part in 0..150u64 {
        let pieces: Vec<Bytes> = (0..4).map(|piece| random_bytes(part * 4 + piece, 40_000).into()).collect();
        pieces.iter().for_each(|piece| hasher.update(piece));
        store.append(&mut staged, pieces).await.unwrap();
        if part == 70 {
            store.sync(&mut staged).await.unwrap();
            let row = saved(&staged);
            drop(staged);
            staged = taken_up(&row);
        }
    }
    let (size, digest) = (staged.length, hasher.finish());
    assert_eq!(size, 24_000_000);
    let at = store.seal(&staged, &digest).await.unwrap();
    let mut stream = store.read(&at, ByteRange { first: 0, end: size }).await.unwrap().unwrap();
    let mut hasher = Hasher::new(Algorithm::Sha256);
    while let Some(piece) = stream.next().await {
        hasher.update(&piece.unwrap());
    }
    assert_eq!(hasher.finish(), digest);
}

pub async fn uploads_side_by_side_do_not_mix<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let upload = |number: u64| {
        let store = &store;
        async move {
            let mut staged = store.begin();
            let bytes = random_bytes(number, 50_000);
            for piece in bytes.chunks(1000) {
                store.append(&mut staged, vec![Bytes::copy_from_slice(piece)]).await.unwrap();
            }
            let at = store.seal(&staged, &digest_of(&bytes)).await.unwrap();
            (at, bytes)
        }
    };
    for (at, bytes) in futures_util::future::join_all((0..16).map(upload)).await {
        assert_eq!(whole(&store, &at, bytes.len()).await, bytes);
    }
}

pub async fn readers_side_by_side_read_the_same<B: BlobStore>(make: impl AsyncFn(PathBuf) -> B) {
    let (_folder, store) = opened(&make).await;
    let bytes = random_bytes(3, 3_000_000);
    let at = sealed(&store, &bytes).await;
    let reads = (0..8).map(|_| whole(&store, &at, bytes.len()));
    for read in futures_util::future::join_all(reads).await {
        assert_eq!(digest_of(&read), digest_of(&bytes));
    }
}
