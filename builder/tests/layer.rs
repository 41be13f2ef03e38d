//! Trees become layers whose bytes follow from the trees alone, and which others read as they are meant.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use berth_builder::layer::{PackError, Packed, Packing, pack};
use berth_oci::{Algorithm, Hasher};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mknodat, setxattr};

/// In 2023.
const NEWEST: u64 = 1_700_000_000;

fn packed(root: &Path, threads: usize) -> (Packed, Vec<u8>) {
    let mut bytes = Vec::new();
    let packing = Packing { newest: NEWEST, threads: NonZeroUsize::new(threads).unwrap() };
    let packed = pack(root, packing, &mut bytes).unwrap();
    (packed, bytes)
}

fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    flate2::read::GzDecoder::new(gzip).read_to_end(&mut archive).unwrap();
    archive
}

/// What an archive says of each entry, in its order.
fn listed(gzip: &[u8]) -> Vec<String> {
    let archive = unpacked(gzip);
    let mut archive = tar::Archive::new(&archive[..]);
    let mut listed = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        let mut line = format!(
            "{} {:?} {:o} {}",
            String::from_utf8_lossy(&entry.path_bytes()),
            header.entry_type(),
            header.mode().unwrap(),
            header.mtime().unwrap(),
        );
        if let Some(target) = entry.link_name_bytes() {
            line += &format!(" -> {}", String::from_utf8_lossy(&target));
        }
        if let Some(records) = entry.pax_extensions().unwrap() {
            for record in records.map(|record| record.unwrap()) {
                if record.key_bytes().starts_with(b"SCHILY") {
                    line += &format!(" {}={}", record.key().unwrap(), record.value().unwrap());
                }
            }
        }
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        if text.len() < 40 && !text.is_empty() {
            line += &format!(" {text:?}");
        }
        assert!(header.username_bytes().is_none_or(<[u8]>::is_empty), "{line} has a user's name");
        listed.push(line);
    }
    listed
}

fn set_time(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::open(path).unwrap().set_modified(time).unwrap();
}

/// Makes the same tree, in the given order of names, at the given time.
fn tree(root: &Path, names: &[&str], time: u64) {
    fs::create_dir_all(root.join("folder/inner")).unwrap();
    for name in names {
        fs::write(root.join(name), format!("this is {name}")).unwrap();
        fs::set_permissions(root.join(name), Permissions::from_mode(0o4755)).unwrap();
        set_time(&root.join(name), time);
    }
    symlink("/nowhere/../x", root.join("folder/link")).unwrap();
    fs::hard_link(root.join("folder/b"), root.join("z")).unwrap();
    for folder in ["folder/inner", "folder"] {
        fs::set_permissions(root.join(folder), Permissions::from_mode(0o750)).unwrap();
        set_time(&root.join(folder), 1_000);
    }
}

#[test]
fn the_same_tree_is_the_same_layer_wherever_and_whenever_and_however_it_was_made() {
    let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    tree(one.path(), &["folder/b", "folder/a", "c"], NEWEST + 5);
    tree(other.path(), &["c", "folder/a", "folder/b"], NEWEST + 99_999);
    let first = packed(one.path(), 1);
    for threads in [2, 7] {
        assert_eq!(packed(other.path(), threads), first);
    }
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(&first.1);
    assert_eq!((first.0.digest, first.0.size), (hasher.finish(), first.1.len() as u64));
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(&unpacked(&first.1));
    assert_eq!(first.0.diff_id, hasher.finish());
}

#[test]
fn entries_are_sorted_times_end_and_links_are_kept() {
    let root = tempfile::tempdir().unwrap();
    tree(root.path(), &["folder/b", "folder/a", "c"], NEWEST + 5);
    let link = fs::symlink_metadata(root.path().join("folder/link")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        listed(&packed(root.path(), 1).1),
        [
            "c Regular 4755 1700000000 \"this is c\"".to_owned(),
            "folder/ Directory 750 1000".to_owned(),
            "folder/a Regular 4755 1700000000 \"this is folder/a\"".to_owned(),
            "folder/b Regular 4755 1700000000 \"this is folder/b\"".to_owned(),
            "folder/inner/ Directory 750 1000".to_owned(),
            format!("folder/link Symlink {link:o} 1700000000 -> /nowhere/../x"),
            "z Link 4755 1700000000 -> folder/b".to_owned(),
        ]
    );
}

#[test]
fn names_and_targets_of_any_length_and_letters_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let long = "n".repeat(255);
    let target = format!("/{}", "t".repeat(300));
    fs::create_dir_all(root.path().join(&long).join(&long)).unwrap();
    fs::write(root.path().join("grüße"), "").unwrap();
    symlink(&target, root.path().join("s")).unwrap();
    let listed = listed(&packed(root.path(), 1).1);
    let names: Vec<_> = listed.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["grüße", &format!("{long}/"), &format!("{long}/{long}/"), "s"]);
    assert!(listed[3].ends_with(&target), "{}", listed[3]);
}

#[test]
fn what_gnu_tar_unpacks_is_the_tree() {
    let [root, out] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    tree(root.path(), &["folder/b", "folder/a", "c"], 5);
    fs::write(root.path().join("large"), vec![7; 3_000_001]).unwrap();
    fs::write(root.path().join("é".repeat(100)), "long").unwrap();
    let archive = out.path().join("layer.tar.gz");
    fs::write(&archive, packed(root.path(), 2).1).unwrap();
    let into = out.path().join("tree");
    fs::create_dir(&into).unwrap();
    let tar = Command::new("tar").arg("xpzf").arg(&archive).arg("-C").arg(&into).output().unwrap();
    assert!(tar.status.success() && tar.stderr.is_empty(), "{}", String::from_utf8_lossy(&tar.stderr));
    let diff = Command::new("diff").args(["-r", "--no-dereference"]).arg(root.path()).arg(&into).output();
    let diff = diff.unwrap();
    assert!(diff.status.success() && diff.stdout.is_empty(), "{}", String::from_utf8_lossy(&diff.stdout));
}

#[test]
fn pipes_are_kept_and_sockets_left_out() {
    let root = tempfile::tempdir().unwrap();
    mknodat(CWD, root.path().join("pipe"), FileType::Fifo, Mode::from(0o600), 0).unwrap();
    let socket = root.path().join("socket");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    let listed = listed(&packed(root.path(), 1).1);
    assert_eq!(listed, ["pipe Fifo 600 1700000000"]);
}

#[test]
fn an_overlays_marks_become_the_layers() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("replaced")).unwrap();
    fs::write(root.path().join("replaced/new"), "new").unwrap();
    setxattr(root.path().join("replaced"), "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    // Linux lets everyone make this one device.
    mknodat(CWD, root.path().join("removed"), FileType::CharacterDevice, Mode::from(0o600), makedev(0, 0))
        .unwrap();
    set_time(&root.path().join("replaced"), 1_000);
    let folder = fs::metadata(root.path().join("replaced")).unwrap().permissions().mode() & 0o7777;
    let file = fs::metadata(root.path().join("replaced/new")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        listed(&packed(root.path(), 1).1),
        [
            ".wh.removed Regular 0 0".to_owned(),
            format!("replaced/ Directory {folder:o} 1000"),
            "replaced/.wh..wh..opq Regular 0 0".to_owned(),
            format!("replaced/new Regular {file:o} 1700000000 \"new\""),
        ]
    );
}

#[test]
fn attributes_of_the_user_are_kept_and_an_overlays_are_not() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a"), "").unwrap();
    fs::set_permissions(root.path().join("a"), Permissions::from_mode(0o600)).unwrap();
    for (name, value) in [("user.two", "2"), ("user.one", "1"), ("user.overlay.origin", "x")] {
        setxattr(root.path().join("a"), name, value.as_bytes(), XattrFlags::empty()).unwrap();
    }
    let expected = "a Regular 600 1700000000 SCHILY.xattr.user.one=1 SCHILY.xattr.user.two=2";
    assert_eq!(listed(&packed(root.path(), 1).1), [expected]);
}

#[test]
fn a_name_that_would_remove_something_is_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("a")).unwrap();
    fs::write(root.path().join("a/.wh.b"), "").unwrap();
    let packing = Packing { newest: NEWEST, threads: NonZeroUsize::MIN };
    let error = pack(root.path(), packing, Vec::new()).unwrap_err();
    assert!(matches!(&error, PackError::Reserved { path } if path == Path::new("a/.wh.b")), "{error}");
    assert!(error.to_string().starts_with("a/.wh.b can't be in a layer: "), "{error}");
}

#[test]
fn a_tree_that_is_not_there_is_named() {
    let packing = Packing { newest: NEWEST, threads: NonZeroUsize::MIN };
    let error = pack(Path::new("/nowhere/at/all"), packing, Vec::new()).unwrap_err();
    assert!(error.to_string().starts_with("reading /nowhere/at/all: No such file"), "{error}");
}

#[test]
fn an_empty_tree_is_the_empty_archive_that_everyone_knows() {
    let root = tempfile::tempdir().unwrap();
    let (packed, _) = packed(root.path(), 3);
    // The digest of 1024 zeros.
    let known = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
    assert_eq!(packed.diff_id.as_str(), known);
}
