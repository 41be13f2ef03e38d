//! A layer's archive: unpacked without a panic, and nothing changes outside of its folder.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use berth_images::unpack::{Limits, Privilege, unpack};
use libfuzzer_sys::fuzz_target;

/// In memory, where that is a folder: `outside/secret`, and what is unpacked beside it.
static TREE: LazyLock<PathBuf> = LazyLock::new(|| {
    let parent = if cfg!(target_os = "linux") { "/dev/shm" } else { "/tmp" };
    let tree = PathBuf::from(format!("{parent}/berth-fuzz-{}", std::process::id()));
    fs::create_dir_all(tree.join("outside")).expect("making a folder");
    fs::write(tree.join("outside/secret"), "secret").expect("writing a file");
    tree
});

fuzz_target!(|bytes: &[u8]| {
    let folder = TREE.join("layer");
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("removing a folder");
    }
    fs::create_dir(&folder).expect("making a folder");
    let limits = Limits { bytes: 1 << 20, entries: 200 };
    // No devices of this machine.
    let _ = unpack(bytes, &folder, limits, Privilege::User);
    assert_eq!(fs::read(TREE.join("outside/secret")).expect("the file outside"), b"secret");
    assert_eq!(fs::read_dir(TREE.join("outside")).expect("the folder outside").count(), 1);
    assert_eq!(fs::read_dir(&*TREE).expect("the folder").count(), 2);
});
