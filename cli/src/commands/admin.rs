//! `berth admin`: who may use a server, and for what.

mod audit;
mod explain;
mod gc;
mod group;
mod key;
mod list;
mod migrate;
mod offline;
mod policy;
mod remote;
mod repo;
mod retention;
mod signing_key;
mod table;
mod undelete;
mod user;

use std::path::PathBuf;

use berth_images::RegistryAddress;
use clap::{Args, Subcommand, ValueEnum};

use crate::args::ConnectionArgs;
use crate::failure::Failure;
use offline::Offline;
use remote::Remote;

/// Administer a berth server
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth admin user add alice
  berth admin policy attach developer --user alice --prefix team-a/
  berth admin --data /var/lib/berth user passwd admin     # on a stopped server's folder")]
pub(crate) struct Admin {
    /// The server, host[:port]; left out: the only one logged in to
    #[arg(long, value_name = "SERVER", conflicts_with = "data")]
    server: Option<RegistryAddress>,

    /// Work on the data folder of a stopped server instead
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    #[command(flatten)]
    connection: ConnectionArgs,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    User(user::UserArgs),
    Group(group::GroupArgs),
    Key(key::KeyArgs),
    Policy(policy::PolicyArgs),
    Repo(repo::RepoArgs),
    Explain(explain::ExplainArgs),
    Audit(audit::AuditArgs),
    SigningKey(signing_key::SigningKeyArgs),
    Migrate(migrate::MigrateArgs),
    Gc(gc::GcArgs),
}

/// How lists and records are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
}

/// The flag `--format`.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct FormatArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Where the administration happens.
enum Target {
    /// A running server, through its management API.
    Remote(Remote),
    /// A stopped server's data folder.
    Offline(Box<Offline>),
}

impl Admin {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new("starting", error))?
            .block_on(async {
                match &self.command {
                    Command::User(user) => user.run(&self.target().await?).await,
                    Command::Group(group) => group.run(&self.target().await?).await,
                    Command::Key(key) => key.run(&self.target().await?).await,
                    Command::Policy(policy) => policy.run(&self.target().await?).await,
                    Command::Repo(repo) => repo.run(&self.target().await?).await,
                    Command::Explain(explain) => explain.run(&self.target().await?).await,
                    Command::Audit(audit) => audit.run(&self.target().await?).await,
                    Command::SigningKey(key) => key.run(&self.target().await?).await,
                    // It names its stores by itself.
                    Command::Migrate(migrate) => migrate.run().await,
                    Command::Gc(gc) => gc.run(&self.target().await?).await,
                }
            })
    }

    async fn target(&self) -> Result<Target, Failure> {
        match &self.data {
            Some(data) => Ok(Target::Offline(Box::new(Offline::open(data).await?))),
            None => Ok(Target::Remote(Remote::new(self.server.as_ref(), &self.connection)?)),
        }
    }
}
