//! Debian's podman and buildah, with stores of the test's own.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{context_of, folder};
use crate::Program;

/// Raising a limit is refused on machines without CAP_SYS_RESOURCE.
const CONTAINERS_CONF: &str = r#"
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"#;

// crun refuses a v1 hierarchy with a v2 one mounted beside it; hidden from this call alone.
const HIDE_HYBRID_CGROUPS: &str = r#"
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
exec "$@""#;

/// A podman with nothing in its store, and a buildah beside it that shares the store.
pub struct Podman {
    folder: TempDir,
}

impl Podman {
    /// An empty one.
    pub fn start() -> Self {
        let folder = folder("podman");
        std::fs::write(folder.path().join("containers.conf"), CONTAINERS_CONF).expect("writing a config");
        Self { folder }
    }

    /// Where it keeps its files, logins among them.
    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    /// `podman …`
    pub fn call(&self, arguments: &str) -> Program {
        let tmp = self.path("tmp");
        self.program("podman").arg("--tmpdir").arg(tmp).args(arguments.split_whitespace())
    }

    /// `buildah …`
    pub fn buildah(&self, arguments: &str) -> Program {
        self.program("buildah").args(arguments.split_whitespace())
    }

    /// `podman login`
    pub fn login(&self, registry: &str, user: &str, password: &str) -> Program {
        self.call(&format!("login --tls-verify=false --username {user} --password-stdin {registry}"))
            .stdin(password)
    }

    /// Builds an image of these tars, a layer each, under `reference`.
    pub fn build(&self, reference: &str, layers: &[PathBuf]) {
        let context = context_of(layers);
        self.call("build --quiet --layers --isolation chroot --tag")
            .arg(reference)
            .arg(context.path())
            .succeeds();
    }

    /// Removes every image, so that the next pull brings all of it.
    pub fn empty(&self) {
        self.call("rmi --all --force").succeeds();
        let left = self.call("images --all --quiet").succeeds();
        assert_eq!(left.line(), "", "images left in the engine");
    }

    /// Runs a command in a container and returns what it printed.
    pub fn run(&self, reference: &str, command: &[&str]) -> String {
        let run = self.call("run --rm --network none").arg(reference).args(command).succeeds();
        run.line().to_owned()
    }

    fn program(&self, name: &str) -> Program {
        Program::new("unshare")
            .args(["--mount", "sh", "-c", HIDE_HYBRID_CGROUPS, "sh", name])
            .home(self.folder.path())
            .env("CONTAINERS_CONF", self.path("containers.conf"))
            .arg("--root")
            .arg(self.path("root"))
            .arg("--runroot")
            .arg(self.path("run"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // What stays mounted can't be removed with the folder; nothing depends on whether this succeeds.
        let _ = self.call("system reset --force").run();
    }
}
