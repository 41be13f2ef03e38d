//! Debian's docker, with a daemon of the test's own.

use std::path::{Path, PathBuf};

use super::{Daemon, context_of, folder};
use crate::Program;

// By its path: machines have another docker's client earlier on PATH.
const DOCKER: &str = "/usr/bin/docker";

/// A docker daemon without any network but the host's, and its client.
pub struct Docker {
    socket: PathBuf,
    home: PathBuf,
    _daemon: Daemon,
}

/// Which registry the daemon finds under a name that is no loopback address to it, and what it trusts there.
/// docker takes 127.0.0.0/8 for insecure whatever its certificates say, so the name leads to `::1`.
pub struct Trust<'t> {
    /// The name and port of the registry.
    pub registry: &'t str,
    /// The authority's certificate; `None` when the daemon isn't told of it.
    pub authority: Option<&'t Path>,
}

impl Docker {
    /// A daemon as it is installed.
    pub fn start() -> Self {
        Self::start_in("", folder("docker"))
    }

    /// A daemon with its own `/etc/hosts` and `/etc/docker/certs.d`.
    pub fn start_with(trust: &Trust<'_>) -> Self {
        let folder = folder("docker");
        let (hosts, etc) = (folder.path().join("hosts"), folder.path().join("etc"));
        let certificates = etc.join("certs.d").join(trust.registry);
        std::fs::create_dir_all(&certificates).expect("making a folder");
        if let Some(authority) = trust.authority {
            std::fs::copy(authority, certificates.join("ca.crt")).expect("copying a certificate");
        }
        let (name, _port) = trust.registry.rsplit_once(':').expect("a name and a port");
        std::fs::write(&hosts, format!("127.0.0.1 localhost\n::1 {name}\n")).expect("writing hosts");
        let (hosts, etc) = (hosts.display(), etc.display());
        let mounts =
            format!("mkdir -p /etc/docker; mount --bind {hosts} /etc/hosts; mount --bind {etc} /etc/docker");
        Self::start_in(&mounts, folder)
    }

    fn start_in(mounts: &str, folder: tempfile::TempDir) -> Self {
        let (socket, home) = (folder.path().join("sock"), folder.path().join("home"));
        std::fs::create_dir(&home).expect("making a folder");
        let script = format!("set -e; {mounts}\nexec /usr/sbin/dockerd \"$@\"");
        let daemon = Program::new("unshare")
            .args(["--mount", "sh", "-c", &script, "dockerd"])
            .arg("--data-root")
            .arg(folder.path().join("data"))
            .arg("--exec-root")
            .arg(folder.path().join("exec"))
            .arg("--pidfile")
            .arg(folder.path().join("pid"))
            .arg("--host")
            .arg(format!("unix://{}", socket.display()))
            .args(["--bridge", "none", "--iptables=false", "--ip6tables=false"])
            .home(&home)
            .into_command();
        let ready = || client(&socket, &home).arg("version");
        let daemon = Daemon::start("dockerd", folder, daemon, ready);
        Self { socket, home, _daemon: daemon }
    }

    /// Where its client keeps its files, logins among them.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// `docker …`
    pub fn call(&self, arguments: &str) -> Program {
        client(&self.socket, &self.home).args(arguments.split_whitespace())
    }

    /// `docker login`
    pub fn login(&self, registry: &str, user: &str, password: &str) -> Program {
        self.call(&format!("login --username {user} --password-stdin {registry}")).stdin(password)
    }

    /// Builds an image of these tars, a layer each, under `reference`.
    pub fn build(&self, reference: &str, layers: &[PathBuf]) {
        let context = context_of(layers);
        self.call("build --quiet --network none --tag").arg(reference).arg(context.path()).succeeds();
    }

    /// Removes every image, so that the next pull brings all of it.
    pub fn empty(&self) {
        self.call("image prune --all --force").succeeds();
        let left = self.call("images --all --quiet").succeeds();
        assert_eq!(left.line(), "", "images left in the engine");
    }

    /// Runs a command in a container and returns what it printed.
    pub fn run(&self, reference: &str, command: &[&str]) -> String {
        let run = self.call("run --rm --network none").arg(reference).args(command).succeeds();
        run.line().to_owned()
    }

    /// The digest under which the registry knows an image here, as docker noted it at push or pull.
    pub fn digest(&self, reference: &str) -> String {
        let inspected = self.call("inspect").arg(reference).succeeds().json();
        let repository = reference.rsplit_once([':', '@']).map_or(reference, |(repository, _)| repository);
        let digests = inspected[0]["RepoDigests"].as_array().expect("RepoDigests").iter();
        let own = digests.filter_map(|digest| digest.as_str()?.strip_prefix(repository)?.strip_prefix('@'));
        let own: Vec<&str> = own.collect();
        let [digest] = own.as_slice() else { panic!("not one digest of {repository}: {inspected}") };
        (*digest).to_owned()
    }
}

fn client(socket: &Path, home: &Path) -> Program {
    // The classic builder: Debian's package has no buildx.
    Program::new(DOCKER)
        .env("DOCKER_BUILDKIT", "0")
        .home(home)
        .arg("--host")
        .arg(format!("unix://{}", socket.display()))
}
