//! What an archive says becomes files that overlayfs stacks as the specification means it
//! (image-spec `layer.md`).

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use berth_images::unpack::{Limits, LowerLink, Privilege, Unpacked, unpack};
use tempfile::TempDir;

use crate::tar::{Head, Tar};

fn unpacked(archive: Tar) -> (TempDir, Unpacked) {
    let folder = tempfile::tempdir().unwrap();
    let bytes = archive.end();
    let limits = Limits::for_layer(0);
    let unpacked = unpack(bytes.as_slice(), folder.path(), limits, Privilege::of_this_process()).unwrap();
    (folder, unpacked)
}

fn is_whiteout(path: &Path) -> bool {
    let found = fs::symlink_metadata(path).unwrap();
    found.file_type().is_char_device() && found.rdev() == 0
}

fn is_opaque(path: &Path) -> bool {
    let mut value = [0; 1];
    let name = match Privilege::of_this_process() {
        Privilege::Root => "trusted.overlay.opaque",
        Privilege::NamespaceRoot | Privilege::User => "user.overlay.opaque",
    };
    rustix::fs::getxattr(path, name, &mut value[..]) == Ok(1) && value == *b"y"
}

#[test]
fn modes_times_and_links_are_kept() {
    let (folder, facts) = unpacked(
        Tar::default()
            .head(&Head { kind: b'5', name: "./", mode: 0o751, mtime: 5, ..Head::default() })
            .head(&Head { kind: b'5', name: "d/", mode: 0o1777, mtime: 7, ..Head::default() })
            .pax(&[("mtime", b"1700000000.123456789")])
            .head(&Head { name: "d/f", mode: 0o4755, size: 3, ..Head::default() })
            .content(b"abc")
            .hard_link("d/g", "d/f")
            .symlink("d/s", "/etc/passwd")
            .pax(&[("mtime", b"-1.5")])
            .file("old", ""),
    );
    let at = |name: &str| fs::symlink_metadata(folder.path().join(name)).unwrap();
    assert_eq!((at("").mode() & 0o7777, at("").mtime()), (0o751, 5));
    assert_eq!((at("d").mode() & 0o7777, at("d").mtime()), (0o1777, 7));
    let file = at("d/f");
    assert_eq!((file.mode() & 0o7777, file.mtime(), file.mtime_nsec()), (0o4755, 1_700_000_000, 123_456_789));
    assert_eq!((at("d/g").ino(), file.nlink()), (file.ino(), 2));
    assert_eq!(fs::read_link(folder.path().join("d/s")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(at("d/s").mtime(), 1_000_000);
    assert_eq!((at("old").mtime(), at("old").mtime_nsec()), (-2, 500_000_000));
    assert_eq!((facts.entries, facts.bytes, facts.left_out), (6, 3, 0));
}

#[test]
fn owners_devices_and_capabilities_are_kept_by_root() {
    if Privilege::of_this_process() != Privilege::Root {
        return;
    }
    // A line's end in its value: VFS_CAP_REVISION_2 with the effective bit, CAP_DAC_OVERRIDE and CAP_FOWNER.
    let capability = [1, 0, 0, 2, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (folder, facts) = unpacked(
        Tar::default()
            .pax(&[("SCHILY.xattr.security.capability", &capability), ("uid", b"100000"), ("gid", b"7")])
            .head(&Head { name: "ping", mode: 0o2755, ..Head::default() })
            .head(&Head { kind: b'3', name: "null", mode: 0o666, device: (1, 3), ..Head::default() })
            .head(&Head { kind: b'4', name: "disk", mode: 0o660, device: (8, 0), ..Head::default() })
            .head(&Head { kind: b'6', name: "pipe", mode: 0o600, owner: (3, 4), ..Head::default() }),
    );
    let at = |name: &str| fs::symlink_metadata(folder.path().join(name)).unwrap();
    let mut value = [0; 64];
    let length =
        rustix::fs::getxattr(folder.path().join("ping"), "security.capability", &mut value[..]).unwrap();
    assert_eq!(value[..length], capability);
    assert_eq!((at("ping").uid(), at("ping").gid(), at("ping").mode() & 0o7777), (100_000, 7, 0o2755));
    assert_eq!((at("null").rdev(), at("null").mode() & 0o7777), (rustix::fs::makedev(1, 3), 0o666));
    assert!(at("disk").file_type().is_block_device() && at("disk").rdev() == rustix::fs::makedev(8, 0));
    assert!(at("pipe").file_type().is_fifo() && (at("pipe").uid(), at("pipe").gid()) == (3, 4));
    assert_eq!(facts.left_out, 0);
}

#[test]
fn whiteouts_become_what_overlayfs_takes_for_them() {
    let (folder, _) =
        unpacked(Tar::default().file("a/.wh.gone", "").file("b/.wh..wh..opq", "").file("b/new", ""));
    assert!(is_whiteout(&folder.path().join("a/gone")));
    assert!(is_opaque(&folder.path().join("b")) && !is_opaque(&folder.path().join("a")));
    assert!(!folder.path().join("b/.wh..wh..opq").exists());
}

#[test]
fn a_whiteout_hides_nothing_of_its_own_layer_in_whatever_order() {
    let (folder, _) =
        unpacked(Tar::default().file("f", "new").file(".wh.f", "").file(".wh.g", "").file("g", "new"));
    for name in ["f", "g"] {
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), "new", "{name}");
    }
    let (folder, _) = unpacked(
        Tar::default()
            .folder("f")
            .file("f/x", "x")
            .file(".wh.f", "")
            .file(".wh.g", "")
            .folder("g")
            .file("g/x", "x"),
    );
    for name in ["f", "g"] {
        let made = folder.path().join(name);
        assert!(made.join("x").exists() && is_opaque(&made), "{name}");
    }
}

#[test]
fn aufs_own_files_are_left_out() {
    let (folder, _) = unpacked(Tar::default().folder(".wh..wh.plnk").file(".wh..wh.aufs", "").file("f", ""));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_last_entry_of_a_name_counts_whatever_was_there() {
    let (folder, _) = unpacked(
        Tar::default()
            .folder("a/b")
            .file("a/b/c", "c")
            .file("a", "file")
            .file("d", "file")
            .folder("d")
            .file("d/e", "e")
            .file("f", "one")
            .file("f", "two")
            .symlink("s", "nowhere")
            .folder("s"),
    );
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!((read("a").as_str(), read("d/e").as_str(), read("f").as_str()), ("file", "e", "two"));
    assert!(fs::symlink_metadata(folder.path().join("s")).unwrap().is_dir());
}

#[test]
fn files_behind_links_inside_go_where_the_links_lead() {
    let (folder, _) = unpacked(
        Tar::default()
            .folder("usr/lib")
            .symlink("lib", "usr/lib")
            .symlink("usr/again", "/lib")
            .file("lib/a", "a")
            .file("usr/again/b", "b"),
    );
    for name in ["usr/lib/a", "usr/lib/b"] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
}

#[test]
fn hard_links_to_files_of_lower_layers_are_put_off_and_forgotten_when_replaced() {
    let (folder, facts) = unpacked(
        Tar::default()
            .hard_link("a", "lower/file")
            .hard_link("b", "gone")
            .file("b", "own")
            .hard_link("c/d", "gone")
            .file("c", "own"),
    );
    let link = LowerLink { path: PathBuf::from("a"), target: PathBuf::from("lower/file") };
    assert_eq!(facts.lower_links, [link]);
    assert!(!folder.path().join("a").exists() && folder.path().join("b").is_file());
}

#[test]
fn who_may_not_make_devices_leaves_them_out_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Tar::default()
        .head(&Head { kind: b'3', name: "null", device: (1, 3), ..Head::default() })
        .file("f", "x");
    let facts =
        unpack(archive.end().as_slice(), folder.path(), Limits::for_layer(0), Privilege::User).unwrap();
    assert_eq!((facts.left_out, facts.entries), (1, 2));
    assert!(folder.path().join("f").exists() && !folder.path().join("null").exists());
}
