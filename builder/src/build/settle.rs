//! What a step wrote, made a layer: without what is as it was before, and with times that are the same whenever
//! it is built.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::copy::{set_time, xattrs};
use super::inside::{self, look};
use super::wrong::{At, Wrong};

/// Which times files get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// When the build began: what is newer is as new as the build, which says nothing about the image.
    pub(super) began: i64,
    /// What those times become.
    pub(super) epoch: i64,
    /// The latest time that any file may have.
    pub(super) newest: i64,
}

impl Times {
    fn of(self, seconds: i64) -> i64 {
        if seconds >= self.began { self.epoch } else { seconds.min(self.newest) }
    }
}

/// Settles what overlayfs wrote to `upper` over what is at `base`, if there is anything below; the lengths of
/// the files together.
pub(super) fn settle(upper: &Path, base: Option<&Path>, times: Times) -> Result<u64, Wrong> {
    let mut settling = Settling { upper, times, bytes: 0 };
    settling.contents(Path::new(""), base)?;
    Ok(settling.bytes)
}

struct Settling<'s> {
    upper: &'s Path,
    times: Times,
    bytes: u64,
}

/// Whether something is part of the layer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stays {
    Yes,
    No,
}

impl Settling<'_> {
    /// Settles what is in a folder, over the same folder below; whether anything stays.
    fn contents(&mut self, path: &Path, base: Option<&Path>) -> Result<Stays, Wrong> {
        let mut stays = Stays::No;
        for entry in fs::read_dir(self.upper.join(path)).at("reading", path)? {
            let name = entry.at("reading", path)?.file_name();
            if name.as_bytes().starts_with(b".wh.") {
                let shown = path.join(&name);
                return Err(Wrong::new(format!(
                    "/{} can't be in a layer: a name that begins with .wh. removes a file there; rename it",
                    shown.display()
                )));
            }
            let below = base.map(|base| base.join(&name));
            if self.entry(&path.join(&name), below.as_deref())? == Stays::Yes {
                stays = Stays::Yes;
            }
        }
        Ok(stays)
    }

    fn entry(&mut self, path: &Path, base: Option<&Path>) -> Result<Stays, Wrong> {
        let file = self.upper.join(path);
        let found = fs::symlink_metadata(&file).at("reading", path)?;
        let below = base.map(look).transpose().at("reading", path)?.flatten();
        let kind = found.file_type();
        if kind.is_char_device() && found.rdev() == 0 {
            if below.is_some() {
                return Ok(Stays::Yes);
            }
            fs::remove_file(&file).at("removing", path)?;
            return Ok(Stays::No);
        }
        if kind.is_dir() {
            return self.folder(path, &file, &found, base, below.as_ref());
        }
        if let (Some(base), Some(below)) = (base, &below)
            && is_unchanged(&file, &found, base, below).at("comparing", path)?
        {
            fs::remove_file(&file).at("removing", path)?;
            return Ok(Stays::No);
        }
        if kind.is_file() {
            self.bytes += found.len();
        }
        set_time(&file, (self.times.of(found.mtime()), 0)).at("setting the time of", path)?;
        Ok(Stays::Yes)
    }

    fn folder(
        &mut self,
        path: &Path,
        file: &Path,
        found: &fs::Metadata,
        base: Option<&Path>,
        below: Option<&fs::Metadata>,
    ) -> Result<Stays, Wrong> {
        let was_folder = below.is_some_and(fs::Metadata::is_dir);
        let is_opaque = is_opaque(file).at("reading the attributes of", path)?;
        let inner = base.filter(|_| was_folder && !is_opaque);
        let contents = self.contents(path, inner)?;
        if let (Some(base), Some(below), Stays::No) = (inner, below, contents)
            && is_same(found, below)
            && xattrs(file).at("reading", path)? == xattrs(base).at("reading", path)?
        {
            fs::remove_dir(file).at("removing", path)?;
            return Ok(Stays::No);
        }
        if is_opaque && !was_folder && below.is_none() {
            for name in OPAQUE {
                match rustix::fs::lremovexattr(file, name) {
                    Ok(()) | Err(rustix::io::Errno::NODATA | rustix::io::Errno::NOTSUP) => {}
                    Err(error) => return Err(error).at("settling", path),
                }
            }
        }
        set_time(file, (self.times.of(found.mtime()), 0)).at("setting the time of", path)?;
        Ok(Stays::Yes)
    }
}

const OPAQUE: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];

fn is_opaque(folder: &Path) -> io::Result<bool> {
    let mut value = [0; 4];
    for name in OPAQUE {
        match rustix::fs::lgetxattr(folder, name, &mut value[..]) {
            Ok(length) if value[..length] == *b"y" => return Ok(true),
            Ok(_) | Err(rustix::io::Errno::NODATA | rustix::io::Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// Mode and owner.
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.mode(), one.uid(), one.gid(), one.rdev()) == (other.mode(), other.uid(), other.gid(), other.rdev())
}

/// Whether a file is as it was: one that was opened to be written to and wasn't.
fn is_unchanged(file: &Path, found: &fs::Metadata, base: &Path, below: &fs::Metadata) -> io::Result<bool> {
    let time = |found: &fs::Metadata| (found.mtime(), found.mtime_nsec());
    if !is_same(found, below) || time(found) != time(below) || found.len() != below.len() || found.nlink() > 1
    {
        return Ok(false);
    }
    if found.is_symlink() {
        return Ok(fs::read_link(file)? == fs::read_link(base)?);
    }
    if xattrs(file)? != xattrs(base)? {
        return Ok(false);
    }
    // Times of layers have no fractions: only then can a change in the same second be hidden.
    if !found.is_file() || found.mtime_nsec() != 0 {
        return Ok(true);
    }
    has_same_content(file, base)
}

fn has_same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let open = |path: &Path| Ok::<_, io::Error>(BufReader::with_capacity(1 << 16, File::open(path)?));
    let (mut one, mut other) = (open(one)?, open(other)?);
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let length = left.len().min(right.len());
        if length == 0 || left[..length] != right[..length] {
            return Ok(left.is_empty() && right.is_empty());
        }
        one.consume(length);
        other.consume(length);
    }
}

/// Removes the empty files and folders that only a sandbox needed, to mount something there, and the folders on
/// the way that nobody else needed.
pub(super) fn remove_stubs(upper: &Path, base: Option<&Path>, targets: &[PathBuf]) -> Result<(), Wrong> {
    for target in targets {
        let path = match base {
            Some(base) => inside::resolve(base, target).at("finding", target)?,
            None => target.strip_prefix("/").unwrap_or(target).to_owned(),
        };
        for path in path.ancestors().filter(|path| !path.as_os_str().is_empty()) {
            let was_there = base.map(|base| look(&base.join(path))).transpose().at("reading", target)?;
            if was_there.flatten().is_some() || !remove_stub(upper, path).at("removing", target)? {
                break;
            }
        }
    }
    Ok(())
}

/// Removes what is at `path` if it is empty; whether it is gone.
fn remove_stub(upper: &Path, path: &Path) -> io::Result<bool> {
    // A command may have made the way to it a link.
    if inside::resolve_parent(upper, path)? != path {
        return Ok(false);
    }
    let file = upper.join(path);
    let Some(found) = look(&file)? else { return Ok(true) };
    let parent = file.parent().unwrap_or(upper);
    let before = fs::symlink_metadata(parent)?;
    match found.is_dir() {
        true => match fs::remove_dir(&file) {
            // Something was written there.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(false),
            removed => removed?,
        },
        false if found.is_file() && found.len() == 0 => fs::remove_file(&file)?,
        false => return Ok(false),
    }
    set_time(parent, (before.mtime(), before.mtime_nsec()))?;
    Ok(true)
}
