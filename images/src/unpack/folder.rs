//! Entries of an archive made into files below one folder.

use std::ffi::OsStr;
use std::io::{self, BufRead};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{
    AtFlags, Dev, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::archive::{Archive, Entry, Kind};
use super::root::{Inside, Root, in_folder, is_folder, is_whiteout, look};
use super::{Limits, Wrong};

/// What whoever unpacks may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// Everything: owners, devices, `trusted` attributes.
    Root,
    /// root of a user namespace: owners that are mapped, no devices, `user` attributes.
    NamespaceRoot,
    /// Nothing special: everything belongs to whoever unpacks.
    User,
}

impl Privilege {
    /// That of this process.
    pub fn of_this_process() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::User;
        }
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let numbers: Vec<&str> = map.split_ascii_whitespace().collect();
        if numbers == ["0", "0", "4294967295"] { Self::Root } else { Self::NamespaceRoot }
    }

    /// The attribute that hides what lower layers have in a folder.
    fn opaque(self) -> &'static str {
        match self {
            Self::Root => "trusted.overlay.opaque",
            Self::NamespaceRoot | Self::User => "user.overlay.opaque",
        }
    }
}

/// A hard link to a file that is not in this layer, and so must be in one below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LowerLink {
    /// Where the link is to stand.
    pub path: PathBuf,
    /// The file in the layers below.
    pub target: PathBuf,
}

/// What became of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// The files' lengths together.
    pub bytes: u64,
    /// How many entries there were.
    pub entries: u64,
    /// Hard links that could not be made, in the order in which they came.
    pub lower_links: Vec<LowerLink>,
    /// Devices and attributes that were left out for want of the right to make them.
    pub left_out: u64,
}

/// Unpacks `archive` into the empty folder at `folder`, as a layer of an overlay.
///
/// Whiteouts become what overlayfs takes for them. Nothing else may write to `folder` meanwhile.
///
/// # Errors
/// At the first entry that is refused or can't be made; what has been made until then stays.
pub fn unpack(
    archive: impl BufRead,
    folder: &Path,
    limits: Limits,
    privilege: Privilege,
) -> Result<Unpacked, Wrong> {
    let root = Root::open(folder).map_err(machine(format!("opening {}", folder.display())))?;
    let mut unpacker =
        Unpacker { root, privilege, limits, done: Unpacked::default(), folder_times: Vec::new() };
    let mut archive = Archive::new(archive);
    while let Some(entry) = archive.next_entry()? {
        unpacker.take(&entry, &mut archive)?;
    }
    unpacker.set_folder_times()?;
    Ok(unpacker.done)
}

struct Unpacker {
    root: Root,
    privilege: Privilege,
    limits: Limits,
    done: Unpacked,
    /// Set at the end: whatever is made in a folder changes its time.
    folder_times: Vec<(Inside, (i64, u32))>,
}

/// How a system call's failure at an entry is told.
fn machine<E: Into<io::Error>>(doing: String) -> impl FnOnce(E) -> Wrong {
    move |source| Wrong::Machine { doing, source: source.into() }
}

/// An entry's path as it is shown.
fn shown(path: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(path).chars().take(300).collect();
    format!("{text:?}")
}

impl Unpacker {
    fn take<R: BufRead>(&mut self, entry: &Entry, archive: &mut Archive<R>) -> Result<(), Wrong> {
        self.done.entries += 1;
        if self.done.entries > self.limits.entries {
            return Err(Wrong::archive(format!("it has more than {} entries", self.limits.entries)));
        }
        let outside = || Wrong::archive(format!("{} leads out of the image", shown(&entry.path)));
        let path = Inside::new(&entry.path).ok_or_else(outside)?;
        let Some((parent, name)) = path.split() else { return self.take_root(entry) };
        match name.as_bytes().strip_prefix(b".wh.") {
            Some(b".wh..opq") => return self.hide_all(&parent),
            // What aufs kept for itself.
            Some(rest) if rest.starts_with(b".wh.") => return Ok(()),
            Some(b"" | b"." | b"..") => return Err(outside()),
            Some(hidden) => return self.hide(&parent, hidden),
            None => {}
        }
        self.forget_lower_links(&path);
        let folder = self.folder(&parent, &entry.path)?;
        match &entry.kind {
            Kind::File => self.file(&folder, name, entry, archive),
            Kind::Folder => self.make_folder(&folder, name, &path, entry),
            Kind::Symlink(target) => {
                let target = OsStr::from_bytes(target);
                self.make(&folder, name, entry, |folder| rustix::fs::symlinkat(target, folder, name))?;
                self.set_attributes_of_name(&folder, name, entry)
            }
            Kind::HardLink(target) => self.hard_link(&folder, name, &path, entry, target),
            Kind::Character(0, 0) => {
                Err(Wrong::archive(format!("{} is what overlayfs hides files with", shown(&entry.path))))
            }
            Kind::Character(major, minor) => self.node(
                &folder,
                name,
                entry,
                FileType::CharacterDevice,
                rustix::fs::makedev(*major, *minor),
            ),
            Kind::Block(major, minor) => {
                self.node(&folder, name, entry, FileType::BlockDevice, rustix::fs::makedev(*major, *minor))
            }
            Kind::Fifo => self.node(&folder, name, entry, FileType::Fifo, 0),
        }
    }

    /// The image's own root folder.
    fn take_root(&mut self, entry: &Entry) -> Result<(), Wrong> {
        if entry.kind != Kind::Folder {
            return Err(Wrong::archive(format!(
                "{} takes the place of the image's root",
                shown(&entry.path)
            )));
        }
        let root = Inside::new(b"").ok_or_else(|| Wrong::archive("it has no root"))?;
        let failed = || machine::<Errno>(format!("making {}", shown(&entry.path)));
        let folder = self.root.find(&root).map_err(failed())?;
        let folder = open_folder(&folder, OsStr::new(".")).map_err(failed())?;
        self.set_attributes(folder.as_fd(), entry)?;
        self.folder_times.push((root, entry.mtime));
        Ok(())
    }

    /// The folder in which something is to be made.
    fn folder(&mut self, parent: &Inside, path: &[u8]) -> Result<Rc<OwnedFd>, Wrong> {
        self.root.find_or_make(parent).map_err(|error| match error {
            Errno::NOTDIR => Wrong::archive(format!("{} lies in what is no folder", shown(path))),
            Errno::LOOP => Wrong::archive(format!("{} lies behind links that lead in a circle", shown(path))),
            Errno::XDEV => Wrong::archive(format!("{} leads out of the image", shown(path))),
            error => machine(format!("making the folder of {}", shown(path)))(error),
        })
    }

    /// Makes something, in the place of whatever is there.
    fn make<T>(
        &mut self,
        folder: &OwnedFd,
        name: &OsStr,
        entry: &Entry,
        mut make: impl FnMut(BorrowedFd<'_>) -> Result<T, Errno>,
    ) -> Result<T, Wrong> {
        let making = || format!("making {}", shown(&entry.path));
        match make(folder.as_fd()) {
            Err(Errno::EXIST) => {
                self.root.remove(folder.as_fd(), name).map_err(machine(making()))?;
                make(folder.as_fd()).map_err(machine(making()))
            }
            made => made.map_err(machine(making())),
        }
    }

    fn file<R: BufRead>(
        &mut self,
        folder: &OwnedFd,
        name: &OsStr,
        entry: &Entry,
        archive: &mut Archive<R>,
    ) -> Result<(), Wrong> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let file = self.make(folder, name, entry, |folder| rustix::fs::openat(folder, name, flags, mode))?;
        self.done.bytes = self.done.bytes.saturating_add(entry.size);
        if self.done.bytes > self.limits.bytes {
            return Err(too_large(self.limits));
        }
        archive.content(|mut piece| {
            while !piece.is_empty() {
                let written = match rustix::io::write(&file, piece) {
                    Err(Errno::INTR) => 0,
                    written => written.map_err(machine(format!("writing {}", shown(&entry.path))))?,
                };
                piece = &piece[written..];
            }
            Ok(())
        })?;
        self.set_attributes(file.as_fd(), entry)?;
        let set = rustix::fs::futimens(&file, &times(entry.mtime));
        set.map_err(machine(format!("setting the time of {}", shown(&entry.path))))
    }

    fn make_folder(
        &mut self,
        folder: &OwnedFd,
        name: &OsStr,
        path: &Inside,
        entry: &Entry,
    ) -> Result<(), Wrong> {
        let failed = || machine::<Errno>(format!("making {}", shown(&entry.path)));
        let mut over_whiteout = false;
        match rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o700)) {
            Err(Errno::EXIST) => {
                let there = look(folder, name).map_err(failed())?;
                if !there.as_ref().is_some_and(is_folder) {
                    over_whiteout = there.as_ref().is_some_and(is_whiteout);
                    let mode = Mode::from_raw_mode(0o700);
                    self.make(folder, name, entry, |folder| rustix::fs::mkdirat(folder, name, mode))?;
                }
            }
            made => made.map_err(failed())?,
        }
        let made = open_folder(folder, name).map_err(failed())?;
        if over_whiteout {
            self.set_opaque(&made).map_err(failed())?;
        }
        self.set_attributes(made.as_fd(), entry)?;
        self.folder_times.push((path.clone(), entry.mtime));
        Ok(())
    }

    fn hard_link(
        &mut self,
        folder: &OwnedFd,
        name: &OsStr,
        path: &Inside,
        entry: &Entry,
        target: &[u8],
    ) -> Result<(), Wrong> {
        let refused = |what: &str| {
            Wrong::archive(format!(
                "{} is a hard link to {}, which {what}",
                shown(&entry.path),
                shown(target)
            ))
        };
        let target = Inside::new(target).ok_or_else(|| refused("leads out of the image"))?;
        let Some((target_parent, target_name)) = target.split() else { return Err(refused("is the root")) };
        if target == *path {
            return Err(refused("is itself"));
        }
        let lower = LowerLink { path: path.to_path(), target: target.to_path() };
        let target_folder = match self.root.find(&target_parent) {
            Err(Errno::NOENT) => {
                self.done.lower_links.push(lower);
                return Ok(());
            }
            Err(Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {
                return Err(refused("lies in what is no folder"));
            }
            found => found
                .map_err(machine(format!("finding {}", shown(target.as_path().as_os_str().as_bytes()))))?,
        };
        match look(&target_folder, target_name).map_err(machine(format!("linking {}", shown(&entry.path))))? {
            None => {
                self.done.lower_links.push(lower);
                return Ok(());
            }
            Some(stat) if is_folder(&stat) => return Err(refused("is a folder")),
            Some(stat) if is_whiteout(&stat) => return Err(refused("was removed before")),
            Some(stat) => {
                if let Ok(Some(here)) = look(folder, name)
                    && (here.st_dev, here.st_ino) == (stat.st_dev, stat.st_ino)
                {
                    return Ok(());
                }
            }
        }
        let flags = AtFlags::empty();
        self.make(folder, name, entry, |folder| {
            rustix::fs::linkat(&target_folder, target_name, folder, name, flags)
        })
    }

    fn node(
        &mut self,
        folder: &OwnedFd,
        name: &OsStr,
        entry: &Entry,
        kind: FileType,
        device: Dev,
    ) -> Result<(), Wrong> {
        if kind != FileType::Fifo && self.privilege != Privilege::Root {
            self.done.left_out += 1;
            return Ok(());
        }
        let mode = Mode::from_raw_mode(0o600);
        self.make(folder, name, entry, |folder| rustix::fs::mknodat(folder, name, kind, mode, device))?;
        self.set_attributes_of_name(folder, name, entry)
    }

    /// Hides what layers below have under this name.
    fn hide(&mut self, parent: &Inside, hidden: &[u8]) -> Result<(), Wrong> {
        let path = parent.join(hidden);
        let name = OsStr::from_bytes(hidden);
        let failed = || machine::<Errno>(format!("hiding {:?}", path.to_path()));
        let folder = self.folder(parent, path.as_path().as_os_str().as_bytes())?;
        match rustix::fs::mknodat(&folder, name, FileType::CharacterDevice, Mode::empty(), 0) {
            // A whiteout hides nothing of its own layer; of a folder it leaves only what this layer has.
            Err(Errno::EXIST) => {
                let there = look(&folder, name).map_err(failed())?;
                if there.as_ref().is_some_and(is_folder) {
                    let there = open_folder(&folder, name).map_err(failed())?;
                    self.set_opaque(&there).map_err(failed())?;
                }
                Ok(())
            }
            made => made.map_err(failed()),
        }
    }

    /// Hides all that layers below have in this folder.
    fn hide_all(&mut self, path: &Inside) -> Result<(), Wrong> {
        let failed = || machine::<Errno>(format!("hiding what is in {:?}", path.to_path()));
        let folder = self.folder(path, path.as_path().as_os_str().as_bytes())?;
        let folder = open_folder(&folder, OsStr::new(".")).map_err(failed())?;
        self.set_opaque(&folder).map_err(failed())
    }

    fn set_opaque(&self, folder: &OwnedFd) -> Result<(), Errno> {
        rustix::fs::fsetxattr(folder, self.privilege.opaque(), b"y", XattrFlags::empty())
    }

    /// A later entry takes the place of links that were put off.
    fn forget_lower_links(&mut self, path: &Inside) {
        if !self.done.lower_links.is_empty() {
            self.done.lower_links.retain(|link| {
                Inside::new(link.path.as_os_str().as_bytes()).is_none_or(|link| !link.is_in(path))
            });
        }
    }

    /// Owner, permissions and extended attributes of an open file or folder.
    fn set_attributes(&mut self, file: BorrowedFd<'_>, entry: &Entry) -> Result<(), Wrong> {
        // The owner first: changing it takes set-id bits and capabilities away.
        if self.privilege != Privilege::User {
            let (uid, gid) = owner(entry)?;
            rustix::fs::fchown(file, Some(uid), Some(gid)).map_err(|error| self.no_owner(entry, error))?;
        }
        let mode = Mode::from_raw_mode(entry.mode);
        rustix::fs::fchmod(file, mode)
            .map_err(machine(format!("setting the mode of {}", shown(&entry.path))))?;
        for (name, value) in &entry.xattrs {
            let name = attribute(name, entry)?;
            let set = rustix::fs::fsetxattr(file, name, value, XattrFlags::empty());
            self.attribute_set(set, name, entry)?;
        }
        Ok(())
    }

    /// The same for what can't be opened: links and devices.
    fn set_attributes_of_name(&mut self, folder: &OwnedFd, name: &OsStr, entry: &Entry) -> Result<(), Wrong> {
        let failed = || machine::<Errno>(format!("making {}", shown(&entry.path)));
        if self.privilege != Privilege::User {
            let (uid, gid) = owner(entry)?;
            rustix::fs::chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| self.no_owner(entry, error))?;
        }
        if !matches!(entry.kind, Kind::Symlink(_)) {
            // Nothing follows here: it was made a moment ago, and is no link.
            rustix::fs::chmodat(folder, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())
                .map_err(failed())?;
        }
        for (attribute_name, value) in &entry.xattrs {
            let attribute_name = attribute(attribute_name, entry)?;
            let path = in_folder(folder, name);
            let set = rustix::fs::lsetxattr(path, attribute_name, value, XattrFlags::empty());
            self.attribute_set(set, attribute_name, entry)?;
        }
        rustix::fs::utimensat(folder, name, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW).map_err(failed())
    }

    /// File systems without attributes, and rights to set some, are no reason to do without an image.
    fn attribute_set(&mut self, set: Result<(), Errno>, name: &OsStr, entry: &Entry) -> Result<(), Wrong> {
        match set {
            Err(Errno::OPNOTSUPP) => self.done.left_out += 1,
            Err(Errno::PERM | Errno::ACCESS)
                if self.privilege != Privilege::Root || matches!(entry.kind, Kind::Symlink(_)) =>
            {
                self.done.left_out += 1;
            }
            set => set.map_err(machine(format!("setting {name:?} of {}", shown(&entry.path))))?,
        }
        Ok(())
    }

    fn no_owner(&self, entry: &Entry, error: Errno) -> Wrong {
        match (error, self.privilege) {
            (Errno::INVAL, Privilege::NamespaceRoot) => Wrong::archive(format!(
                "{} belongs to {}:{}, which is none of the ids that this user may use; \
                 give it more in /etc/subuid and /etc/subgid",
                shown(&entry.path),
                entry.uid,
                entry.gid
            )),
            (error, _) => machine(format!("setting the owner of {}", shown(&entry.path)))(error),
        }
    }

    fn set_folder_times(&mut self) -> Result<(), Wrong> {
        for (path, mtime) in std::mem::take(&mut self.folder_times) {
            let failed = || machine::<Errno>(format!("setting the time of {:?}", path.to_path()));
            let set = match path.split() {
                None => {
                    let root = self.root.find(&path).map_err(failed())?;
                    rustix::fs::utimensat(&root, ".", &times(mtime), AtFlags::SYMLINK_NOFOLLOW)
                }
                Some((parent, name)) => self.root.find(&parent).and_then(|parent| {
                    rustix::fs::utimensat(&parent, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)
                }),
            };
            match set {
                // A later entry took its place, or that of a folder above it.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {}
                set => set.map_err(failed())?,
            }
        }
        Ok(())
    }
}

pub(super) fn too_large(limits: Limits) -> Wrong {
    Wrong::archive(format!("it unpacks to more than {} bytes, which is taken for a bomb", limits.bytes))
}

fn open_folder(folder: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

/// The owner, unless it is no id: −1 would mean "leave it".
fn owner(entry: &Entry) -> Result<(Uid, Gid), Wrong> {
    let id = |number: u64| u32::try_from(number).ok().filter(|id| *id != u32::MAX);
    match (id(entry.uid), id(entry.gid)) {
        (Some(uid), Some(gid)) => Ok((Uid::from_raw(uid), Gid::from_raw(gid))),
        _ => {
            let (uid, gid) = (entry.uid, entry.gid);
            Err(Wrong::archive(format!("{} belongs to {uid}:{gid}, which are no ids", shown(&entry.path))))
        }
    }
}

/// An attribute's name, unless overlayfs would obey it.
fn attribute<'n>(name: &'n [u8], entry: &Entry) -> Result<&'n OsStr, Wrong> {
    if [b"trusted.overlay.".as_slice(), b"user.overlay."].iter().any(|own| name.starts_with(own)) {
        let name = String::from_utf8_lossy(name).into_owned();
        return Err(Wrong::archive(format!(
            "{} has the attribute {name:?}, of overlayfs",
            shown(&entry.path)
        )));
    }
    Ok(OsStr::from_bytes(name))
}

fn times((seconds, nanoseconds): (i64, u32)) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() },
    }
}
