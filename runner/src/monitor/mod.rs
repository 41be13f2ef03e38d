//! What looks after one container: a process of its own, with one thread, that outlives who started it.
//!
//! It is the hidden sub-command of the `berth` binary, started by [`crate::launch`]. It makes the container's
//! mounts in a mount namespace of its own, so that they go when it does, starts the process, keeps its output,
//! and knows how it ended. It holds the container's lock as long as it looks after it.

mod client;
mod input;
pub(crate) mod log;
mod restart;
mod supervision;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{DumpableBehavior, Pid, WaitOptions, WaitStatus};

use crate::container::{Config, Folder, Lock, NetworkMode, State, Status, Streams, Volumes, remove_whole};
use crate::failure::Failure;
use crate::init::{self, Started};
use crate::network::{self, Place};
use crate::wire::{Answer, FromMonitor};
use crate::{cgroup, overlay, process_table, streams};
use client::Client;
use log::Log;
pub(crate) use supervision::{Supervision, Turn};

/// The socket in a container's folder at which its monitor listens.
pub(crate) const SOCKET: &str = "monitor.sock";

/// How long a monitor waits for who looks at the container at this moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Looks after the container in `folder`; `caller` hears how it went.
pub(crate) fn run(folder: &Folder, caller: OwnedFd) -> ExitCode {
    let mut caller = Client::new(UnixStream::from(caller));
    match begin(folder) {
        Ok((lock, config)) => {
            let mut monitor = Monitor::new(folder, config, caller);
            monitor.look_after();
            monitor.end(lock);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            caller.send(&FromMonitor::Answer(Answer::Failed(failure)));
            caller.flush_all();
            ExitCode::FAILURE
        }
    }
}

/// Everything that is done once, however often the container is started.
fn begin(folder: &Folder) -> Result<(Lock, Config), Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| Failure::own(format!("{what}: {error}"));
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let lock =
        Lock::take_within(folder, LOCK_PATIENCE).map_err(|error| failed("locking the container", &error))?;
    let lock = lock.ok_or_else(|| Failure::own("the container is running already"))?;
    let config = folder.config().map_err(|error| failed("reading what the container is to be", &error))?;
    if let Streams::Monitor { .. } = config.streams {
        // The terminal of who starts it sends it no signals.
        let _ = rustix::process::setsid();
    }
    overlay::make_folders(&config.root).map_err(|error| failed("making the container's folders", &error))?;
    overlay::enter_own_mounts().map_err(|error| failed("making mounts of its own", &error))?;
    overlay::mount(&config.root)?;
    Ok((lock, config))
}

struct Monitor<'a> {
    folder: &'a Folder,
    config: Config,
    state: State,
    /// What it was before it was started.
    before: Status,
    /// Its place in its network, which it keeps while it is started again.
    place: Option<Place>,
    supervision: Supervision,
    outcome: Option<Answer>,
}

impl<'a> Monitor<'a> {
    fn new(folder: &'a Folder, config: Config, caller: Client) -> Self {
        let (log, listener) = match config.streams {
            Streams::Caller => (None, None),
            Streams::Monitor { .. } => {
                (Some(Log::new(folder.path(), &config.care)), streams::listen(folder, SOCKET).ok())
            }
        };
        let before = folder.state().unwrap_or_default();
        let before = State { restarts: 0, stopped_by_hand: false, error: String::new(), ..before };
        let state = State { status: Status::Starting, ..before.clone() };
        let supervision = Supervision::new(caller, listener, log, config.streams);
        Self { folder, config, state, before: before.status, place: None, supervision, outcome: None }
    }

    /// Starts the container, and again as its policy says, until it has ended for good.
    fn look_after(&mut self) {
        let mut delay = restart::Delay::default();
        self.supervision.hear_the_caller(&mut Context::of(self.folder, &self.config, &mut self.state));
        // Before anything of the machine is taken: who is killed from here on is cleaned up after.
        self.keep_state();
        if self.config.network.mode == NetworkMode::Bridge {
            match network::take(self.folder, &self.config) {
                Ok(place) => self.place = Some(place),
                Err(failure) => return self.could_not_start(failure),
            }
        }
        loop {
            let mut notes = Vec::new();
            let member = self.place.as_ref().map(|place| &place.member);
            let started = match init::start(self.folder, &self.config, member, &mut notes) {
                Ok(started) => started,
                Err(failure) => return self.could_not_start(failure),
            };
            let since = Instant::now();
            self.now_runs(&started, notes);
            let code = self.until_it_ends(started);
            let again = restart::wanted(self.config.care.restart, &self.state, code);
            self.has_ended(code, if again { Status::Restarting } else { Status::Exited });
            if !again || self.wait_before_restart(delay.next(since.elapsed())) == Turn::Stop {
                self.state.status = Status::Exited;
                self.outcome = Some(Answer::Exited { code });
                return;
            }
            self.state.restarts += 1;
        }
    }

    fn now_runs(&mut self, started: &Started, notes: Vec<String>) {
        let pid = started.pid.as_raw_pid();
        self.state = State {
            status: Status::Running,
            pid: Some(pid),
            pid_started: process_table::start_time(pid),
            started: Some(now()),
            oom_killed: false,
            place: self.place.as_ref().map(|place| place.member.clone()),
            ..std::mem::take(&mut self.state)
        };
        self.keep_state();
        self.supervision.tell_the_caller(notes);
    }

    fn could_not_start(&mut self, failure: Failure) {
        self.state.exit_code = i32::from(failure.exit_code());
        self.state.error.clone_from(&failure.sentence);
        self.state.status = match self.state.status {
            Status::Starting => self.before,
            _ => Status::Exited,
        };
        self.keep_state();
        self.outcome = Some(Answer::Failed(failure));
    }

    /// Serves whoever is connected until the process has ended; its exit code.
    fn until_it_ends(&mut self, started: Started) -> i32 {
        self.supervision.begin(started.ends);
        while self.supervision.turn(
            Some(&started.handle),
            None,
            &mut Context::of(self.folder, &self.config, &mut self.state),
        ) != Turn::Ended
        {}
        let status = rustix::process::waitpid(Some(started.pid), WaitOptions::empty());
        self.supervision.drain();
        exit_code(status)
    }

    fn has_ended(&mut self, code: i32, status: Status) {
        self.state = State {
            status,
            pid: None,
            pid_started: None,
            finished: Some(now()),
            exit_code: code,
            oom_killed: cgroup::was_out_of_memory(&self.config.id),
            ..std::mem::take(&mut self.state)
        };
        if let Err(error) = init::clean_up(self.folder, &self.config) {
            self.state.error = format!("cleaning up: {error}");
        }
        self.keep_state();
    }

    fn wait_before_restart(&mut self, delay: Duration) -> Turn {
        let until = Instant::now() + delay;
        loop {
            let turn = self.supervision.turn(
                None,
                Some(until),
                &mut Context::of(self.folder, &self.config, &mut self.state),
            );
            if turn != Turn::Again {
                return turn;
            }
        }
    }

    fn keep_state(&self) {
        if let Streams::Monitor { .. } = self.config.streams {
            // A full disk must not end a container; the lock tells whether it is looked after.
            let _ = self.folder.write_state(&self.state);
        }
    }

    /// Cleans up, and tells whoever waits.
    fn end(mut self, lock: Lock) {
        if self.place.take().is_some()
            && let Err(error) = network::give_back(&self.config)
        {
            self.state.error = format!("leaving the network: {error}");
        }
        self.state.place = None;
        self.keep_state();
        let _ = overlay::unmount(&self.config.root);
        if self.config.care.auto_remove {
            let _ = remove_whole(self.folder, &self.config, Volumes::Anonymous);
        }
        // From here on others may change the container, or start it again.
        drop(lock);
        let outcome = self.outcome.take().unwrap_or(Answer::Exited { code: self.state.exit_code });
        self.supervision.say_farewell(&outcome);
    }
}

/// The exit code that docker gives to how a process ended.
pub(crate) fn exit_code(waited: rustix::io::Result<Option<(Pid, WaitStatus)>>) -> i32 {
    let signalled = |status: WaitStatus| status.terminating_signal().map(|signal| 128 + signal);
    let status = waited.ok().flatten().map(|(_, status)| status);
    status.and_then(|status| status.exit_status().or(signalled(status))).unwrap_or(UNKNOWN)
}

/// What is told when it isn't known.
const UNKNOWN: i32 = 255;

/// What a turn may look at and change.
pub(crate) struct Context<'a> {
    folder: &'a Folder,
    config: &'a Config,
    state: &'a mut State,
}

impl<'a> Context<'a> {
    pub(crate) fn of(folder: &'a Folder, config: &'a Config, state: &'a mut State) -> Self {
        Self { folder, config, state }
    }
}

fn now() -> String {
    humantime::format_rfc3339_nanos(SystemTime::now()).to_string()
}
