//! The flags of `berth run` and `berth create`.

use std::path::PathBuf;

use berth_images::WantedPlatform;
use berth_runner::DetachKeys;
use clap::{Args, ValueEnum};

use crate::args::ConnectionArgs;
use crate::local::DataArgs;

/// What a container is to be.
#[derive(Debug, Args)]
pub(crate) struct ContainerFlags {
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,

    /// Keep standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,

    /// Give it a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,

    /// Remove the container when it has ended
    #[arg(long)]
    pub(crate) rm: bool,

    /// Its name
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Free words about it, as KEY=VALUE
    #[arg(short, long, value_name = "K=V")]
    pub(crate) label: Vec<String>,

    /// Write its id to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) cidfile: Option<PathBuf>,

    /// A variable of its environment; without a value it is that of the caller
    #[arg(short, long, value_name = "K[=V]")]
    pub(crate) env: Vec<String>,

    /// A file of variables
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,

    /// Where the command starts
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,

    /// Who it runs as
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,

    /// A group to add
    #[arg(long, value_name = "GROUP")]
    pub(crate) group_add: Vec<String>,

    /// What to run instead of the image's entrypoint; empty: none
    #[arg(long, value_name = "COMMAND")]
    pub(crate) entrypoint: Option<String>,

    /// Run a process before it that waits for orphans and passes signals on
    #[arg(long)]
    pub(crate) init: bool,

    /// A folder of the host, or a volume by its name
    #[arg(short, long, value_name = "SRC:DST[:opts]")]
    pub(crate) volume: Vec<String>,

    /// A mount, as type=bind|volume|tmpfs,source=…,target=…
    #[arg(long, value_name = "MOUNT")]
    pub(crate) mount: Vec<String>,

    /// A folder in memory
    #[arg(long, value_name = "DST[:opts]")]
    pub(crate) tmpfs: Vec<String>,

    /// Let it write only to its volumes
    #[arg(long)]
    pub(crate) read_only: bool,

    /// The size of /dev/shm
    #[arg(long, value_name = "BYTES")]
    pub(crate) shm_size: Option<String>,

    /// A device of the host
    #[arg(long, value_name = "SRC[:DST[:rwm]]")]
    pub(crate) device: Vec<String>,

    /// Its network: bridge, none, host, or one that was made
    #[arg(long, alias = "net", value_name = "NETWORK")]
    pub(crate) network: Option<String>,

    /// Another name under which others in its network reach it
    #[arg(long, value_name = "NAME")]
    pub(crate) network_alias: Vec<String>,

    /// Ports of the host that lead to it
    #[arg(short, long, value_name = "[IP:][HOST:]PORT[/udp]")]
    pub(crate) publish: Vec<String>,

    /// Publish all ports that it says it has, at any that are free
    #[arg(short = 'P', long)]
    pub(crate) publish_all: bool,

    /// A port that it has
    #[arg(long, value_name = "PORT[/udp]")]
    pub(crate) expose: Vec<String>,

    /// Its host name
    #[arg(short = 'h', long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,

    /// Its domain name
    #[arg(long, value_name = "NAME")]
    pub(crate) domainname: Option<String>,

    /// A line for /etc/hosts
    #[arg(long, value_name = "HOST:IP")]
    pub(crate) add_host: Vec<String>,

    /// A resolver
    #[arg(long, value_name = "IP")]
    pub(crate) dns: Vec<String>,

    /// Set it apart from the host no more than needed
    #[arg(long)]
    pub(crate) privileged: bool,

    /// A capability to add
    #[arg(long, value_name = "CAP")]
    pub(crate) cap_add: Vec<String>,

    /// A capability to drop
    #[arg(long, value_name = "CAP")]
    pub(crate) cap_drop: Vec<String>,

    /// no-new-privileges, seccomp=unconfined or systempaths=unconfined
    #[arg(long, value_name = "OPTION")]
    pub(crate) security_opt: Vec<String>,

    /// A setting of the kernel for its namespaces
    #[arg(long, value_name = "K=V")]
    pub(crate) sysctl: Vec<String>,

    /// Whose processes it sees
    #[arg(long, value_name = "host|private")]
    pub(crate) pid: Option<String>,

    /// Whose shared memory it sees
    #[arg(long, value_name = "host|private")]
    pub(crate) ipc: Option<String>,

    /// Whose host name it has
    #[arg(long, value_name = "host|private")]
    pub(crate) uts: Option<String>,

    /// Whose control groups it sees
    #[arg(long, value_name = "host|private")]
    pub(crate) cgroupns: Option<String>,

    /// How much memory it may use
    #[arg(short, long, value_name = "BYTES")]
    pub(crate) memory: Option<String>,

    /// How much memory and swap together; -1: any
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    pub(crate) memory_swap: Option<String>,

    /// How many processors, as 1.5
    #[arg(long, value_name = "N")]
    pub(crate) cpus: Option<String>,

    /// Its weight among others
    #[arg(short, long, value_name = "N")]
    pub(crate) cpu_shares: Option<u64>,

    /// Which processors, as 0-3
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_cpus: Option<String>,

    /// How many processes; -1: any
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) pids_limit: Option<i64>,

    /// A limit of its processes, as nofile=1024:2048
    #[arg(long, value_name = "TYPE=SOFT[:HARD]")]
    pub(crate) ulimit: Vec<String>,

    /// When it is started again
    #[arg(long, value_name = "no|on-failure[:N]|always|unless-stopped")]
    pub(crate) restart: Option<String>,

    /// The signal that asks it to end
    #[arg(long, value_name = "SIGNAL")]
    pub(crate) stop_signal: Option<String>,

    /// How many seconds it may take to end
    #[arg(long, value_name = "SECONDS")]
    pub(crate) stop_timeout: Option<u64>,

    /// max-size=… or max-file=…
    #[arg(long, value_name = "K=V")]
    pub(crate) log_opt: Vec<String>,

    /// Which of several platforms' images, as OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<WantedPlatform>,

    /// When to pull the image
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = PullWhen::Missing)]
    pub(crate) pull: PullWhen,

    /// Print nothing while the image is pulled
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// The image, and what to run in it
    #[arg(required = true, trailing_var_arg = true, value_names = ["IMAGE", "CMD"])]
    pub(crate) image_and_command: Vec<String>,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullWhen {
    /// Before each run
    Always,
    /// When it isn't here
    Missing,
    /// Never
    Never,
}

/// The keys that detach.
#[derive(Debug, Args)]
pub(crate) struct DetachFlags {
    /// The keys that leave it running
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    pub(crate) detach_keys: DetachKeys,
}

impl ContainerFlags {
    /// The image as it was asked for.
    pub(crate) fn image(&self) -> &str {
        &self.image_and_command[0]
    }

    /// What to run in it; empty: what the image says.
    pub(crate) fn command(&self) -> &[String] {
        &self.image_and_command[1..]
    }
}
