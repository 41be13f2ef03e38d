//! Each registry as a process: started in a folder of its own, watched, stopped, its data removed.

mod berth;
mod distribution;
mod docker_registry;
mod nginx;
mod process;
mod seed;
mod stores;

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::client::{Body, Client};
use crate::programs::Programs;
pub(crate) use berth::basic;
pub(crate) use process::{Process, stop_all_when_interrupted};
pub(crate) use seed::{MANIFEST_TYPE, with_digest};
pub(crate) use stores::{Delivery, Place, Stores};

/// The registries compared. nginx serves the same bytes as static files: the limit, not a rival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    DockerRegistry,
    Distribution,
    Nginx,
    Berth,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::DockerRegistry, Self::Distribution, Self::Nginx, Self::Berth];
    pub(crate) const REGISTRIES: [Self; 3] = [Self::DockerRegistry, Self::Distribution, Self::Berth];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DockerRegistry => "docker-registry",
            Self::Distribution => "distribution",
            Self::Nginx => "nginx",
            Self::Berth => "berth",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A running server. Dropping it ends the process and removes its data.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    pub(crate) folder: PathBuf,
    /// Where it keeps what it is given; none: in its folder.
    pub(crate) place: Option<Place>,
    pub(crate) process: Process,
    seeded: Vec<String>,
}

impl Server {
    pub(crate) fn start(
        programs: &Programs,
        kind: Kind,
        folder: PathBuf,
        place: Option<Place>,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder.join("data"))?;
        let (address, process, _) = start(programs, kind, &folder, place.as_ref())?;
        Ok(Self { kind, address, folder, place, process, seeded: Vec::new() })
    }

    /// Stops it and starts it on the data it left; gives the time from start to the first answer.
    pub(crate) fn start_again(&mut self, programs: &Programs) -> Result<Duration> {
        self.process.stop();
        let (address, process, took) = start(programs, self.kind, &self.folder, self.place.as_ref())?;
        (self.address, self.process) = (address, process);
        Ok(took)
    }

    /// Stops it and serves the data it left at the open door, where nobody is asked who they are.
    pub(crate) fn open_the_door(&mut self) -> Result<()> {
        self.process.stop();
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe().context("finding the benches' own program")?);
        command.args(["open-door", "--listen", &address.to_string(), "--data"]).arg(self.folder.join("data"));
        let (process, _) = launch("the open door", command, &self.folder, address)?;
        (self.address, self.process) = (address, process);
        Ok(())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A connection that may push to and pull from `repository`.
    pub(crate) fn client(&self, repository: &str) -> Result<Client> {
        Client::connect(self.address, self.authorization(repository)?)
    }

    /// Logs in, where the server asks for it: the value of `Authorization` for `repository`.
    pub(crate) fn authorization(&self, repository: &str) -> Result<Option<String>> {
        match self.kind {
            Kind::Berth => berth::bearer(self.address, repository).map(Some),
            Kind::DockerRegistry | Kind::Distribution | Kind::Nginx => Ok(None),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.stop();
        // Best effort: the folder that holds it goes at the end.
        let _ = std::fs::remove_dir_all(&self.folder);
        if let Some(place) = &self.place {
            place.clear();
        }
    }
}

fn start(
    programs: &Programs,
    kind: Kind,
    folder: &Path,
    place: Option<&Place>,
) -> Result<(SocketAddr, Process, Duration)> {
    let address = free_address()?;
    let program = programs.of(kind);
    let command = match kind {
        Kind::DockerRegistry => docker_registry::command(program, folder, address)?,
        Kind::Distribution => distribution::command(program, folder, address, place)?,
        Kind::Nginx => nginx::command(program, folder, address)?,
        Kind::Berth => berth::command(program, folder, address, place)?,
    };
    let (process, took) = launch(kind.name(), command, folder, address)?;
    Ok((address, process, took))
}

/// Runs it until its first answer; says how long that took.
fn launch(
    name: &str,
    mut command: Command,
    folder: &Path,
    address: SocketAddr,
) -> Result<(Process, Duration)> {
    let log = folder.join("log");
    log_to(&mut command, &log)?;
    let started = Instant::now();
    let process = Process::start(&mut command).with_context(|| format!("starting {name}"))?;
    if let Err(error) = wait_for_answer(address, &process) {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        bail!("starting {name}: {error:#}; it wrote: {said}");
    }
    Ok((process, started.elapsed()))
}

fn log_to(command: &mut Command, path: &Path) -> Result<()> {
    let log = File::options().create(true).append(true).open(path)?;
    command.stdin(std::process::Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(())
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?)
}

/// Waits for any answer on `/v2/`; with authentication that is a 401.
fn wait_for_answer(address: SocketAddr, process: &Process) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = Client::connect(address, None)
            .and_then(|mut client| client.send("GET", "/v2/", None, Body::Empty));
        match answer {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error.context("no answer in 20 s")),
            Err(_) if !process.is_running() => bail!("it ended at once"),
            Err(_) => std::thread::sleep(Duration::from_micros(200)),
        }
    }
}
