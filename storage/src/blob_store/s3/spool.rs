//! Where bytes wait until they are a part: unlinked files under one folder, bounded all together.
//!
//! A full spool stops those who hold more than their share of it, so the largest holder among
//! them, and never those who hold less. Everyone may always hold one whole part, since only whole
//! parts leave.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::OFlags;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::error::{Fault, OrFault};

/// One folder and how much it may hold; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Spool {
    folder: Arc<Path>,
    capacity: u64,
    usage: Arc<Mutex<Usage>>,
    freed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Usage {
    held: u64,
    holders: u64,
}

/// One upload's part of the spool.
#[derive(Debug)]
pub(super) struct Holder {
    spool: Spool,
    held: Arc<Mutex<u64>>,
}

/// Room for so many bytes, given back when dropped.
#[derive(Debug)]
pub(super) struct Room {
    spool: Spool,
    held: Arc<Mutex<u64>>,
    bytes: u64,
}

impl Spool {
    /// A spool of `capacity` bytes in `folder`, which is made if it isn't there.
    pub(super) fn open(folder: &Path, capacity: u64) -> Result<Self, Fault> {
        let opening = || format!("opening the spool {}", folder.display());
        fs::create_dir_all(folder).or_fault(opening)?;
        let spool =
            Self { folder: folder.into(), capacity, usage: Arc::default(), freed: Arc::new(Notify::new()) };
        spool.file().or_fault(opening)?;
        Ok(spool)
    }

    /// A new file that nothing names: it is gone with its last reader.
    pub(super) fn file(&self) -> io::Result<File> {
        let mut options = File::options();
        options.read(true).write(true).mode(0o600);
        let unnamed = options
            .clone()
            .custom_flags(i32::try_from(OFlags::TMPFILE.bits()).unwrap_or_default())
            .open(&self.folder);
        // Not every file system has files without a name.
        unnamed.or_else(|_| {
            let path = self.folder.join(Uuid::new_v4().simple().to_string());
            let file = options.create_new(true).open(&path)?;
            fs::remove_file(&path)?;
            Ok(file)
        })
    }

    pub(super) fn holder(&self) -> Holder {
        self.usage.lock().holders += 1;
        Holder { spool: self.clone(), held: Arc::default() }
    }
}

impl Holder {
    /// Waits until there is room for `bytes` more; `whole` are always granted.
    pub(super) async fn room(&self, bytes: u64, whole: u64) -> Room {
        loop {
            let freed = self.spool.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(room) = self.try_room(bytes, whole) {
                return room;
            }
            freed.await;
        }
    }

    fn try_room(&self, bytes: u64, whole: u64) -> Option<Room> {
        let mut usage = self.spool.usage.lock();
        let mut held = self.held.lock();
        let share = (self.spool.capacity / usage.holders.max(1)).max(whole);
        if usage.held + bytes > self.spool.capacity && *held + bytes > share {
            return None;
        }
        usage.held += bytes;
        *held += bytes;
        Some(Room { spool: self.spool.clone(), held: Arc::clone(&self.held), bytes })
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.spool.usage.lock().holders -= 1;
        // The others' shares have grown.
        self.spool.freed.notify_waiters();
    }
}

impl Room {
    /// Takes in the room that was got for more of the same.
    pub(super) fn join(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.spool.usage.lock().held -= self.bytes;
        *self.held.lock() -= self.bytes;
        self.spool.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn spool(capacity: u64) -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), capacity).unwrap();
        (folder, spool)
    }

    #[tokio::test]
    async fn a_full_spool_stops_its_largest_holder_and_not_the_others() {
        let (_folder, spool) = spool(100);
        let (large, small) = (spool.holder(), spool.holder());
        let held = large.room(100, 10).await;
        let waiting = timeout(Duration::from_millis(20), large.room(1, 10)).await;
        assert!(waiting.is_err());
        let _others: Vec<Room> = [small.room(25, 10).await, small.room(25, 10).await].into_iter().collect();
        assert!(timeout(Duration::from_millis(20), small.room(1, 10)).await.is_err());
        drop(held);
        large.room(1, 10).await;
    }

    #[tokio::test]
    async fn a_whole_part_is_always_granted() {
        let (_folder, spool) = spool(10);
        let holders: Vec<Holder> = (0..5).map(|_| spool.holder()).collect();
        let mut rooms = Vec::new();
        for holder in &holders {
            rooms.push(holder.room(8, 8).await);
        }
        assert!(timeout(Duration::from_millis(20), holders[0].room(1, 8)).await.is_err());
    }

    #[test]
    fn files_of_the_spool_have_no_name() {
        let (folder, spool) = spool(10);
        let _file = spool.file().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
