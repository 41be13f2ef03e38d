//! Container engines of the test's own: each with its own folder, sockets and stores, stopped when dropped.

mod buildkit;
mod docker;
mod podman;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use wait_timeout::ChildExt;

pub use buildkit::BuildKit;
pub use docker::{Docker, Trust};
pub use podman::Podman;

use crate::Program;
use crate::server::tail;

const STARTED_WITHIN: Duration = Duration::from_secs(60);

/// A process that runs as long as its value lives. Its log is shown when the test fails.
struct Daemon {
    name: &'static str,
    child: Child,
    folder: TempDir,
}

impl Daemon {
    /// Starts `command`, and returns when the program that `ready` makes succeeds.
    fn start(name: &'static str, folder: TempDir, mut command: Command, ready: impl Fn() -> Program) -> Self {
        let log = File::create(folder.path().join("log")).expect("a file for the log");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("starting {name}: {error} (.ci/install brings it)"));
        let mut daemon = Self { name, child, folder };
        let started = Instant::now();
        while ready().run().code() != Some(0) {
            let ended = daemon.child.try_wait().expect("looking at a daemon");
            assert!(ended.is_none(), "{name} ended at its start");
            assert!(started.elapsed() < STARTED_WITHIN, "{name} has not started");
            std::thread::sleep(Duration::from_millis(100));
        }
        daemon
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Daemon {
    #[expect(clippy::print_stderr, reason = "a failing test shows what its daemon said")]
    fn drop(&mut self) {
        let process = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // Fails only when it has ended already.
        let _ = process.map(|process| kill_process(process, Signal::TERM));
        if !matches!(self.child.wait_timeout(Duration::from_secs(20)), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("---- the log of {} ----\n{}", self.name, tail(&log));
        }
    }
}

/// A folder whose path is short enough for a socket in it.
fn folder(name: &str) -> TempDir {
    tempfile::Builder::new().prefix(&format!("berth-{name}-")).tempdir_in("/tmp").expect("a temporary folder")
}

/// A build context whose Dockerfile adds each of these tars as a layer.
fn context_of(layers: &[PathBuf]) -> TempDir {
    let context = tempfile::tempdir().expect("a temporary folder");
    let mut dockerfile = "FROM scratch\n".to_owned();
    for (index, layer) in layers.iter().enumerate() {
        std::fs::copy(layer, context.path().join(format!("{index}.tar"))).expect("copying a layer");
        dockerfile.push_str(&format!("ADD {index}.tar /\n"));
    }
    dockerfile.push_str("CMD [\"/bin/sh\"]\n");
    std::fs::write(context.path().join("Dockerfile"), dockerfile).expect("writing a Dockerfile");
    context
}
