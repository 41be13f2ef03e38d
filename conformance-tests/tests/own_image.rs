//! Berth's own image, from the Dockerfile that people get, and the compose file around it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use conformance_tests::engines::{BuildKit, Docker};
use conformance_tests::layout::Layout;
use conformance_tests::server::free_address;
use conformance_tests::tls::Authority;
use conformance_tests::{ADMIN_PASSWORD, Berth, Client, Options, Program, binary, rootfs};
use serde_json::json;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
/// What a machine downloads of it, base and all.
const SMALL: u64 = 40_000_000;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project's folder").to_owned()
}

/// What the Dockerfile's first stage leaves, made of the binary under test.
fn built() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    for below in ["usr/bin", "usr/lib", "var/lib/berth"] {
        fs::create_dir_all(out.join(below)).expect("making a folder");
    }
    Program::new("strip").arg("-o").arg(out.join("usr/bin/berth")).arg(binary::berth()).succeeds();
    let library = Program::new("gcc").arg("-print-file-name=libgcc_s.so.1").succeeds();
    fs::copy(library.line(), out.join("usr/lib/libgcc_s.so.1")).expect("copying a library");
    folder
}

/// Pushes a base made of Debian's packages.
fn push_base(home: &Path, reference: &str) {
    let mut layout = Layout::new(&home.join("base"));
    let image = layout.image("amd64", &[rootfs::c_library()]);
    layout.tag("1", &image);
    let skopeo = Program::new("skopeo").home(home).args(["copy", "--dest-tls-verify=false"]);
    let from = format!("oci:{}:1", layout.folder().display());
    skopeo.arg(from).arg(format!("docker://{reference}")).succeeds();
}

fn home_of_admin(registry: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    let auth = BASE64.encode(format!("admin:{ADMIN_PASSWORD}"));
    let login = json!({"auths": {registry: {"auth": auth}}}).to_string();
    fs::create_dir(home.path().join(".docker")).expect("making a folder");
    fs::write(home.path().join(".docker/config.json"), &login).expect("writing a login");
    fs::write(home.path().join("auth.json"), &login).expect("writing a login");
    home
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_dockerfile_makes_a_small_image_that_serves_as_nobody_special_and_knows_when_it_is_healthy() {
    let registry = Berth::start();
    let home = home_of_admin(&registry.host());
    let (base, image) = (registry.reference("base:1"), registry.reference("berth:1"));
    push_base(home.path(), &base);
    let built = built();
    let builder = BuildKit::start(&registry.host(), home.path());
    builder.build(
        &project(),
        &[
            &format!("--opt=build-arg:BASE={base}"),
            "--opt=context:build=local:build",
            &format!("--local=build={}", built.path().display()),
            &format!("--output=type=image,name={image},push=true"),
        ],
    );
    let manifest = Program::tool("crane").home(home.path()).arg("manifest").arg(&image).succeeds().json();
    let sizes = manifest["layers"].as_array().expect("layers").iter();
    let size: u64 = sizes.map(|layer| layer["size"].as_u64().expect("a size")).sum();
    assert!(size < SMALL, "{size} bytes to download");

    let docker = Docker::start();
    docker.login(&registry.host(), "admin", ADMIN_PASSWORD).succeeds();
    docker.call("pull").arg(&image).succeeds();
    let listen = free_address("127.0.0.1:0");
    let run =
        docker.call("run --detach --name berth --network host --env").arg(format!("BERTH_LISTEN={listen}"));
    let run = run.arg("--env").arg(format!("BERTH_ADMIN_PASSWORD={ADMIN_PASSWORD}")).arg("--read-only");
    run.arg(&image).succeeds();
    let inspect = |what: &str| docker.call("inspect berth --format").arg(what).succeeds().line().to_owned();
    until("the container is healthy", || inspect("{{.State.Health.Status}}") == "healthy");
    assert_eq!(inspect("{{.Config.User}}"), "65532:65532");
    let client = Client::of_admin_at(&format!("http://{listen}"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let layer = conformance_tests::content::Blob::random(1, 1000);
        client.repository("team/app").await.push_image("latest", &layer).await;
    });
    docker.call("stop berth").succeeds();
    assert_eq!(inspect("{{.State.ExitCode}}"), "0");
}

#[test]
fn a_health_check_tells_a_server_that_is_ready_from_none() {
    let mut berth = Berth::start();
    let check = || Program::new(binary::berth()).args(["healthcheck", "--listen", &berth.host()]);
    let (home, mut checks) = (tempfile::tempdir().expect("a temporary folder"), Vec::new());
    checks.push(check().home(home.path()));
    checks.push(check().home(home.path()));
    let [ready, gone] = <[Program; 2]>::try_from(checks).unwrap_or_else(|_| unreachable!("two were made"));
    ready.succeeds();
    assert!(berth.stop().success());
    let outcome = gone.fails();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    outcome.says("/readyz: ");
}

#[test]
fn a_health_check_asks_a_server_with_tls_whatever_name_its_certificate_is_for() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let certificate = Authority::new(home.path()).sign("registry.example.com");
    let berth = Options::default().tls(certificate).start();
    let check = Program::new(binary::berth()).args(["healthcheck", "--config"]).arg(berth.config_file());
    check.args(["--listen", &berth.host()]).home(home.path()).succeeds();
    // Without its configuration it is taken for a server without TLS, and is not called healthy.
    let check = Program::new(binary::berth()).args(["healthcheck", "--listen", &berth.host()]);
    let outcome = check.home(home.path()).fails();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
}

#[test]
fn compose_accepts_the_file_with_its_secrets() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, target) in
        [("docker-compose.yml", "docker-compose.yml"), ("deploy", "deploy"), ("Dockerfile", "Dockerfile")]
    {
        std::os::unix::fs::symlink(project().join(name), folder.path().join(target)).expect("linking a file");
    }
    fs::create_dir(folder.path().join("secrets")).expect("making a folder");
    for name in ["postgres", "s3", "admin", "master-key"] {
        fs::write(folder.path().join("secrets").join(name), "0123456789abcdef".repeat(4))
            .expect("writing a secret");
    }
    let config = Program::tool("docker-compose").home(folder.path()).current_dir(folder.path());
    let config = config.args(["config", "--format", "json"]).succeeds().json();
    let services = config["services"].as_object().expect("services");
    let names: Vec<&str> = services.keys().map(String::as_str).collect();
    assert_eq!(names, ["balancer", "berth-1", "berth-2", "postgres", "s3"]);
    for (name, service) in services {
        assert!(service["healthcheck"]["test"].is_array(), "{name} has a health check");
        assert_eq!(service["ports"].is_array(), name == "balancer", "one port is published: {name}");
    }
}

#[test]
fn every_variable_of_the_compose_file_is_a_key_of_the_configuration() {
    let text = fs::read_to_string(project().join("docker-compose.yml")).expect("reading the compose file");
    let variables: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("BERTH_").and_then(|_| line.trim().split_once(": ")))
        .filter(|(name, _)| !name.starts_with("BERTH_1") && !name.starts_with("BERTH_2"))
        .collect();
    assert!(variables.len() >= 8, "{variables:?}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let secret = folder.path().join("secret");
    fs::write(&secret, "0123456789abcdef".repeat(4)).expect("writing a secret");
    let check = Program::new(binary::berth()).args(["serve", "--check", "--data"]).arg(folder.path());
    let check = variables.iter().fold(check, |check, (name, value)| {
        let value = value.trim_matches('"');
        if value.starts_with("/run/secrets/") { check.env(name, &secret) } else { check.env(name, value) }
    });
    let outcome = check.succeeds();
    assert!(!outcome.stderr.contains("warning"), "{outcome}");
}
