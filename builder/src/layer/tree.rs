//! A folder tree, read in the order of the archive: each folder, then its contents sorted by name.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::PackError;

/// Something in a tree.
pub(super) struct Entry {
    /// Its path, seen from the root.
    pub(super) path: PathBuf,
    /// What the system says of it.
    pub(super) stat: Stat,
    /// What it is.
    pub(super) content: Content,
}

/// What something in a tree is.
pub(super) enum Content {
    Folder {
        opaque: Opaque,
        attributes: Attributes,
    },
    File {
        file: File,
        attributes: Attributes,
    },
    Symlink(CString),
    /// A pipe or a device.
    Special,
    /// An overlay's mark: what is below is removed.
    Removed,
}

/// Whether a folder of an overlay hides what is below it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opaque {
    Yes,
    No,
}

/// Extended attributes that belong to a layer, sorted by name.
pub(super) type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// A folder that is being read: names still to come, the next one at the end.
struct Level {
    folder: OwnedFd,
    path: PathBuf,
    names: Vec<CString>,
}

/// Reads a tree, one entry after the other.
///
/// Nothing is followed out of it: each name is opened in its folder, and no symlink is. A folder
/// in a folder costs a descriptor each, so that very deep trees end with an error.
pub(super) struct Tree {
    levels: Vec<Level>,
}

impl Tree {
    pub(super) fn open(root: &Path) -> Result<Self, PackError> {
        let folder = rustix::fs::openat(CWD, root, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let level = folder.and_then(|folder| Level::read(folder, PathBuf::new()));
        Ok(Self { levels: vec![level.map_err(|error| failed(root, error))?] })
    }

    /// The next entry.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, PackError> {
        loop {
            let Some(level) = self.levels.last_mut() else { return Ok(None) };
            let Some(name) = level.names.pop() else {
                self.levels.pop();
                continue;
            };
            let path = level.path.join(OsStr::from_bytes(name.to_bytes()));
            if name.to_bytes().starts_with(b".wh.") {
                return Err(PackError::Reserved { path });
            }
            let read = entry(&level.folder, &name);
            let (stat, content, inner) = read.map_err(|error| failed(&path, error))?;
            if let Some(folder) = inner {
                let inner = Level::read(folder, path.clone()).map_err(|error| failed(&path, error))?;
                self.levels.push(inner);
            }
            if let Some(content) = content {
                return Ok(Some(Entry { path, stat, content }));
            }
        }
    }
}

impl Level {
    fn read(folder: OwnedFd, path: PathBuf) -> Result<Self, Errno> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let name = entry?.file_name().to_owned();
            if !matches!(name.to_bytes(), b"." | b"..") {
                names.push(name);
            }
        }
        names.sort_by(|a, b| b.cmp(a));
        Ok(Self { folder, path, names })
    }
}

fn failed(path: &Path, error: Errno) -> PackError {
    PackError::Read { path: path.to_owned(), source: error.into() }
}

/// One entry, and its descriptor if it is a folder. A socket has no content: it is left out.
fn entry(folder: &OwnedFd, name: &CStr) -> Result<(Stat, Option<Content>, Option<OwnedFd>), Errno> {
    let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let open = |flags: OFlags| {
        // Without waiting, should it have become a pipe.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::openat(folder, name, flags, Mode::empty())?;
        let now = rustix::fs::fstat(&opened)?;
        if (now.st_dev, now.st_ino) == (stat.st_dev, stat.st_ino) { Ok(opened) } else { Err(Errno::STALE) }
    };
    let content = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let inner = open(OFlags::DIRECTORY)?;
            let (attributes, opaque) = attributes(&inner)?;
            return Ok((stat, Some(Content::Folder { opaque, attributes }), Some(inner)));
        }
        FileType::RegularFile => {
            let file = open(OFlags::RDONLY)?;
            let (attributes, _) = attributes(&file)?;
            Content::File { file: file.into(), attributes }
        }
        FileType::Symlink => Content::Symlink(rustix::fs::readlinkat(folder, name, Vec::new())?),
        FileType::CharacterDevice if stat.st_rdev == 0 => Content::Removed,
        FileType::CharacterDevice | FileType::BlockDevice | FileType::Fifo => Content::Special,
        FileType::Socket | FileType::Unknown => return Ok((stat, None, None)),
    };
    Ok((stat, Some(content), None))
}

/// Capabilities and the user's attributes; those of an overlay say whether it is opaque.
fn attributes(of: &impl AsFd) -> Result<(Attributes, Opaque), Errno> {
    let mut names = vec![0; 65_536];
    let length = match rustix::fs::flistxattr(of, &mut names[..]) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => 0,
        Err(error) => return Err(error),
    };
    let mut opaque = Opaque::No;
    let mut attributes = Vec::new();
    for name in names[..length].split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let read = || {
            let mut value = vec![0; 65_536];
            let length = rustix::fs::fgetxattr(of, name, &mut value[..])?;
            value.truncate(length);
            Ok(value)
        };
        if matches!(name, b"trusted.overlay.opaque" | b"user.overlay.opaque") {
            if read()? == b"y" {
                opaque = Opaque::Yes;
            }
        } else if name == b"security.capability" || name.starts_with(b"user.") && !is_overlays(name) {
            attributes.push((name.to_owned(), read()?));
        }
    }
    attributes.sort();
    Ok((attributes, opaque))
}

fn is_overlays(name: &[u8]) -> bool {
    name.starts_with(b"user.overlay.")
}
