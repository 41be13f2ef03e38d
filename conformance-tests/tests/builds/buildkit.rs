//! The same Dockerfiles built by BuildKit v0.34.2 and by berth: files, configurations and histories are equal.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use conformance_tests::engines::BuildKit;
use serde_json::{Value, json};

use crate::tree::{self, Image};
use crate::workshop::Workshop;

/// What differs on purpose: whose Dockerfile, and why.
const MEANT: [(&str, &str); 0] = [];

const DOCKERFILES: &[(&str, &str)] = &[
    ("run", "FROM base\nRUN echo one > /one\nRUN [\"/bin/sh\", \"-c\", \"echo two > /two\"]\n"),
    ("run-nothing", "FROM base\nRUN true\nRUN true\nLABEL a=b\n"),
    (
        "run-heredoc",
        "FROM base\nARG X=1\nRUN <<EOF\necho $X > /a\nmkdir -p /b/c\nEOF\nRUN <<P\n#!/bin/sh\necho p > /p\nP\n",
    ),
    (
        "removals",
        "FROM base\nRUN rm /opt/old/file && rm -r /opt/old/inner\nRUN rm -r /opt/old && mkdir /opt/old && echo n > /opt/old/n\n",
    ),
    (
        "file-becomes-folder",
        "FROM base\nRUN rm /opt/old/file && mkdir /opt/old/file && touch /opt/old/file/x\n",
    ),
    ("folder-becomes-link", "FROM base\nRUN mv /opt/old /opt/new && ln -s new /opt/old\n"),
    (
        "modes",
        "FROM base\nRUN touch /a && chmod 4711 /a && chown 7:8 /a && mkdir -m 1777 /d && ln /a /h && ln -s /a /s\n",
    ),
    ("only-a-mode", "FROM base\nRUN chmod 600 /opt/old/file && chown 3 /opt/old\n"),
    ("touched-and-opened", "FROM base\nRUN touch /opt/old/file; sh -c ': >> /opt/old/inner/file'\n"),
    ("workdir", "FROM base\nWORKDIR /w/x\nWORKDIR y\nUSER app\nWORKDIR z\nRUN pwd > /tmp/p; id > /tmp/i\n"),
    ("workdir-there", "FROM base\nWORKDIR /opt/old\nWORKDIR /\n"),
    ("env", "FROM base\nENV A=1 B=$INHERITED\nENV A=2 C=$A\nRUN env | grep -E '^(A|B|C)=' > /e\n"),
    ("arg", "ARG G=g\nFROM base\nARG G\nARG N=n\nARG U\nRUN echo $G $N $U > /a\nLABEL g=$G\n"),
    (
        "users",
        "FROM base\nUSER app\nRUN id -u > /tmp/u; id -g >> /tmp/u\nUSER 5:6\nRUN id -u > /tmp/v; id -g >> /tmp/v; touch /tmp/w\n",
    ),
    (
        "metadata",
        "FROM base\nMAINTAINER me\nEXPOSE 80 90/udp\nVOLUME /v\nSTOPSIGNAL INT\nHEALTHCHECK --interval=3s CMD x\nCMD a\nENTRYPOINT [\"b\"]\nSHELL [\"/bin/sh\", \"-e\", \"-c\"]\nRUN true\nONBUILD RUN x\n",
    ),
    (
        "copy",
        "FROM scratch\nCOPY a.txt /one\nCOPY a.txt b.txt /two/\nCOPY sub /three\nCOPY *.txt /four/\nCOPY . /all\n",
    ),
    (
        "copy-relative",
        "FROM base\nWORKDIR /w\nCOPY a.txt .\nCOPY a.txt ./b\nCOPY sub ./\nCOPY sub c/d\nCOPY ./sub/../a.txt e/\n",
    ),
    ("copy-links", "FROM scratch\nCOPY links /links\nCOPY links/to-a /followed\nCOPY links/to-sub /folder\n"),
    ("copy-over", "FROM base\nCOPY a.txt /opt/old/file\nCOPY sub /opt/old\nCOPY a.txt /opt/old/inner\n"),
    (
        "copy-through-a-link",
        "FROM base\nRUN ln -s old /opt/way && ln -s /opt/old/file /opt/link\nCOPY sub /opt/way/\nCOPY a.txt /opt/link\n",
    ),
    (
        "copy-owners",
        "FROM base\nCOPY --chown=app a.txt /a\nCOPY --chown=app:staff sub /n/m/\nCOPY --chown=9 a.txt /9\nCOPY --chown=:staff a.txt /g\n",
    ),
    (
        "copy-modes",
        "FROM base\nCOPY --chmod=751 sub /new/one/\nCOPY --chmod=u=rwX,go=rX sub /two\nCOPY --chmod=+x a.txt /x\nCOPY --chmod=4644 a.txt /s\n",
    ),
    (
        "copy-parents",
        "FROM scratch\nCOPY --parents sub/*/d.txt /p/\nCOPY --parents sub/./deep a.txt /q/\nCOPY --parents **/*.txt /r/\n",
    ),
    (
        "copy-exclude",
        "FROM scratch\nCOPY --exclude=*.txt . /a/\nCOPY --exclude=sub --exclude=**/d* . /b/\nCOPY --exclude=** --exclude=!**/c.txt sub /c/\n",
    ),
    (
        "copy-heredocs",
        "FROM base\nENV A=1\nCOPY <<one <<\"two\" /h/\n$A\none\n$A\ntwo\nCOPY <<-x /y\n\tt\n\tx\nCOPY --chmod=700 --chown=app <<z /z\ny\nz\n",
    ),
    ("copy-link", "FROM base\nCOPY --link a.txt /opt/old/a\nCOPY --link --chown=3:4 sub /sub/\n"),
    (
        "copy-stages",
        "FROM base AS a\nRUN mkdir /o && echo x > /o/f && chown 5:6 /o/f && chmod 750 /o && ln /o/f /o/h && ln -s f /o/l\nFROM scratch\nCOPY --from=a /o /o\nCOPY --from=0 /o/l /l\nCOPY --from=a /o/. /p/\n",
    ),
    ("copy-empty", "FROM scratch\nCOPY empty /e\nCOPY empty/ /f/g/\n"),
    ("copy-no-match", "FROM base\nCOPY a.txt none* /n/\n"),
    (
        "copy-names",
        "FROM scratch\nCOPY [\"with space\", \"/\"]\nCOPY \\[x\\] /brackets\nCOPY [\"ünï\", \"/ünï/\"]\n",
    ),
    ("ignored", "FROM scratch\nCOPY . /\n"),
    (
        "add",
        "FROM base\nADD in.tar /t/\nADD in.tar.gz /opt/\nADD a.txt /\nADD --unpack=false in.tar /\nADD --chown=1:2 in.tar /u\n",
    ),
    (
        "mounts",
        "FROM base AS a\nRUN echo a > /f\nFROM base\nRUN --mount=from=a,source=/f,target=/m/f --mount=type=tmpfs,target=/t --mount=type=cache,target=/c --mount=target=/ctx cat /m/f /ctx/a.txt > /seen; touch /t/x /c/x\n",
    ),
    ("onbuild", "FROM base AS p\nONBUILD RUN echo t > /t\nONBUILD COPY a.txt /t2\nFROM p\nRUN cat /t > /u\n"),
    (
        "stages",
        "FROM base AS a\nENV A=1\nRUN echo a > /a\nFROM a AS b\nRUN echo $A > /b\nFROM b\nCOPY --from=a /a /c\n",
    ),
    ("network", "FROM base\nRUN --network=none ls /sys/class/net > /n\n"),
    (
        "special",
        "FROM base\nRUN mkdir /n && cd /n && touch 'a b' .hidden && ln -s nowhere dangling && mkdir -p x/y/z\n",
    ),
];

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
