//! The root file system of a container, looked into from outside: no link in it leads out of it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// How often a resolution that the kernel gave up, because something was renamed meanwhile, is tried again.
const ATTEMPTS: usize = 64;

/// A root file system; paths are resolved in it as if the process were in it, without magic links.
#[derive(Debug)]
pub(crate) struct Root {
    folder: OwnedFd,
}

impl Root {
    /// Opens the root file system at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { folder: rustix::fs::openat(CWD, path, flags, Mode::empty())? })
    }

    /// Opens what is at `path` in it.
    pub(crate) fn open_at(
        &self,
        path: impl AsRef<Path>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mut attempts = 0..ATTEMPTS;
        loop {
            let opened =
                rustix::fs::openat2(&self.folder, path.as_ref(), flags | OFlags::CLOEXEC, mode, resolve);
            match opened {
                Err(Errno::AGAIN) if attempts.next().is_some() => {}
                result => return result,
            }
        }
    }

    /// Reads the file at `path`, or as much of it as `limit` bytes.
    pub(crate) fn read(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, Errno> {
        // A pipe or device that an image has in a file's place must not be waited for.
        let file = self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())?;
        let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
        if kind != rustix::fs::FileType::RegularFile {
            return Err(Errno::INVAL);
        }
        let mut bytes = Vec::new();
        let read = File::from(file).take(limit).read_to_end(&mut bytes);
        read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok(bytes)
    }

    /// Makes sure that there is something at `path` that a file can be mounted on: an empty file where nothing
    /// is, also in the place of a link that leads nowhere.
    pub(crate) fn make_file(&self, path: &Path) -> Result<(), Errno> {
        match self.open_at(path, OFlags::PATH, Mode::empty()) {
            Err(Errno::NOENT) => {}
            result => return result.map(drop),
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::INVAL) };
        let parent = self.make_folders(parent, Mode::from_raw_mode(0o755))?;
        match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644)).map(drop)
    }

    /// Where `path` leads in it: the links of what is there followed, the rest as it stands.
    pub(crate) fn resolved(&self, path: &Path) -> Result<PathBuf, Errno> {
        let (mut at, mut rest) = (path, Vec::new());
        let found = loop {
            match self.open_at(at, OFlags::PATH, Mode::empty()) {
                Ok(found) => break found,
                Err(Errno::NOENT | Errno::NOTDIR) => {
                    let (Some(parent), Some(name)) = (at.parent(), at.file_name()) else {
                        return Err(Errno::NOENT);
                    };
                    rest.push(name);
                    at = parent;
                }
                Err(error) => return Err(error),
            }
        };
        let (found, top) = (name_of(&found)?, name_of(&self.folder)?);
        let inside = found.strip_prefix(top).map_err(|_| Errno::XDEV)?;
        Ok(Path::new("/").join(inside).join(rest.iter().rev().collect::<PathBuf>()))
    }

    /// Makes sure that there is a folder at `path`, following the links that are there.
    ///
    /// # Errors
    /// `ENOTDIR` when something else is there.
    pub(crate) fn make_folders(&self, path: &Path, mode: Mode) -> Result<OwnedFd, Errno> {
        let mut reached = Path::new("/").to_owned();
        for component in path.components() {
            let name = match component {
                Component::Normal(name) => name,
                Component::ParentDir => OsStr::from_bytes(b".."),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => continue,
            };
            let parent = self.open_at(&reached, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
            if name != ".." {
                match rustix::fs::mkdirat(&parent, name, mode) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error),
                }
            }
            reached.push(name);
        }
        self.open_at(&reached, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
    }
}

/// What the kernel calls something that is open.
fn name_of(opened: &OwnedFd) -> Result<PathBuf, Errno> {
    let link = format!("/proc/self/fd/{}", opened.as_raw_fd());
    std::fs::read_link(link).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_to_places_in_the_root_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("root"), folder.path().join("secret"));
        fs::create_dir(&root).unwrap();
        fs::write(&outside, "outside").unwrap();
        fs::write(root.join("secret"), "inside").unwrap();
        symlink("../../secret", root.join("up")).unwrap();
        symlink("/secret", root.join("absolute")).unwrap();
        symlink(&outside, root.join("away")).unwrap();
        let root = Root::open(&root).unwrap();
        assert_eq!(root.read("up", 99).unwrap(), b"inside");
        assert_eq!(root.read("absolute", 99).unwrap(), b"inside");
        assert_eq!(root.read("../../secret", 3).unwrap(), b"ins");
        assert_eq!(root.read("away", 99).unwrap_err(), Errno::NOENT);
    }

    #[test]
    fn a_place_is_where_links_lead_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root");
        fs::create_dir_all(path.join("proc")).unwrap();
        symlink("../../proc", path.join("link")).unwrap();
        let root = Root::open(&path).unwrap();
        for (place, leads) in [("/link", "/proc"), ("/link/sys", "/proc/sys"), ("/a/b", "/a/b"), ("/", "/")] {
            assert_eq!(root.resolved(Path::new(place)).unwrap(), Path::new(leads), "{place}");
        }
    }

    #[test]
    fn a_file_takes_the_place_of_a_link_that_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root");
        fs::create_dir(&path).unwrap();
        symlink(folder.path().join("outside"), path.join("file")).unwrap();
        let root = Root::open(&path).unwrap();
        root.make_file(Path::new("/file")).unwrap();
        root.make_file(Path::new("/made/file")).unwrap();
        root.make_file(Path::new("/made/file")).unwrap();
        assert!(fs::symlink_metadata(path.join("file")).unwrap().is_file());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn folders_are_made_through_links_and_stay_in_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root");
        fs::create_dir(&path).unwrap();
        symlink("/", path.join("top")).unwrap();
        fs::write(path.join("file"), "").unwrap();
        let root = Root::open(&path).unwrap();
        root.make_folders(Path::new("/top/../a/b"), Mode::from_raw_mode(0o755)).unwrap();
        assert!(path.join("a/b").is_dir());
        assert_eq!(
            root.make_folders(Path::new("/file/x"), Mode::from_raw_mode(0o755)).unwrap_err(),
            Errno::NOTDIR
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
