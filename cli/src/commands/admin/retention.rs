//! `berth admin repo retention`

use std::path::{Path, PathBuf};

use berth_oci::RepositoryName;
use berth_server::{Expiring, Gone, Scope};
use clap::{Args, Subcommand};
use reqwest::Method;

use super::{Format, FormatArgs, Target, policy, repo, table};
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct RetentionArgs {
    /// A repository, a prefix that ends in a slash, or * for all
    #[arg(value_name = "NAME")]
    scope: Scope,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Give it a policy (ECR's lifecycle JSON), in place of the one it has; followed within the hour
    #[command(after_help = "Example:\n  berth admin repo retention team-a/app put rules.json")]
    Put {
        /// The document's file; - is standard input
        file: PathBuf,
    },
    /// Print its document
    #[command(after_help = "Example:\n  berth admin repo retention team-a/ show")]
    Show,
    /// Take it away
    #[command(after_help = "Example:\n  berth admin repo retention team-a/app rm")]
    Rm,
    /// Let expire now what its rules choose, instead of within the hour
    #[command(after_help = "Example:\n  berth admin repo retention team-a/app apply")]
    Apply(FormatArgs),
    /// List what would expire now, and by which rule; nothing is changed
    #[command(after_help = "Examples:
  berth admin repo retention team-a/app preview               # by the policy in force
  berth admin repo retention team-a/app preview rules.json    # by this one")]
    Preview {
        /// The document's file; - is standard input
        file: Option<PathBuf>,
        #[command(flatten)]
        format: FormatArgs,
    },
}

fn path(scope: &Scope) -> String {
    format!("/retention/{}", scope.to_string().replace('/', "%2F"))
}

impl RetentionArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        let Self { scope, command } = self;
        match command {
            Command::Put { file } => put(target, scope, file).await,
            Command::Show => {
                let tried = format!("showing the retention policy of {scope}");
                let document = match target {
                    Target::Remote(remote) => remote.get_text(&tried, &path(scope)).await?,
                    Target::Offline(offline) => {
                        let document = offline.directory().retention(scope).await;
                        document.map_err(|error| Failure::new(&tried, error))?
                    }
                };
                output::result(document.trim_end())
            }
            Command::Rm => {
                let tried = format!("removing the retention policy of {scope}");
                match target {
                    Target::Remote(remote) => {
                        remote.tell(&tried, Method::DELETE, &path(scope), None::<&()>).await
                    }
                    Target::Offline(offline) => {
                        let removed = offline.directory().remove_retention(scope, offline.actor()).await;
                        removed.map_err(|error| Failure::new(&tried, error))
                    }
                }
            }
            Command::Apply(format) => {
                let tried = format!("letting images of {scope} expire");
                apply(target, one(scope, &tried)?, *format, &tried).await
            }
            Command::Preview { file, format } => {
                let tried = format!("asking what of {scope} would expire");
                let name = one(scope, &tried)?;
                preview(target, name, file.as_deref(), *format, &tried).await
            }
        }
    }
}

/// The one repository that a scope is.
fn one<'s>(scope: &'s Scope, tried: &str) -> Result<&'s RepositoryName, Failure> {
    match scope {
        Scope::Repository(name) => Ok(name),
        Scope::All | Scope::Prefix(_) => {
            Err(Failure::new(tried, "name one repository; that is done one by one"))
        }
    }
}

async fn apply(
    target: &Target,
    name: &RepositoryName,
    FormatArgs { format }: FormatArgs,
    tried: &str,
) -> Result<(), Failure> {
    let gone = match target {
        Target::Remote(remote) => {
            let path = format!("{}/expiring", repo::path(name));
            remote.ask::<Gone>(tried, Method::DELETE, &path, &()).await?
        }
        Target::Offline(offline) => {
            let gone = offline.directory().expire_now(name).await;
            gone.map_err(|error| Failure::new(tried, error))?
        }
    };
    if format != Format::Table {
        return table::print_one(&gone);
    }
    output::result(format!("{} tags expired, and {} images with their last one", gone.tags, gone.images))
}

fn read(tried: &str, file: &Path) -> Result<String, Failure> {
    policy::read(file).map_err(|error| Failure::new(tried, format!("reading {}: {error}", file.display())))
}

async fn put(target: &Target, scope: &Scope, file: &Path) -> Result<(), Failure> {
    let tried = format!("putting the retention policy of {scope}");
    let document = read(&tried, file)?;
    match target {
        Target::Remote(remote) => remote.put_text(&tried, &path(scope), document).await,
        Target::Offline(offline) => {
            let put = offline.directory().put_retention(scope, document, offline.actor()).await;
            put.map_err(|error| Failure::new(&tried, error))
        }
    }
}

async fn preview(
    target: &Target,
    name: &RepositoryName,
    file: Option<&Path>,
    format: FormatArgs,
    tried: &str,
) -> Result<(), Failure> {
    let document = file.map(|file| read(tried, file)).transpose()?;
    let expiring = match target {
        Target::Remote(remote) => {
            let path = format!("{}/expiring", repo::path(name));
            remote.ask_with_text::<Vec<Expiring>>(tried, &path, document.unwrap_or_default()).await?
        }
        Target::Offline(offline) => {
            let expiring = offline.directory().expiring(name, document.as_deref()).await;
            expiring.map_err(|error| Failure::new(tried, error))?
        }
    };
    let columns = ["DIGEST", "PUSHED", "TAGS THAT GO", "TAGS THAT STAY", "RULE"];
    table::print(format.format, &expiring, columns, |image| {
        let list = |tags: &[String]| if tags.is_empty() { "-".to_owned() } else { tags.join(", ") };
        [
            image.digest.clone(),
            table::to_the_second(&image.pushed_at),
            list(&image.tags),
            list(&image.kept_tags),
            format!("{} of {}", image.rule_priority, image.scope),
        ]
    })
}
