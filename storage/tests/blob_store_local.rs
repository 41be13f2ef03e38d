//! The contract of a blob store, on a local folder.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::PathBuf;
use std::sync::Arc;

use berth_storage::testing::{FaultyBlobStore, digest_of};
use berth_storage::{BlobStore, BufferBudget, LocalBlobStore, NoTelemetry, Staged};

async fn local(folder: PathBuf) -> LocalBlobStore {
    LocalBlobStore::open(&folder, BufferBudget::new(16 << 20), Arc::new(NoTelemetry)).unwrap()
}

async fn without_a_fault(folder: PathBuf) -> FaultyBlobStore<LocalBlobStore> {
    FaultyBlobStore::new(local(folder).await)
}

mod on_a_folder {
    berth_storage::blob_store_suite!(super::local);
}

mod behind_a_faulty_store_without_a_fault {
    berth_storage::blob_store_suite!(super::without_a_fault);
}

#[tokio::test]
async fn the_next_writer_waits_until_a_stalled_one_has_let_go_and_takes_off_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let store = local(folder.path().to_owned()).await;
    let mut stalled = store.begin();
    store.append(&mut stalled, vec!["kept;".into()]).await.unwrap();
    let mut next: Staged = serde_json::from_str(&serde_json::to_string(&stalled).unwrap()).unwrap();
    let appending = {
        let store = store.clone();
        tokio::spawn(async move {
            store.append(&mut next, vec!["next".into()]).await.unwrap();
            store.seal(&next, &digest_of(b"kept;next")).await.unwrap()
        })
    };
    store.append(&mut stalled, vec!["written by the stalled one".into()]).await.unwrap();
    assert!(!appending.is_finished());
    drop(stalled);
    let at = appending.await.unwrap();
    assert_eq!(std::fs::read(folder.path().join(at.as_str())).unwrap(), b"kept;next");
}
