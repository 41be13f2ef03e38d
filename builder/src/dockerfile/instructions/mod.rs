//! Instructions with their meaning: what the words of each one say.
//!
//! Words are as they were written, variables included; a [`Scope`](super::Scope) replaces those.

mod flags;
mod mount;
mod parse;
mod stages;

use super::Lines;
use super::parser::Heredoc;

pub use mount::{Mount, MountKind, MountText, Sharing};
pub(crate) use parse::instruction;
pub(crate) use stages::parse;
pub use stages::{GlobalArguments, Stage};

/// An instruction of a stage and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Where and how it is written.
    pub source: Source,
    /// What it says.
    pub kind: Kind,
}

/// Where an instruction stands and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its lines, heredocs included.
    pub lines: Lines,
    /// The instruction as one line, as `RUN make`.
    pub text: String,
    /// Its name as written, as `RUN` or `run`.
    pub name: String,
}

/// What an instruction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `ADD`: files, also from archives and other machines.
    Add(Add),
    /// `ARG`: variables that whoever builds may set.
    Arg(Vec<Argument>),
    /// `CMD`: what a container runs.
    Cmd(Command),
    /// `COPY`: files from the context, a stage or an image.
    Copy(Copy),
    /// `ENTRYPOINT`: what a container always runs.
    Entrypoint(Command),
    /// `ENV`: variables of the container.
    Env(Vec<Pair>),
    /// `EXPOSE`: ports, sorted by their text, as `80`, `80/tcp`, `8000-8010`.
    Expose(Vec<String>),
    /// `HEALTHCHECK`: how docker finds out whether it works.
    Healthcheck(Healthcheck),
    /// `LABEL`: free words about the image.
    Label(Vec<Pair>),
    /// `MAINTAINER`: who made it.
    Maintainer(String),
    /// `ONBUILD`: an instruction for builds that start from this image, heredocs included.
    Onbuild(String),
    /// `RUN`: a command that changes files.
    Run(Run),
    /// `SHELL`: what runs the shell forms.
    Shell(Vec<String>),
    /// `STOPSIGNAL`: the signal that ends it.
    StopSignal(String),
    /// `USER`: who runs commands.
    User(String),
    /// `VOLUME`: folders that are volumes.
    Volume(Vec<String>),
    /// `WORKDIR`: the folder of what follows.
    Workdir(String),
}

/// A name and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A variable that whoever builds may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its value where it isn't set.
    pub default: Option<String>,
    /// What the comment above says: `# name …`.
    pub description: String,
}

/// A command in one of its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A text for the shell; empty where none was written.
    Shell(String),
    /// A program and its arguments: the JSON form.
    Exec(Vec<String>),
}

/// What is copied, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Paths, patterns, and in `ADD` addresses.
    pub sources: Vec<String>,
    /// Files whose contents stand in the Dockerfile.
    pub contents: Vec<Heredoc>,
    /// Where to.
    pub destination: String,
}

/// `COPY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// What and where to.
    pub paths: Paths,
    /// `--from`: a stage's name or number, or an image. Empty: the context.
    pub from: String,
    /// `--chown`: `user`, `uid`, `user:group` and mixtures. Empty: root.
    pub chown: String,
    /// `--chmod`: octal or symbolic. Empty: as it is.
    pub chmod: String,
    /// `--link`: into a layer that doesn't depend on those below.
    pub link: bool,
    /// `--parents`: the folders on the way, too.
    pub parents: bool,
    /// `--exclude`: patterns of what is left out.
    pub exclude: Vec<String>,
}

/// `ADD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add {
    /// What and where to.
    pub paths: Paths,
    /// `--chown`: `user`, `uid`, `user:group` and mixtures. Empty: root.
    pub chown: String,
    /// `--chmod`: octal or symbolic. Empty: as it is.
    pub chmod: String,
    /// `--checksum`: the digest, or commit, of what is fetched. Empty: any.
    pub checksum: String,
    /// `--link`: into a layer that doesn't depend on those below.
    pub link: bool,
    /// `--exclude`: patterns of what is left out.
    pub exclude: Vec<String>,
    /// `--keep-git-dir`: whether the folder `.git` is kept.
    pub keep_git_dir: Option<bool>,
    /// `--unpack`: whether archives are unpacked; those of the context are unless this says no.
    pub unpack: Option<bool>,
}

/// `RUN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The command.
    pub command: Command,
    /// Texts that the command reads, in its shell form.
    pub heredocs: Vec<Heredoc>,
    /// `--mount`, in order.
    pub mounts: Vec<MountText>,
    /// `--network`.
    pub network: Network,
    /// `--security`.
    pub security: Security,
    /// `--device`, in order.
    pub devices: Vec<Device>,
}

/// The network of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// One of its own.
    Default,
    /// None but itself.
    None,
    /// The host's.
    Host,
}

/// What a command is kept from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// What any container is.
    Sandbox,
    /// Nothing.
    Insecure,
}

/// A device of the host, by its CDI name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// As `vendor.com/device=name`.
    pub name: String,
    /// Whether a build without it fails.
    pub required: bool,
}

/// How docker finds out whether a container works. Durations are nanoseconds; 0 is docker's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", "…"]`.
    pub test: Vec<String>,
    /// `--interval`.
    pub interval: i64,
    /// `--timeout`.
    pub timeout: i64,
    /// `--start-period`.
    pub start_period: i64,
    /// `--start-interval`.
    pub start_interval: i64,
    /// `--retries`.
    pub retries: i32,
}
