//! `COPY` and `ADD`.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use crate::workshop::{BASE, Workshop};

#[test]
fn files_and_folders_land_where_buildkit_puts_them() {
    let workshop = Workshop::new();
    workshop.file("a.txt", "a").file("b.txt", "b").file("sub/c.txt", "c").file("sub/deep/d.txt", "d");
    workshop.mode("a.txt", 0o640);
    workshop.make(
        "FROM scratch\nCOPY a.txt /one\nCOPY a.txt b.txt /two/\nCOPY sub /three\nCOPY *.txt /four/\nCOPY sub /five/\n\
         WORKDIR /six\nCOPY a.txt .\nCOPY [\"b.txt\", \"renamed\"]\nCOPY . /all/\n",
    );
    let image = workshop.image();
    for path in [
        "one",
        "two/a.txt",
        "two/b.txt",
        "three/c.txt",
        "three/deep/d.txt",
        "four/a.txt",
        "four/b.txt",
        "five/c.txt",
        "six/a.txt",
        "six/renamed",
        "all/sub/deep/d.txt",
        "all/Dockerfile",
    ] {
        assert_eq!(image.at(path).kind, 'f', "{path}");
    }
    assert_eq!((image.at("one").mode, image.at("one").owner), (0o640, (0, 0)));
    assert!(!image.has("four/c.txt"));
}

#[test]
fn owners_are_names_of_the_image_or_numbers_and_modes_octal_or_symbolic() {
    let workshop = Workshop::new();
    workshop.file("f", "x").file("d/f", "x").mode("f", 0o600);
    workshop.make(&format!(
        "FROM {BASE}\nCOPY --chown=app f /app\nCOPY --chown=app:staff f /staff\nCOPY --chown=7:8 d /new/folder/\n\
         COPY --chmod=4755 f /octal\nCOPY --chmod=u+x,go=rX f /symbolic\n"
    ));
    let image = workshop.image();
    assert_eq!(image.at("app").owner, (1000, 1001));
    assert_eq!(image.at("staff").owner, (1000, 50));
    assert_eq!((image.at("new").owner, image.at("new/folder/f").owner), ((7, 8), (7, 8)));
    assert_eq!(image.at("octal").mode, 0o4755);
    assert_eq!(image.at("symbolic").mode, 0o755);
    workshop.fails(&format!("FROM {BASE}\nCOPY --chown=nobody f /x\n")).says("no user \"nobody\"");
}

#[test]
fn what_dockerignore_leaves_out_is_not_there() {
    let workshop = Workshop::new();
    workshop
        .file("keep", "")
        .file("secret.key", "")
        .file("logs/a", "")
        .file("logs/keep", "")
        .file(".dockerignore", "*.key\nlogs\n!logs/keep\nDockerfile\n");
    workshop.make("FROM scratch\nCOPY . /\n");
    let mut paths: Vec<_> = workshop.image().files.into_keys().collect();
    paths.sort();
    assert_eq!(paths, [".dockerignore", "keep", "logs", "logs/keep"]);
    workshop.fails("FROM scratch\nCOPY secret.key /\n").says("\"/secret.key\" is not in");
    workshop.file("Dockerfile.dockerignore", "keep\n");
    workshop.make("FROM scratch\nCOPY . /\n");
    assert!(workshop.image().has("secret.key") && !workshop.image().has("keep"));
}

#[test]
fn nothing_outside_of_the_context_can_be_copied() {
    let workshop = Workshop::new();
    fs::write(workshop.path("outside"), "outside").unwrap();
    workshop.file("inside", "inside");
    let context = workshop.context();
    symlink("../outside", context.join("link")).unwrap();
    symlink("/etc", context.join("folder")).unwrap();
    symlink("..", context.join("up")).unwrap();
    symlink("/inside", context.join("absolute")).unwrap();
    let named = ["../outside", "/../outside", "link", "folder/passwd", "/etc/passwd", "folder"];
    for source in named.into_iter().chain(["up/outside", "up/../../outside"]) {
        workshop.fails(&format!("FROM scratch\nCOPY {source} /x\n")).says("is not in the context");
    }
    // A link in a folder is copied as it is, and one that is named is followed within the context.
    workshop.make("FROM scratch\nCOPY . /all/\nCOPY absolute /x\n");
    let image = workshop.image();
    assert_eq!((image.at("all/link").kind, image.at("all/link").content.as_str()), ('l', "../outside"));
    assert_eq!(image.at("x").content, image.at("all/inside").content);
}

#[test]
fn files_of_stages_and_images_keep_what_they_are() {
    let workshop = Workshop::new();
    workshop.make(&format!(
        "FROM {BASE} AS made\nRUN mkdir /out && echo x > /out/f && chown 5:6 /out/f && chmod 750 /out && ln -s f /out/l && ln /out/f /out/h\n\
         FROM scratch\nCOPY --from=made /out /copied/\nCOPY --from=0 /out/l /followed\nCOPY --from={BASE} /etc/passwd /\n"
    ));
    let image = workshop.image();
    assert_eq!(image.at("copied/f").owner, (5, 6));
    assert_eq!(image.at("copied/l").kind, 'l');
    assert_eq!(image.at("copied/f"), image.at("copied/h"));
    assert_eq!(image.at("followed").kind, 'f');
    assert!(image.has("passwd"));
}

#[test]
fn parents_exclude_and_heredocs() {
    let workshop = Workshop::new();
    workshop.file("x/y/a.go", "").file("x/y/b.md", "").file("x/z/c.go", "").mode("x/y", 0o750);
    workshop.make(
        "FROM scratch\nCOPY --parents x/*/*.go /p/\nCOPY --parents x/./y/a.go /q/\nCOPY --exclude=**/*.md x /e/\n\
         COPY <<one <<-two /h/\n1\none\n\t2\n\ttwo\n",
    );
    let image = workshop.image();
    for path in ["p/x/y/a.go", "p/x/z/c.go", "q/y/a.go", "e/y/a.go", "h/one", "h/two"] {
        assert_eq!(image.at(path).kind, 'f', "{path}");
    }
    assert!(!image.has("p/x/y/b.md") && !image.has("e/y/b.md"));
    assert_eq!(image.at("p/x/y").mode, 0o750);
    assert_eq!(image.at("h/two").mode, 0o644);
}

#[test]
fn archives_are_unpacked_by_add_and_nothing_leaves_the_image() {
    let workshop = Workshop::new();
    let tar = |name: &str, path: &str| {
        let file = File::create(workshop.context().join(name)).unwrap();
        let mut tar = tar::Builder::new(file);
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_mode(0o640);
        header.set_uid(3);
        header.set_gid(4);
        header.set_size(3);
        header.set_cksum();
        tar.append(&header, &b"abc"[..]).unwrap();
        tar.finish().unwrap();
    };
    tar("good.tar", "in/side");
    tar("bad.tar", "../../outside");
    workshop.file("text", "no archive");
    workshop.make("FROM scratch\nADD good.tar /un/\nADD text /t\nADD --unpack=false good.tar /kept/\nCOPY good.tar /copied\n");
    let image = workshop.image();
    assert_eq!((image.at("un/in/side").owner, image.at("un/in/side").mode), ((3, 4), 0o640));
    assert!(image.has("t") && image.has("kept/good.tar") && image.at("copied").kind == 'f');
    workshop.fails("FROM scratch\nADD bad.tar /un/\n").says("leads out");
}

#[test]
fn a_folder_can_not_take_a_files_place_nor_the_other_way_round() {
    let workshop = Workshop::new();
    workshop.file("f", "").file("d/x", "").file("e/f/y", "");
    workshop.fails("FROM scratch\nCOPY f /f\nCOPY d /f/\n").says("Dockerfile line 3");
    workshop.fails("FROM scratch\nCOPY f /f\nCOPY e /\n").says("cannot copy to non-directory: /f");
}
