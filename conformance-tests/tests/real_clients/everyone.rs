//! One image, every client: all of them must see the same bytes.

use conformance_tests::engines::{Docker, Podman};
use conformance_tests::{ADMIN_PASSWORD, Program, rootfs};

use crate::support::{Table, keep_login};

#[test]
fn every_client_sees_the_digest_that_docker_pushed_and_podman_runs_the_image() {
    let table = Table::new();
    let (image, host) = (table.reference("team/debian:12"), table.berth.host());
    let docker = Docker::start();
    docker.login(&host, "admin", ADMIN_PASSWORD).succeeds();
    docker.build(&image, &rootfs::debian());
    docker.call("push").arg(&image).succeeds();
    let digest = docker.digest(&image);

    let tool = |name: &str| Program::tool(name).home(table.home());
    assert_eq!(tool("crane").arg("digest").arg(&image).succeeds().line(), digest, "crane");
    assert_eq!(tool("oras").args(["resolve", "--plain-http"]).arg(&image).succeeds().line(), digest, "oras");
    tool("regctl").args(["registry", "set", "--tls", "disabled"]).arg(&host).succeeds();
    assert_eq!(tool("regctl").args(["image", "digest"]).arg(&image).succeeds().line(), digest, "regctl");
    let skopeo = Program::new("skopeo").home(table.home()).args(["inspect", "--tls-verify=false"]);
    let seen = skopeo.arg(format!("docker://{image}")).succeeds().json();
    assert_eq!(seen["Digest"], digest, "skopeo");

    let podman = Podman::start();
    keep_login(podman.home(), &host, "admin", ADMIN_PASSWORD);
    podman.call("pull --tls-verify=false").arg(&image).succeeds();
    let seen = podman.call("image inspect --format {{.Digest}}").arg(&image).succeeds();
    assert_eq!(seen.line(), digest, "podman");
    assert_eq!(podman.run(&image, &["perl", "-e", "print 6*7"]), "42");

    docker.empty();
    docker.call("pull").arg(&image).succeeds();
    assert_eq!(docker.digest(&image), digest, "docker, after a pull");
}

#[test]
fn docker_runs_the_image_that_podman_pushed() {
    let table = Table::new();
    let (image, host) = (table.reference("team/busybox:1"), table.berth.host());
    let podman = Podman::start();
    keep_login(podman.home(), &host, "admin", ADMIN_PASSWORD);
    podman.call("import --quiet").arg(rootfs::busybox()).arg(&image).succeeds();
    podman.call("push --tls-verify=false").arg(&image).succeeds();
    let docker = Docker::start();
    docker.login(&host, "admin", ADMIN_PASSWORD).succeeds();
    docker.call("pull").arg(&image).succeeds();
    assert_eq!(docker.run(&image, &["/bin/echo", "it runs"]), "it runs");
}
