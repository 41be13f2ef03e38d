//! A disk that is soon full.

use std::io::Write;
use std::path::PathBuf;

use crate::Program;

const MIB: u64 = 1 << 20;

/// A small file system of its own, gone with this value.
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one of so many MiB.
    pub fn new(mib: u64) -> Self {
        let folder = tempfile::Builder::new().prefix("berth-disk-").tempdir().expect("a temporary folder");
        let size = format!("size={mib}m");
        Program::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).succeeds();
        Self { folder }
    }

    /// A place on it for a data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes into a file of its own until so much is left.
    pub fn fill_up_to(&self, left: u64) -> PathBuf {
        let path = self.folder.path().join("filler");
        let mut file = std::fs::File::options().create(true).append(true).open(&path).expect("a file");
        while self.free() > left {
            let size = (self.free() - left).min(MIB);
            if file.write_all(&vec![0; usize::try_from(size).expect("fits")]).is_err() {
                break;
            }
        }
        path
    }

    fn free(&self) -> u64 {
        let state = rustix::fs::statvfs(self.folder.path()).expect("the state of a file system");
        state.f_bavail * state.f_frsize
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server may still have it when the test failed: then the kernel unmounts it later.
        let _ = Program::new("umount").arg("-l").arg(self.folder.path()).run();
    }
}

/// Whether file systems can be mounted here; says so when not, and fails where they must be.
pub fn may_mount() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        assert!(std::env::var_os("CI").is_none(), "in CI these tests run as root: they mount a small disk");
        // Not by a macro: the test harness would keep that to itself.
        let said = "NOT TESTED: only root can mount the small disk that this test fills";
        writeln!(std::io::stderr(), "{said}").expect("writing to standard error");
    }
    root
}
