//! Files copied into an image, by the rules of BuildKit's copier (tonistiigi/fsutil, `copy`).

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags};
use rustix::io::Errno;

use super::inside;
use super::mode::{Chmod, Kind};
use super::owner::Owner;
use super::source::{Above, Files, Meant, Selection};
use super::wrong::{At, Wrong};

/// Copies into the file system at `root`.
pub(super) struct Copier<'c> {
    pub(super) root: &'c Path,
    pub(super) selection: Selection<'c>,
    /// Whose the copies are; without one root's, or whose they were in an image.
    pub(super) owner: Option<Owner>,
    pub(super) chmod: Option<&'c Chmod>,
    /// The first copy of each file that has several names.
    links: HashMap<(u64, u64), PathBuf>,
    /// Folders on the way that are made once something in them is meant.
    waiting: Vec<Waiting>,
}

struct Waiting {
    source: PathBuf,
    target: PathBuf,
    made: bool,
}

/// Whether what a folder was before counts less than what is copied over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Stays,
    IsReplaced,
}

impl<'c> Copier<'c> {
    pub(super) fn new(
        root: &'c Path,
        selection: Selection<'c>,
        owner: Option<Owner>,
        chmod: Option<&'c Chmod>,
    ) -> Self {
        Self { root, selection, owner, chmod, links: HashMap::new(), waiting: Vec::new() }
    }

    /// Copies what is at `path` of the source to `destination`; a slash at its end makes that a folder.
    pub(super) fn copy(&mut self, path: &Path, destination: &str) -> Result<(), Wrong> {
        let real = self.selection.source.find(path)?;
        let (parent, name) = destination.rsplit_once('/').unwrap_or(("", destination));
        let folder = if name.is_empty() || name == "." { destination } else { parent };
        self.make_folder(Path::new(folder))?;
        let there =
            inside::resolve(self.root, Path::new(destination)).at("finding", Path::new(destination))?;
        let mut target = self.root.join(there);
        let from = self.selection.source.root.join(&real);
        let kind = fs::symlink_metadata(&from).at("reading", &real)?;
        let is_folder = fs::metadata(&target).is_ok_and(|found| found.is_dir());
        if kind.is_dir() {
            if !is_folder {
                self.make_folder(self.inner(&target))?;
            }
        } else if is_folder {
            target.push(path.file_name().unwrap_or_default());
        }
        let above = self.selection.begin(&real);
        self.one(&real, Path::new(""), &target, Before::Stays, Meant::Yes, &above)
    }

    fn inner<'t>(&self, target: &'t Path) -> &'t Path {
        target.strip_prefix(self.root).unwrap_or(target)
    }

    /// Makes a folder of the image and those on the way, where they aren't there.
    pub(super) fn make_folder(&self, path: &Path) -> Result<(), Wrong> {
        let mode = self.chmod.map_or(0o755, Chmod::of_folders_on_the_way);
        make_folders(self.root, path, mode, self.owner, self.time())
    }

    fn time(&self) -> Option<i64> {
        match self.selection.source.files {
            Files::OfContext(time) => Some(time),
            Files::OfImage => None,
        }
    }

    fn one(
        &mut self,
        path: &Path,
        components: &Path,
        target: &Path,
        before: Before,
        meant: Meant,
        above: &Above,
    ) -> Result<(), Wrong> {
        let from = self.selection.source.root.join(path);
        let found = fs::symlink_metadata(&from).at("reading", path)?;
        if found.is_dir() {
            return self.folder(path, components, target, before, meant, above, &found);
        }
        if meant != Meant::Yes {
            return Ok(());
        }
        self.make_waiting()?;
        match inside::look(target).at("reading", self.inner(target))? {
            Some(there) if there.is_dir() => {
                let sentence =
                    format!("cannot replace to directory /{} with file", self.inner(target).display());
                return Err(Wrong::new(sentence));
            }
            Some(_) => fs::remove_file(target).at("replacing", self.inner(target))?,
            None => {}
        }
        let kind = found.file_type();
        if kind.is_file() {
            let id = (found.dev(), found.ino());
            if let Some(first) = self.links.get(&id) {
                return fs::hard_link(first, target).at("linking", self.inner(target));
            }
            if found.nlink() > 1 {
                self.links.insert(id, target.to_owned());
            }
            copy_file(&from, target, &found).at("copying", path)?;
        } else if kind.is_symlink() {
            let link = fs::read_link(&from).at("reading", path)?;
            std::os::unix::fs::symlink(link, target).at("making", self.inner(target))?;
        } else if kind.is_socket() {
            // What listens at it doesn't come along.
            return Ok(());
        } else {
            let kind = rustix::fs::FileType::from_raw_mode(found.mode());
            rustix::fs::mknodat(CWD, target, kind, Mode::from_raw_mode(found.mode() & 0o7777), found.rdev())
                .at("making", self.inner(target))?;
        }
        self.attributes(&from, target, &found)
    }

    #[expect(clippy::too_many_arguments, reason = "it is the half of `one` that is about folders")]
    fn folder(
        &mut self,
        path: &Path,
        components: &Path,
        target: &Path,
        before: Before,
        meant: Meant,
        above: &Above,
        found: &fs::Metadata,
    ) -> Result<(), Wrong> {
        let from = self.selection.source.root.join(path);
        let mut attributes = false;
        if meant == Meant::Yes {
            self.make_waiting()?;
            let made = self.only_folder(target)?;
            attributes = made || before == Before::IsReplaced;
        }
        if meant != Meant::No {
            self.waiting.push(Waiting {
                source: path.to_owned(),
                target: target.to_owned(),
                made: meant == Meant::Yes,
            });
            for name in self.selection.source.entries(path)? {
                let (path, components) = (path.join(&name), components.join(&name));
                let (meant, above) = self.selection.enter(above, &path, &components);
                if meant != Meant::No {
                    self.one(&path, &components, &target.join(&name), Before::IsReplaced, meant, &above)?;
                }
            }
            self.waiting.pop();
        }
        if attributes { self.attributes(&from, target, found) } else { Ok(()) }
    }

    /// Makes a folder where there is none; whether it did.
    fn only_folder(&self, target: &Path) -> Result<bool, Wrong> {
        match inside::look(target).at("reading", self.inner(target))? {
            None => {
                fs::create_dir(target).at("making", self.inner(target))?;
                Ok(true)
            }
            Some(there) if there.is_dir() => Ok(false),
            Some(_) => {
                let sentence = format!("cannot copy to non-directory: /{}", self.inner(target).display());
                Err(Wrong::new(sentence))
            }
        }
    }

    /// Makes the folders that were put off.
    fn make_waiting(&mut self) -> Result<(), Wrong> {
        for at in 0..self.waiting.len() {
            if self.waiting[at].made {
                continue;
            }
            let Waiting { source, target, .. } = &self.waiting[at];
            if self.only_folder(target)? {
                let from = self.selection.source.root.join(source);
                let found = fs::metadata(&from).at("reading", source)?;
                self.attributes(&from, target, &found)?;
            }
            self.waiting[at].made = true;
        }
        Ok(())
    }

    /// Owner, mode, attributes and time.
    fn attributes(&self, from: &Path, target: &Path, found: &fs::Metadata) -> Result<(), Wrong> {
        let files = self.selection.source.files;
        let owner = self.owner.unwrap_or(match files {
            Files::OfContext(_) => Owner { uid: 0, gid: 0 },
            Files::OfImage => Owner { uid: found.uid(), gid: found.gid() },
        });
        let is_link = found.is_symlink();
        let set = || -> io::Result<()> {
            chown(target, owner)?;
            if !is_link {
                let kind = if found.is_dir() { Kind::Folder } else { Kind::Other };
                let mode = found.mode() & 0o7777;
                let mode = self.chmod.map_or(mode, |chmod| chmod.apply(mode, kind));
                rustix::fs::chmodat(CWD, target, Mode::from_raw_mode(mode), AtFlags::empty())?;
                // A context's files come without any, as in what BuildKit makes of them.
                if files == Files::OfImage {
                    copy_xattrs(from, target)?;
                }
            }
            let time = match files {
                Files::OfContext(time) => (time, 0),
                Files::OfImage => (found.mtime(), found.mtime_nsec()),
            };
            set_time(target, time)
        };
        set().at("setting the attributes of", self.inner(target))
    }
}

/// Makes the folder `path` in the file system at `root`, and those on the way.
pub(super) fn make_folders(
    root: &Path,
    path: &Path,
    mode: u32,
    owner: Option<Owner>,
    time: Option<i64>,
) -> Result<(), Wrong> {
    let resolved = inside::resolve(root, path).at("finding", path)?;
    let mut at = root.to_owned();
    for part in resolved.components() {
        at.push(part);
        let shown = at.strip_prefix(root).unwrap_or(&at);
        match inside::look(&at).at("making", shown)? {
            Some(found) if found.is_dir() => continue,
            Some(_) => {
                return Err(Wrong::new(format!(
                    "making /{}: a file is there that is no folder",
                    shown.display()
                )));
            }
            None => {}
        }
        let make = || -> io::Result<()> {
            fs::DirBuilder::new().mode(mode).create(&at)?;
            // Whatever the umask.
            rustix::fs::chmodat(CWD, &at, Mode::from_raw_mode(mode), AtFlags::empty())?;
            if let Some(owner) = owner {
                chown(&at, owner)?;
            }
            time.map_or(Ok(()), |time| set_time(&at, (time, 0)))
        };
        make().at("making", shown)?;
    }
    Ok(())
}

fn chown(path: &Path, owner: Owner) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    Ok(rustix::fs::chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
}

pub(super) fn set_time(path: &Path, (seconds, nanoseconds): (i64, i64)) -> io::Result<()> {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds },
    };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Copies the contents of the file that was `found`.
fn copy_file(from: &Path, target: &Path, found: &fs::Metadata) -> io::Result<()> {
    let mut input = open_same(from, found)?;
    let mut output = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target)?;
    io::copy(&mut input, &mut output).map(drop)
}

/// Opens a file unless it has become another one, such as a link or a pipe.
pub(super) fn open_same(path: &Path, found: &fs::Metadata) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(CWD, path, flags, Mode::empty())?);
    let now = file.metadata()?;
    match (now.dev(), now.ino()) == (found.dev(), found.ino()) {
        true => Ok(file),
        false => Err(io::Error::other("it was replaced while it was copied")),
    }
}

/// The attributes that belong to an image: capabilities and the user's.
pub(super) fn xattrs(path: &Path) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut names = vec![0; 65_536];
    let length = match rustix::fs::llistxattr(path, &mut names[..]) {
        Err(Errno::NOTSUP) => 0,
        length => length?,
    };
    let mut all = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let is_users = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
        if is_users || name == b"security.capability" {
            let mut value = vec![0; 65_536];
            let length = rustix::fs::lgetxattr(path, name, &mut value[..])?;
            value.truncate(length);
            all.push((name.to_owned(), value));
        }
    }
    all.sort();
    Ok(all)
}

fn copy_xattrs(from: &Path, target: &Path) -> io::Result<()> {
    for (name, value) in xattrs(from)? {
        rustix::fs::lsetxattr(target, &name[..], &value, XattrFlags::empty())?;
    }
    Ok(())
}
