//! Who may change a container: its monitor while it is alive, else whoever holds its lock for a moment.
//!
//! The lock belongs to a process and goes with it, however that ends; a process that it starts has no part
//! in it. So a lock that nobody holds tells that no monitor is alive, even after kill -9.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::process::{Flock, FlockType};

use super::Folder;

const PAUSE: Duration = Duration::from_millis(5);

/// The lock of a container, held until it is dropped or its process ends.
///
/// The process must never open the same file again: the kernel takes closing it for unlocking.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock unless another process holds it.
    pub(crate) fn try_take(folder: &Folder) -> io::Result<Option<Self>> {
        let file = open(folder)?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the lock, waiting at most so long for who holds it.
    pub(crate) fn take_within(folder: &Folder, at_most: Duration) -> io::Result<Option<Self>> {
        let deadline = Instant::now() + at_most;
        loop {
            match Self::try_take(folder)? {
                None if Instant::now() < deadline => std::thread::sleep(PAUSE),
                result => return Ok(result),
            }
        }
    }
}

/// The process that holds the lock.
pub(crate) fn holder(folder: &Folder) -> io::Result<Option<i32>> {
    let file = match open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    let held = rustix::process::fcntl_getlk(&file, &Flock::from(FlockType::WriteLock))?;
    Ok(held.and_then(|lock| lock.pid).map(|pid| pid.as_raw_pid()))
}

/// Whether somebody holds the lock, for who holds no lock of that container; a container that isn't there has none.
pub(crate) fn is_looked_after(folder: &Folder) -> bool {
    holder(folder).is_ok_and(|holder| holder.is_some())
}

fn open(folder: &Folder) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).read(true).open(folder.path().join("lock"))
}
