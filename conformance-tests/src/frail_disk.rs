//! A disk whose power can be cut.

use std::path::PathBuf;

use crate::Program;

/// An ext4 that writes nothing by itself, on an image file which an XFS can copy in an instant: the copy
/// is what a disk would hold at that moment. Gone with this value.
pub struct FrailDisk {
    folder: tempfile::TempDir,
}

impl FrailDisk {
    /// Makes and mounts one of 1 GiB.
    #[expect(clippy::new_without_default, reason = "a mount is no default")]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("berth-disk-").tempdir().expect("a temporary folder");
        let disk = Self { folder };
        for mounted in ["below", "disk"] {
            std::fs::create_dir(disk.path(mounted)).expect("making a folder");
        }
        Program::new("truncate").args(["-s", "3G"]).arg(disk.path("below.img")).succeeds();
        Program::new("mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(disk.path("below.img")).succeeds();
        Program::new("mount")
            .args(["-o", "loop"])
            .args([disk.path("below.img"), disk.path("below")])
            .succeeds();
        Program::new("truncate").args(["-s", "1G"]).arg(disk.image()).succeeds();
        Program::new("mkfs.ext4").arg("-q").arg(disk.image()).succeeds();
        disk.mount();
        disk
    }

    /// A place on it for a data folder.
    pub fn data(&self) -> PathBuf {
        self.path("disk").join("data")
    }

    /// Takes away all that was not made durable, and mounts the rest again. Nobody may be using it.
    pub fn cut_power(&mut self) {
        let held = self.path("below").join("held.img");
        Program::new("cp").arg("--reflink=always").args([self.image(), held.clone()]).succeeds();
        Program::new("umount").arg(self.path("disk")).succeeds();
        std::fs::rename(held, self.image()).expect("putting back what the disk held");
        self.mount();
    }

    fn mount(&self) {
        // Nothing goes to the disk after some time, or with a rename, that nobody asked for.
        let options = "loop,commit=600,noauto_da_alloc";
        Program::new("mount").args(["-o", options]).args([self.image(), self.path("disk")]).succeeds();
    }

    fn image(&self) -> PathBuf {
        self.path("below").join("disk.img")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for FrailDisk {
    fn drop(&mut self) {
        // The server may still have it when the test failed: then the kernel unmounts it later.
        for mounted in ["disk", "below"] {
            let _ = Program::new("umount").arg("-l").arg(self.path(mounted)).run();
        }
    }
}
