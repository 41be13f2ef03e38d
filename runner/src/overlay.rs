//! A root file system of layers, mounted with overlayfs.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    UnmountFlags,
};
use rustix::thread::UnshareFlags;

use crate::container::{RootFs, Upper};

/// How layers are named to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// One by one with `lowerdir+`, which kernels know from 6.8 on.
    OneByOne,
    /// All in one string of at most a page, each as a descriptor, so that neither length nor colons matter.
    AsDescriptors,
}

/// Options that make an upper directory one that any kernel understands and whose layers can be shared.
const PORTABLE: [(&str, &str); 3] = [("redirect_dir", "off"), ("metacopy", "off"), ("index", "off")];

/// Makes mounts of the calling process its own: it sees what the host unmounts and mounts, and not the
/// other way round. What it mounts goes with it.
pub(crate) fn enter_own_mounts() -> Result<(), Errno> {
    #[expect(unsafe_code, reason = "unshare can split the table of descriptors, which isn't asked for here")]
    // SAFETY: only the mounts become the process's own, which has one thread.
    unsafe {
        rustix::thread::unshare_unsafe(UnshareFlags::NEWNS)?;
    }
    rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
}

/// Mounts `root` where it says; the folders it names are there.
pub(crate) fn mount(root: &RootFs) -> Result<(), String> {
    let failed = |error: Errno| format!("mounting the root file system: {error}");
    match mount_by(Method::OneByOne, root) {
        Err(Errno::INVAL | Errno::NOSYS) => mount_by(Method::AsDescriptors, root).map_err(failed),
        result => result.map_err(failed),
    }
}

/// Unmounts what [`mount`] mounted.
pub(crate) fn unmount(root: &RootFs) -> Result<(), Errno> {
    rustix::mount::unmount(&root.merged, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
}

/// Makes the folders for what is written and where it is mounted.
pub(crate) fn make_folders(root: &RootFs) -> std::io::Result<()> {
    for folder in [&root.upper, &root.work, &root.merged] {
        fs::create_dir_all(folder)?;
    }
    if root.lower.is_empty() {
        // Overlayfs wants a layer; an image may have none.
        fs::create_dir_all(no_layer(root))?;
    }
    Ok(())
}

fn no_layer(root: &RootFs) -> std::path::PathBuf {
    root.work.with_file_name("no-layer")
}

/// From the highest, as overlayfs wants them.
fn layers(root: &RootFs) -> Vec<std::path::PathBuf> {
    match root.lower.is_empty() {
        true => vec![no_layer(root)],
        false => once_each(&root.lower),
    }
}

/// The same layer twice, as two instructions that changed nothing make it, is refused by overlayfs. What it
/// has is seen at its topmost place alone.
fn once_each(lower: &[std::path::PathBuf]) -> Vec<std::path::PathBuf> {
    let mut seen = std::collections::HashSet::new();
    lower.iter().rev().filter(|layer| seen.insert(*layer)).cloned().collect()
}

fn mount_by(method: Method, root: &RootFs) -> Result<(), Errno> {
    match method {
        Method::OneByOne => one_by_one(root),
        Method::AsDescriptors => as_descriptors(root),
    }
}

fn one_by_one(root: &RootFs) -> Result<(), Errno> {
    let file_system = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let set = |key: &str, value: &Path| rustix::mount::fsconfig_set_string(&file_system, key, value);
    for layer in layers(root) {
        set("lowerdir+", &layer)?;
    }
    set("upperdir", &root.upper)?;
    set("workdir", &root.work)?;
    for (key, value) in PORTABLE {
        set(key, Path::new(value))?;
    }
    if root.upper_is == Upper::ThrownAway {
        rustix::mount::fsconfig_set_flag(&file_system, "volatile")?;
    }
    rustix::mount::fsconfig_create(&file_system)?;
    let mounted =
        rustix::mount::fsmount(&file_system, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(&mounted, "", CWD, &root.merged, flags)
}

fn as_descriptors(root: &RootFs) -> Result<(), Errno> {
    let open = |path: &Path| -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, path, flags, Mode::empty())
    };
    let name = |folder: &OwnedFd| format!("/proc/self/fd/{}", folder.as_raw_fd());
    let layers = layers(root).iter().map(|layer| open(layer)).collect::<Result<Vec<_>, _>>()?;
    let (upper, work) = (open(&root.upper)?, open(&root.work)?);
    let lower: Vec<String> = layers.iter().map(name).collect();
    let mut options =
        format!("lowerdir={},upperdir={},workdir={}", lower.join(":"), name(&upper), name(&work));
    for (key, value) in PORTABLE {
        options.push_str(&format!(",{key}={value}"));
    }
    if root.upper_is == Upper::ThrownAway {
        options.push_str(",volatile");
    }
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    rustix::mount::mount("overlay", &root.merged, "overlay", MountFlags::empty(), options.as_c_str())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::container::Access;

    fn layered(folder: &Path, count: usize) -> RootFs {
        let lower: Vec<PathBuf> = (0..count)
            .map(|number| {
                let layer = folder.join(format!("a layer with a long name, a comma and a : {number}"));
                fs::create_dir(&layer).unwrap();
                fs::write(layer.join(format!("file-{number}")), "").unwrap();
                fs::write(layer.join("top"), number.to_string()).unwrap();
                layer
            })
            .collect();
        let root = RootFs {
            lower,
            upper: folder.join("upper"),
            work: folder.join("work"),
            merged: folder.join("merged"),
            upper_is: Upper::Kept,
            access: Access::ReadWrite,
        };
        make_folders(&root).unwrap();
        root
    }

    /// Overlays of overlays may be refused, so the folders are in memory.
    fn folder() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").unwrap()
    }

    /// In a thread with mounts of its own, which end with it.
    fn apart(test: impl FnOnce() + Send) {
        assert!(rustix::process::geteuid().is_root(), "mounting needs root");
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                enter_own_mounts().unwrap();
                test();
            });
            thread.join().unwrap();
        });
    }

    #[test]
    fn images_of_many_layers_are_mounted_either_way_with_the_last_on_top() {
        for method in [Method::OneByOne, Method::AsDescriptors] {
            for count in [0, 1, 40, 121] {
                let folder = folder();
                apart(|| {
                    let root = layered(folder.path(), count);
                    match mount_by(method, &root) {
                        Err(Errno::INVAL) if method == Method::OneByOne => return,
                        result => result.unwrap(),
                    }
                    assert_eq!(fs::read_dir(&root.merged).unwrap().count(), count + usize::from(count > 0));
                    if count > 0 {
                        let top = fs::read_to_string(root.merged.join("top")).unwrap();
                        assert_eq!(top, (count - 1).to_string());
                    }
                    fs::write(root.merged.join("written"), "").unwrap();
                    assert!(root.upper.join("written").exists());
                    unmount(&root).unwrap();
                });
            }
        }
    }

    #[test]
    fn a_layer_that_is_there_twice_is_mounted_once_at_its_topmost_place() {
        let folder = folder();
        apart(|| {
            let mut root = layered(folder.path(), 2);
            root.lower.push(root.lower[0].clone());
            mount(&root).unwrap();
            assert_eq!(fs::read_to_string(root.merged.join("top")).unwrap(), "0");
            assert!(root.merged.join("file-1").exists());
        });
    }

    #[test]
    fn a_mount_is_gone_with_who_made_it_and_never_seen_by_others() {
        let folder = folder();
        apart(|| {
            mount(&layered(folder.path(), 2)).unwrap();
        });
        assert_eq!(fs::read_dir(folder.path().join("merged")).unwrap().count(), 0);
    }
}
