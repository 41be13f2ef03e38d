//! Debian's `docker-registry`: distribution 2.8.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::distribution::{filesystem, write_config};

pub(super) fn command(program: &Path, folder: &Path, address: SocketAddr) -> Result<Command> {
    let mut command = Command::new(program);
    command.arg("serve").arg(write_config(folder, address, &filesystem(folder))?);
    Ok(command)
}
