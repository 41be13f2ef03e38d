//! One more process in a container that runs, looked after by a process of its own.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::process::{DumpableBehavior, WaitOptions};
use serde::{Deserialize, Serialize};

use crate::container::{Config, Folder, State, Status, Streams};
use crate::failure::Failure;
use crate::init;
use crate::monitor::{self, Context, Supervision, Turn};
use crate::wire::Answer;

/// What is to run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// `NAME=value`, besides the container's own.
    pub env: Vec<String>,
    /// Where it starts; empty is where the container's command did.
    pub working_dir: String,
    /// Who it runs as; empty is who the container's command does.
    pub user: String,
    /// Whether it has all rights.
    pub privileged: bool,
    /// Where its input and output go.
    pub streams: Streams,
}

/// Runs what `caller` asks for in the container in `folder`, and tells it how that went.
pub(crate) fn run(folder: &Folder, caller: OwnedFd) -> ExitCode {
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = rustix::process::setsid();
    let mut supervision = Supervision::of_exec(UnixStream::from(caller));
    let outcome = carry_out(folder, &mut supervision).unwrap_or_else(Answer::Failed);
    supervision.say_farewell(&outcome);
    ExitCode::SUCCESS
}

fn carry_out(folder: &Folder, supervision: &mut Supervision) -> Result<Answer, Failure> {
    let failed = |what: &str, error: std::io::Error| Failure::own(format!("{what}: {error}"));
    let config = folder.config().map_err(|error| failed("reading the container", error))?;
    // First of all, so that whoever asks isn't cut off.
    let mut state = State::default();
    let Some(exec) = supervision.asked_for(&mut Context::of(folder, &config, &mut state)) else {
        return Err(Failure::own("nothing was asked for"));
    };
    let of_container = folder.state().map_err(|error| failed("reading the container's state", error))?;
    let first = match (of_container.status, of_container.pid) {
        (Status::Running, Some(pid)) => pid,
        (Status::Paused, _) => return Err(Failure::own("the container stands still; unpause it first")),
        _ => return Err(Failure::own("the container is not running; start it first")),
    };
    let config = Config { streams: exec.streams, ..config };
    let started = init::start_another(folder, &config, &exec, first)?;
    state.pid = Some(started.pid.as_raw_pid());
    supervision.tell_the_caller(Vec::new());
    supervision.begin(started.ends);
    while supervision.turn(Some(&started.handle), None, &mut Context::of(folder, &config, &mut state))
        != Turn::Ended
    {}
    let status = rustix::process::waitpid(Some(started.pid), WaitOptions::empty());
    supervision.drain();
    Ok(Answer::Exited { code: monitor::exit_code(status) })
}
