//! Pulling and pushing an image on this machine, beside docker, podman and crane: `berth-benches images`.
//!
//! The image is made of this machine's own `/usr`, 400 MB in six layers of gzip. One `berth serve` gives it to
//! all, each pull begins with nothing, each push goes to a new repository. Root, and a folder in memory
//! (`TMPDIR=/dev/shm`), or the disk is what is measured.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::report::progress;
use crate::rivals::{Dockerd, Times, program, ran, take_turns, told};
use crate::servers::Process;

const PASSWORD: &str = "only-for-benches";
const LAYERS: usize = 6;
const LAYER_BYTES: u64 = 400_000_000 / LAYERS as u64;
/// docker, podman: at most half of their time. crane: at most a tenth more.
const PULL_FLOOR: f64 = 0.5;
const PUSH_FLOOR: f64 = 1.1;

/// Measures `berth pull` and `berth push` against docker, podman and crane.
#[derive(clap::Args)]
pub(crate) struct Images {
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
    host: String,
    _server: Process,
}

impl Images {
    /// Measures; whether every floor was reached.
    pub(crate) fn run(&self) -> Result<bool> {
        let root = tempfile::Builder::new().prefix("bi-").tempdir().context("making a folder")?;
        let stage = Stage::new(root.path(), &self.berth)?;
        progress("making an image of 400 MB");
        let layout = stage.make_image()?;
        let reference = format!("{}/bench/image:1", stage.host);
        stage.berth("source", &["load", "-i", &layout.display().to_string()])?;
        stage.berth("source", &["tag", "bench", &reference])?;
        stage.berth("source", &["push", "-q", &reference])?;
        let docker = Dockerd::start(&stage.root)?;
        let mut reached = true;
        let mut pulls = [Times::new("berth"), Times::new("docker"), Times::new("podman")];
        take_turns(self.rounds, &mut pulls, |name, _| match name {
            "berth" => stage.pull(&reference),
            "docker" => docker.pull(&reference),
            _ => stage.podman_pull(&reference),
        })?;
        reached &= told("pull of 400 MB in 6 layers to unpacked", &pulls, &[Some(PULL_FLOOR); 2]);
        let mut pushes = [Times::new("berth"), Times::new("crane")];
        take_turns(self.rounds, &mut pushes, |name, round| {
            let target = format!("{}/bench/{name}-{round}:1", stage.host);
            match name {
                "berth" => stage.push(&layout, &target),
                _ => stage.crane_push(&layout, &target),
            }
        })?;
        reached &= told("push of the same to a new repository", &pushes, &[Some(PUSH_FLOOR)]);
        Ok(reached)
    }
}

impl Stage {
    fn new(root: &Path, berth: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
        let host = listener.local_addr()?.to_string();
        drop(listener);
        let log = File::create(root.join("log"))?;
        let mut command = Command::new(berth);
        command.args(["serve", "--listen", &host, "--data"]).arg(root.join("server"));
        command.env("BERTH_ADMIN_PASSWORD", PASSWORD).stdout(log.try_clone()?).stderr(log);
        let server = Process::start(&mut command).context("starting berth serve")?;
        let (root, berth) = (root.to_owned(), berth.to_owned());
        let stage = Self { root, berth, host, _server: server };
        let login = |stage: &Self| {
            let mut command = stage.program(&stage.berth);
            command.args(["login", "-u", "admin", "--password-stdin", &stage.host]);
            fed(command, PASSWORD)
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(error) = login(&stage) {
            if Instant::now() > deadline {
                return Err(error.context("logging in"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // podman and skopeo read the same file when they are told of it.
        Ok(stage)
    }

    fn program(&self, name: impl AsRef<Path>) -> Command {
        program(&self.root, name)
    }

    /// `berth` on the images of the machine called `data`.
    fn berth(&self, data: &str, arguments: &[&str]) -> Result<Duration> {
        let mut command = self.program(&self.berth);
        ran(command.env("BERTH_DATA", self.root.join(data)).args(arguments))
    }

    fn pull(&self, reference: &str) -> Result<Duration> {
        let took = self.berth("puller", &["pull", "-q", reference])?;
        fs::remove_dir_all(self.root.join("puller")).context("removing what was pulled")?;
        Ok(took)
    }

    fn push(&self, layout: &Path, target: &str) -> Result<Duration> {
        // Loaded anew, so that nothing is known of repositories to mount from.
        self.berth("pusher", &["load", "-i", &layout.display().to_string()])?;
        self.berth("pusher", &["tag", "bench", target])?;
        rustix::fs::sync();
        let took = self.berth("pusher", &["push", "-q", target])?;
        fs::remove_dir_all(self.root.join("pusher")).context("removing what was pushed")?;
        Ok(took)
    }

    fn crane_push(&self, layout: &Path, target: &str) -> Result<Duration> {
        let tools = std::env::var_os("BERTH_TOOLS")
            .map_or_else(|| self.home().join(".cache/berth-tools"), PathBuf::from);
        let mut command = self.program(tools.join("bin/crane"));
        ran(command.args(["push", "--insecure"]).arg(layout).arg(target))
    }

    fn podman_pull(&self, reference: &str) -> Result<Duration> {
        let podman = |arguments: &[&str]| {
            let mut command = self.program("podman");
            command
                .arg("--root")
                .arg(self.root.join("podman"))
                .arg("--runroot")
                .arg(self.root.join("podman-run"));
            ran(command.args(arguments))
        };
        let took = podman(&["pull", "-q", "--tls-verify=false", reference])?;
        podman(&["rmi", "-af"])?;
        Ok(took)
    }

    fn home(&self) -> PathBuf {
        std::env::home_dir().unwrap_or_else(|| self.root.clone())
    }

    /// An OCI layout of one image called `bench`.
    fn make_image(&self) -> Result<PathBuf> {
        let layout = self.root.join("layout");
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
        for (number, list) in shares()?.into_iter().enumerate() {
            let tar = self.root.join("layer.tar");
            let names = self.root.join(format!("names-{number}"));
            fs::write(&names, list.join("\n"))?;
            let mut pack = self.program("tar");
            pack.arg("-cf").arg(&tar).args(["-C", "/", "--no-recursion", "-T"]).arg(&names);
            ran(&mut pack)?;
            diff_ids.push(format!("sha256:{}", hash(&tar)?));
            ran(self.program("gzip").arg("-6").arg(&tar))?;
            let packed = self.root.join("layer.tar.gz");
            let (hex, size) = (hash(&packed)?, fs::metadata(&packed)?.len());
            fs::rename(&packed, blobs.join(&hex))?;
            let kind = "application/vnd.oci.image.layer.v1.tar+gzip";
            layers.push(json!({"mediaType": kind, "digest": format!("sha256:{hex}"), "size": size}));
        }
        let put = |kind: &str, content: &Value| -> Result<Value> {
            let text = content.to_string();
            let hex = hex::encode(Sha256::digest(&text));
            fs::write(blobs.join(&hex), &text)?;
            Ok(json!({"mediaType": kind, "digest": format!("sha256:{hex}"), "size": text.len()}))
        };
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = put("application/vnd.oci.image.config.v1+json", &config)?;
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let image = json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers});
        let mut image = put(kind, &image)?;
        image["annotations"] = json!({"io.containerd.image.name": "docker.io/library/bench:latest"});
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [image],
        });
        fs::write(layout.join("index.json"), index.to_string())?;
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(layout)
    }
}

/// Files of `/usr` in so many shares of about the same size, the largest folders' first.
fn shares() -> Result<Vec<Vec<String>>> {
    let found = Command::new("find")
        .args([
            "/usr", "-xdev", "(", "-type", "f", "-o", "-type", "l", ")", "-size", "-20000k", "-printf",
            "%s %P\n",
        ])
        .output()
        .context("listing /usr")?;
    let mut shares: Vec<Vec<String>> = vec![Vec::new()];
    let mut size = 0;
    for line in String::from_utf8_lossy(&found.stdout).lines() {
        let Some((bytes, path)) = line.split_once(' ') else { continue };
        if size >= LAYER_BYTES {
            if shares.len() == LAYERS {
                break;
            }
            shares.push(Vec::new());
            size = 0;
        }
        size += bytes.parse::<u64>().unwrap_or(0);
        if let Some(share) = shares.last_mut() {
            share.push(format!("usr/{path}"));
        }
    }
    match shares.len() == LAYERS {
        true => Ok(shares),
        false => bail!("/usr has too little in it for an image of 400 MB"),
    }
}

fn hash(path: &Path) -> Result<String> {
    let (mut file, mut hasher, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(hex::encode(hasher.finalize()));
        }
        hasher.update(&piece[..read]);
    }
}

fn fed(mut command: Command, input: &str) -> Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
