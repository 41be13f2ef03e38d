//! distribution v3, the reference registry.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::stores::{ACCESS_KEY, Delivery, Place, SECRET_KEY};

pub(super) fn command(
    program: &Path,
    folder: &Path,
    address: SocketAddr,
    place: Option<&Place>,
) -> Result<Command> {
    let storage = match place {
        None => filesystem(folder),
        Some(place) => s3(place),
    };
    let mut command = Command::new(program);
    command.arg("serve").arg(write_config(folder, address, &storage)?);
    // By default it tries to export traces, which halves its speed.
    command.env("OTEL_TRACES_EXPORTER", "none");
    Ok(command)
}

pub(super) fn filesystem(folder: &Path) -> String {
    format!("  filesystem: {{rootdirectory: {:?}}}\n", folder.join("data"))
}

fn s3(place: &Place) -> String {
    let Place { s3, bucket, delivery, .. } = place;
    let streamed = *delivery == Delivery::Streamed;
    format!(
        "  s3:
    region: us-east-1
    regionendpoint: \"http://{s3}\"
    forcepathstyle: true
    secure: false
    accesskey: {ACCESS_KEY}
    secretkey: {SECRET_KEY}
    bucket: {bucket}
    rootdirectory: /
  redirect: {{disable: {streamed}}}
"
    )
}

/// The quickest configuration it has: no authentication, no access log, descriptors cached in memory.
pub(super) fn write_config(folder: &Path, address: SocketAddr, storage: &str) -> Result<PathBuf> {
    let path = folder.join("config.yml");
    let config = format!(
        "version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
{storage}  delete: {{enabled: true}}
  cache: {{blobdescriptor: inmemory}}
http: {{addr: \"{address}\"}}
"
    );
    std::fs::write(&path, config)?;
    Ok(path)
}
