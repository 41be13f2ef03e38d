//! The folder that a layer is unpacked into: every path is resolved inside it, whatever links lie on the way.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// Nothing outside, no `/proc/self/fd/…`, no other file system.
const INSIDE: ResolveFlags =
    ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV);
/// How many open folders are remembered.
const MAX_KNOWN: usize = 128;
/// `..` in a link can't be followed safely while something else is renamed; then the kernel says to try again.
const TRIES: u32 = 100;

/// A folder, and the open folders inside it that were needed last.
pub(super) struct Root {
    folder: OwnedFd,
    /// True as long as nothing on the way to them is removed or replaced.
    known: HashMap<Vec<u8>, Rc<OwnedFd>>,
}

/// A path without `.`, `..` and doubled slashes; empty is the root itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Inside(Vec<u8>);

impl Inside {
    /// `path` as it is meant inside a root; none if it leads out of it by its own words.
    pub(super) fn new(path: &[u8]) -> Option<Self> {
        let mut clean: Vec<&[u8]> = Vec::new();
        for part in path.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(clean.pop()?),
                part if part.contains(&0) => return None,
                part => clean.push(part),
            }
        }
        Some(Self(clean.join(&b'/')))
    }

    /// The folder it lies in, and its name there; none for the root.
    pub(super) fn split(&self) -> Option<(Self, &OsStr)> {
        match self.0.iter().rposition(|byte| *byte == b'/') {
            _ if self.0.is_empty() => None,
            Some(at) => Some((Self(self.0[..at].to_vec()), OsStr::from_bytes(&self.0[at + 1..]))),
            None => Some((Self(Vec::new()), OsStr::from_bytes(&self.0))),
        }
    }

    /// The name `name` in this folder.
    pub(super) fn join(&self, name: &[u8]) -> Self {
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Self(path)
    }

    /// Whether this is `folder` or lies below it.
    pub(super) fn is_in(&self, folder: &Self) -> bool {
        match self.0.strip_prefix(folder.0.as_slice()) {
            Some(rest) => rest.is_empty() || rest[0] == b'/' || folder.0.is_empty(),
            None => false,
        }
    }

    pub(super) fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    pub(super) fn to_path(&self) -> PathBuf {
        self.as_path().to_owned()
    }
}

impl Root {
    /// The folder at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let folder = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { folder, known: HashMap::new() })
    }

    /// The folder at `path`, if there is one.
    pub(super) fn find(&mut self, path: &Inside) -> Result<Rc<OwnedFd>, Errno> {
        if let Some(known) = self.known.get(&path.0) {
            return Ok(Rc::clone(known));
        }
        let inside = if path.0.is_empty() { Path::new(".") } else { path.as_path() };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut tries = 0;
        let opened = loop {
            match rustix::fs::openat2(&self.folder, inside, flags, Mode::empty(), INSIDE) {
                Err(Errno::AGAIN) if tries < TRIES => tries += 1,
                opened => break Rc::new(opened?),
            }
        };
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(path.0.clone(), Rc::clone(&opened));
        Ok(opened)
    }

    /// The folder at `path`, made if it isn't there, and those above it too.
    pub(super) fn find_or_make(&mut self, path: &Inside) -> Result<Rc<OwnedFd>, Errno> {
        match self.find(path) {
            Err(Errno::NOENT) => {}
            found => return found,
        }
        let (parent, name) = path.split().ok_or(Errno::NOENT)?;
        let parent = self.find_or_make(&parent)?;
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            // A link that leads nowhere stands there.
            Err(Errno::EXIST) => return Err(Errno::NOTDIR),
            made => made?,
        }
        self.find(path)
    }

    /// Removes whatever is called `name` in `folder`, with all that is in it.
    pub(super) fn remove(&mut self, folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
        match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                self.known.clear();
                // The standard library follows no link on its way down.
                std::fs::remove_dir_all(in_folder(folder, name))
            }
            removed => {
                // It may have been a link on the way to a known folder.
                self.known.clear();
                Ok(removed?)
            }
        }
    }
}

/// What is called `name` in `folder`, without following it.
pub(super) fn look(folder: impl AsFd, name: &OsStr) -> Result<Option<Stat>, Errno> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it is what overlayfs takes for "nothing is here any more".
pub(super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

pub(super) fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// A path to `name` in an open folder, for calls that take no folder.
pub(super) fn in_folder(folder: impl AsFd, name: &OsStr) -> PathBuf {
    Path::new(&format!("/proc/self/fd/{}", folder.as_fd().as_raw_fd())).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_and_those_that_lead_out_are_known() {
        for (path, clean) in [
            ("a/b", Some("a/b")),
            ("/a//b/", Some("a/b")),
            ("./a/../b", Some("b")),
            (".", Some("")),
            ("/", Some("")),
            ("..", None),
            ("/..", None),
            ("a/../..", None),
            ("a\0b", None),
        ] {
            let inside = Inside::new(path.as_bytes());
            assert_eq!(inside.map(|path| path.0), clean.map(|path| path.as_bytes().to_vec()), "{path:?}");
        }
    }

    #[test]
    fn a_folder_holds_what_is_below_it_and_not_what_begins_alike() {
        let inside = |path: &str| Inside::new(path.as_bytes()).unwrap();
        assert!(inside("a/b").is_in(&inside("a")) && inside("a").is_in(&inside("a")));
        assert!(inside("a").is_in(&inside("")));
        assert!(!inside("ab").is_in(&inside("a")));
    }
}
