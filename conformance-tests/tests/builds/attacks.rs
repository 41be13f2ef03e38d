//! Hostile Dockerfiles and images. The numbers are those of the CVEs.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::workshop::{BASE, Workshop};

/// 2024-1753: a bind mount's source that is a link to the root of the host.
#[test]
fn a_mounts_source_is_found_in_its_own_file_system() {
    let workshop = Workshop::new();
    fs::write(workshop.path("outside"), "outside").unwrap();
    let outside = workshop.path("outside").display().to_string();
    workshop.make(&format!(
        "FROM {BASE} AS evil\nRUN ln -s / /root-of-all && ln -s {outside} /leak\nFROM {BASE}\n\
         RUN --mount=type=bind,from=evil,source=/root-of-all,target=/m,rw ls /m > /listed; test ! -e /m{outside}; echo x > /m/written\n"
    ));
    // It is the stage's root, and what was written to it is gone.
    assert!(workshop.run("cat /listed").contains("root-of-all"));
    let leak = format!(
        "FROM {BASE} AS evil\nRUN ln -s {outside} /leak\nFROM {BASE}\nRUN --mount=type=bind,from=evil,source=/leak,target=/m cat /m\n"
    );
    workshop.fails(&leak).says("isn't there");
    assert!(!std::path::Path::new("/written").exists());
}

/// 2024-23652: a place to mount at that the command makes a link to somewhere else.
#[test]
fn nothing_outside_is_removed_when_a_mounts_place_became_a_link() {
    let workshop = Workshop::new();
    let victim = workshop.path("victim");
    fs::create_dir(&victim).unwrap();
    let folder = victim.display().to_string();
    let parent = workshop.path("").display().to_string();
    workshop.make(&format!(
        "FROM {BASE}\nRUN --mount=type=tmpfs,target=/a/victim (sleep 0; true); mkdir -p {parent}; true\n\
         RUN --mount=type=tmpfs,target=/b/c/victim mv /b/c /b/d 2>/dev/null; ln -sfn {parent} /b/link; true\n"
    ));
    assert!(fs::metadata(&folder).unwrap().is_dir());
    // Within the image, too: the place is a link to a folder that was there.
    workshop.make(&format!("FROM {BASE}\nRUN mkdir -p /keep/empty && ln -s keep /way\nRUN --mount=type=tmpfs,target=/way/empty true\n"));
    assert!(workshop.image().has("keep/empty"));
}

#[test]
fn copies_follow_links_within_the_image_only() {
    let workshop = Workshop::new();
    let outside = workshop.path("outside");
    fs::create_dir(&outside).unwrap();
    let folder = outside.display().to_string();
    workshop.file("f", "x");
    workshop.make(&format!("FROM {BASE}\nRUN ln -s {folder} /out && ln -s ../../../..{folder}/g /file\nCOPY f /out/\nCOPY f /file\n"));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    let image = workshop.image();
    assert!(image.has(&format!("{}/f", folder.trim_start_matches('/'))), "{:?}", image.layers);
}

#[test]
fn a_command_has_no_more_rights_than_a_container() {
    let workshop = Workshop::new();
    workshop.make(&format!(
        "FROM {BASE}\nRUN grep -E '^(CapEff|Seccomp):' /proc/self/status > /status; readlink /proc/self/ns/pid > /pid; \
         echo x > /proc/sys/kernel/hostname && echo written > /status; true\n"
    ));
    let status = workshop.run("cat /status");
    assert!(status.contains("CapEff:\t00000000a80425fb") && status.contains("Seccomp:\t2"), "{status}");
    let own = fs::read_link("/proc/self/ns/pid").unwrap().display().to_string();
    assert_ne!(workshop.run("cat /pid").trim(), own);
}

/// 2023-26054: who pulls an image reads its history.
#[test]
fn no_build_argument_reaches_the_history_unless_it_is_declared() {
    let workshop = Workshop::new();
    workshop.dockerfile(&format!("FROM {BASE}\nRUN true\n"));
    workshop
        .build("-t made --build-arg HTTPS_PROXY=http://user:password@proxy --build-arg UNUSED=password")
        .succeeds();
    assert!(!workshop.image().config.to_string().contains("password"));
}

#[test]
fn what_is_built_is_for_root_alone_until_it_is_run() {
    let workshop = Workshop::new();
    workshop.make(&format!("FROM {BASE}\nRUN touch /x\n"));
    for folder in ["local/caches", "local/recipes", "local/tmp"] {
        let path = workshop.data().join(folder);
        if path.exists() {
            assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700, "{folder}");
        }
    }
}
