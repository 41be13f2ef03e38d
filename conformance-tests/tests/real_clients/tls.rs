//! TLS with an authority of the test's own, and HTTP/2 over it.

use conformance_tests::engines::{Docker, Trust};
use conformance_tests::tls::Authority;
use conformance_tests::{ADMIN_PASSWORD, Berth, Options, Program, rootfs};
use tempfile::TempDir;

use crate::support::{busybox_layout, keep_login};

struct Table {
    berth: Berth,
    home: TempDir,
    authority: Authority,
}

fn table() -> Table {
    let home = tempfile::tempdir().expect("a temporary folder");
    let authority = Authority::new(&home.path().join("authority"));
    let berth = Options::default().tls(authority.sign("berth")).start();
    keep_login(home.path(), &berth.host(), "admin", ADMIN_PASSWORD);
    Table { berth, home, authority }
}

impl Table {
    fn crane(&self, arguments: &str) -> Program {
        Program::tool("crane").home(self.home.path()).args(arguments.split_whitespace())
    }
}

#[test]
fn crane_trusts_the_authority_it_is_told_of_and_no_other() {
    let table = table();
    let (layout, digest) = busybox_layout(&table.home.path().join("layout"));
    let image = table.berth.reference("team/busybox:1");
    let push = || table.crane("push").arg(layout.folder()).arg(&image);
    push().fails().says("certificate signed by unknown authority");
    push().env("SSL_CERT_FILE", table.authority.file()).succeeds();
    let seen = table.crane("digest").arg(&image).env("SSL_CERT_FILE", table.authority.file()).succeeds();
    assert_eq!(seen.line(), digest);
}

#[test]
fn a_layer_is_pulled_over_http_2() {
    let table = table();
    let (layout, digest) = busybox_layout(&table.home.path().join("layout"));
    let image = table.berth.reference("team/busybox:1");
    table
        .crane("push")
        .arg(layout.folder())
        .arg(&image)
        .env("SSL_CERT_FILE", table.authority.file())
        .succeeds();
    let curl = |path: &str| {
        let curl = Program::new("curl").home(table.home.path()).args(["--http2", "--silent", "--show-error"]);
        let curl = curl.args(["--fail", "--user", &format!("admin:{ADMIN_PASSWORD}"), "--cacert"]);
        curl.arg(table.authority.file()).arg(format!("{}/v2/team/busybox/{path}", table.berth.url()))
    };
    let written = ["--output", "/dev/null", "--write-out", "%{http_version} %{http_code} %{size_download}"];
    let manifest = curl("manifests/1").succeeds().json();
    let layer = &manifest["layers"][0];
    let blob = curl(&format!("blobs/{}", layer["digest"].as_str().unwrap())).args(written).succeeds();
    assert_eq!(blob.line(), format!("2 200 {}", layer["size"]));
    let by_digest = curl(&format!("manifests/{digest}")).args(written).succeeds();
    assert!(by_digest.line().starts_with("2 200 "), "{by_digest}");
}

#[test]
fn a_server_on_plain_http_speaks_http_2_to_those_who_begin_with_it() {
    let berth = Berth::start();
    let curl = Program::new("curl").args(["--http2-prior-knowledge", "--silent", "--output", "/dev/null"]);
    let said = curl.args(["--write-out", "%{http_version} %{http_code}"]).arg(format!("{}/v2/", berth.url()));
    assert_eq!(said.succeeds().line(), "2 401");
}

#[test]
fn docker_trusts_the_authority_in_its_certs_d_and_pulls_what_it_pushed() {
    let (berth, authority, _folder) = named("registry.test");
    let registry = format!("registry.test:{}", berth.port());
    let docker = Docker::start_with(&Trust { registry: &registry, authority: Some(&authority.file()) });
    docker.login(&registry, "admin", ADMIN_PASSWORD).succeeds();
    let image = format!("{registry}/team/busybox:1");
    docker.build(&image, &[rootfs::busybox()]);
    docker.call("push").arg(&image).succeeds();
    docker.empty();
    docker.call("pull").arg(&image).succeeds();
    assert_eq!(docker.run(&image, &["echo", "it runs"]), "it runs");
}

#[test]
fn docker_refuses_a_registry_whose_authority_it_was_not_told_of() {
    let (berth, _authority, _folder) = named("registry.test");
    let registry = format!("registry.test:{}", berth.port());
    let docker = Docker::start_with(&Trust { registry: &registry, authority: None });
    let login = docker.login(&registry, "admin", ADMIN_PASSWORD).fails();
    login.says("certificate signed by unknown authority");
}

/// A server on `::1` whose certificate names `name`.
fn named(name: &str) -> (Berth, Authority, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = Authority::new(folder.path());
    let berth = Options::default().on_ipv6().tls(authority.sign(name)).start();
    (berth, authority, folder)
}
