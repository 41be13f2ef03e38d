//! Debian's docker.

use conformance_tests::engines::Docker;
use conformance_tests::{ADMIN_PASSWORD, Berth, rootfs};

use crate::support::{Table, stranger};

fn logged_in(berth: &Berth) -> Docker {
    let docker = Docker::start();
    docker.login(&berth.host(), "admin", ADMIN_PASSWORD).succeeds();
    docker
}

#[test]
fn docker_logs_in_with_the_right_password_and_not_with_a_wrong_one() {
    let (berth, _) = stranger();
    let docker = Docker::start();
    docker.login(&berth.host(), "admin", "wrong").fails().says("unauthorized");
    docker.login(&berth.host(), "nobody", ADMIN_PASSWORD).fails().says("unauthorized");
    docker.login(&berth.host(), "admin", ADMIN_PASSWORD).succeeds().says("Login Succeeded");
}

#[test]
fn docker_keeps_the_password_it_was_given_and_no_refresh_token() {
    let (berth, _) = stranger();
    let docker = logged_in(&berth);
    let kept = std::fs::read_to_string(docker.home().join(".docker/config.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let login = &kept["auths"][berth.host()];
    assert!(login["auth"].as_str().is_some_and(|auth| !auth.is_empty()), "{kept}");
    assert_eq!(login["identitytoken"], serde_json::Value::Null, "{kept}");
}

#[test]
fn without_a_login_docker_pushes_and_pulls_nothing() {
    let (berth, _) = stranger();
    let docker = Docker::start();
    let image = berth.reference("team/busybox:1");
    docker.build(&image, &[rootfs::busybox()]);
    docker.call("push").arg(&image).fails().says("denied: requested access to the resource is denied");
    docker.call("pull").arg(berth.reference("team/other:1")).fails();
}

#[test]
fn an_emptied_docker_pulls_and_runs_the_one_layer_image_it_pushed() {
    let (berth, _) = stranger();
    let docker = logged_in(&berth);
    let image = berth.reference("team/busybox:1");
    docker.build(&image, &[rootfs::busybox()]);
    docker.call("push").arg(&image).succeeds();
    let pushed = docker.digest(&image);
    docker.empty();
    docker.call("pull").arg(&image).succeeds().says(&pushed);
    assert_eq!(docker.digest(&image), pushed);
    assert_eq!(docker.run(&image, &["echo", "it runs"]), "it runs");
}

#[test]
fn an_emptied_docker_pulls_and_runs_the_debian_image_of_several_layers_it_pushed() {
    let (berth, _) = stranger();
    let docker = logged_in(&berth);
    let image = berth.reference("team/debian:12");
    docker.build(&image, &rootfs::debian());
    docker.call("push").arg(&image).succeeds();
    let by_digest = berth.reference(&format!("team/debian@{}", docker.digest(&image)));
    docker.empty();
    docker.call("pull").arg(&by_digest).succeeds();
    let version = docker.run(&by_digest, &["cat", "/etc/debian_version"]);
    assert!(version.starts_with("12."), "{version}");
    assert_eq!(docker.run(&by_digest, &["perl", "-e", "print 6*7"]), "42");
}

#[test]
fn docker_mounts_the_layers_of_another_repository_instead_of_sending_them() {
    let table = Table::new();
    let docker = logged_in(&table.berth);
    let (source, target) = (table.reference("team-a/debian:12"), table.reference("team-b/debian:12"));
    docker.build(&source, &rootfs::debian());
    docker.call("push").arg(&source).succeeds();
    docker.call("tag").arg(&source).arg(&target).succeeds();
    let before = table.received();
    docker.call("push").arg(&target).succeeds().says("Mounted from team-a/debian");
    let sent = table.received() - before;
    assert!(sent < 20_000, "{sent} bytes sent, where the config and the manifest are enough");
    assert_eq!(docker.digest(&target), docker.digest(&source));
}

#[test]
fn a_second_push_of_the_same_image_by_docker_sends_no_layer() {
    let table = Table::new();
    let docker = logged_in(&table.berth);
    let image = table.reference("team/debian:12");
    docker.build(&image, &rootfs::debian());
    docker.call("push").arg(&image).succeeds();
    let before = table.received();
    docker.call("push").arg(&image).succeeds().says("Layer already exists");
    let sent = table.received() - before;
    assert!(sent < 20_000, "{sent} bytes sent");
}

#[test]
fn docker_pushes_a_manifest_list_and_pulls_its_own_platform_from_it() {
    let (berth, _) = stranger();
    let docker = logged_in(&berth);
    let (image, list) = (berth.reference("team/busybox:amd64"), berth.reference("team/busybox:all"));
    docker.build(&image, &[rootfs::busybox()]);
    docker.call("push").arg(&image).succeeds();
    docker.call("manifest create --insecure").arg(&list).arg(&image).succeeds();
    docker.call("manifest annotate --arch amd64 --os linux").arg(&list).arg(&image).succeeds();
    docker.call("manifest push --insecure").arg(&list).succeeds();
    docker.empty();
    docker.call("pull").arg(&list).succeeds();
    assert_eq!(docker.run(&list, &["echo", "it runs"]), "it runs");
}

#[test]
fn docker_says_that_an_image_is_unknown_when_it_is() {
    let (berth, _) = stranger();
    let docker = logged_in(&berth);
    docker.call("pull").arg(berth.reference("team/missing:1")).fails().says("not found");
}
