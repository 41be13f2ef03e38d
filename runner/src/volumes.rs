//! Volumes: folders that outlive the containers they are mounted into.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, XattrFlags};

use crate::container::Config;
use crate::failure::Failure;
use crate::mount::Source;
use crate::root::Root;

/// The folder of the volume `name` that containers see.
#[must_use]
pub fn data_folder(volumes: &Path, name: &str) -> PathBuf {
    volumes.join(name).join("data")
}

/// Makes sure that the volume whose data folder is `data` is there.
///
/// # Errors
/// When it can't be made.
pub fn make(data: &Path) -> io::Result<()> {
    fs::create_dir_all(data)
}

/// Removes the volume whose data folder is `data`.
pub(crate) fn remove(data: &Path) -> io::Result<()> {
    match fs::remove_dir_all(data.parent().unwrap_or(data)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Fills the empty volumes of a container with what its image has in their places, as docker does.
pub(crate) fn fill(root: &Root, config: &Config) -> Result<(), Failure> {
    for mount in &config.mounts {
        let Source::Volume { name, path, .. } = &mount.source else { continue };
        let failed = |error: io::Error| Failure::own(format!("filling the volume '{name}': {error}"));
        let is_empty = fs::read_dir(path).map_err(failed)?.next().is_none();
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        if is_empty && let Ok(folder) = root.open_at(&mount.target, flags, Mode::empty()) {
            copy_folder(&folder, path).map_err(failed)?;
        }
    }
    Ok(())
}

/// Copies what is in an opened folder, and its own attributes, to `to`, which is there.
///
/// No process of a container runs yet, so nothing changes meanwhile; links are never followed.
fn copy_folder(from: &OwnedFd, to: &Path) -> io::Result<()> {
    let from = PathBuf::from(format!("/proc/self/fd/{}", from.as_raw_fd()));
    copy_below(&from, to)?;
    copy_attributes(&from.join("."), to)
}

fn copy_below(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let metadata = fs::symlink_metadata(&source)?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            fs::create_dir(&target)?;
            copy_below(&source, &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
        } else if kind.is_fifo() || kind.is_char_device() || kind.is_block_device() {
            let kind = rustix::fs::FileType::from_raw_mode(metadata.mode());
            rustix::fs::mknodat(
                CWD,
                &target,
                kind,
                Mode::from_raw_mode(metadata.mode() & 0o7777),
                metadata.rdev(),
            )?;
        } else {
            // A socket is nothing without who listens at it.
            continue;
        }
        copy_attributes(&source, &target)?;
    }
    Ok(())
}

fn copy_attributes(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    std::os::unix::fs::lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    if !metadata.is_symlink() {
        // After the owner, whose change takes the set-user-ID bit away.
        fs::set_permissions(to, fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
        copy_extended(from, to)?;
    }
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps {
        last_access: time(metadata.atime(), metadata.atime_nsec()),
        last_modification: time(metadata.mtime(), metadata.mtime_nsec()),
    };
    rustix::fs::utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// File capabilities are extended attributes.
fn copy_extended(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = vec![0; 64 << 10];
    let length = match rustix::fs::listxattr(from, &mut names[..]) {
        Err(rustix::io::Errno::NOTSUP) => return Ok(()),
        result => result?,
    };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::getxattr(from, name, &mut value[..])?;
        match rustix::fs::setxattr(to, name, &value[..length], XattrFlags::empty()) {
            Err(rustix::io::Errno::NOTSUP) => {}
            result => result?,
        }
    }
    Ok(())
}
