//! Root file systems to make images of, from Debian's packages; kept between test runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Program;
use crate::program::cache;

/// The folders of a Debian system that become a layer of their own; the rest is one more.
const DEBIAN_LAYERS: [&str; 2] = ["usr/lib", "usr/share"];

/// A root file system of busybox alone, as a tar: about 2 MB.
pub fn busybox() -> PathBuf {
    kept("busybox-1", "rootfs.tar", |folder| {
        let file = File::create(folder.join("rootfs.tar")).expect("making a tar");
        let mut tar = tar::Builder::new(file);
        let mut directory = tar::Header::new_ustar();
        directory.set_entry_type(tar::EntryType::Directory);
        directory.set_mode(0o755);
        directory.set_size(0);
        for name in ["bin/", "tmp/"] {
            tar.append_data(&mut directory.clone(), name, std::io::empty()).expect("writing a tar");
        }
        let program = fs::read("/bin/busybox").expect("reading busybox, of the package busybox-static");
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o755);
        header.set_size(program.len() as u64);
        tar.append_data(&mut header, "bin/busybox", program.as_slice()).expect("writing a tar");
        for name in ["sh", "echo", "cat", "true", "ls", "sha256sum", "touch"] {
            let mut link = tar::Header::new_ustar();
            link.set_entry_type(tar::EntryType::Symlink);
            link.set_size(0);
            tar.append_link(&mut link, format!("bin/{name}"), "busybox").expect("writing a tar");
        }
        tar.finish().expect("writing a tar");
    })
    .join("rootfs.tar")
}

/// What a program that is linked to Debian's C library and speaks TLS needs beside itself, as a tar: about 4 MB.
pub fn c_library() -> PathBuf {
    kept("c-library-1", "rootfs.tar", |folder| {
        let root = folder.join("root");
        fs::create_dir(&root).expect("making a folder");
        for package in ["libc6", "ca-certificates"] {
            Program::new("apt-get").args(["download", "-q", package]).current_dir(folder).succeeds();
            let file = fs::read_dir(folder)
                .expect("listing a folder")
                .flatten()
                .find(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{package}_")));
            let file = file.expect("apt-get has brought the package").path();
            Program::new("dpkg-deb").arg("-x").arg(file).arg(&root).succeeds();
        }
        let certificates = root.join("etc/ssl/certs");
        fs::create_dir_all(&certificates).expect("making a folder");
        fs::copy("/etc/ssl/certs/ca-certificates.crt", certificates.join("ca-certificates.crt"))
            .expect("copying the machine's certificates");
        let left_out =
            ["usr/share", "usr/sbin", "usr/lib/x86_64-linux-gnu/gconv", "usr/lib/x86_64-linux-gnu/audit"];
        let left_out = left_out.map(|path| format!("--exclude=./{path}"));
        let what: Vec<&str> = left_out.iter().map(String::as_str).chain(["."]).collect();
        pack(folder, &root, "rootfs.tar", &what);
    })
    .join("rootfs.tar")
}

/// A small Debian system in three layers, as tars, more than 100 MB in all.
pub fn debian() -> Vec<PathBuf> {
    let folder = kept("debian-1", "rest.tar", |folder| {
        let root = folder.join("root");
        Program::new("debootstrap")
            .args(["--variant=minbase", "bookworm"])
            .arg(&root)
            .deadline(Duration::from_secs(600))
            .succeeds();
        for index in DEBIAN_LAYERS {
            pack(folder, &root, &name(index), &[index]);
        }
        let left_out = DEBIAN_LAYERS.map(|index| format!("--exclude=./{index}/*"));
        let mut rest: Vec<&str> = left_out.iter().map(String::as_str).collect();
        rest.extend([
            "--exclude=./var/cache/apt/*",
            "--exclude=./var/lib/apt/lists/*",
            "--exclude=./dev/*",
            ".",
        ]);
        pack(folder, &root, "rest.tar", &rest);
        fs::remove_dir_all(&root).expect("removing a folder");
    });
    let names = DEBIAN_LAYERS.iter().map(|index| name(index)).chain(["rest.tar".to_owned()]);
    names.map(|name| folder.join(name)).collect()
}

fn name(layer: &str) -> String {
    format!("{}.tar", layer.replace('/', "-"))
}

fn pack(folder: &Path, root: &Path, name: &str, what: &[&str]) {
    Program::new("tar")
        .arg("-cf")
        .arg(folder.join(name))
        .args(["--sort=name", "--mtime=@0", "--numeric-owner", "-C"])
        .arg(root)
        .args(what)
        .succeeds();
}

/// A folder that `make` fills once for all test runs on this machine; `last` is the file it makes last.
fn kept(name: &str, last: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let parent = cache().join("berth-tests");
    let folder = parent.join(name);
    fs::create_dir_all(&parent).expect("making the cache folder");
    let lock = File::create(parent.join(format!("{name}.lock"))).expect("making a lock file");
    lock.lock().expect("waiting for the lock");
    if !folder.join(last).exists() {
        // Made aside and renamed, so that what an interrupted run leaves is never taken for the whole.
        let aside = parent.join(format!("{name}.incomplete"));
        if aside.exists() {
            fs::remove_dir_all(&aside).expect("removing what an interrupted run left");
        }
        fs::create_dir_all(&aside).expect("making a folder");
        make(&aside);
        fs::rename(&aside, &folder).expect("renaming a folder");
    }
    folder
}
