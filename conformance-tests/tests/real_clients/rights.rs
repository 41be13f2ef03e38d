//! Two teams side by side: what a client says to someone who may not.

use std::path::PathBuf;

use conformance_tests::engines::Docker;
use conformance_tests::{Program, rootfs};

use crate::support::{Table, busybox_layout, keep_login};

const PASSWORD: &str = "a password of alice or bob";

/// A server with an image in `team-a` and one in `team-b`; alice develops the first, bob reads the second.
fn two_teams() -> Table {
    let table = Table::new();
    let (layout, _) = busybox_layout(&table.home().join("layout"));
    for name in ["team-a/app:1", "team-b/app:1"] {
        let crane = Program::tool("crane").home(table.home()).arg("push").arg(layout.folder());
        crane.arg(table.reference(name)).succeeds();
    }
    let admin = |arguments: &str| table.berth.admin_command(table.home(), arguments);
    for (user, role, prefix) in [("alice", "developer", "team-a/"), ("bob", "reader", "team-b/")] {
        admin(&format!("user add {user} --password-stdin")).stdin(PASSWORD).succeeds();
        admin(&format!("policy attach {role} --user {user} --prefix {prefix}")).succeeds();
    }
    table
}

/// crane with a home in which this user is logged in.
fn crane(table: &Table, user: &str, arguments: &str) -> Program {
    let home: PathBuf = table.home().join(user);
    keep_login(&home, &table.berth.host(), user, PASSWORD);
    Program::tool("crane").home(&home).args(arguments.split_whitespace())
}

#[test]
fn a_developer_pushes_and_pulls_below_her_prefix_and_nowhere_else() {
    let table = two_teams();
    let copy = |target: &str| {
        let copy = crane(&table, "alice", "copy").arg(table.reference("team-a/app:1"));
        copy.arg(table.reference(target))
    };
    copy("team-a/new:1").succeeds();
    copy("team-b/new:1").fails().says("401 Unauthorized");
    copy("team-ab/new:1").fails().says("401 Unauthorized");
    crane(&table, "alice", "digest").arg(table.reference("team-b/app:1")).fails();
    crane(&table, "alice", "delete").arg(table.reference("team-b/app:1")).fails().says("UNAUTHORIZED");
}

#[test]
fn a_reader_pulls_below_his_prefix_and_pushes_and_deletes_nothing() {
    let table = two_teams();
    crane(&table, "bob", "manifest").arg(table.reference("team-b/app:1")).succeeds();
    crane(&table, "bob", "manifest").arg(table.reference("team-a/app:1")).fails().says("UNAUTHORIZED");
    let tag = crane(&table, "bob", "tag").arg(table.reference("team-b/app:1")).arg("2");
    tag.fails().says("DENIED");
    crane(&table, "bob", "delete").arg(table.reference("team-b/app:1")).fails().says("UNAUTHORIZED");
}

#[test]
fn a_refusal_is_the_same_for_a_repository_that_exists_and_one_that_does_not() {
    let table = two_teams();
    let refusal = |name: &str| {
        let said = crane(&table, "bob", "manifest").arg(table.reference(&format!("{name}:1"))).fails().stderr;
        said.replace(name, "NAME")
    };
    assert_eq!(refusal("team-a/app"), refusal("team-a/non"));
}

#[test]
fn docker_says_that_access_is_denied_to_someone_who_may_not_pull() {
    let table = two_teams();
    let docker = Docker::start();
    docker.login(&table.berth.host(), "bob", PASSWORD).succeeds();
    docker.call("pull").arg(table.reference("team-b/app:1")).succeeds();
    docker.call("pull").arg(table.reference("team-a/app:1")).fails().says("denied");
    let image = table.reference("team-b/mine:1");
    docker.build(&image, &[rootfs::busybox()]);
    docker.call("push").arg(&image).fails().says("denied");
}

#[test]
fn docker_without_a_login_pulls_from_a_public_repository_and_does_nothing_else() {
    let table = two_teams();
    table.berth.admin_command(table.home(), "repo public team-a/app").succeeds();
    let docker = Docker::start();
    docker.call("pull").arg(table.reference("team-a/app:1")).succeeds();
    docker.call("pull").arg(table.reference("team-b/app:1")).fails().says("denied");
    let image = table.reference("team-a/app:2");
    docker.build(&image, &[rootfs::busybox()]);
    docker.call("push").arg(&image).fails();
    table.berth.admin_command(table.home(), "repo public team-a/app --off").succeeds();
    docker.call("rmi").arg(table.reference("team-a/app:1")).succeeds();
    docker.call("pull").arg(table.reference("team-a/app:1")).fails().says("denied");
}

#[test]
fn the_catalog_lists_what_one_may_see() {
    let table = two_teams();
    let catalog = |user| crane(&table, user, "catalog").arg(table.berth.host()).succeeds();
    assert_eq!(catalog("alice").line(), "team-a/app");
    assert_eq!(catalog("bob").line(), "team-b/app");
}

#[test]
fn a_mount_from_a_repository_that_one_may_not_read_sends_the_bytes_instead() {
    let table = two_teams();
    let home = table.home().join("alice");
    keep_login(&home, &table.berth.host(), "alice", PASSWORD);
    let (layout, _) = busybox_layout(&table.home().join("layout"));
    let before = table.received();
    let push = crane(&table, "alice", "push").arg(layout.folder());
    push.arg(table.reference("team-a/fresh:1")).succeeds();
    let sent = table.received() - before;
    let layer = std::fs::metadata(rootfs::busybox().with_extension("tar.gz")).unwrap().len();
    assert!(sent > layer, "{sent} bytes sent for a layer of {layer}");
}
