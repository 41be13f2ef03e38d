//! regctl, of regclient.

use std::path::Path;

use conformance_tests::{ADMIN_PASSWORD, Program};

use crate::support::{Table, busybox_layout, debian_layout, stranger, two_platform_layout};

fn regctl(home: &Path, arguments: &str) -> Program {
    Program::tool("regctl").home(home).args(arguments.split_whitespace())
}

/// Tells regctl that the registry speaks plain HTTP.
fn plain(table: &Table) {
    regctl(table.home(), "registry set --skip-check --tls disabled").arg(table.berth.host()).succeeds();
}

fn layout_reference(folder: &Path) -> String {
    format!("ocidir://{}:1", folder.display())
}

#[test]
fn regctl_logs_in_with_the_right_password_and_not_with_a_wrong_one() {
    let (berth, home) = stranger();
    regctl(home.path(), "registry set --skip-check --tls disabled").arg(berth.host()).succeeds();
    let login = |password: &str| {
        let login = regctl(home.path(), "registry login --user admin --pass-stdin").arg(berth.host());
        login.stdin(password)
    };
    login("wrong").fails().says("unauthorized");
    login(ADMIN_PASSWORD).succeeds();
    regctl(home.path(), "repo ls").arg(berth.host()).succeeds();
}

#[test]
fn regctl_copies_an_image_in_and_sees_its_digest() {
    let table = Table::new();
    plain(&table);
    let (layout, digest) = debian_layout(&table.home().join("layout"));
    let image = table.reference("team/debian:12");
    regctl(table.home(), "image copy").arg(layout_reference(layout.folder())).arg(&image).succeeds();
    assert_eq!(regctl(table.home(), "image digest").arg(&image).succeeds().line(), digest);
    regctl(table.home(), "image export").arg(&image).arg(table.home().join("export.tar")).succeeds();
}

#[test]
fn regctl_copies_between_repositories_without_sending_a_layer() {
    let table = Table::new();
    plain(&table);
    let (layout, digest) = debian_layout(&table.home().join("layout"));
    let (source, target) = (table.reference("team-a/debian:12"), table.reference("team-b/debian:12"));
    regctl(table.home(), "image copy").arg(layout_reference(layout.folder())).arg(&source).succeeds();
    let before = table.received();
    regctl(table.home(), "image copy").arg(&source).arg(&target).succeeds();
    let sent = table.received() - before;
    assert!(sent < 20_000, "{sent} bytes sent");
    assert_eq!(regctl(table.home(), "image digest").arg(&target).succeeds().line(), digest);
}

#[test]
fn regctl_copies_an_index_with_its_referrers() {
    let table = Table::new();
    plain(&table);
    let (layout, index, _) = two_platform_layout(&table.home().join("layout"));
    let (source, target) = (table.reference("team-a/both:1"), table.reference("team-b/both:1"));
    regctl(table.home(), "image copy").arg(layout_reference(layout.folder())).arg(&source).succeeds();
    let put = regctl(table.home(), "artifact put --artifact-type application/vnd.example.note --subject")
        .arg(&source);
    put.stdin("a note").succeeds();
    regctl(table.home(), "image copy --referrers").arg(&source).arg(&target).succeeds();
    assert_eq!(regctl(table.home(), "image digest").arg(&target).succeeds().line(), index);
    let list =
        regctl(table.home(), "artifact list --format").arg("{{json .Descriptors}}").arg(&target).succeeds();
    assert_eq!(list.json().as_array().map(Vec::len), Some(1), "{list}");
}

#[test]
fn regctl_deletes_a_tag_alone_and_a_manifest_with_all_its_tags() {
    let table = Table::new();
    plain(&table);
    let (layout, digest) = busybox_layout(&table.home().join("layout"));
    for tag in ["1", "2", "3"] {
        let image = table.reference(&format!("team/busybox:{tag}"));
        regctl(table.home(), "image copy").arg(layout_reference(layout.folder())).arg(image).succeeds();
    }
    let tags = || regctl(table.home(), "tag ls").arg(table.reference("team/busybox")).succeeds();
    regctl(table.home(), "tag rm").arg(table.reference("team/busybox:2")).succeeds();
    assert_eq!(tags().line(), "1\n3");
    let by_digest = table.reference(&format!("team/busybox@{digest}"));
    regctl(table.home(), "manifest rm").arg(&by_digest).succeeds();
    assert_eq!(tags().line(), "");
    regctl(table.home(), "manifest get").arg(&by_digest).fails().says("not found");
}
