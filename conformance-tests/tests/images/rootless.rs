//! An ordinary user's images: files of several owners, by the ids that the system gave the user.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use conformance_tests::{Program, binary};

use crate::support::Table;

const USER: u32 = 4321;

/// A layer with files of root, of user 33, and of one that few have; and a whiteout.
fn layer(folder: &Path) -> PathBuf {
    let path = folder.join("layer.tar");
    let mut tar = tar::Builder::new(File::create(&path).unwrap());
    for (name, owner) in [("of-root", 0), ("of-33", 33), ("of-1000", 1000), ("d/.wh.gone", 0)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_mode(0o640);
        header.set_uid(owner);
        header.set_gid(owner);
        tar.append_data(&mut header, name, std::io::empty()).unwrap();
    }
    tar.finish().unwrap();
    path
}

#[test]
fn an_ordinary_user_pulls_files_of_several_owners_and_removes_them() {
    let table = Table::new();
    let work = tempfile::Builder::new().prefix("berth-user-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(work.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let reference = table.reference("team/owners:1");
    table.put_image(&reference, &[layer(work.path())]);
    let (home, program) = (work.path().join("home"), work.path().join("berth"));
    fs::create_dir_all(home.join(".docker")).unwrap();
    fs::copy(binary::berth(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(table.folder.path().join(".docker/config.json"), home.join(".docker/config.json")).unwrap();
    for (name, text) in [
        ("passwd", format!("root:x:0:0::/:/bin/sh\nberthtest:x:{USER}:{USER}::/:/bin/sh\n")),
        ("group", format!("root:x:0:\nberthtest:x:{USER}:\n")),
        ("subuid", "berthtest:500000:65536\n".to_owned()),
        ("subgid", "berthtest:600000:65536\n".to_owned()),
    ] {
        fs::write(work.path().join(name), text).unwrap();
    }
    Program::new("chown").args(["-R", &format!("{USER}:{USER}")]).arg(&home).succeeds();
    let script = r#"set -e
for file in passwd group subuid subgid; do mount --bind "$1/$file" /etc/$file; done
cd /
exec setpriv --reuid 4321 --regid 4321 --clear-groups "$@""#;
    let script = script.replace("\"$@\"", "\"$1/berth\" \"$2\" \"$3\"");
    let call = |command: &str, argument: &str| {
        Program::new("unshare")
            .args(["--mount", "sh", "-c", &script, "sh"])
            .arg(work.path())
            .args([command, argument])
            .home(&home)
    };
    call("pull", &reference).succeeds();
    call("images", "-q").succeeds();
    let local = home.join(".local/share/berth/local");
    let layers: Vec<_> = fs::read_dir(local.join("layers/sha256")).unwrap().collect();
    let [Ok(layer)] = layers.as_slice() else { panic!("{layers:?}") };
    for (name, uid, gid) in
        [("of-root", USER, USER), ("of-33", 500_032, 600_032), ("of-1000", 500_999, 600_999)]
    {
        let found = fs::metadata(layer.path().join("fs").join(name)).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (uid, gid, 0o640), "{name}");
    }
    let whiteout = fs::symlink_metadata(layer.path().join("fs/d/gone")).unwrap();
    assert_eq!((whiteout.mode() & 0o170_000, whiteout.rdev()), (0o020_000, 0));
    call("rmi", &reference).succeeds();
    assert_eq!(fs::read_dir(local.join("layers/sha256")).unwrap().count(), 0);
}
