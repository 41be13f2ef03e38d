//! What a container was asked to be: `config.json`, written once when it is created.

use std::collections::BTreeMap;
use std::path::PathBuf;

use berth_oci::Healthcheck;
use serde::{Deserialize, Serialize};

use crate::mount::Mount;
use crate::network::Publish;
use crate::seccomp::Policy;

use super::Id;

/// What a container was asked to be, with what its image said already joined in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Its id.
    pub id: Id,
    /// Its name, unique on this machine; empty for a process that is in no list.
    pub name: String,
    /// When it was created, RFC 3339.
    pub created: String,
    /// Where its files come from.
    pub image: Image,
    /// Its root file system.
    pub root: RootFs,
    /// What runs in it.
    pub process: Process,
    /// How it is set apart from the host.
    pub isolation: Isolation,
    /// What it may use of the machine.
    pub limits: Limits,
    /// Volumes, folders of the host, and file systems in memory.
    pub mounts: Vec<Mount>,
    /// How it is connected.
    pub network: Network,
    /// Where its input and output go.
    pub streams: Streams,
    /// How it is looked after.
    pub care: Care,
    /// Free words about it.
    pub labels: BTreeMap<String, String>,
    /// Files elsewhere that are removed with it, such as the note that its image is in use.
    #[serde(default)]
    pub goes_too: Vec<PathBuf>,
}

/// The image of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// As it was asked for.
    pub reference: String,
    /// The digest of its configuration.
    pub id: String,
}

/// Folders that overlayfs makes a root file system of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// The image's layers, from the lowest; never written to.
    pub lower: Vec<PathBuf>,
    /// What the container writes.
    pub upper: PathBuf,
    /// Overlayfs's own, empty, on the file system of `upper`.
    pub work: PathBuf,
    /// Where it is mounted, for the processes in it alone.
    pub merged: PathBuf,
    /// Whether what is written outlives the container's end.
    pub upper_is: Upper,
    /// Whether the container may write to it.
    pub access: Access,
}

/// How long what a container writes is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upper {
    /// It may be looked at, or started from, later.
    Kept,
    /// It is removed when the container ends, so nothing needs to reach the disk.
    ThrownAway,
}

/// Whether something may be written to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// It may.
    #[default]
    ReadWrite,
    /// It may not.
    ReadOnly,
}

/// What runs in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// The entrypoint, which comes first.
    pub entrypoint: Vec<String>,
    /// The command, or the entrypoint's arguments.
    pub command: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Where it starts; made when it isn't there.
    pub working_dir: String,
    /// As docker's `--user`; empty is root.
    pub user: String,
    /// Groups besides the user's own, by name or number.
    pub groups: Vec<String>,
    /// `TYPE=soft[:hard]`, checked already.
    pub ulimits: Vec<Ulimit>,
    /// What runs as process 1.
    pub first: First,
}

/// What the first process of a container is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum First {
    /// The command itself.
    #[default]
    Command,
    /// One of Berth's that waits for orphans and passes signals on to the command.
    Reaper,
}

/// A limit of setrlimit(2); `None` is unlimited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// As docker names it, such as `nofile`.
    pub name: String,
    /// What counts.
    pub soft: Option<u64>,
    /// Up to where it may be raised.
    pub hard: Option<u64>,
}

/// How a container is set apart from the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Isolation {
    /// Everything allowed: all capabilities and devices, nothing masked, no filter of calls.
    pub privileged: bool,
    /// Capabilities to add, without `CAP_`, or `ALL`.
    pub cap_add: Vec<String>,
    /// Capabilities to drop, without `CAP_`, or `ALL`.
    pub cap_drop: Vec<String>,
    /// The filter of system calls.
    pub seccomp: Policy,
    /// Whether no program may gain rights by being executed.
    pub no_new_privileges: bool,
    /// Whether the paths that docker masks can be seen.
    pub unmasked: bool,
    /// Whose processes it sees.
    pub pid: Namespace,
    /// Whose shared memory and semaphores it sees.
    pub ipc: Namespace,
    /// Whose host name it has.
    pub uts: Namespace,
    /// Whose cgroups it sees.
    pub cgroup: Namespace,
    /// Settings of the kernel that belong to its namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// Its host name; empty is the start of its id.
    pub hostname: String,
    /// Its domain name.
    pub domainname: String,
    /// The size of `/dev/shm` in bytes; `None` is 64 MiB.
    pub shm_size: Option<u64>,
}

/// Where a namespace comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Namespace {
    /// Its own.
    #[default]
    Private,
    /// That of the host.
    Host,
}

/// A device of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// On the host.
    pub source: PathBuf,
    /// In the container.
    pub target: PathBuf,
    /// Of `r`, `w` and `m`.
    pub permissions: String,
}

/// What a container may use of the machine; `None` is unlimited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<i64>,
    /// Bytes of memory and swap together; -1 is unlimited.
    pub memory_swap: Option<i64>,
    /// Billionths of a processor.
    pub nano_cpus: Option<u64>,
    /// A weight; the default is 1024.
    pub cpu_shares: Option<u64>,
    /// As `0-3,7`.
    pub cpuset_cpus: Option<String>,
    /// How many processes and threads.
    pub pids: Option<i64>,
}

/// How a container is connected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// To what.
    pub mode: NetworkMode,
    /// The name of the network, where that is one of bridges.
    pub name: String,
    /// Where the networks are kept, then.
    pub networks: PathBuf,
    /// More names under which others in the network reach it.
    pub aliases: Vec<String>,
    /// Ports of the host that lead to it.
    pub ports: Vec<Publish>,
    /// Ports that it says it has, as `80/tcp`.
    pub exposed: Vec<String>,
    /// `NAME:ADDRESS` lines for `/etc/hosts`.
    pub extra_hosts: Vec<String>,
    /// Resolvers instead of the host's.
    pub dns: Vec<String>,
}

/// To what a container is connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// Nothing but itself.
    #[default]
    None,
    /// The host's own network.
    Host,
    /// A network of bridges.
    Bridge,
}

/// Where input and output go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "to")]
pub enum Streams {
    /// The descriptors 0, 1 and 2 of who starts it.
    Caller,
    /// The monitor, which keeps the output and passes it on to whoever is attached.
    Monitor {
        /// Whether it has a terminal.
        tty: bool,
        /// Whether its input is open.
        stdin: bool,
        /// Whether its input ends with the first who was attached to it.
        stdin_once: bool,
    },
}

/// How a container is looked after.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Care {
    /// Whether it is removed once it has ended.
    pub auto_remove: bool,
    /// Whether it is started again.
    pub restart: Restart,
    /// What asks it to end; empty is `SIGTERM`.
    pub stop_signal: String,
    /// How long it may take to end, in seconds, before it is killed; the default is 10.
    pub stop_timeout: Option<u64>,
    /// How it is found out whether it works.
    pub healthcheck: Option<Healthcheck>,
    /// How large one file of its log may grow, in bytes.
    pub log_max_size: Option<u64>,
    /// How many files its log may have.
    pub log_max_files: Option<u32>,
}

/// Whether a container is started again when it has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "policy")]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// When it failed; at most so often, 0 being always.
    OnFailure {
        /// How often.
        max: u32,
    },
    /// Always, also after the machine was started again.
    Always,
    /// As always, unless it was stopped before.
    UnlessStopped,
}
