//! Paths in a folder that is taken for a whole file system: no link in it leads out of it.
//!
//! Nobody else may change the folder meanwhile; it is a layer, a mount of one's own, or the context of whoever
//! builds.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows.
const MAX_LINKS: u32 = 40;

/// Where `path` leads in `root`, seen from it. What isn't there is kept as it is written.
pub(super) fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut left: Vec<OsString> = parts(path);
    let (mut at, mut links) = (PathBuf::new(), 0);
    while let Some(part) = left.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        match fs::symlink_metadata(root.join(&next)) {
            Ok(found) if found.is_symlink() => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(rustix::io::Errno::LOOP.into());
                }
                let target = fs::read_link(root.join(&next))?;
                if target.is_absolute() {
                    at = PathBuf::new();
                }
                left.extend(parts(&target));
            }
            Ok(_) => at = next,
            Err(error) if is_missing(&error) => at = next,
            Err(error) => return Err(error),
        }
    }
    Ok(at)
}

/// The same, but a link at the end of `path` is not followed.
pub(super) fn resolve_parent(root: &Path, path: &Path) -> io::Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(resolve(root, parent)?.join(name)),
        _ => resolve(root, path),
    }
}

/// Whether nothing is there.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What is at `path`, itself; nothing if there is none.
pub(super) fn look(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The last part first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev().filter_map(|component| match component {
        Component::Normal(part) => Some(part.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_as_if_the_folder_were_the_whole_file_system() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("usr/lib")).unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink("/lib/../../../etc", root.join("out")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        for (path, expected) in [
            ("/lib/x", "usr/lib/x"),
            ("../../lib/./y", "usr/lib/y"),
            ("out/passwd", "etc/passwd"),
            ("/", ""),
            ("missing/../lib", "usr/lib"),
        ] {
            assert_eq!(resolve(root, Path::new(path)).unwrap(), Path::new(expected), "{path}");
        }
        assert_eq!(resolve_parent(root, Path::new("/lib")).unwrap(), Path::new("lib"));
        assert!(resolve(root, Path::new("loop/x")).is_err());
    }
}
