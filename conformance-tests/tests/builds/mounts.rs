//! `RUN --mount` and `RUN --network`.

use std::fs;

use crate::workshop::{BASE, Workshop};

#[test]
fn files_of_the_context_and_of_stages_are_seen_and_not_kept() {
    let workshop = Workshop::new();
    workshop.file("f", "context").file("left/out", "").file(".dockerignore", "left\n");
    workshop.make(&format!(
        "FROM {BASE} AS other\nRUN mkdir /out && echo stage > /out/f\nFROM {BASE}\n\
         RUN --mount=target=/c --mount=type=bind,from=other,source=/out,target=/s,rw \
         cat /c/f /s/f > /seen && test ! -e /c/left && echo x > /s/g && ! touch /c/x 2>/dev/null\n"
    ));
    assert_eq!(workshop.run("cat /seen"), "contextstage\n");
    let image = workshop.image();
    assert!(!image.has("c") && !image.has("s"), "{:?}", image.layers);
    workshop.file("f", "changed");
    workshop.build("-t made").succeeds();
    assert_eq!(workshop.run("cat /seen"), "changedstage\n");
}

#[test]
fn a_cache_outlives_the_build_and_is_in_no_layer() {
    let workshop = Workshop::new();
    let text = |word: &str| {
        format!(
            "FROM {BASE}\nRUN --mount=type=cache,target=/cache,id=../../x,mode=0700,uid=7 echo {word} >> /cache/log; cp /cache/log /log 2>/dev/null || cat /cache/log > /log; stat -c '%a %u' /cache >> /log\n"
        )
    };
    workshop.make(&text("one"));
    workshop.make(&text("two"));
    assert_eq!(workshop.run("cat /log"), "one\ntwo\n700 7\n");
    assert!(!workshop.image().has("cache"));
    // Its id is no path.
    let caches = fs::read_dir(workshop.data().join("local/caches")).unwrap().count();
    assert_eq!(caches, 1);
    assert!(!workshop.data().join("x-0").exists() && !workshop.path("x-0").exists());
}

#[test]
fn a_secret_is_a_file_or_a_variable_for_one_command_and_is_nowhere_else() {
    let workshop = Workshop::new();
    const SECRET: &str = "hunter2-and-more";
    fs::write(workshop.path("token"), SECRET).unwrap();
    workshop.dockerfile(&format!(
        "FROM {BASE}\nRUN --mount=type=secret,id=token sha256sum < /run/secrets/token > /sum; stat -c %a /run/secrets/token > /mode\n\
         RUN --mount=type=secret,id=token,env=TOKEN,required echo -n $TOKEN | sha256sum > /again; test ! -e /run/secrets/token\n\
         RUN --mount=type=secret,id=none test ! -e /run/secrets/none\n"
    ));
    let secret = format!("id=token,src={}", workshop.path("token").display());
    let built = workshop
        .program()
        .args(["build", "-t", "made", "--secret", &secret])
        .arg(workshop.context())
        .succeeds();
    assert_eq!(workshop.run("cat /mode"), "400\n");
    assert_eq!(workshop.run("cat /sum"), workshop.run("cat /again"));
    assert!(!format!("{}{}", built.stdout, built.stderr).contains(SECRET));
    assert!(!workshop.image().has("run/secrets/token"));
    let found = conformance_tests::Program::new("/bin/grep")
        .args(["-r", "-l", "-a", SECRET])
        .arg(workshop.data())
        .run();
    assert_eq!(found.stdout, "");
    let without = workshop.build("").run();
    assert_eq!(without.code(), Some(1));
    without.says("--secret id=token,src=FILE");
}

#[test]
fn memory_is_empty_and_goes() {
    let workshop = Workshop::new();
    workshop.make(&format!(
        "FROM {BASE}\nRUN --mount=type=tmpfs,target=/opt/old ls /opt/old > /listed; touch /opt/old/new\n"
    ));
    assert_eq!(workshop.run("cat /listed; ls /opt/old"), "file\ninner\n");
}

#[test]
fn without_a_network_there_is_only_the_own_one() {
    let workshop = Workshop::new();
    let text = format!(
        "FROM {BASE}\nRUN --network=none ls /sys/class/net > /none\nRUN ls /sys/class/net > /default\n"
    );
    workshop.make(&text);
    assert_eq!(workshop.run("cat /none"), "lo\n");
    workshop.dockerfile(&text);
    workshop.build("-t made --network none --no-cache").succeeds();
    assert_eq!(workshop.run("cat /default"), "lo\n");
}
