//! Archives are read as GNU tar reads them, and refused where readers would disagree (CVE-2025-62518).

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use berth_images::unpack::{Archive, Entry, Wrong};

use crate::tar::{Head, Tar};

fn entries(bytes: &[u8]) -> Result<Vec<Entry>, Wrong> {
    let (mut archive, mut entries) = (Archive::new(bytes), Vec::new());
    while let Some(entry) = archive.next_entry()? {
        entries.push(entry);
    }
    Ok(entries)
}

fn names(bytes: &[u8]) -> Vec<String> {
    let entries = entries(bytes).unwrap_or_else(|wrong| panic!("{wrong}"));
    entries.into_iter().map(|entry| String::from_utf8(entry.path).unwrap()).collect()
}

/// The names that GNU tar finds; none if it complains.
fn names_of_gnu(bytes: &[u8]) -> Option<Vec<String>> {
    let mut child = Command::new("tar")
        .args(["--list", "--quoting-style=literal", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("running tar");
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    // It ends when it has seen enough, and then doesn't read on.
    let writing = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| lines.lines().map(str::to_owned).collect())
}

#[test]
fn what_gnu_tar_writes_in_any_format_is_read_as_it_reads_it() {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path().join("root");
    let (long, deep) = ("n".repeat(200), ["folder"; 30].join("/"));
    fs::create_dir_all(root.join(&deep)).unwrap();
    for name in [format!("{deep}/{long}"), "ü \n,".to_owned(), "short".to_owned()] {
        fs::write(root.join(name), "content").unwrap();
    }
    fs::hard_link(root.join("short"), root.join("other")).unwrap();
    std::os::unix::fs::symlink(&long, root.join("link")).unwrap();
    for format in ["gnu", "oldgnu", "pax"] {
        let path = tree.path().join("archive.tar");
        let made = Command::new("tar")
            .args(["--create", &format!("--format={format}"), "--sort=name", "-C"])
            .arg(&root)
            .arg("-f")
            .arg(&path)
            .arg(".")
            .status()
            .expect("running tar");
        assert!(made.success());
        let bytes = fs::read(&path).unwrap();
        let own = names(&bytes).join("\n");
        assert_eq!(own, names_of_gnu(&bytes).unwrap().join("\n"), "{format}");
        assert!(own.contains(&long), "{format}");
    }
}

#[test]
fn a_size_in_a_pax_record_counts_as_it_does_for_gnu_tar() {
    // The header says nothing belongs to it; the record says that two blocks do, and they look like a file.
    let hidden = Tar::default().file("hidden", "").0;
    let size = (hidden.len() + 512).to_string();
    let archive = Tar::default()
        .pax(&[("size", size.as_bytes())])
        .head(&Head { name: "outer", ..Head::default() })
        .content(&hidden)
        .content(&[b'x'; 512])
        .file("after", "")
        .end();
    assert_eq!(names(&archive), ["outer", "after"]);
    assert_eq!(names_of_gnu(&archive).unwrap(), ["outer", "after"]);
}

#[test]
fn a_pax_record_is_for_the_next_file_and_not_for_an_extension_between() {
    let archive = Tar::default()
        .pax(&[("size", b"512")])
        .gnu_long(b'L', "long name")
        .head(&Head { name: "short", ..Head::default() })
        .content(&[b'x'; 512])
        .file("after", "")
        .end();
    assert_eq!(names(&archive), ["long name", "after"]);
    assert_eq!(names_of_gnu(&archive).unwrap(), ["long name", "after"]);
}

#[test]
fn what_readers_would_read_differently_is_refused() {
    let hidden = Tar::default().file("hidden", "").0;
    let with_size = |kind: u8| {
        let head = Head { kind, name: "outer", link: "x", size: hidden.len() as u64, ..Head::default() };
        Tar::default().head(&head).content(&hidden).file("after", "").end()
    };
    for (archive, words) in [
        (with_size(b'5'), "is no file, and 512 bytes belong to it"),
        (with_size(b'2'), "is no file, and 512 bytes belong to it"),
        (with_size(b'6'), "is no file, and 512 bytes belong to it"),
        (Tar::default().pax(&[("size", b"-1")]).file("f", "").end(), "malformed"),
        (Tar::default().pax(&[("size", b"0x10")]).file("f", "").end(), "malformed"),
        (Tar::default().pax(&[("GNU.sparse.size", b"9")]).file("f", "").end(), "malformed"),
        (Tar::default().head(&Head { kind: b'S', name: "f", ..Head::default() }).end(), "sparse"),
        (Tar::default().head(&Head { kind: b'M', name: "f", ..Head::default() }).end(), "unknown type"),
        (Tar::default().pax(&[("path", b"f")]).0, "ends after an extension header"),
        (Tar::default().content(&[0; 512]).file("f", "").end(), "goes on after the mark of its end"),
        (Tar::default().content(b"not a header").end(), "checksum"),
        (
            Tar::default().head(&Head { name: "f", size: 1000, ..Head::default() }).0,
            "in the middle of an entry",
        ),
        (Tar::default().file("f", "").0[..300].to_vec(), "in the middle of a header"),
    ] {
        let wrong = entries(&archive).expect_err(words).to_string();
        assert!(wrong.contains(words), "{wrong}");
    }
}

#[test]
fn a_hard_link_has_no_content_whatever_its_header_says() {
    let head = Head { kind: b'1', name: "link", link: "f", size: 512, ..Head::default() };
    let archive = Tar::default().file("f", "").head(&head).file("after", "").end();
    assert_eq!(names(&archive), ["f", "link", "after"]);
    assert_eq!(names_of_gnu(&archive).unwrap(), ["f", "link", "after"]);
}

#[test]
fn archives_with_a_byte_changed_are_refused_or_read_as_gnu_tar_reads_them() {
    let archive = Tar::default()
        .folder("d/")
        .file("d/f", "content")
        .pax(&[("path", b"d/a longer name"), ("mtime", b"1.5")])
        .file("short", "more")
        .symlink("s", "d/f")
        .end();
    let mut random = fastrand::Rng::with_seed(7);
    let mut read = 0;
    for _ in 0..400 {
        let mut changed = archive.clone();
        let at = random.usize(..changed.len() - 1024);
        changed[at] = random.u8(..);
        let Ok(own) = entries(&changed) else { continue };
        let own: Vec<String> =
            own.iter().map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).collect();
        let Some(gnu) = names_of_gnu(&changed) else { continue };
        assert_eq!(own, gnu, "byte {at} is {}", changed[at]);
        read += 1;
    }
    assert!(read > 50, "only {read} were read by both");
}
