//! One more process in a container that runs: `exec`.

use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::{fs, io};

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use rustix::fs::Mode;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use super::payload::Payload;
use super::report::{self, Report};
use super::{Started, UMASK, rights};
use crate::container::{Config, First, Folder, Isolation, Process};
use crate::exec::Exec;
use crate::failure::{Failure, chain};
use crate::root::Root;
use crate::streams::{Console, Ends};
use crate::{spec, user};

/// Starts the command of `exec` in the container whose first process is `first`, and waits until it runs.
///
/// # Errors
/// Why it doesn't.
pub(crate) fn start(folder: &Folder, config: &Config, exec: &Exec, first: i32) -> Result<Started, Failure> {
    let failed =
        |what: &str, error: &dyn std::error::Error| Failure::own(format!("{what}: {}", chain(error)));
    let config = joined(config, exec);
    // What the container's own processes see, whatever was mounted there since.
    let root = Root::open(&PathBuf::from(format!("/proc/{first}/root")))
        .map_err(|error| failed("opening the container's root file system", &error))?;
    let user = user::find(&root, &config.process.user, &config.process.groups)?;
    // Whatever is open here, a hostile working folder could name.
    drop(root);
    let (keeps, filters) = rights(&config.isolation)?;
    let (report, told) =
        rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed("a pipe", &error))?;
    report::listen(&told);
    rustix::process::umask(Mode::from_raw_mode(UMASK));
    let payload = Payload { filters, capabilities: keeps, first: First::Command, report: told.as_raw_fd() };
    let process = spec::process(&config, &user, payload.capabilities_until_then())?;
    let described =
        Described::write(folder, &process).map_err(|error| failed("describing the process", &error))?;
    let (mut ends, theirs) =
        Ends::make(config.streams).map_err(|error| failed("making the streams", &error))?;
    let console = Console::listen(folder, config.streams).map_err(|error| failed("the terminal", &error))?;

    let mut builder = ContainerBuilder::new(config.id.as_str().to_owned(), SyscallType::default())
        .with_executor(payload)
        .with_root_path(folder.runtime())
        .map_err(|error| failed("starting", &error))?
        .with_console_socket(console.as_ref().map(Console::path));
    builder.stdin = theirs.stdin;
    builder.stdout = theirs.stdout;
    builder.stderr = theirs.stderr;
    let built =
        builder.as_tenant().with_detach(console.is_some()).with_process(Some(&described.path)).build();
    drop(told);
    let Report { failure, logged } = report::read(report);
    let pid = match (built, failure) {
        (Ok(pid), None) => {
            Pid::from_raw(pid.as_raw()).ok_or_else(|| Failure::own("the command has no process"))?
        }
        (Ok(pid), Some(failure)) => {
            if let Some(pid) = Pid::from_raw(pid.as_raw()) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
                let _ = rustix::process::waitpid(Some(pid), WaitOptions::empty());
            }
            return Err(failure);
        }
        (Err(error), failure) => {
            return Err(failure.unwrap_or_else(|| Failure::own(logged.unwrap_or_else(|| chain(&error)))));
        }
    };
    if let Some(console) = console {
        ends.terminal = Some(console.receive().map_err(|error| failed("the terminal", &error))?);
    }
    let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty())
        .map_err(|error| failed("watching the process", &error))?;
    Ok(Started { pid, handle, ends })
}

/// The container as if it had been asked to run this.
fn joined(config: &Config, exec: &Exec) -> Config {
    let mut env = config.process.env.clone();
    env.extend(exec.env.iter().cloned());
    let own =
        |given: &str, of_container: &str| if given.is_empty() { of_container } else { given }.to_owned();
    let isolation =
        Isolation { privileged: exec.privileged || config.isolation.privileged, ..config.isolation.clone() };
    Config {
        process: Process {
            entrypoint: Vec::new(),
            command: exec.command.clone(),
            env,
            working_dir: own(&exec.working_dir, &config.process.working_dir),
            user: own(&exec.user, &config.process.user),
            groups: if exec.user.is_empty() { config.process.groups.clone() } else { Vec::new() },
            ..Process::default()
        },
        isolation,
        streams: exec.streams,
        ..config.clone()
    }
}

/// The file in which libcontainer is told of the process; it goes with this.
struct Described {
    path: PathBuf,
}

impl Described {
    fn write(folder: &Folder, process: &libcontainer::oci_spec::runtime::Process) -> io::Result<Self> {
        let path = folder.path().join(format!("exec-{}.json", std::process::id()));
        fs::write(&path, serde_json::to_vec(process)?)?;
        Ok(Self { path })
    }
}

impl Drop for Described {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
