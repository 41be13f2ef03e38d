//! BuildKit, newer than what Debian's docker contains, with a daemon of the test's own.

use std::path::{Path, PathBuf};

use super::{Daemon, folder};
use crate::Program;

/// A BuildKit daemon with an empty cache, and its client.
pub struct BuildKit {
    daemon: Daemon,
    home: PathBuf,
}

impl BuildKit {
    /// Starts one that speaks plain HTTP to `registry` and uses the credentials in `home`.
    pub fn start(registry: &str, home: &Path) -> Self {
        let folder = folder("buildkit");
        let config = format!("[registry.\"{registry}\"]\nhttp = true\n");
        std::fs::write(folder.path().join("buildkitd.toml"), config).expect("writing a config");
        let daemon = Program::tool("buildkitd")
            .arg("--config")
            .arg(folder.path().join("buildkitd.toml"))
            .arg("--root")
            .arg(folder.path().join("root"))
            .arg("--addr")
            .arg(address(folder.path()))
            .args(["--oci-worker-net=host", "--oci-worker=true", "--containerd-worker=false"])
            .home(folder.path())
            .into_command();
        let path = folder.path().to_owned();
        let ready = || client(&path, home).args(["debug", "workers"]);
        Self { daemon: Daemon::start("buildkitd", folder, daemon, ready), home: home.to_owned() }
    }

    /// Builds the Dockerfile in `context` with more arguments for `buildctl build`, and returns its progress.
    pub fn build(&self, context: &Path, arguments: &[&str]) -> String {
        client(self.daemon.folder(), &self.home)
            .args(["build", "--progress=plain", "--frontend=dockerfile.v0"])
            .arg("--local")
            .arg(format!("context={}", context.display()))
            .arg("--local")
            .arg(format!("dockerfile={}", context.display()))
            .args(arguments)
            .succeeds()
            .stderr
    }
}

fn client(folder: &Path, home: &Path) -> Program {
    Program::tool("buildctl").home(home).arg("--addr").arg(address(folder))
}

fn address(folder: &Path) -> String {
    format!("unix://{}/sock", folder.display())
}
