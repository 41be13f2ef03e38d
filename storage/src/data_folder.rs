//! The folder that one process owns.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use crate::error::{Fault, OrFault};

/// The server's part of a data folder, `<data>/registry`, locked for this process.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    id: String,
    /// Held open: the lock goes with it, also when the process is killed.
    _lock: File,
}

impl DataFolder {
    /// Makes `<data>/registry` (0700) unless it is there, and locks it.
    ///
    /// # Errors
    /// When the folder can't be made or written, or another process has it.
    pub fn open(data: &Path) -> Result<Self, Fault> {
        let root = data.join("registry");
        let opening = || format!("opening the data folder {}", data.display());
        DirBuilder::new().recursive(true).mode(0o700).create(&root).or_fault(opening)?;
        let path = root.join("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let mut lock = open.or_fault(opening)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = std::fs::read_to_string(&path).unwrap_or_default();
                let holder = match holder.trim() {
                    "" => String::new(),
                    pid => format!(" (process {pid})"),
                };
                let why =
                    format!("another berth{holder} is using it; stop that one or choose another folder");
                return Err(Fault::because(opening(), why));
            }
            Err(error) => return Err(Fault::new(opening(), io::Error::from(error))),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).or_fault(opening)?;
        let id = id_in(&root).or_fault(opening)?;
        Ok(Self { root, id, _lock: lock })
    }

    /// What tells this data folder from all others: whoever has its lock may go on with what the last
    /// one held, also after a kill.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A file or folder in `<data>/registry`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

/// The folder's own id, made when it has none. Only with the lock.
fn id_in(root: &Path) -> io::Result<String> {
    let path = root.join("holder");
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(_) | Err(_) => {}
    }
    let (id, new) = (Uuid::new_v4().to_string(), root.join("holder.new"));
    let open = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new);
    let mut file = open?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    File::open(root)?.sync_all()?;
    Ok(id)
}
