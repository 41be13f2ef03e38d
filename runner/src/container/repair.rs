//! The truth about containers whose monitor is gone, and what it and others have left half-done.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{Config, Container, Folder, Lock, NetworkMode, State, Status, Volumes, remove_whole};
use crate::{init, network, process_table, signals};

/// What is told of a container that ended without anybody to see it: as if it was killed.
const UNSEEN: i32 = 137;

/// Ends what is left of a container that nobody looks after, and keeps what is known about it.
///
/// # Errors
/// Also that it isn't there, when it was to be removed once it had ended.
pub(super) fn orphaned(container: &Container) -> io::Result<State> {
    let Container { folder, config, .. } = container;
    let Some(_lock) = Lock::take_within(folder, Duration::from_secs(5))? else {
        return folder.state();
    };
    let state = folder.state()?;
    if !state.status.is_alive() {
        return Ok(state);
    }
    end_remains(folder, config)?;
    let now = humantime::format_rfc3339_nanos(SystemTime::now()).to_string();
    let state = State {
        status: Status::Exited,
        pid: None,
        pid_started: None,
        place: None,
        finished: Some(now),
        exit_code: UNSEEN,
        error: "the process that looked after it was killed, or the machine was restarted".to_owned(),
        ..state
    };
    if config.care.auto_remove {
        remove_whole(folder, config, Volumes::Anonymous)?;
        return Err(ErrorKind::NotFound.into());
    }
    folder.write_state(&state)?;
    Ok(state)
}

/// Kills what still runs of a container, and removes what it had of the machine; the caller holds its lock.
pub(super) fn end_remains(folder: &Folder, config: &Config) -> io::Result<()> {
    let state = folder.state()?;
    if let Some(pid) = state.pid
        && state.pid_started.is_some()
        && process_table::start_time(pid) == state.pid_started
        && let Some(pid) = rustix::process::Pid::from_raw(pid)
    {
        signals::send(pid, libc::SIGKILL);
    }
    if config.network.mode == NetworkMode::Bridge {
        network::give_back(config).map_err(io::Error::other)?;
    }
    init::clean_up(folder, config)
}

/// Removes folders that somebody who is gone didn't finish filling or emptying.
pub(super) fn leftovers(all: &Path, unfinished: &str) -> io::Result<()> {
    for entry in fs::read_dir(all)?.filter_map(Result::ok) {
        if !entry.file_name().to_string_lossy().starts_with(unfinished) {
            continue;
        }
        let folder = Folder::new(entry.path());
        let gone = |error: &io::Error| error.kind() == ErrorKind::NotFound;
        match Lock::try_take(&folder) {
            Ok(Some(_lock)) => match fs::remove_dir_all(folder.path()) {
                Err(error) if !gone(&error) => return Err(error),
                _ => {}
            },
            Ok(None) => {}
            Err(error) if gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
