//! `berth admin repo`

use std::path::PathBuf;

use berth_oci::RepositoryName;
use clap::{Args, Subcommand};
use reqwest::Method;

use super::{Target, policy};
use crate::failure::Failure;
use crate::output;

/// Repositories and who may use them
#[derive(Debug, Args)]
pub(super) struct RepoArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A repository's own policy, which says who may do what with it besides what users' policies say
    #[command(after_help = "Examples:
  berth admin repo policy team-a/app put policy.json
  berth admin repo policy team-a/app show")]
    Policy {
        name: RepositoryName,
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Let everyone pull from a repository, also without a login
    #[command(after_help = "Example:\n  berth admin repo public team-a/app")]
    Public {
        name: RepositoryName,
        /// End that
        #[arg(long)]
        off: bool,
    },
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Give it a policy document (IAM's JSON, with a Principal), in place of the one it has
    #[command(after_help = "Example:\n  berth admin repo policy team-a/app put policy.json")]
    Put {
        /// The document's file; - is standard input
        file: PathBuf,
    },
    /// Print its document
    #[command(after_help = "Example:\n  berth admin repo policy team-a/app show")]
    Show,
    /// Take it away
    #[command(after_help = "Example:\n  berth admin repo policy team-a/app rm")]
    Rm,
}

/// A repository's path in the management API, where a name is one segment.
fn path(name: &RepositoryName) -> String {
    format!("/repositories/{}", name.as_str().replace('/', "%2F"))
}

impl RepoArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        match &self.command {
            Command::Policy { name, command } => command.run(target, name).await,
            Command::Public { name, off: false } => publish(target, name).await,
            Command::Public { name, off: true } => unpublish(target, name).await,
        }
    }
}

impl PolicyCommand {
    async fn run(&self, target: &Target, name: &RepositoryName) -> Result<(), Failure> {
        let path = format!("{}/policy", path(name));
        match self {
            Self::Put { file } => {
                let tried = format!("putting the policy of {name}");
                let wrong = |error| Failure::new(&tried, format!("reading {}: {error}", file.display()));
                let document = policy::read(file).map_err(wrong)?;
                match target {
                    Target::Remote(remote) => remote.put_text(&tried, &path, document).await,
                    Target::Offline(offline) => {
                        let put = offline.directory().put_repository_policy(name, document).await;
                        put.map_err(|error| Failure::new(&tried, error))
                    }
                }
            }
            Self::Show => {
                let tried = format!("showing the policy of {name}");
                let document = match target {
                    Target::Remote(remote) => remote.get_text(&tried, &path).await?,
                    Target::Offline(offline) => {
                        let document = offline.directory().repository_document(name).await;
                        document.map_err(|error| Failure::new(&tried, error))?
                    }
                };
                output::result(document.trim_end())
            }
            Self::Rm => {
                let tried = format!("removing the policy of {name}");
                match target {
                    Target::Remote(remote) => remote.tell(&tried, Method::DELETE, &path, None::<&()>).await,
                    Target::Offline(offline) => {
                        let removed = offline.directory().remove_repository_policy(name).await;
                        removed.map_err(|error| Failure::new(&tried, error))
                    }
                }
            }
        }
    }
}

async fn publish(target: &Target, name: &RepositoryName) -> Result<(), Failure> {
    let tried = format!("making {name} public");
    match target {
        Target::Remote(remote) => {
            remote.tell(&tried, Method::PUT, &format!("{}/public", path(name)), None::<&()>).await
        }
        Target::Offline(offline) => {
            offline.directory().publish(name).await.map_err(|error| Failure::new(&tried, error))
        }
    }
}

async fn unpublish(target: &Target, name: &RepositoryName) -> Result<(), Failure> {
    let tried = format!("making {name} private again");
    match target {
        Target::Remote(remote) => {
            remote.tell(&tried, Method::DELETE, &format!("{}/public", path(name)), None::<&()>).await
        }
        Target::Offline(offline) => {
            offline.directory().unpublish(name).await.map_err(|error| Failure::new(&tried, error))
        }
    }
}
