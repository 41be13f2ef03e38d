//! distribution v3, the reference registry.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

pub(super) fn command(program: &Path, folder: &Path, address: SocketAddr) -> Result<Command> {
    let mut command = Command::new(program);
    command.arg("serve").arg(write_config(folder, address)?);
    // By default it tries to export traces, which halves its speed.
    command.env("OTEL_TRACES_EXPORTER", "none");
    Ok(command)
}

/// The quickest configuration it has: no authentication, no access log, descriptors cached in memory.
pub(super) fn write_config(folder: &Path, address: SocketAddr) -> Result<PathBuf> {
    let path = folder.join("config.yml");
    let data = folder.join("data");
    let config = format!(
        "version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {data:?}}}
  delete: {{enabled: true}}
  cache: {{blobdescriptor: inmemory}}
http: {{addr: \"{address}\"}}
"
    );
    std::fs::write(&path, config)?;
    Ok(path)
}
