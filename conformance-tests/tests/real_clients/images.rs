//! Images move between berth's and other people's engines by archive and by registry.

use std::path::Path;

use conformance_tests::engines::{Docker, Podman};
use conformance_tests::{ADMIN_PASSWORD, Program, binary, rootfs};
use tempfile::TempDir;

use crate::support::{Table, debian_layout};

/// `berth` with images of its own, and the logins in `home`.
fn berth(data: &Path, home: &Path) -> Program {
    Program::new(binary::berth()).home(home).env("BERTH_DATA", data)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn docker_and_podman_load_what_berth_saves_and_run_it() {
    let (table, data) = (Table::new(), folder());
    let (layout, _) = debian_layout(&data.path().join("layout"));
    let loaded = berth(data.path(), table.home()).args(["load", "-i"]).arg(layout.folder()).succeeds();
    let id = loaded.line().strip_prefix("Loaded image ID: ").expect("an id").to_owned();
    let archive = data.path().join("debian.tar");
    berth(data.path(), table.home()).args(["tag", &id, "debian:test"]).succeeds();
    berth(data.path(), table.home()).args(["save", "debian:test", "-o"]).arg(&archive).succeeds();
    let docker = Docker::start();
    docker.call("load -i").arg(&archive).succeeds().says("debian:test");
    assert!(docker.run("debian:test", &["cat", "/etc/debian_version"]).starts_with("12."));
    assert_eq!(docker.call("inspect -f {{.Id}} debian:test").succeeds().line(), id);
    let podman = Podman::start();
    // It wants to read the file that it is told of, even when nothing is to be pulled.
    std::fs::write(podman.home().join("auth.json"), "{}").expect("writing a file");
    podman.call("load -i").arg(&archive).succeeds();
    assert!(podman.run("docker.io/library/debian:test", &["cat", "/etc/debian_version"]).starts_with("12."));
}

#[test]
fn berth_loads_what_docker_podman_and_skopeo_save() {
    let (table, data) = (Table::new(), folder());
    let docker = Docker::start();
    docker.build("team/app:1", &[rootfs::busybox()]);
    let path = |name: &str| data.path().join(name);
    docker.call("save team/app:1 -o").arg(path("docker.tar")).succeeds();
    let loaded = berth(data.path(), table.home()).args(["load", "-i"]).arg(path("docker.tar")).succeeds();
    assert_eq!(loaded.line(), "Loaded image: team/app:1");
    let id = docker.call("inspect -f {{.Id}} team/app:1").succeeds().line().to_owned();
    let own = berth(data.path(), table.home()).args(["inspect", "-f", "{{.Id}}", "team/app:1"]).succeeds();
    assert_eq!(own.line(), id);
    let skopeo = |target: &str| {
        let source = format!("docker-archive:{}", path("docker.tar").display());
        Program::new("skopeo").home(table.home()).args(["copy", "-q", &source, target]).succeeds();
    };
    skopeo(&format!("oci-archive:{}:r.example/team/app:2", path("oci.tar").display()));
    let loaded = berth(data.path(), table.home()).args(["load", "-i"]).arg(path("oci.tar")).succeeds();
    assert_eq!(loaded.line(), "Loaded image: r.example/team/app:2");
    let podman = Podman::start();
    podman.build("localhost/team/app:3", &[rootfs::busybox()]);
    podman.call("save localhost/team/app:3 -o").arg(path("podman.tar")).succeeds();
    let loaded = berth(data.path(), table.home()).args(["load", "-i"]).arg(path("podman.tar")).succeeds();
    assert_eq!(loaded.line(), "Loaded image: localhost/team/app:3");
}

#[test]
fn docker_pulls_and_runs_what_berth_pushes_and_berth_pulls_what_docker_pushes() {
    let (table, data) = (Table::new(), folder());
    let docker = Docker::start();
    docker.login(&table.berth.host(), "admin", ADMIN_PASSWORD).succeeds();
    let (by_docker, by_berth) = (table.reference("team/docker:1"), table.reference("team/berth:1"));
    docker.build(&by_docker, &rootfs::debian());
    docker.call("push").arg(&by_docker).succeeds();
    let pulled = berth(data.path(), table.home()).args(["pull", "-q", &by_docker]).succeeds();
    assert_eq!(pulled.line(), docker.digest(&by_docker));
    berth(data.path(), table.home()).args(["tag", &by_docker, &by_berth]).succeeds();
    let before = table.received();
    let pushed = berth(data.path(), table.home()).args(["push", "-q", &by_berth]).succeeds();
    assert!(table.received() - before < 20_000, "layers were sent that could be mounted");
    assert_eq!(pushed.line(), pulled.line());
    docker.empty();
    docker.call("pull").arg(&by_berth).succeeds();
    assert_eq!(docker.run(&by_berth, &["perl", "-e", "print 6*7"]), "42");
}

#[test]
fn a_layer_is_unpacked_as_docker_unpacks_it() {
    let (table, data) = (Table::new(), folder());
    let docker = Docker::start();
    docker.login(&table.berth.host(), "admin", ADMIN_PASSWORD).succeeds();
    let image = table.reference("team/debian:12");
    docker.build(&image, &rootfs::debian());
    docker.call("push").arg(&image).succeeds();
    berth(data.path(), table.home()).args(["pull", "-q", &image]).succeeds();
    let lower = |json: serde_json::Value, keys: &[&str]| -> Vec<String> {
        let graph = &json[0]["GraphDriver"]["Data"];
        let folders = keys.iter().filter_map(|key| graph[*key].as_str());
        folders.flat_map(|list| list.split(':').map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let of_docker = lower(docker.call("inspect").arg(&image).succeeds().json(), &["UpperDir", "LowerDir"]);
    let own =
        lower(berth(data.path(), table.home()).args(["inspect", &image]).succeeds().json(), &["LowerDir"]);
    assert_eq!(own.len(), 3);
    assert_eq!(of_docker.len(), own.len());
    for (of_docker, own) in of_docker.iter().zip(&own) {
        assert_eq!(listing(Path::new(own)), listing(Path::new(of_docker)), "{own}");
    }
}

/// Every file below a folder: kind, mode, owner, length, time, target; folders without length and time, for
/// those above what an archive names get today's.
fn listing(folder: &Path) -> String {
    let find = r"find . -mindepth 1 -type d -printf '%p d %m %U:%G\n' -o -printf '%p %y %m %U:%G %s %T@ %n %l\n' | sort";
    Program::new("sh").current_dir(folder).args(["-c", find]).succeeds().stdout
}
