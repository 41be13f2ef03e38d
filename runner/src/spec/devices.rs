//! Which devices a container has, and which it may open even if it makes them itself.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use libcontainer::oci_spec::runtime::{
    LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType,
};

use super::sentence;
use crate::container::{Device, Isolation};

/// Device nodes to make, and rules in the order in which they count.
pub(super) struct Devices {
    pub(super) nodes: Vec<LinuxDevice>,
    pub(super) rules: Vec<LinuxDeviceCgroup>,
}

/// libcontainer adds `/dev/null` and its like, with the rules that allow them, by itself.
pub(super) fn of(isolation: &Isolation) -> Result<Devices, String> {
    if isolation.privileged {
        let nodes = all_of_host().map_err(|error| format!("listing the devices of the host: {error}"))?;
        return Ok(Devices { nodes, rules: vec![rule(LinuxDeviceType::A, None, "rwm", true)?] });
    }
    let mut devices =
        Devices { nodes: Vec::new(), rules: vec![rule(LinuxDeviceType::A, None, "rwm", false)?] };
    for device in &isolation.devices {
        let (node, number) = node(device)?;
        devices.rules.push(rule(node.typ(), Some(number), &device.permissions, true)?);
        devices.nodes.push(node);
    }
    Ok(devices)
}

fn rule(
    kind: LinuxDeviceType,
    number: Option<(i64, i64)>,
    permissions: &str,
    allow: bool,
) -> Result<LinuxDeviceCgroup, String> {
    let mut rule = LinuxDeviceCgroupBuilder::default().allow(allow).typ(kind).access(permissions);
    if let Some((major, minor)) = number {
        rule = rule.major(major).minor(minor);
    }
    rule.build().map_err(sentence)
}

fn node(device: &Device) -> Result<(LinuxDevice, (i64, i64)), String> {
    let metadata = std::fs::metadata(&device.source)
        .map_err(|error| format!("the device {}: {error}", device.source.display()))?;
    let kind = metadata.file_type();
    let kind = match (kind.is_char_device(), kind.is_block_device()) {
        (true, _) => LinuxDeviceType::C,
        (_, true) => LinuxDeviceType::B,
        (false, false) => return Err(format!("{} is no device", device.source.display())),
    };
    let number = (i64::from(libc::major(metadata.rdev())), i64::from(libc::minor(metadata.rdev())));
    let node = LinuxDeviceBuilder::default()
        .path(device.target.clone())
        .typ(kind)
        .major(number.0)
        .minor(number.1)
        .file_mode(metadata.mode() & 0o7777)
        .uid(metadata.uid())
        .gid(metadata.gid())
        .build()
        .map_err(sentence)?;
    Ok((node, number))
}

/// What of `/dev` a container has of its own.
const LEFT_OUT: [&str; 7] = ["pts", "shm", "fd", "mqueue", "console", "ptmx", "tty"];

/// Every device in `/dev`, but terminals, which a container has its own of.
fn all_of_host() -> std::io::Result<Vec<LinuxDevice>> {
    let mut nodes = Vec::new();
    let mut folders = vec![Path::new("/dev").to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let metadata = std::fs::symlink_metadata(&path)?;
            let is_left_out = LEFT_OUT.contains(&name.as_str());
            let kind = metadata.file_type();
            if kind.is_dir() && !is_left_out {
                folders.push(path);
            } else if (kind.is_char_device() || kind.is_block_device()) && !is_left_out {
                let device = Device { source: path.clone(), target: path, permissions: String::new() };
                // One that is unplugged at this moment isn't there.
                nodes.extend(node(&device).ok().map(|(node, _)| node));
            }
        }
    }
    Ok(nodes)
}
