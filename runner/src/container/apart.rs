//! A process in isolation that is no container of this machine's: nobody lists it, and it ends with who
//! started it. The builder's steps are such.

use std::os::fd::OwnedFd;

use super::{Config, Folder, Streams};
use crate::attach::Connection;
use crate::failure::Failure;
use crate::launch::{self, Task};

/// Starts what `config` describes, with everything that is needed for it in `folder`, which is the caller's to
/// make and to remove. What the command says goes to `output`; once the connection is dropped, it is killed.
///
/// # Errors
/// When its config can't be kept, or nothing can be started that looks after it.
pub fn start_apart(folder: &Folder, config: &Config, output: OwnedFd) -> Result<Connection, Failure> {
    debug_assert!(config.streams == Streams::Caller, "nobody could attach to it");
    folder.write_config(config).map_err(|error| Failure::own(format!("keeping what is to run: {error}")))?;
    let start = || {
        let streams = [output.try_clone()?.into(), output.into()];
        launch::start_with(Task::Container, folder.path(), streams, &[])
    };
    let socket = start()
        .map_err(|error| Failure::own(format!("starting the process that looks after it: {error}")))?;
    Ok(Connection::new(socket))
}
