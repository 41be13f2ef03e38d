//! Hard links to files of the layers below.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD};

use super::Wrong;
use super::folder::LowerLink;
use super::root::{Inside, Root};

/// As many links as the kernel follows.
const MAX_LINKS: u32 = 40;

/// Makes `links` in `folder`, whose targets are in it or in the folders `lower`, from the lowest. They become
/// further names of the same files, so all must be on one file system.
pub(crate) fn link_lower(folder: &Path, links: &[LowerLink], lower: &[PathBuf]) -> Result<(), Wrong> {
    let layers: Vec<&Path> =
        std::iter::once(folder).chain(lower.iter().rev().map(PathBuf::as_path)).collect();
    let mut root = Root::open(folder).map_err(|source| machine(folder, source))?;
    for link in links {
        let missing = || {
            let (path, target) = (link.path.display(), link.target.display());
            Wrong::archive(format!("\"{path}\" is a hard link to \"{target}\", which no layer has"))
        };
        let target = find(&layers, &link.target).map_err(|source| machine(&link.target, source))?;
        let target = target.ok_or_else(missing)?;
        let path = Inside::new(link.path.as_os_str().as_bytes()).ok_or_else(missing)?;
        let (parent, name) = path.split().ok_or_else(missing)?;
        let parent = root.find_or_make(&parent).map_err(|source| machine(&link.path, source.into()))?;
        rustix::fs::linkat(CWD, &target, &parent, name, AtFlags::empty())
            .map_err(|source| machine(&link.path, source.into()))?;
    }
    Ok(())
}

fn machine(path: &Path, source: io::Error) -> Wrong {
    Wrong::Machine { doing: format!("linking {}", path.display()), source }
}

/// What stands at `path` when `layers` are stacked, the topmost first; none for nothing or a folder.
fn find(layers: &[&Path], path: &Path) -> io::Result<Option<PathBuf>> {
    let mut left: Vec<_> = parts(path).rev().collect();
    let mut folders: Vec<PathBuf> = layers.iter().map(|layer| layer.to_path_buf()).collect();
    let (mut passed, mut followed): (Vec<std::ffi::OsString>, u32) = (Vec::new(), 0);
    while let Some(part) = left.pop() {
        if part == ".." {
            // The folders above, once more from the top.
            passed.pop();
            left.extend(std::mem::take(&mut passed).into_iter().rev());
            folders = layers.iter().map(|layer| layer.to_path_buf()).collect();
            continue;
        }
        let mut below = Vec::new();
        for folder in &folders {
            let there = folder.join(&part);
            let found = match fs::symlink_metadata(&there) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                found => found?,
            };
            if found.file_type().is_char_device() && found.rdev() == 0 {
                break;
            }
            if found.is_dir() {
                let is_opaque = is_opaque(&there);
                below.push(there);
                if is_opaque {
                    break;
                }
                continue;
            }
            if !below.is_empty() {
                break;
            }
            if left.is_empty() {
                return Ok(Some(there));
            }
            if !found.is_symlink() || followed == MAX_LINKS {
                return Ok(None);
            }
            followed += 1;
            let target = fs::read_link(&there)?;
            left.extend(parts(&target).rev().collect::<Vec<_>>());
            if !target.is_absolute() {
                left.extend(std::mem::take(&mut passed).into_iter().rev());
            }
            passed.clear();
            below = layers.iter().map(|layer| layer.to_path_buf()).collect();
            break;
        }
        if below.is_empty() {
            return Ok(None);
        }
        // After a link the walk begins anew, and has passed nothing.
        if !(below.len() == layers.len() && below.iter().zip(layers).all(|(a, b)| a == b)) {
            passed.push(part);
        }
        folders = below;
    }
    Ok(None)
}

fn parts(path: &Path) -> std::vec::IntoIter<std::ffi::OsString> {
    let parts = path.components().filter_map(|component| match component {
        Component::Normal(part) => Some(part.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect::<Vec<_>>().into_iter()
}

fn is_opaque(folder: &Path) -> bool {
    let mut value = [0; 1];
    ["trusted.overlay.opaque", "user.overlay.opaque"].into_iter().any(|name| {
        rustix::fs::getxattr(folder, name, &mut value[..]).is_ok_and(|length| value[..length] == *b"y")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn files_are_found_through_folders_and_links_of_any_layer_and_not_behind_whiteouts() {
        let tree = tempfile::tempdir().unwrap();
        let (low, top) = (tree.path().join("low"), tree.path().join("top"));
        for folder in ["low/usr/lib", "top/usr/share"] {
            fs::create_dir_all(tree.path().join(folder)).unwrap();
        }
        for file in ["low/usr/lib/x", "low/y", "top/usr/share/z", "low/usr/share"] {
            fs::write(tree.path().join(file), file).unwrap();
        }
        symlink("usr/lib", low.join("lib")).unwrap();
        symlink("/usr/../lib", top.join("again")).unwrap();
        symlink("loop", top.join("loop")).unwrap();
        let layers = [top.as_path(), low.as_path()];
        for (path, found) in [
            ("usr/lib/x", Some("low/usr/lib/x")),
            ("lib/x", Some("low/usr/lib/x")),
            ("again/x", Some("low/usr/lib/x")),
            ("usr/share/z", Some("top/usr/share/z")),
            ("y", Some("low/y")),
            ("usr", None),
            ("usr/share", None),
            ("loop/x", None),
            ("missing", None),
        ] {
            let expected = found.map(|found| tree.path().join(found));
            assert_eq!(find(&layers, Path::new(path)).unwrap(), expected, "{path}");
        }
    }
}
