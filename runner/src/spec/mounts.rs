//! What is mounted into a container: docker's file systems, the files that name it and its neighbours, and
//! what was asked for.

use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::{Mount, MountBuilder};

use super::sentence;
use crate::cgroup;
use crate::container::{Access, Config, Namespace};
use crate::mount::Source;
use crate::network::Files;

const DEFAULT_SHM_BYTES: u64 = 64 << 20;

pub(super) fn of(config: &Config, files: &Files) -> Result<Vec<Mount>, String> {
    let mut mounts = own_file_systems(config)?;
    for (target, source) in files.present() {
        // A mount that was asked for takes the file's place.
        if !config.mounts.iter().any(|mount| mount.target == Path::new(target)) {
            mounts.push(mount(target, "bind", source, &["bind", "rprivate"])?);
        }
    }
    let mut asked: Vec<_> = config.mounts.iter().collect();
    // What contains another comes first, or it would hide it.
    asked.sort_by_key(|mount| mount.target.components().count());
    for wanted in asked {
        let access = match wanted.access {
            Access::ReadWrite => "rw",
            Access::ReadOnly => "ro",
        };
        let built = match &wanted.source {
            Source::Bind { path, propagation } => {
                mount(&wanted.target, "bind", path, &["rbind", access, propagation])?
            }
            Source::Volume { path, .. } => {
                mount(&wanted.target, "bind", path, &["rbind", access, "rprivate"])?
            }
            Source::Tmpfs { options } => {
                let mut all = vec!["nosuid", "nodev", "noexec", access];
                all.extend(options.iter().map(String::as_str));
                mount(&wanted.target, "tmpfs", "tmpfs", &all)?
            }
        };
        // What was asked for at a place of ours replaces it.
        mounts.retain(|mount| mount.destination() != built.destination());
        mounts.push(built);
    }
    Ok(mounts)
}

fn own_file_systems(config: &Config) -> Result<Vec<Mount>, String> {
    let isolation = &config.isolation;
    let access = if isolation.privileged { "rw" } else { "ro" };
    let shm = format!("size={}", isolation.shm_size.unwrap_or(DEFAULT_SHM_BYTES));
    let mut mounts = vec![
        mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"])?,
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"])?,
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        )?,
        mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", access])?,
    ];
    mounts.extend(control_groups(config, access)?);
    match isolation.ipc {
        Namespace::Private => {
            mounts.push(mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"])?);
            let options = ["nosuid", "noexec", "nodev", "mode=1777", &shm];
            mounts.push(mount("/dev/shm", "tmpfs", "shm", &options)?);
        }
        Namespace::Host => {
            mounts.push(mount(
                "/dev/mqueue",
                "bind",
                "/dev/mqueue",
                &["rbind", "nosuid", "noexec", "nodev"],
            )?);
            mounts.push(mount("/dev/shm", "bind", "/dev/shm", &["rbind", "nosuid", "noexec", "nodev"])?);
        }
    }
    Ok(mounts)
}

/// The container's own group in each hierarchy, and nothing above it.
///
/// libcontainer's mounts of version 1 can be written to: a container could raise its own limits.
fn control_groups(config: &Config, access: &str) -> Result<Vec<Mount>, String> {
    let options = ["nosuid", "noexec", "nodev", access];
    let hierarchies = match cgroup::hierarchies() {
        cgroup::Hierarchies::Unified => {
            return Ok(vec![mount("/sys/fs/cgroup", "cgroup", "cgroup", &options)?]);
        }
        cgroup::Hierarchies::Separate(hierarchies) => hierarchies,
    };
    // A folder that has a place for each already, so that it needn't be written to.
    let top = config.root.merged.with_file_name("cgroup");
    let mut mounts =
        vec![mount("/sys/fs/cgroup", "bind", &top, &["bind", "nosuid", "noexec", "nodev", access])?];
    for hierarchy in hierarchies {
        std::fs::create_dir_all(top.join(&hierarchy.name))
            .map_err(|error| format!("making a place for control groups: {error}"))?;
        let target = Path::new("/sys/fs/cgroup").join(&hierarchy.name);
        let own =
            hierarchy.mounted_at.join(cgroup::path(&config.id).strip_prefix("/").unwrap_or(Path::new("")));
        let options = ["bind", "nosuid", "noexec", "nodev", access];
        mounts.push(mount(target, "bind", own, &options)?);
    }
    Ok(mounts)
}

fn mount(
    target: impl AsRef<Path>,
    kind: &str,
    source: impl Into<PathBuf>,
    options: &[&str],
) -> Result<Mount, String> {
    MountBuilder::default()
        .destination(target.as_ref())
        .typ(kind)
        .source(source)
        .options(options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>())
        .build()
        .map_err(sentence)
}
