//! Debian's podman.

use conformance_tests::engines::Podman;
use conformance_tests::{ADMIN_PASSWORD, Berth, Program, rootfs};

use crate::support::stranger;

fn logged_in(berth: &Berth) -> Podman {
    let podman = Podman::start();
    podman.login(&berth.host(), "admin", ADMIN_PASSWORD).succeeds();
    podman
}

#[test]
fn podman_logs_in_with_the_right_password_and_not_with_a_wrong_one() {
    let (berth, _) = stranger();
    let podman = Podman::start();
    podman.login(&berth.host(), "admin", "wrong").fails().says("invalid username/password");
    podman.login(&berth.host(), "admin", ADMIN_PASSWORD).succeeds().says("Login Succeeded");
}

#[test]
fn an_emptied_podman_pulls_and_runs_the_one_layer_image_it_pushed() {
    let (berth, _) = stranger();
    let podman = logged_in(&berth);
    let image = berth.reference("team/busybox:1");
    podman.call("import --quiet").arg(rootfs::busybox()).arg(&image).succeeds();
    podman
        .call("push --tls-verify=false --digestfile")
        .arg(podman.home().join("digest"))
        .arg(&image)
        .succeeds();
    let pushed = std::fs::read_to_string(podman.home().join("digest")).unwrap();
    podman.empty();
    podman.call("pull --tls-verify=false").arg(&image).succeeds();
    let pulled = podman.call("image inspect --format {{.Digest}}").arg(&image).succeeds();
    assert_eq!(pulled.line(), pushed);
    assert_eq!(podman.run(&image, &["/bin/echo", "it runs"]), "it runs");
}

#[test]
fn an_emptied_podman_pulls_and_runs_the_debian_image_of_several_layers_it_built_and_pushed() {
    let (berth, _) = stranger();
    let podman = logged_in(&berth);
    let image = berth.reference("team/debian:12");
    podman.build(&image, &rootfs::debian());
    podman.call("push --tls-verify=false").arg(&image).succeeds();
    podman.empty();
    podman.call("pull --tls-verify=false").arg(&image).succeeds();
    assert_eq!(podman.run(&image, &["perl", "-e", "print 6*7"]), "42");
}

#[test]
fn podman_pushes_an_image_compressed_with_zstd_and_runs_it_after_pulling_it_back() {
    let (berth, _) = stranger();
    let podman = logged_in(&berth);
    let image = berth.reference("team/busybox:zstd");
    podman.call("import --quiet").arg(rootfs::busybox()).arg(&image).succeeds();
    podman.call("push --tls-verify=false --compression-format zstd").arg(&image).succeeds();
    podman.empty();
    podman.call("pull --tls-verify=false").arg(&image).succeeds();
    assert_eq!(podman.run(&image, &["/bin/echo", "it runs"]), "it runs");
}

#[test]
fn podman_pushes_a_manifest_list_with_all_that_it_names() {
    let (berth, _) = stranger();
    let podman = logged_in(&berth);
    let (image, list) = (berth.reference("team/busybox:amd64"), berth.reference("team/busybox:all"));
    podman.call("import --quiet").arg(rootfs::busybox()).arg(&image).succeeds();
    podman.call("manifest create").arg(&list).succeeds();
    podman.call("manifest add").arg(&list).arg(format!("containers-storage:{image}")).succeeds();
    podman
        .call("manifest push --all --tls-verify=false")
        .arg(&list)
        .arg(format!("docker://{list}"))
        .succeeds();
    // podman 4.3 inspects lists over TLS only.
    let inspect = Program::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", "--creds"]);
    let inspected = inspect.arg(format!("admin:{ADMIN_PASSWORD}")).arg(format!("docker://{list}")).succeeds();
    assert_eq!(inspected.json()["manifests"].as_array().map(Vec::len), Some(1), "{inspected}");
}

#[test]
fn podman_searches_and_says_that_an_image_is_unknown_when_it_is() {
    let (berth, _) = stranger();
    let podman = logged_in(&berth);
    let missing = podman.call("pull --tls-verify=false").arg(berth.reference("team/missing:1")).fails();
    missing.says("manifest unknown");
}
