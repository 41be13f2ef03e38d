//! Flags and image joined to what a container is to be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use berth_oci::ContainerConfig;
use berth_runner::container::{
    Access, Care, Config, Containers, First, Id, Image, Isolation, Limits, Network, NetworkMode, Process,
    Restart, RootFs, Streams, Upper, random_name,
};
use berth_runner::{DEFAULT_NETWORK, Networks, Policy, Source, signals};

use super::flags::ContainerFlags;
use super::{mounts, ports, values};

/// An image that is here, ready to be run.
pub(crate) struct ImageHere {
    /// The digest of its configuration.
    pub(crate) id: String,
    /// Its layers' folders, from the lowest.
    pub(crate) lower: Vec<PathBuf>,
    /// How a container of it starts.
    pub(crate) config: ContainerConfig,
}

/// Whether somebody stays connected to the container that is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connected {
    /// Its caller does.
    Attached,
    /// Nobody does.
    Detached,
}

/// What a container of `image` is to be.
///
/// # Errors
/// A sentence about a flag, or about what is made for the container.
pub(crate) fn of(
    flags: &ContainerFlags,
    image: ImageHere,
    connected: Connected,
    containers: &Containers,
) -> Result<Config, String> {
    let id = Id::random().map_err(|error| format!("making up an id: {error}"))?;
    let name = match &flags.name {
        None => random_name(&id),
        Some(name) if berth_runner::container::is_valid_name(name) => name.clone(),
        Some(name) => {
            return Err(format!(
                "'{name}' is no name; names have letters, digits, '_', '.' and '-', two at least"
            ));
        }
    };
    let care = care(flags, &image.config)?;
    if flags.rm && care.restart != Restart::No {
        return Err("--rm and --restart contradict each other; leave one out".to_owned());
    }
    let folder = containers.folder(&id);
    let within = |part: &str| folder.path().join(part);
    let root = RootFs {
        lower: image.lower,
        upper: within("upper"),
        work: within("work"),
        merged: within("merged"),
        upper_is: if flags.rm { Upper::ThrownAway } else { Upper::Kept },
        access: if flags.read_only { Access::ReadOnly } else { Access::ReadWrite },
    };
    let random = || Id::random().map(|id| id.as_str().to_owned()).map_err(|error| error.to_string());
    let of_image = image.config.volumes.keys().cloned();
    let mounts = mounts::all(flags, of_image, &containers.volumes(), random)?;
    for mount in &mounts {
        if let Source::Volume { name, path, .. } = &mount.source {
            berth_runner::make_volume(path)
                .map_err(|error| format!("making the volume '{name}': {error}"))?;
        }
    }
    let mut labels = image.config.labels.clone();
    labels.extend(flags.label.iter().map(|label| pair(label)));
    Ok(Config {
        id,
        name,
        created: humantime::format_rfc3339_nanos(SystemTime::now()).to_string(),
        image: Image { reference: flags.image().to_owned(), id: image.id },
        root,
        process: process(flags, &image.config)?,
        isolation: isolation(flags)?,
        limits: limits(flags)?,
        mounts,
        network: network(flags, &image.config, containers)?,
        streams: Streams::Monitor {
            tty: flags.tty,
            stdin: flags.interactive,
            stdin_once: flags.interactive && connected == Connected::Attached,
        },
        care,
        labels,
        goes_too: Vec::new(),
    })
}

fn pair(text: &str) -> (String, String) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    (key.to_owned(), value.to_owned())
}

/// The command line's command replaces the image's; another entrypoint takes the image's command away.
fn process(flags: &ContainerFlags, image: &ContainerConfig) -> Result<Process, String> {
    let entrypoint = match flags.entrypoint.as_deref() {
        None => image.entrypoint.clone(),
        Some("") => Vec::new(),
        Some(entrypoint) => vec![entrypoint.to_owned()],
    };
    let command = match (flags.command(), &flags.entrypoint) {
        ([], None) => image.cmd.clone(),
        (command, _) => command.to_vec(),
    };
    if entrypoint.is_empty() && command.is_empty() {
        return Err("the image doesn't say what to run; name a command after it".to_owned());
    }
    let mut env = image.env.clone();
    env.extend(environment(&flags.env_file, &flags.env)?);
    Ok(Process {
        entrypoint,
        command,
        env,
        working_dir: flags.workdir.clone().unwrap_or_else(|| image.working_dir.clone()),
        user: flags.user.clone().unwrap_or_else(|| image.user.clone()),
        groups: flags.group_add.clone(),
        ulimits: flags.ulimit.iter().map(|limit| values::ulimit(limit)).collect::<Result<_, _>>()?,
        first: if flags.init { First::Reaper } else { First::Command },
    })
}

/// The variables of files and then of flags.
pub(crate) fn environment(files: &[PathBuf], flags: &[String]) -> Result<Vec<String>, String> {
    let mut env = Vec::new();
    for file in files {
        env.extend(variables_of(file)?);
    }
    env.extend(flags.iter().filter_map(|variable| of_caller(variable)));
    Ok(env)
}

/// `NAME` alone is the caller's variable, if there is one.
fn of_caller(variable: &str) -> Option<String> {
    match variable.contains('=') {
        true => Some(variable.to_owned()),
        false => std::env::var(variable).ok().map(|value| format!("{variable}={value}")),
    }
}

fn variables_of(file: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("reading {}: {error}", file.display()))?;
    let lines = text.lines().map(str::trim_start);
    Ok(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(of_caller).collect())
}

fn isolation(flags: &ContainerFlags) -> Result<Isolation, String> {
    let mut isolation = Isolation {
        privileged: flags.privileged,
        cap_add: flags.cap_add.clone(),
        cap_drop: flags.cap_drop.clone(),
        pid: values::namespace("pid", flags.pid.as_deref())?,
        ipc: values::namespace("ipc", flags.ipc.as_deref())?,
        uts: values::namespace("uts", flags.uts.as_deref())?,
        cgroup: values::namespace("cgroupns", flags.cgroupns.as_deref())?,
        sysctls: flags.sysctl.iter().map(|setting| pair(setting)).collect::<BTreeMap<_, _>>(),
        devices: flags.device.iter().map(|device| values::device(device)).collect::<Result<_, _>>()?,
        hostname: flags.hostname.clone().unwrap_or_default(),
        domainname: flags.domainname.clone().unwrap_or_default(),
        shm_size: flags.shm_size.as_deref().map(values::bytes).transpose()?,
        ..Isolation::default()
    };
    for option in &flags.security_opt {
        match option.replacen(':', "=", 1).as_str() {
            "no-new-privileges" | "no-new-privileges=true" => isolation.no_new_privileges = true,
            "no-new-privileges=false" => isolation.no_new_privileges = false,
            "seccomp=unconfined" => isolation.seccomp = Policy::Unconfined,
            "systempaths=unconfined" => isolation.unmasked = true,
            "apparmor=unconfined" | "label=disable" => {}
            other => {
                return Err(format!(
                    "--security-opt {other} is not supported; there are no-new-privileges, seccomp=unconfined, \
                     systempaths=unconfined, apparmor=unconfined and label=disable"
                ));
            }
        }
    }
    Ok(isolation)
}

/// The least memory with which a container can be started, in bytes: docker's.
const LEAST_MEMORY: i64 = 6 << 20;

fn limits(flags: &ContainerFlags) -> Result<Limits, String> {
    let bytes = |text: &str| -> Result<i64, String> {
        i64::try_from(values::bytes(text)?)
            .map_err(|_| format!("'{text}' is more memory than can be counted"))
    };
    let memory = flags.memory.as_deref().map(bytes).transpose()?.filter(|memory| *memory != 0);
    if memory.is_some_and(|memory| memory < LEAST_MEMORY) {
        return Err(format!(
            "{} bytes of memory are too few; at least 6m are needed",
            memory.unwrap_or_default()
        ));
    }
    let memory_swap = match flags.memory_swap.as_deref() {
        Some("-1") => Some(-1),
        Some(text) => Some(bytes(text)?),
        None => None,
    };
    if let (Some(memory), Some(both @ 1..)) = (memory, memory_swap)
        && both < memory
    {
        return Err("--memory-swap is memory and swap together, so it can't be less than --memory".to_owned());
    }
    Ok(Limits {
        memory,
        memory_swap: memory_swap.filter(|both| *both != 0),
        nano_cpus: flags.cpus.as_deref().map(values::nano_cpus).transpose()?,
        cpu_shares: flags.cpu_shares.filter(|shares| *shares != 0),
        cpuset_cpus: flags.cpuset_cpus.clone(),
        pids: flags.pids_limit.filter(|limit| *limit > 0),
    })
}

fn network(
    flags: &ContainerFlags,
    image: &ContainerConfig,
    containers: &Containers,
) -> Result<Network, String> {
    let name = flags.network.as_deref().unwrap_or(DEFAULT_NETWORK);
    let mode = match name {
        "none" => NetworkMode::None,
        "host" => NetworkMode::Host,
        _ => NetworkMode::Bridge,
    };
    let networks = containers.networks();
    let name = match (mode, name) {
        (NetworkMode::Bridge, "default") => DEFAULT_NETWORK.to_owned(),
        (NetworkMode::Bridge, name) => {
            let found = Networks::new(networks.clone()).find(name)?;
            let missing =
                || format!("there is no network '{name}'; make it with 'berth network create {name}'");
            found.ok_or_else(missing)?.name
        }
        (NetworkMode::None | NetworkMode::Host, _) => String::new(),
    };
    let exposed = ports::exposed(flags.expose.iter().chain(image.exposed_ports.keys()))?;
    let mut published = ports::published(&flags.publish)?;
    if flags.publish_all {
        published.extend(ports::all_of(&exposed, &published)?);
    }
    if mode != NetworkMode::Bridge && !published.is_empty() {
        // As docker does: such a container has no ports of its own, or all of the host's.
        super::note("ports are published for networks of bridges alone; -p is left out");
        published.clear();
    }
    for line in &flags.add_host {
        let is_wrong = |(_, address): (&str, &str)| address.parse::<std::net::IpAddr>().is_err();
        if line.split_once(':').is_none_or(is_wrong) {
            return Err(format!("'{line}' is no host; hosts are written as NAME:ADDRESS"));
        }
    }
    Ok(Network {
        mode,
        name,
        networks: std::path::absolute(&networks).map_err(|error| error.to_string())?,
        aliases: flags.network_alias.clone(),
        ports: published,
        exposed,
        extra_hosts: flags.add_host.clone(),
        dns: flags.dns.clone(),
    })
}

fn care(flags: &ContainerFlags, image: &ContainerConfig) -> Result<Care, String> {
    let stop_signal = flags.stop_signal.clone().or_else(|| image.stop_signal.clone()).unwrap_or_default();
    if !stop_signal.is_empty() && signals::parse(&stop_signal).is_none() {
        return Err(format!("'{stop_signal}' is no signal"));
    }
    let mut care = Care {
        auto_remove: flags.rm,
        restart: flags.restart.as_deref().map(values::restart).transpose()?.unwrap_or_default(),
        stop_signal,
        stop_timeout: flags
            .stop_timeout
            .or_else(|| image.stop_timeout.and_then(|seconds| seconds.try_into().ok())),
        ..Care::default()
    };
    for option in &flags.log_opt {
        match option.split_once('=') {
            Some(("max-size", size)) => care.log_max_size = Some(values::bytes(size)?),
            Some(("max-file", count)) => {
                let count = count.parse().map_err(|_| format!("'{count}' is no number of files"))?;
                care.log_max_files = Some(count);
            }
            _ => return Err(format!("--log-opt {option} is not supported; there are max-size and max-file")),
        }
    }
    Ok(care)
}
