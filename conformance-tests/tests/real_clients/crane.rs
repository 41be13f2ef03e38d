//! crane, of go-containerregistry.

use std::path::Path;

use conformance_tests::{ADMIN_PASSWORD, Program};

use crate::support::{Table, busybox_layout, debian_layout, stranger, two_platform_layout};

fn crane(home: &Path, arguments: &str) -> Program {
    Program::tool("crane").home(home).args(arguments.split_whitespace())
}

#[test]
fn crane_pushes_with_the_right_password_and_not_with_a_wrong_one() {
    let (berth, home) = stranger();
    let (layout, digest) = busybox_layout(&home.path().join("layout"));
    let login = |password: &str| {
        let login = crane(home.path(), "auth login --username admin --password-stdin");
        login.arg(berth.host()).stdin(password).succeeds();
    };
    let push = || crane(home.path(), "push").arg(layout.folder()).arg(berth.reference("team/busybox:1"));
    push().fails().says("UNAUTHORIZED");
    // crane only keeps what it is told.
    login("wrong");
    push().fails().says("UNAUTHORIZED");
    login(ADMIN_PASSWORD);
    push().succeeds().says(&digest);
}

#[test]
fn crane_finds_nothing_wrong_with_what_it_pushed() {
    let table = Table::new();
    let (layout, digest) = debian_layout(&table.home().join("layout"));
    let image = table.reference("team/debian:12");
    crane(table.home(), "push").arg(layout.folder()).arg(&image).succeeds();
    crane(table.home(), "validate --remote").arg(&image).succeeds().says("PASS");
    assert_eq!(crane(table.home(), "digest").arg(&image).succeeds().line(), digest);
}

#[test]
fn crane_copies_between_repositories_without_sending_a_layer() {
    let table = Table::new();
    let (layout, digest) = debian_layout(&table.home().join("layout"));
    let (source, target) = (table.reference("team-a/debian:12"), table.reference("team-b/debian:12"));
    crane(table.home(), "push").arg(layout.folder()).arg(&source).succeeds();
    let before = table.received();
    crane(table.home(), "copy").arg(&source).arg(&target).succeeds().says("mounted blob");
    let sent = table.received() - before;
    assert!(sent < 20_000, "{sent} bytes sent");
    assert_eq!(crane(table.home(), "digest").arg(&target).succeeds().line(), digest);
}

#[test]
fn crane_pushes_an_index_and_reads_each_platform_of_it() {
    let table = Table::new();
    let (layout, index, children) = two_platform_layout(&table.home().join("layout"));
    let image = table.reference("team/both:1");
    crane(table.home(), "push --index").arg(layout.folder()).arg(&image).succeeds();
    crane(table.home(), "validate --remote").arg(&image).succeeds();
    let pushed = crane(table.home(), "manifest").arg(&image).succeeds().json();
    assert_eq!(pushed["manifests"][0]["digest"], index, "{pushed}");
    for (architecture, digest) in ["amd64", "arm64"].iter().zip(children) {
        let by_digest = table.reference(&format!("team/both@{index}"));
        let found =
            crane(table.home(), "digest --platform").arg(format!("linux/{architecture}")).arg(by_digest);
        assert_eq!(found.succeeds().line(), digest);
    }
}

#[test]
fn crane_lists_tags_and_the_catalog() {
    let table = Table::new();
    let (layout, _) = busybox_layout(&table.home().join("layout"));
    for name in ["team/b:2", "team/a:1", "team/a:0"] {
        crane(table.home(), "push").arg(layout.folder()).arg(table.reference(name)).succeeds();
    }
    assert_eq!(crane(table.home(), "ls").arg(table.reference("team/a")).succeeds().line(), "0\n1");
    assert_eq!(crane(table.home(), "catalog").arg(table.berth.host()).succeeds().line(), "team/a\nteam/b");
}

#[test]
fn crane_deletes_by_tag_and_the_manifest_stays_and_by_digest_and_it_is_gone() {
    let table = Table::new();
    let (layout, digest) = busybox_layout(&table.home().join("layout"));
    let by_digest = table.reference(&format!("team/busybox@{digest}"));
    for tag in ["1", "2"] {
        let image = table.reference(&format!("team/busybox:{tag}"));
        crane(table.home(), "push").arg(layout.folder()).arg(image).succeeds();
    }
    crane(table.home(), "delete").arg(table.reference("team/busybox:1")).succeeds();
    crane(table.home(), "manifest").arg(table.reference("team/busybox:1")).fails().says("MANIFEST_UNKNOWN");
    crane(table.home(), "manifest").arg(table.reference("team/busybox:2")).succeeds();
    crane(table.home(), "delete").arg(&by_digest).succeeds();
    crane(table.home(), "manifest").arg(table.reference("team/busybox:2")).fails().says("MANIFEST_UNKNOWN");
    crane(table.home(), "manifest").arg(&by_digest).fails().says("MANIFEST_UNKNOWN");
}

#[test]
fn crane_appends_a_layer_to_an_image_in_the_registry() {
    let table = Table::new();
    let (layout, _) = busybox_layout(&table.home().join("layout"));
    let (base, more) = (table.reference("team/base:1"), table.reference("team/more:1"));
    crane(table.home(), "push").arg(layout.folder()).arg(&base).succeeds();
    let layer = conformance_tests::rootfs::busybox();
    let append = crane(table.home(), "append --base").arg(&base).arg("--new_tag").arg(&more);
    append.arg("--new_layer").arg(layer).succeeds();
    crane(table.home(), "validate --remote").arg(&more).succeeds();
    let manifest = crane(table.home(), "manifest").arg(&more).succeeds().json();
    assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(2), "{manifest}");
}
