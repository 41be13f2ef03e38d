//! Bombs are bounded, and what overlayfs would obey is refused.

use std::fs;

use berth_images::unpack::{Limits, Privilege, Unpacked, Wrong, unpack};

use crate::tar::{Head, Tar};

fn unpacked(archive: &[u8], limits: Limits) -> Result<Unpacked, Wrong> {
    let folder = tempfile::tempdir().unwrap();
    unpack(archive, folder.path(), limits, Privilege::of_this_process())
}

#[track_caller]
fn refused(archive: Tar, words: &str) {
    let limits = Limits { bytes: 1 << 20, entries: 100 };
    let wrong = unpacked(&archive.end(), limits).expect_err("an archive that is refused").to_string();
    assert!(wrong.contains(words), "{wrong}");
}

#[test]
fn files_that_are_too_large_together_are_refused_before_they_are_written() {
    let half = Head { size: 600_000, ..Head::default() };
    let content = vec![0; 600_000];
    let archive = Tar::default()
        .head(&Head { name: "a", ..half.clone() })
        .content(&content)
        .head(&Head { name: "b", ..half })
        .content(&content);
    refused(archive, "more than 1048576 bytes, which is taken for a bomb");
    refused(
        Tar::default().head(&Head { name: "c", size: 0o77777777777, ..Head::default() }),
        "taken for a bomb",
    );
}

#[test]
fn entries_that_are_too_many_are_refused() {
    let archive = (0..101).fold(Tar::default(), |tar, number| tar.file(&format!("f{number}"), ""));
    refused(archive, "more than 100 entries");
}

#[test]
fn an_extension_header_that_is_too_long_is_refused() {
    let head = Head { kind: b'x', name: "pax", size: 2 << 20, ..Head::default() };
    refused(
        Tar::default().head(&head).content(&vec![b'a'; 2 << 20]),
        "an extension header has 2097152 bytes",
    );
}

#[test]
fn the_device_that_hides_files_is_refused() {
    let head = Head { kind: b'3', name: "hidden", ..Head::default() };
    refused(Tar::default().head(&head), "what overlayfs hides files with");
}

#[test]
fn attributes_of_overlayfs_are_refused() {
    for name in ["trusted.overlay.redirect", "user.overlay.opaque", "trusted.overlay.metacopy"] {
        let archive = Tar::default().pax(&[(&format!("SCHILY.xattr.{name}"), b"/etc")]).folder("d");
        refused(archive, "of overlayfs");
    }
}

#[test]
fn an_owner_that_is_no_id_is_refused() {
    if Privilege::of_this_process() == Privilege::User {
        return;
    }
    for id in ["4294967295", "4294967296"] {
        let archive = Tar::default().pax(&[("uid", id.as_bytes())]).file("f", "");
        refused(archive, "which are no ids");
    }
}

#[test]
fn a_file_in_what_is_no_folder_is_refused() {
    refused(Tar::default().file("a", "").file("a/b", ""), "lies in what is no folder");
}

#[test]
fn hard_links_to_folders_and_to_what_was_removed_are_refused() {
    refused(Tar::default().folder("d").hard_link("l", "d"), "is a folder");
    refused(Tar::default().file(".wh.f", "").hard_link("l", "f"), "was removed before");
    refused(Tar::default().file("f", "").hard_link("f", "f"), "is itself");
}

#[test]
fn what_a_layer_may_need_grows_with_its_size_up_to_a_bound() {
    assert_eq!(Limits::for_layer(0).bytes, 1 << 30);
    assert_eq!(Limits::for_layer(1 << 30).bytes, 251 << 30);
    assert_eq!(Limits::for_layer(u64::MAX).bytes, 256 << 30);
}

#[test]
fn nothing_is_made_of_an_empty_archive() {
    let unpacked = unpacked(&[], Limits::for_layer(0)).unwrap();
    assert_eq!((unpacked.entries, unpacked.bytes), (0, 0));
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
