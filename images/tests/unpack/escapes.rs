//! Nothing in an archive reaches what is outside of its folder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use berth_images::unpack::{Limits, Privilege, Wrong, unpack};

use crate::tar::{Head, Tar};

/// Everything about the files outside that an archive might change.
type Outside = BTreeMap<String, (u32, i64, u64, Vec<u8>)>;

fn outside(folder: &Path) -> Outside {
    let mut all = Outside::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let content = if found.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        let nanoseconds = found.mtime() * 1_000_000_000 + found.mtime_nsec();
        let name = path.display().to_string();
        all.insert(name, (found.mode(), nanoseconds, found.nlink(), content));
        if found.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    all
}

/// Unpacks what `archive` makes of the way to the files outside, and checks that they are as they were.
#[track_caller]
fn nothing_escapes(archive: impl Fn(&str) -> Tar) -> Result<(), Wrong> {
    let tree = tempfile::tempdir().unwrap();
    let (inside, out) = (tree.path().join("layer/fs"), tree.path().join("outside"));
    fs::create_dir_all(&inside).unwrap();
    fs::create_dir_all(out.join("folder")).unwrap();
    fs::write(out.join("secret"), "secret").unwrap();
    fs::set_permissions(out.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let before = outside(&out);
    let bytes = archive(out.to_str().unwrap()).end();
    let limits = Limits::for_layer(bytes.len() as u64);
    let unpacked = unpack(bytes.as_slice(), &inside, limits, Privilege::of_this_process());
    assert_eq!(outside(&out), before);
    assert_eq!(fs::read_dir(tree.path()).unwrap().count(), 2, "something beside the layer");
    assert_eq!(fs::read_dir(tree.path().join("layer")).unwrap().count(), 1, "something beside its files");
    unpacked.map(drop)
}

/// Refused, too, with a sentence that contains `words`.
#[track_caller]
fn refused(words: &str, archive: impl Fn(&str) -> Tar) {
    let wrong = nothing_escapes(archive).expect_err("an archive that is refused").to_string();
    assert!(wrong.contains(words), "{wrong}");
}

/// Taken, because it does no harm inside.
#[track_caller]
fn harmless(archive: impl Fn(&str) -> Tar) {
    nothing_escapes(archive).expect("an archive that is taken");
}

/// Refused or taken: nothing escapes, whatever is made of it.
#[track_caller]
fn contained(archive: impl Fn(&str) -> Tar) {
    drop(nothing_escapes(archive));
}

const UP: &str = "../../outside";

#[test]
fn a_path_upwards_is_refused() {
    refused("leads out", |_| Tar::default().file(&format!("{UP}/new"), "x"));
}

#[test]
fn a_path_upwards_from_the_middle_is_refused() {
    refused("leads out", |_| Tar::default().file("a/../../../outside/secret", "x"));
}

#[test]
fn a_path_from_the_root_lands_inside() {
    harmless(|out| Tar::default().file(&format!("{out}/secret"), "x"));
}

#[test]
fn a_long_path_upwards_of_gnus_is_refused() {
    refused("leads out", |_| Tar::default().gnu_long(b'L', &format!("{UP}/secret")).file("short", "x"));
}

#[test]
fn a_pax_path_upwards_is_refused() {
    refused("leads out", |_| {
        Tar::default().pax(&[("path", format!("{UP}/secret").as_bytes())]).file("short", "x")
    });
}

#[test]
fn a_path_with_a_zero_in_it_is_refused() {
    refused("malformed", |_| Tar::default().pax(&[("path", b"a\0b")]).file("short", "x"));
}

#[test]
fn a_file_behind_an_absolute_link_is_not_written_outside() {
    contained(|out| Tar::default().symlink("link", out).file("link/secret", "x"));
}

#[test]
fn a_file_behind_a_relative_link_is_not_written_outside() {
    contained(|_| Tar::default().symlink("link", UP).file("link/secret", "x"));
}

#[test]
fn a_file_behind_a_chain_of_links_is_not_written_outside() {
    contained(|_| {
        Tar::default().symlink("a", "b").symlink("b", "c/..").symlink("c", UP).file("a/secret", "x")
    });
}

#[test]
fn a_file_takes_the_place_of_a_link_and_is_not_written_through_it() {
    harmless(|out| Tar::default().symlink("link", &format!("{out}/secret")).file("link", "x"));
}

#[test]
fn a_hard_link_upwards_is_refused() {
    refused("leads out", |_| Tar::default().hard_link("link", &format!("{UP}/secret")).file("link", "x"));
}

#[test]
fn a_hard_link_from_the_root_means_the_image() {
    contained(|out| Tar::default().hard_link("link", &format!("{out}/secret")).file("link", "x"));
}

#[test]
fn a_hard_link_through_a_link_does_not_reach_outside() {
    contained(|_| Tar::default().symlink("out", UP).hard_link("link", "out/secret").file("link", "x"));
}

#[test]
fn a_hard_link_to_a_link_is_not_written_through() {
    harmless(|out| {
        Tar::default()
            .symlink("link", &format!("{out}/secret"))
            .hard_link("second", "link")
            .file("second", "x")
    });
}

#[test]
fn the_root_itself_is_never_a_link() {
    refused("the place of the image's root", |out| Tar::default().symlink(".", out).file("secret", "x"));
    refused("the place of the image's root", |out| Tar::default().symlink("./", out).file("secret", "x"));
}

#[test]
fn a_whiteout_behind_a_link_removes_nothing_outside() {
    contained(|_| Tar::default().symlink("link", UP).file("link/.wh.secret", ""));
}

#[test]
fn a_whiteout_of_the_folder_above_is_refused() {
    refused("leads out", |_| Tar::default().file(".wh...", ""));
    refused("leads out", |_| Tar::default().file("a/.wh..", ""));
    refused("leads out", |_| Tar::default().file(".wh.", ""));
}

#[test]
fn an_opaque_mark_behind_a_link_marks_nothing_outside() {
    contained(|_| Tar::default().symlink("link", UP).file("link/.wh..wh..opq", ""));
}

#[test]
fn a_folder_over_a_link_changes_no_mode_outside() {
    harmless(|out| {
        let head = Head { kind: b'5', name: "link", mode: 0o777, ..Head::default() };
        Tar::default().symlink("link", out).head(&head)
    });
}

#[test]
fn a_folder_behind_a_link_is_not_made_outside() {
    contained(|_| Tar::default().symlink("link", UP).folder("link/new"));
}

#[test]
fn a_link_that_leads_nowhere_makes_no_folder_outside() {
    contained(|_| Tar::default().symlink("link", &format!("{UP}/new")).file("link/x", "x"));
}

#[test]
fn a_folder_that_becomes_a_link_leads_nothing_outside() {
    contained(|_| {
        Tar::default().folder("d").file("d/x", "x").symlink("d", UP).file("d/secret", "y").folder("d/new")
    });
}

#[test]
fn the_time_of_a_folder_that_became_a_link_is_not_set_outside() {
    harmless(|out| Tar::default().folder("d/folder").symlink("d", out));
    harmless(|out| Tar::default().folder("d").symlink("d", out));
}

#[test]
fn a_link_through_proc_reaches_nothing() {
    contained(|out| Tar::default().symlink("p", "/proc/self/root").file(&format!("p{out}/secret"), "x"));
    contained(|_| Tar::default().symlink("p", "/proc/self/cwd").file("p/new", "x"));
}

#[test]
fn a_pipe_behind_a_link_is_not_made_outside() {
    contained(|_| {
        Tar::default().symlink("link", UP).head(&Head { kind: b'6', name: "link/pipe", ..Head::default() })
    });
}

#[test]
fn an_attribute_behind_a_link_is_not_set_outside() {
    contained(|_| {
        let attribute: (&str, &[u8]) = ("SCHILY.xattr.user.x", b"y");
        Tar::default()
            .symlink("link", UP)
            .pax(&[attribute])
            .folder("link")
            .pax(&[attribute])
            .file("link/secret", "x")
    });
}

#[test]
fn links_in_a_circle_are_refused() {
    refused("circle", |_| Tar::default().symlink("a", "b").symlink("b", "a").file("a/x", "x"));
}
