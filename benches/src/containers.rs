//! Starting containers on this machine, beside docker, podman and crun: `berth-benches containers`.
//!
//! All run `/bin/true` of one image of busybox that is here already, crun as a ready bundle. Root, and a folder
//! in memory (`TMPDIR=/dev/shm`). crun and podman of Debian 12 refuse control groups of both versions at once, so
//! this runs itself again where the second is not mounted.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::report::progress;
use crate::rivals::{Dockerd, Times, program, ran, take_turns, told};

/// The name of the image, of whoever has it.
const IMAGE: &str = "bench:latest";
/// How many containers are started one after another, and left.
const MANY: usize = 50;
/// How many containers' memory is looked at.
const WATCHED: usize = 20;
/// How long they are left alone before.
const LEFT_ALONE: Duration = Duration::from_secs(60);
const CRUN_FLOOR: Option<f64> = Some(2.2);
const DOCKER_FLOOR: Option<f64> = Some(0.08);
/// Of crun without a network.
const BRIDGE_FLOOR: Option<f64> = Some(4.0);
/// KiB for each container.
const MEMORY_FLOOR: u64 = 3 << 10;
/// Tells this program that it is where it belongs.
const APART: &str = "BERTH_BENCHES_APART";

/// Measures `berth run` against docker, podman and crun.
#[derive(clap::Args)]
pub(crate) struct Containers {
    /// How often each is done; the median counts.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// The `berth` to measure, built with `--release`.
    #[arg(long)]
    berth: PathBuf,
}

/// What is measured, and where.
struct Stage {
    root: PathBuf,
    berth: PathBuf,
    docker: Dockerd,
}

impl Containers {
    /// Measures; whether every floor was reached.
    pub(crate) fn run(&self) -> Result<bool> {
        if std::env::var_os(APART).is_none() {
            return Err(run_apart()).context("starting where crun can run");
        }
        let root = tempfile::Builder::new().prefix("bc-").tempdir().context("making a folder")?;
        let stage = Stage::new(root.path(), &self.berth)?;
        let mut reached = true;

        progress("one container after another, removed again");
        let mut starts = ["berth", "crun", "docker", "podman"].map(Times::new);
        take_turns(self.rounds, &mut starts, |name, round| stage.start(name, round))?;
        reached &=
            told("run --rm of /bin/true without a network", &starts, &[CRUN_FLOOR, DOCKER_FLOOR, None]);

        progress("the same on a bridge");
        let mut bridged = ["berth", "crun"].map(Times::new);
        take_turns(self.rounds, &mut bridged, |name, round| match name {
            "berth" => stage.berth(&["run", "--rm", IMAGE, "true"]),
            name => stage.start(name, round),
        })?;
        reached &= told("run --rm of /bin/true on a bridge", &bridged, &[BRIDGE_FLOOR]);

        progress("50 containers that stay");
        let mut many = ["berth", "crun", "docker"].map(Times::new);
        take_turns(self.rounds.div_ceil(3), &mut many, |name, _| stage.start_many(name))?;
        reached &= told("50 detached containers one after another", &many, &[CRUN_FLOOR, DOCKER_FLOOR]);

        progress("what Berth's processes keep in memory");
        Ok(stage.memory()? && reached)
    }
}

/// Becomes this program once more, with mounts of its own; comes back only when that fails.
fn run_apart() -> std::io::Error {
    let itself = match std::env::current_exe() {
        Ok(itself) => itself,
        Err(error) => return error,
    };
    let script = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", script])
        .arg(itself)
        .args(std::env::args_os().skip(1))
        .env(APART, "1")
        .exec()
}

impl Stage {
    fn new(root: &Path, berth: &Path) -> Result<Self> {
        let docker = Dockerd::start(root)?;
        let stage = Self { root: root.to_owned(), berth: berth.to_owned(), docker };
        let files = stage.root.join("crun/rootfs");
        make_files(&files)?;
        let layout = stage.make_image(&files)?;
        let layout = layout.display().to_string();
        stage.berth(&["load", "-i", &layout])?;
        stage.podman(&["pull", "-q", &format!("oci:{layout}")])?;
        stage.podman(&["tag", &stage.only_image()?, IMAGE])?;
        let archive = stage.root.join("image.tar").display().to_string();
        stage.berth(&["save", "-o", &archive, IMAGE])?;
        stage.docker.call(&["load", "-i", &archive])?;
        stage.make_bundle()?;
        Ok(stage)
    }

    fn start(&self, name: &str, round: u32) -> Result<Duration> {
        let run = ["run", "--rm", "--network", "none", IMAGE, "true"];
        match name {
            "berth" => self.berth(&run),
            "docker" => self.docker.call(&run),
            "podman" => self.podman(&run),
            _ => self.crun(&["run", "--bundle", "crun", &format!("once-{round}")]),
        }
    }

    /// Starts many, and removes them again, which isn't counted.
    fn start_many(&self, name: &str) -> Result<Duration> {
        let names: Vec<String> = (0..MANY).map(|number| format!("bench-{number}")).collect();
        let started = Instant::now();
        for own in &names {
            let run = ["run", "-d", "--network", "none", "--name", own, IMAGE, "sleep", "1000"];
            match name {
                "berth" => self.berth(&run)?,
                "docker" => self.docker.call(&run)?,
                _ => self.crun(&["run", "--detach", "--bundle", "crun-sleep", own])?,
            };
        }
        let took = started.elapsed();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let remove = [&["rm", "-f"], names.as_slice()].concat();
        match name {
            "berth" => drop(self.berth(&remove)?),
            "docker" => drop(self.docker.call(&remove)?),
            _ => names.iter().try_for_each(|own| self.crun(&["delete", "--force", own]).map(drop))?,
        }
        Ok(took)
    }

    /// Whether what Berth keeps for a container stays below its floor.
    #[expect(clippy::print_stdout, reason = "printing is what a bench is for")]
    fn memory(&self) -> Result<bool> {
        let names: Vec<String> = (0..WATCHED).map(|number| format!("watched-{number}")).collect();
        for own in &names {
            self.berth(&["run", "-d", "--network", "none", "--name", own, IMAGE, "sleep", "1000"])?;
        }
        std::thread::sleep(LEFT_ALONE);
        let mut kept = kept_by(&self.root)?;
        kept.sort_unstable();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.berth(&[&["rm", "-f"], names.as_slice()].concat())?;
        if kept.len() != WATCHED {
            bail!("{} processes look after {WATCHED} containers", kept.len());
        }
        let median = kept[kept.len() / 2];
        let mark = if median <= MEMORY_FLOOR { '✓' } else { '✗' };
        println!("memory of Berth's process for a container, median of {WATCHED} after a minute:");
        println!("  berth   {median:>8} KiB   {mark} ≤ {MEMORY_FLOOR} KiB");
        Ok(median <= MEMORY_FLOOR)
    }

    fn berth(&self, arguments: &[&str]) -> Result<Duration> {
        let mut command = program(&self.root, &self.berth);
        ran(command.env("BERTH_DATA", self.root.join("data")).args(arguments))
    }

    fn crun(&self, arguments: &[&str]) -> Result<Duration> {
        let mut command = program(&self.root, "crun");
        // What stays behind would keep a pipe open.
        let started = Instant::now();
        let log = File::create(self.root.join("crun-log"))?;
        let status = command
            .current_dir(&self.root)
            .arg("--root")
            .arg(self.root.join("crun-state"))
            .args(arguments)
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()
            .context("running crun")?;
        let took = started.elapsed();
        if !status.success() {
            bail!("crun {arguments:?}: {}", fs::read_to_string(self.root.join("crun-log"))?);
        }
        Ok(took)
    }

    fn podman(&self, arguments: &[&str]) -> Result<Duration> {
        let mut command = self.podman_command();
        ran(command.args(arguments))
    }

    fn podman_command(&self) -> Command {
        let mut command = program(&self.root, "podman");
        command
            .arg("--root")
            .arg(self.root.join("podman"))
            .arg("--runroot")
            .arg(self.root.join("podman-run"));
        // More than this process has can't be given.
        command.arg("--cgroup-manager=cgroupfs");
        command
    }

    fn only_image(&self) -> Result<String> {
        let output = self.podman_command().args(["images", "-q"]).output().context("running podman")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// An OCI layout of one image of one layer.
    fn make_image(&self, files: &Path) -> Result<PathBuf> {
        let layout = self.root.join("layout");
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        let tar = self.root.join("layer.tar");
        ran(program(&self.root, "tar").arg("-C").arg(files).arg("-cf").arg(&tar).arg("."))?;
        let put = |kind: &str, bytes: &[u8]| -> Result<Value> {
            let hex = hex::encode(Sha256::digest(bytes));
            fs::write(blobs.join(&hex), bytes)?;
            Ok(json!({"mediaType": kind, "digest": format!("sha256:{hex}"), "size": bytes.len()}))
        };
        let layer = put("application/vnd.oci.image.layer.v1.tar", &fs::read(&tar)?)?;
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        });
        let config = put("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes())?;
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let image = json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]});
        let mut image = put(kind, image.to_string().as_bytes())?;
        image["annotations"] = json!({"org.opencontainers.image.ref.name": IMAGE});
        let index = json!({"schemaVersion": 2, "manifests": [image]});
        fs::write(layout.join("index.json"), index.to_string())?;
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(layout)
    }

    /// Two bundles for crun, over the same files: one that ends at once, and one that stays.
    fn make_bundle(&self) -> Result<()> {
        let folder = self.root.join("crun");
        ran(program(&self.root, "crun").arg("spec").current_dir(&folder))?;
        let mut spec: Value = serde_json::from_slice(&fs::read(folder.join("config.json"))?)?;
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(["/bin/true"]);
        fs::write(folder.join("config.json"), spec.to_string())?;
        let stays = self.root.join("crun-sleep");
        fs::create_dir(&stays)?;
        spec["process"]["args"] = json!(["/bin/sleep", "1000"]);
        spec["root"]["path"] = json!(folder.join("rootfs"));
        fs::write(stays.join("config.json"), spec.to_string())?;
        Ok(())
    }
}

/// busybox under the names that are needed.
fn make_files(folder: &Path) -> Result<()> {
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(folder.join(name))?;
    }
    fs::copy("/bin/busybox", folder.join("bin/busybox")).context("copying busybox, of busybox-static")?;
    for name in ["sh", "true", "sleep"] {
        symlink("busybox", folder.join("bin").join(name))?;
    }
    Ok(())
}

/// The KiB that each process which looks after a container below `data` keeps for itself, or shares with nobody.
fn kept_by(data: &Path) -> Result<Vec<u64>> {
    let mut kept = Vec::new();
    for process in fs::read_dir("/proc").context("listing processes")?.filter_map(Result::ok) {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0).map(OsStr::from_bytes);
        if words.nth(1) != Some(OsStr::new("isolated-process")) {
            continue;
        }
        if !words.next().is_some_and(|folder| Path::new(folder).starts_with(data)) {
            continue;
        }
        let rollup = fs::read_to_string(process.path().join("smaps_rollup")).unwrap_or_default();
        let number =
            |line: &str| line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
        let wanted = ["Private_Clean:", "Private_Dirty:", "Pss_Shmem:"];
        let lines = rollup.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
        kept.push(lines.filter_map(number).sum());
    }
    Ok(kept)
}
