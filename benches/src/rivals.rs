//! Programs that do the same in turn, each as a process of its own, and their times.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::servers::Process;

/// Times of one program, in seconds.
pub(crate) struct Times {
    pub(crate) name: &'static str,
    pub(crate) all: Vec<f64>,
}

impl Times {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, all: Vec::new() }
    }

    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.all.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
    }
}

/// Prints medians and ratios; the first of `times` is Berth's, and `floors` are those of the others, in their order.
/// One without a floor is there for comparison.
#[expect(clippy::print_stdout, reason = "printing is what a bench is for")]
pub(crate) fn told(what: &str, times: &[Times], floors: &[Option<f64>]) -> bool {
    println!("{what}, medians of {}:", times[0].all.len());
    let own = times[0].median();
    println!("  {:<8}{own:>8.3} s", times[0].name);
    let mut reached = true;
    for (rival, floor) in times[1..].iter().zip(floors) {
        let ratio = own / rival.median();
        let mark = match floor {
            Some(floor) if ratio <= *floor => format!("✓ ≤ {floor}"),
            Some(floor) => format!("✗ ≤ {floor}"),
            None => String::new(),
        };
        reached &= floor.is_none_or(|floor| ratio <= floor);
        println!("  {:<8}{:>8.3} s   ratio {ratio:.2}   {mark}", rival.name, rival.median());
    }
    reached
}

/// Lets each of `times` take its turn in each round, another one first each time.
pub(crate) fn take_turns(
    rounds: u32,
    times: &mut [Times],
    mut turn: impl FnMut(&'static str, u32) -> Result<Duration>,
) -> Result<()> {
    for round in 0..rounds {
        for place in 0..times.len() {
            let at = (round as usize + place) % times.len();
            rustix::fs::sync();
            let took = turn(times[at].name, round)?;
            times[at].all.push(took.as_secs_f64());
        }
    }
    Ok(())
}

/// A program in a home of its own.
pub(crate) fn program(home: &Path, program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command
        .env("HOME", home)
        .env("DOCKER_CONFIG", home.join(".docker"))
        .env("REGISTRY_AUTH_FILE", home.join(".docker/config.json"))
        .stdin(Stdio::null());
    command
}

/// A daemon of docker's own, without a network.
pub(crate) struct Dockerd {
    home: PathBuf,
    socket: String,
    _process: Process,
}

impl Dockerd {
    pub(crate) fn start(home: &Path) -> Result<Self> {
        let folder = home.join("docker");
        fs::create_dir_all(&folder)?;
        let socket = format!("unix://{}", folder.join("sock").display());
        let log = File::create(folder.join("log"))?;
        let mut command = program(home, "/usr/sbin/dockerd");
        command.arg("--data-root").arg(folder.join("data")).arg("--exec-root").arg(folder.join("exec"));
        command.arg("--pidfile").arg(folder.join("pid")).args(["--host", &socket]);
        command.args(["--bridge", "none", "--iptables=false", "--ip6tables=false"]);
        let process =
            Process::start(command.stdout(log.try_clone()?).stderr(log)).context("starting dockerd")?;
        let docker = Self { home: home.to_owned(), socket, _process: process };
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Err(error) = docker.call(&["version"]) {
            if Instant::now() > deadline {
                return Err(error.context("waiting for dockerd"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(docker)
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Result<Duration> {
        ran(program(&self.home, "/usr/bin/docker").args(["--host", &self.socket]).args(arguments))
    }

    pub(crate) fn pull(&self, reference: &str) -> Result<Duration> {
        let took = self.call(&["pull", "-q", reference])?;
        self.call(&["rmi", "-f", reference])?;
        Ok(took)
    }
}

/// Runs a program to its end; says how long it took.
pub(crate) fn ran(command: &mut Command) -> Result<Duration> {
    let started = Instant::now();
    let output = command.output().with_context(|| format!("running {:?}", command.get_program()))?;
    let took = started.elapsed();
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(took)
}
