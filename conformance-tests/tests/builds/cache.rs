//! What isn't done again.

use std::fs;

use crate::workshop::{BASE, Workshop};

fn count(said: &str, word: &str) -> usize {
    said.lines().filter(|line| line.ends_with(word)).count()
}

#[test]
fn a_build_in_which_nothing_changed_does_nothing_again() {
    let workshop = Workshop::new();
    workshop.file("f", "1");
    let text = format!("FROM {BASE}\nWORKDIR /w\nCOPY f .\nRUN cat f > g\n");
    let first = workshop.make(&text);
    assert_eq!(count(&first.stderr, " CACHED"), 0, "{first}");
    let second = workshop.make(&text);
    assert_eq!(count(&second.stderr, " CACHED"), 3, "{second}");
    assert_eq!(first.line(), second.line());
    let without = workshop.build("--no-cache").succeeds();
    assert_eq!(count(&without.stderr, " CACHED"), 0, "{without}");
}

#[test]
fn a_damaged_note_of_a_step_goes_and_takes_no_other_with_it() {
    let workshop = Workshop::new();
    let text = format!("FROM {BASE}\nRUN echo 1 > /a\nRUN echo 2 > /b\n");
    workshop.make(&text);
    let damaged = workshop.data().join("local/recipes").join("0".repeat(64));
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    fs::write(&damaged, "{").unwrap();
    fs::File::options().write(true).open(&damaged).unwrap().set_modified(later).unwrap();
    workshop.make(&text);
    assert!(!damaged.exists());
    let third = workshop.make(&text);
    assert_eq!(count(&third.stderr, " CACHED"), 2, "{third}");
}

#[test]
fn contents_count_and_times_do_not() {
    let workshop = Workshop::new();
    workshop.file("f", "1");
    let text = format!("FROM {BASE}\nCOPY f /\nRUN cat /f > /g\n");
    let first = workshop.make(&text);
    workshop.file("f", "1");
    let same = workshop.make(&text);
    assert_eq!(count(&same.stderr, " CACHED"), 2, "{same}");
    workshop.file("f", "2");
    let other = workshop.make(&text);
    assert_eq!(count(&other.stderr, " CACHED"), 0, "{other}");
    assert_ne!(first.line(), other.line());
    workshop.file("f", "1").mode("f", 0o600);
    let mode = workshop.make(&text);
    assert_eq!(count(&mode.stderr, " CACHED"), 0, "{mode}");
}

#[test]
fn what_comes_behind_a_change_is_done_again_and_what_comes_before_is_not() {
    let workshop = Workshop::new();
    workshop.make(&format!("FROM {BASE}\nRUN echo 1 > /1\nRUN echo 2 > /2\nRUN echo 3 > /3\n"));
    let changed =
        workshop.make(&format!("FROM {BASE}\nRUN echo 1 > /1\nRUN echo two > /2\nRUN echo 3 > /3\n"));
    assert_eq!(count(&changed.stderr, " CACHED"), 1, "{changed}");
}

/// CVE-2024-24557.
#[test]
fn nothing_is_taken_over_from_a_build_on_another_base() {
    let workshop = Workshop::new();
    workshop.dockerfile(&format!("FROM {BASE}\nRUN echo poison > /opt/old/file\n"));
    workshop.build("-t other").succeeds();
    workshop.make(&format!("FROM {BASE}\nRUN cat /opt/old/file > /seen\n"));
    assert_eq!(workshop.run("cat /seen"), "old\n");
    let other = workshop.make("FROM other\nRUN cat /opt/old/file > /seen\n");
    assert_eq!(count(&other.stderr, " CACHED"), 0, "{other}");
    assert_eq!(workshop.run("cat /seen"), "poison\n");
}

#[test]
fn arguments_count_where_they_are_declared_and_proxies_never() {
    let workshop = Workshop::new();
    workshop.dockerfile(&format!("FROM {BASE}\nRUN echo before > /x\nARG VERSION\nRUN echo $VERSION > /y\n"));
    workshop.build("-t made --build-arg VERSION=1").succeeds();
    let proxy = workshop.build("-t made --build-arg VERSION=1 --build-arg HTTP_PROXY=http://p").succeeds();
    assert_eq!(count(&proxy.stderr, " CACHED"), 2, "{proxy}");
    let other = workshop.build("-t made --build-arg VERSION=2").succeeds();
    assert_eq!(count(&other.stderr, " CACHED"), 1, "{other}");
    assert_eq!(workshop.run("cat /y"), "2\n");
    assert!(!workshop.image().config.to_string().contains("http://p"));
}

#[test]
fn what_was_done_before_a_failure_is_not_done_again() {
    let workshop = Workshop::new();
    workshop.fails(&format!("FROM {BASE}\nRUN echo 1 > /1\nRUN false\n"));
    let second = workshop.make(&format!("FROM {BASE}\nRUN echo 1 > /1\nRUN true\n"));
    assert_eq!(count(&second.stderr, " CACHED"), 1, "{second}");
}

/// The layers are the same whichever folder, whatever the files' times and the umask, and nothing kept.
#[test]
fn two_builds_on_machines_that_have_nothing_give_one_digest() {
    let text = format!(
        "FROM {BASE} AS a\nCOPY d /d\nRUN mkdir /made && echo x > /made/f && touch /made/g && ln -s f /made/l\n\
         FROM {BASE}\nWORKDIR /w\nCOPY --from=a /made /made/\nCOPY . .\nRUN rm -r /opt/old && mkdir -p /opt/old/z\nADD a.tar /t/\n"
    );
    let mut digests = Vec::new();
    for (minutes, umask) in [(0, "022"), (90, "077")] {
        let workshop = Workshop::new();
        workshop.file("d/one", "1").file("d/two", "2").dockerfile(&text);
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(1);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        archive.append_data(&mut header, "in", &b"x"[..]).unwrap();
        workshop.file("a.tar", archive.into_inner().unwrap());
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(minutes * 60);
        for file in ["d/one", "d/two", "Dockerfile"] {
            let path = workshop.context().join(file);
            fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        }
        let script = format!("umask {umask}; exec \"$0\" build -t made \"$1\"");
        let berth = conformance_tests::binary::berth();
        let program = conformance_tests::Program::new("/bin/sh")
            .home(&workshop.path(""))
            .env("BERTH_DATA", workshop.data());
        program.args(["-c", &script]).arg(berth).arg(workshop.context()).succeeds();
        let image = workshop.image();
        assert_eq!(image.at("t/in").mtime, 1_000_000_000);
        assert_eq!(image.at("made/f").mtime, 0);
        digests.push(image.digest);
    }
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn the_time_of_an_image_is_source_date_epoch() {
    let workshop = Workshop::new();
    workshop.file("f", "x").dockerfile(&format!("FROM {BASE}\nCOPY f /\nRUN echo x > /g\n"));
    workshop.build("-t made").env("SOURCE_DATE_EPOCH", "1700000000").succeeds();
    let image = workshop.image();
    assert_eq!(image.config["created"], "2023-11-14T22:13:20Z");
    assert_eq!((image.at("f").mtime, image.at("g").mtime), (1_700_000_000, 1_700_000_000));
    let wrong = workshop.build("").env("SOURCE_DATE_EPOCH", "yesterday").run();
    assert_eq!(wrong.code(), Some(1));
    wrong.says("SOURCE_DATE_EPOCH");
}
