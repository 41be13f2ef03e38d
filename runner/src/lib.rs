//! From an image's layers to a process that is set apart from the host, and what looks after it.
//!
//! A container is a folder ([`container`]): what it was asked to be, and what became of it. To start one is to
//! start its monitor ([`monitor`]), the own binary as a hidden sub-command ([`branch_off`]), which calls
//! libcontainer ([`init`]). Where layers come from is not known here: they are folders.

mod attach;
mod capabilities;
mod cgroup;
pub mod container;
mod exec;
mod failure;
mod init;
mod launch;
pub mod logs;
mod monitor;
mod mount;
mod mounted;
mod network;
mod overlay;
mod process_table;
mod root;
mod seccomp;
pub mod signals;
mod spec;
mod streams;
mod terminal;
mod user;
mod volumes;
mod wire;

use std::ffi::OsString;
use std::fs::File;
use std::process::ExitCode;

pub use attach::{Attach, Connection, DetachKeys, Ending, Killer};
pub use exec::Exec;
pub use failure::{Failure, Kind};
pub use mount::{Mount, Source};
pub use mounted::{Mounted, with_mounted};
pub use network::{
    DEFAULT as DEFAULT_NETWORK, Member, NetworkRecord, Networks, Outside, Protocol, Publish, Subnet,
};
pub use seccomp::Policy;
pub use volumes::{data_folder as volume_folder, make as make_volume};
pub use wire::Stream;

/// Does what the hidden sub-command does, when `arguments` are its own.
///
/// `main` calls it first of all: here a process must have one thread, and starting one should cost nothing.
pub fn branch_off(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let task = launch::Task::parse(&arguments.nth(1)?)?;
    let folder = container::Folder::new(arguments.next()?.into());
    let stdin = rustix::stdio::stdin();
    let Ok(caller) = rustix::io::fcntl_dupfd_cloexec(stdin, 3) else { return Some(ExitCode::FAILURE) };
    // Descriptor 0 was only the way in.
    let nothing = File::open("/dev/null")
        .map_err(|_| ())
        .and_then(|null| rustix::stdio::dup2_stdin(&null).map_err(|_| ()));
    if nothing.is_err() {
        return Some(ExitCode::FAILURE);
    }
    Some(match task {
        launch::Task::Container => monitor::run(&folder, caller),
        launch::Task::Exec => exec::run(&folder, caller),
    })
}

/// Why the last call of libc's failed.
pub(crate) fn last_error() -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(rustix::io::Errno::IO)
}
