//! Debian's buildah, which shares podman's store.

use conformance_tests::engines::Podman;
use conformance_tests::{ADMIN_PASSWORD, rootfs};

use crate::support::stranger;

#[test]
fn buildah_logs_in_with_the_right_password_and_not_with_a_wrong_one() {
    let (berth, _) = stranger();
    let podman = Podman::start();
    let login = |password: &str| {
        let login =
            podman.buildah("login --tls-verify=false --username admin --password-stdin").arg(berth.host());
        login.stdin(password)
    };
    login("wrong").fails().says("invalid username/password");
    login(ADMIN_PASSWORD).succeeds().says("Login Succeeded");
}

#[test]
fn buildah_commits_an_image_and_pushes_it_and_podman_runs_it() {
    let (berth, _) = stranger();
    let podman = Podman::start();
    podman.login(&berth.host(), "admin", ADMIN_PASSWORD).succeeds();
    let image = berth.reference("team/built:1");
    let container = podman.buildah("from scratch").succeeds().line().to_owned();
    podman.buildah("add").arg(&container).arg(rootfs::busybox()).arg("/").succeeds();
    podman.buildah("config --cmd /bin/sh --label made-by=buildah").arg(&container).succeeds();
    podman.buildah("commit --rm").arg(&container).arg(&image).succeeds();
    podman.buildah("push --tls-verify=false").arg(&image).succeeds();
    podman.empty();
    podman.call("pull --tls-verify=false").arg(&image).succeeds();
    assert_eq!(podman.run(&image, &["/bin/echo", "it runs"]), "it runs");
}
