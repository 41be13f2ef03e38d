//! What uploads take of memory. That is told of a process, so this one's is of its own.

use std::process::Command;

use berth_storage::BlobStore;
use futures_util::future::join_all;
use tempfile::tempdir;

use crate::served;
use crate::uploads::{MIB, digest_at, fill};

/// The most that 32 uploads may take beyond one, in MiB. The S3 server is in the same process.
const MOST: usize = 96;

#[test]
fn memory_does_not_grow_with_uploads() {
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", "memory::of_32_uploads_in_a_process_of_its_own", "--ignored", "--nocapture"]);
    let outcome = alone.output().unwrap();
    let said = String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.status.success(), "{said}{}", String::from_utf8_lossy(&outcome.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "memory_does_not_grow_with_uploads runs it, where no other test runs"]
async fn of_32_uploads_in_a_process_of_its_own() {
    let folder = tempdir().unwrap();
    let (_server, store) = served(folder.path(), |_| {}).await;
    let upload = async || {
        let mut staged = store.begin();
        let digest = fill(&store, &mut staged, 20 * MIB).await;
        let at = store.seal(&staged, &digest).await.unwrap();
        assert_eq!(digest_at(&store, &at, staged.length).await, digest);
    };
    upload().await;
    let before = peak();
    join_all((0..32).map(|_| upload())).await;
    let grown = peak().saturating_sub(before) / MIB;
    assert!(grown < MOST, "{grown} MiB more for 32 uploads of 20 MiB");
}

/// The most memory that this process had so far, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
