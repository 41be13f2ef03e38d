//! Starting an isolated process: the one way to do it, for `run`, `start`, restarts and the builder.
//!
//! libcontainer does the dangerous part. It must be called in a process with one thread, so all of this runs
//! in the monitor (see [`crate::monitor`]), never in the command itself.

mod payload;
mod places;
mod program;
mod reaper;
mod report;
mod tenant;
mod ulimits;

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags};
use rustix::thread::CapabilitySet;

use crate::capabilities;
use crate::cgroup;
use crate::container::{Config, Folder, Isolation, NetworkMode, Streams, Ulimit};
use crate::failure::{Failure, chain};
use crate::network::{self, Files, Member};
use crate::root::Root;
use crate::seccomp::{Filters, Policy};
use crate::streams::{Console, Ends};
use crate::user::{self, User};
use crate::{spec, volumes};

use payload::Payload;
use report::Report;
pub(crate) use tenant::start as start_another;

/// A container's first process.
pub(crate) struct Started {
    pub(crate) pid: Pid,
    /// Readable when it has ended.
    pub(crate) handle: OwnedFd,
    /// Our ends of its streams.
    pub(crate) ends: Ends,
}

/// Starts the command of a container whose root file system is mounted, and waits until it runs.
///
/// What is done otherwise than asked is added to `notes`.
///
/// # Errors
/// Why it doesn't; nothing of it is left then.
pub(crate) fn start(
    folder: &Folder,
    config: &Config,
    place: Option<&Member>,
    notes: &mut Vec<String>,
) -> Result<Started, Failure> {
    let result = prepare(folder, config, place, notes)
        .and_then(|prepared| create_and_start(folder, config, place, prepared));
    if result.is_err() {
        // The failure that is told is the first one.
        let _ = clean_up(folder, config);
    }
    result
}

/// Removes what a container's process has left behind once it has ended.
pub(crate) fn clean_up(folder: &Folder, config: &Config) -> std::io::Result<()> {
    cgroup::remove(&config.id)?;
    match fs::remove_dir_all(folder.runtime()) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What must be known before libcontainer is asked.
struct Prepared {
    user: User,
    files: Files,
    keeps: CapabilitySet,
    filters: Filters,
    ulimits: Vec<Ulimit>,
}

/// What every process of a container starts with, as docker's do.
const UMASK: u32 = 0o022;

fn prepare(
    folder: &Folder,
    config: &Config,
    place: Option<&Member>,
    notes: &mut Vec<String>,
) -> Result<Prepared, Failure> {
    let root = Root::open(&config.root.merged)
        .map_err(|error| Failure::own(format!("opening the root file system: {error}")))?;
    let user = user::find(&root, &config.process.user, &config.process.groups)?;
    make_working_folder(&root, config)?;
    volumes::fill(&root, config)?;
    let files = Files::write(folder.path(), config, place)
        .map_err(|error| Failure::own(format!("writing the container's hosts file and its like: {error}")))?;
    places::prepare(&root, config, &files)?;
    // Whatever is open here, a hostile working folder could name.
    drop(root);
    let (keeps, filters) = rights(&config.isolation)?;
    let ulimits = ulimits::within_reach(&config.process.ulimits, notes)?;
    Ok(Prepared { user, files, keeps, filters, ulimits })
}

/// The capabilities and the filter of system calls of a container's processes.
fn rights(isolation: &Isolation) -> Result<(CapabilitySet, Filters), Failure> {
    let (keeps, policy) = match isolation.privileged {
        true => (capabilities::all(), Policy::Unconfined),
        false => (
            capabilities::chosen(&isolation.cap_add, &isolation.cap_drop, capabilities::all())?,
            isolation.seccomp,
        ),
    };
    let filters = Filters::new(policy, keeps)
        .map_err(|wrong| Failure::own(format!("making the filter of system calls: {wrong}")))?;
    Ok((keeps, filters))
}

/// Docker makes the folder in which the command starts. What is mounted later hides what would be made there.
fn make_working_folder(root: &Root, config: &Config) -> Result<(), Failure> {
    let path = Path::new(&config.process.working_dir);
    let failed = |wrong: String| Failure::own(format!("the working folder {}: {wrong}", path.display()));
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    if !path.is_absolute() {
        return Err(failed("it is not absolute".to_owned()));
    }
    if ["/proc", "/sys", "/dev"].iter().any(|mounted| path.starts_with(mounted)) {
        return Ok(());
    }
    match root.make_folders(path, Mode::from_raw_mode(0o755)) {
        Ok(_) => Ok(()),
        Err(Errno::NOTDIR) => Err(failed("something else than a folder is there".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn create_and_start(
    folder: &Folder,
    config: &Config,
    place: Option<&Member>,
    prepared: Prepared,
) -> Result<Started, Failure> {
    let failed =
        |what: &str, error: &dyn std::error::Error| Failure::own(format!("{what}: {}", chain(error)));
    let (report, told) =
        rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed("a pipe", &error))?;
    report::listen(&told);
    rustix::process::umask(Mode::from_raw_mode(UMASK));
    let payload = Payload {
        filters: prepared.filters,
        capabilities: prepared.keeps,
        first: config.process.first,
        report: told.as_raw_fd(),
    };
    let until_then = payload.capabilities_until_then();
    let spec = spec::build(config, &prepared.user, &prepared.ulimits, &prepared.files, until_then)?;
    make_bundle(folder, &spec).map_err(|error| failed("writing the specification", &error))?;
    let (ends, theirs) = Ends::make(config.streams).map_err(|error| failed("making the streams", &error))?;
    let console = Console::listen(folder, config.streams).map_err(|error| failed("the terminal", &error))?;

    let mut builder = ContainerBuilder::new(config.id.as_str().to_owned(), SyscallType::default())
        .with_executor(payload)
        .with_root_path(folder.runtime())
        .map_err(|error| failed("starting", &error))?
        .with_console_socket(console.as_ref().map(Console::path));
    builder.stdin = theirs.stdin;
    builder.stdout = theirs.stdout;
    builder.stderr = theirs.stderr;
    let built = builder.as_init(folder.bundle()).with_systemd(false).with_detach(console.is_some()).build();
    let mut container = match built {
        Ok(container) => container,
        Err(error) => {
            drop(told);
            // What the command's own process says is nearest to the truth, and the log is nearer than the error.
            let Report { failure, logged } = report::read(report);
            let otherwise = || Failure::own(logged.unwrap_or_else(|| chain(&error)));
            return Err(failure.unwrap_or_else(otherwise));
        }
    };
    let pid = pid(&container)?;
    let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty())
        .map_err(|error| failed("watching the container's process", &error))?;
    let result = let_it_run(config, place, &mut container, console, pid, ends);
    drop(told);
    let failure = match result {
        Ok(ends) => match report::read(report).failure {
            None => return Ok(Started { pid, handle, ends }),
            Some(failure) => failure,
        },
        Err(failure) => failure,
    };
    let _ = rustix::process::pidfd_send_signal(&handle, rustix::process::Signal::KILL);
    let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    Err(failure)
}

fn let_it_run(
    config: &Config,
    place: Option<&Member>,
    container: &mut Container,
    console: Option<Console>,
    pid: Pid,
    mut ends: Ends,
) -> Result<Ends, Failure> {
    let failed =
        |what: &str, error: &dyn std::error::Error| Failure::own(format!("{what}: {}", chain(error)));
    if let Some(console) = console {
        ends.terminal = Some(console.receive().map_err(|error| failed("the terminal", &error))?);
    }
    if !config.isolation.privileged {
        let restricted = cgroup::restrict_devices(&config.id, &config.isolation.devices);
        restricted.map_err(|error| failed("restricting the container's devices", &error))?;
    }
    if config.network.mode != NetworkMode::Host {
        network::connect(pid.as_raw_pid(), place).map_err(|error| failed("connecting it", &error))?;
    }
    if place.is_some() {
        network::introduce_all(config)?;
    }
    container.start().map_err(|error| failed("starting the container's process", &error))?;
    Ok(ends)
}

fn pid(container: &Container) -> Result<Pid, Failure> {
    let pid = container.pid().and_then(|pid| Pid::from_raw(pid.as_raw()));
    pid.ok_or_else(|| Failure::own("starting the container: it has no process"))
}

fn make_bundle(folder: &Folder, spec: &libcontainer::oci_spec::runtime::Spec) -> std::io::Result<()> {
    // What an interrupted start has left would be taken for a container that is there.
    match fs::remove_dir_all(folder.runtime()) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder.runtime())?;
    fs::create_dir_all(folder.bundle())?;
    fs::write(folder.bundle().join("config.json"), serde_json::to_vec(spec)?)
}

impl Streams {
    /// Whether the command has a terminal.
    #[must_use]
    pub fn has_terminal(self) -> bool {
        matches!(self, Self::Monitor { tty: true, .. })
    }
}
