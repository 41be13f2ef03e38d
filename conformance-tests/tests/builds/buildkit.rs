//! The same Dockerfiles built by BuildKit v0.34.2 and by berth: files, configurations and histories are equal.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use conformance_tests::Program;
use conformance_tests::engines::BuildKit;
use serde_json::{Value, json};

use crate::dockerfiles::DOCKERFILES;
use crate::tree::{self, Image};
use crate::workshop::Workshop;

/// What differs on purpose: whose Dockerfile, and why.
const MEANT: [(&str, &str); 0] = [];

/// The context of all.
fn fill(workshop: &Workshop) {
    workshop.file("a.txt", "a").file("b.txt", "b").file("sub/c.txt", "c").file("sub/deep/d.txt", "d");
    workshop.file("sub/deep/e.md", "e").file("with space", "").file("[x]", "x").file("ünï", "u");
    workshop.file("left/out", "").file("left/in", "").file(".dockerignore", "left\n!left/in\n**/*.md\n");
    workshop.mode("a.txt", 0o640).mode("sub/deep", 0o750).mode("b.txt", 0o755);
    let context = workshop.context();
    std::fs::create_dir_all(context.join("links")).expect("making a folder");
    std::fs::create_dir_all(context.join("empty")).expect("making a folder");
    symlink("../a.txt", context.join("links/to-a")).expect("making a link");
    symlink("/sub", context.join("links/to-sub")).expect("making a link");
    symlink("nowhere", context.join("links/dangling")).expect("making a link");
    std::fs::hard_link(context.join("a.txt"), context.join("links/hard")).expect("making a link");
    std::fs::hard_link(context.join("a.txt"), context.join("links/harder")).expect("making a link");
    for name in ["in.tar", "in.tar.gz"] {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, mode, kind) in
            [("d/", 0o700, tar::EntryType::Directory), ("d/f", 0o640, tar::EntryType::Regular)]
        {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_uid(3);
            header.set_gid(4);
            header.set_mtime(1_000_000_000);
            header.set_size(0);
            tar.append_data(&mut header, path, std::io::empty()).expect("writing a tar");
        }
        let plain = tar.into_inner().expect("writing a tar");
        let packed = match name.ends_with(".gz") {
            true => {
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                std::io::Write::write_all(&mut gzip, &plain).expect("compressing");
                gzip.finish().expect("compressing")
            }
            false => plain,
        };
        workshop.file(name, packed);
    }
    for compress in ["zstd", "xz", "bzip2"] {
        Program::new(compress).args(["-q", "-k"]).arg(context.join("in.tar")).succeeds();
    }
    workshop.file("fake.tar.gz", "no archive").file("capable", "c");
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (name, value) in [("security.capability", &capability[..]), ("user.note", b"dropped")] {
        rustix::fs::setxattr(context.join("capable"), name, value, rustix::fs::XattrFlags::empty())
            .expect("setting an attribute");
    }
}

fn by_buildkit(builder: &BuildKit, workshop: &Workshop, digest: &str) -> Image {
    let archive = workshop.path("buildkit.tar");
    let layout = format!("base={}", workshop.base_layout().display());
    let base = format!("context:base=oci-layout://base@{digest}");
    let output = format!("type=oci,dest={}", archive.display());
    builder.build(&workshop.context(), &["--oci-layout", &layout, "--opt", &base, "--output", &output]);
    tree::read(&archive)
}

/// What is compared of a configuration.
fn told(config: &Value) -> Value {
    let mut config = config.clone();
    let fields = config.as_object_mut().expect("a configuration");
    ["created", "rootfs"].iter().for_each(|field| drop(fields.remove(*field)));
    let history = fields["history"].as_array_mut().expect("a history");
    // It makes up entries for layers of a base image that has none.
    history.retain(|entry| entry["comment"] != "buildkit.exporter.image.v0");
    for entry in history {
        entry.as_object_mut().expect("an entry").remove("created");
    }
    config
}

fn differences(berth: &Image, buildkit: &Image) -> Vec<String> {
    let mut found = Vec::new();
    let paths: std::collections::BTreeSet<_> = berth.files.keys().chain(buildkit.files.keys()).collect();
    let shown = |files: &BTreeMap<String, tree::Entry>, path: &str| {
        files
            .get(path)
            .map(|it| (it.kind, format!("{:o}", it.mode), it.owner, it.content.clone(), it.xattrs.clone()))
    };
    for path in paths {
        let (ours, theirs) = (shown(&berth.files, path), shown(&buildkit.files, path));
        if ours != theirs {
            found.push(format!("/{path}: berth {ours:?}, BuildKit {theirs:?}"));
        }
    }
    let (ours, theirs) = (told(&berth.config), told(&buildkit.config));
    if ours != theirs {
        found.push(format!("configuration: berth {ours:#}\nBuildKit {theirs:#}"));
    }
    let count = |config: &Value| config["rootfs"]["diff_ids"].as_array().map(Vec::len);
    if count(&berth.config) != count(&buildkit.config) {
        found.push(format!(
            "{:?} layers, and BuildKit's {:?}",
            count(&berth.config),
            count(&buildkit.config)
        ));
    }
    found
}

#[test]
fn images_are_those_that_buildkit_builds() {
    let workshop = Workshop::new();
    fill(&workshop);
    let home = tempfile::tempdir().unwrap();
    let builder = BuildKit::start("127.0.0.1:1", home.path());
    let base = workshop.program().args(["inspect", "base"]).succeeds().json();
    assert_ne!(base, json!([]));
    let index = std::fs::read(workshop.base_layout().join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let mut wrong = Vec::new();
    for (name, text) in DOCKERFILES {
        println!("{name}");
        workshop.dockerfile(text);
        let theirs = by_buildkit(&builder, &workshop, &digest);
        let ours = workshop.build("-t made").run();
        if ours.code() != Some(0) {
            wrong.push(format!("==== {name}\n{text}{ours}"));
            continue;
        }
        let found = differences(&workshop.image(), &theirs);
        let is_meant = MEANT.iter().any(|(meant, _)| meant == name);
        if found.is_empty() == is_meant {
            wrong.push(format!("==== {name}\n{text}{}", found.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), DOCKERFILES.len(), wrong.join("\n"));
}
