//! `berth admin repo`

use std::path::PathBuf;

use berth_oci::{RepositoryName, TagPattern};
use berth_server::{Directory, Images, NewRepository, Repository, TagMutability, Usage, parse_keep_untagged};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::{Format, FormatArgs, Target, policy, retention, table, undelete};
use crate::failure::Failure;
use crate::output;
use crate::units;

/// Repositories and who may use them
#[derive(Debug, Args)]
pub(super) struct RepoArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the repositories
    #[command(after_help = "Example:\n  berth admin repo list --format json")]
    List(FormatArgs),
    /// Show a repository and its settings
    #[command(after_help = "Example:\n  berth admin repo show team-a/app")]
    Show {
        name: RepositoryName,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Make a repository
    #[command(after_help = "Example:\n  berth admin repo create team-a/app --immutable-except 'dev-*'")]
    Create(CreateArgs),
    /// Remove a repository
    #[command(after_help = "Example:\n  berth admin repo rm team-a/app --force")]
    Rm {
        name: RepositoryName,
        /// With the images in it
        #[arg(long)]
        force: bool,
    },
    /// A repository's own policy, which says who may do what with it besides what users' policies say
    #[command(after_help = "Examples:
  berth admin repo policy team-a/app put policy.json
  berth admin repo policy team-a/app show")]
    Policy {
        name: RepositoryName,
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Bring back what was deleted and is not collected yet
    #[command(after_help = "Examples:
  berth admin repo undelete team-a/app --list     # what could be brought back
  berth admin repo undelete team-a/app v1.2       # a tag, or a manifest by its digest
  berth admin repo undelete team-a/app            # the whole repository, once removed")]
    Undelete(undelete::UndeleteArgs),
    /// What a tag pointed at, the newest first
    #[command(after_help = "Example:\n  berth admin repo history team-a/app prod")]
    History(undelete::HistoryArgs),
    /// How many bytes repositories hold, alone and together with others
    #[command(after_help = "Example:\n  berth admin repo usage")]
    Usage(FormatArgs),
    /// Rules by which images expire
    #[command(after_help = "Examples:
  berth admin repo retention team-a/app preview rules.json
  berth admin repo retention team-a/app put rules.json
  berth admin repo retention team-a/ show     # the rules for all repositories that begin so")]
    Retention(retention::RetentionArgs),
    /// Say how long images are kept that have no tag
    #[command(after_help = "Example:\n  berth admin repo untagged team-a/app 14d")]
    Untagged {
        name: RepositoryName,
        /// A time such as 14d; 'never' goes; 'default' is as the server is configured
        keep: String,
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

#[derive(Debug, Args)]
struct CreateArgs {
    name: RepositoryName,
    /// Tags, once pushed, stay where they are
    #[arg(long)]
    immutable: bool,
    /// As --immutable, but for tags that match this pattern; may be given up to five times
    #[arg(long, value_name = "PATTERN")]
    immutable_except: Vec<TagPattern>,
    /// A sentence for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
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
pub(super) fn path(name: &RepositoryName) -> String {
    format!("/repositories/{}", name.as_str().replace('/', "%2F"))
}

impl RepoArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        match &self.command {
            Command::List(format) => {
                let (tried, path) = ("listing the repositories", "/repositories");
                print(*format, &target.list(tried, path, Directory::repositories).await?)
            }
            Command::Show { name, format } => {
                let tried = format!("showing the repository {name}");
                let repository = match target {
                    Target::Remote(remote) => remote.get::<Repository>(&tried, &path(name)).await?,
                    Target::Offline(offline) => {
                        let repository = offline.directory().repository(name).await;
                        repository.map_err(|error| Failure::new(&tried, error))?
                    }
                };
                print(*format, &[repository])
            }
            Command::Create(args) => args.run(target).await,
            Command::Rm { name, force } => {
                let tried = format!("removing the repository {name}");
                match target {
                    Target::Remote(remote) => {
                        let path = format!("{}?force={force}", path(name));
                        remote.tell(&tried, Method::DELETE, &path, None::<&()>).await
                    }
                    Target::Offline(offline) => {
                        let images = if *force { Images::Removed } else { Images::None };
                        let removed =
                            offline.directory().remove_repository(name, images, offline.actor()).await;
                        removed.map_err(|error| Failure::new(&tried, error))
                    }
                }
            }
            Command::Policy { name, command } => command.run(target, name).await,
            Command::Undelete(args) => args.run(target).await,
            Command::History(args) => args.run(target).await,
            Command::Usage(format) => print_usage(target, *format).await,
            Command::Retention(args) => args.run(target).await,
            Command::Untagged { name, keep } => keep_untagged(target, name, keep).await,
            Command::Public { name, off: false } => publish(target, name).await,
            Command::Public { name, off: true } => unpublish(target, name).await,
        }
    }
}

fn print(format: FormatArgs, repositories: &[Repository]) -> Result<(), Failure> {
    let columns = ["NAME", "IMAGES", "TAGS", "POLICY", "DESCRIPTION"];
    table::print(format.format, repositories, columns, |repository| {
        let tags = match repository.immutable_except.as_slice() {
            [] => repository.tag_mutability.to_lowercase(),
            except => format!("immutable except {}", except.join(", ")),
        };
        let policy = if repository.own_policy { "own" } else { "-" };
        let description = repository.description.clone().unwrap_or_default();
        [repository.name.clone(), repository.images.to_string(), tags, policy.to_owned(), description]
    })
}

async fn print_usage(target: &Target, FormatArgs { format }: FormatArgs) -> Result<(), Failure> {
    let tried = "asking how much repositories hold";
    let usage = match target {
        Target::Remote(remote) => remote.get::<Usage>(tried, "/gc/usage").await?,
        Target::Offline(offline) => {
            let usage = offline.directory().usage().await;
            usage.map_err(|error| Failure::new(tried, error))?
        }
    };
    if format != Format::Table {
        return table::print_one(&usage);
    }
    let row = |name: &str, blobs: u64, sizes: [Option<u64>; 3]| {
        let [all, shared, own] = sizes.map(|size| size.map_or_else(|| "-".to_owned(), units::size));
        [name.to_owned(), blobs.to_string(), all, shared, own]
    };
    let rows = usage
        .repositories
        .iter()
        .map(|one| row(&one.name, one.blobs, [Some(one.bytes), Some(one.shared), Some(one.own)]));
    let rows = rows.chain([row("in all", usage.blobs, [Some(usage.bytes), None, None])]).collect();
    table::Columns::new(["REPOSITORY", "BLOBS", "SIZE", "SHARED", "OWN"]).print(rows).map(drop)
}

impl CreateArgs {
    async fn run(&self, target: &Target) -> Result<(), Failure> {
        let Self { name, immutable, immutable_except: except, description } = self;
        let tried = format!("making the repository {name}");
        match target {
            Target::Remote(remote) => {
                let except: Vec<String> = except.iter().map(ToString::to_string).collect();
                let body = json!({
                    "name": name.as_str(), "description": description,
                    "immutable": immutable, "immutable_except": except,
                });
                remote.tell(&tried, Method::POST, "/repositories", Some(&body)).await
            }
            Target::Offline(offline) => {
                let tags = if *immutable || !except.is_empty() {
                    TagMutability::Immutable(except.clone())
                } else {
                    TagMutability::Mutable
                };
                let new = NewRepository { name: name.clone(), description: description.clone(), tags };
                let added = offline.directory().add_repository(new, offline.actor()).await;
                added.map_err(|error| Failure::new(&tried, error))
            }
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
                        let put =
                            offline.directory().put_repository_policy(name, document, offline.actor()).await;
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
                        let removed =
                            offline.directory().remove_repository_policy(name, offline.actor()).await;
                        removed.map_err(|error| Failure::new(&tried, error))
                    }
                }
            }
        }
    }
}

async fn keep_untagged(target: &Target, name: &RepositoryName, keep: &str) -> Result<(), Failure> {
    let tried = format!("setting how long {name} keeps untagged images");
    match target {
        Target::Remote(remote) => {
            let (path, body) = (format!("{}/untagged", path(name)), json!({"keep": keep}));
            remote.tell(&tried, Method::PUT, &path, Some(&body)).await
        }
        Target::Offline(offline) => {
            let keep = parse_keep_untagged(keep).map_err(|error| Failure::new(&tried, error))?;
            let kept = offline.directory().keep_untagged(name, keep, offline.actor()).await;
            kept.map_err(|error| Failure::new(&tried, error))
        }
    }
}

async fn publish(target: &Target, name: &RepositoryName) -> Result<(), Failure> {
    let tried = format!("making {name} public");
    match target {
        Target::Remote(remote) => {
            remote.tell(&tried, Method::PUT, &format!("{}/public", path(name)), None::<&()>).await
        }
        Target::Offline(offline) => offline
            .directory()
            .publish(name, offline.actor())
            .await
            .map_err(|error| Failure::new(&tried, error)),
    }
}

async fn unpublish(target: &Target, name: &RepositoryName) -> Result<(), Failure> {
    let tried = format!("making {name} private again");
    match target {
        Target::Remote(remote) => {
            remote.tell(&tried, Method::DELETE, &format!("{}/public", path(name)), None::<&()>).await
        }
        Target::Offline(offline) => offline
            .directory()
            .unpublish(name, offline.actor())
            .await
            .map_err(|error| Failure::new(&tried, error)),
    }
}
