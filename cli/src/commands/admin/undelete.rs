//! `berth admin repo undelete` and `berth admin repo history`: what was, and can be again.

use berth_oci::{Reference, RepositoryName, Tag};
use berth_server::{Deleted, TagChange};
use clap::Args;
use reqwest::Method;

use super::repo::path;
use super::{FormatArgs, Target, table};
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct UndeleteArgs {
    name: RepositoryName,

    /// A tag, or a manifest's digest; left out: the repository itself, which was removed
    #[arg(conflicts_with = "list")]
    reference: Option<Reference>,

    /// Only list what could be brought back
    #[arg(long)]
    list: bool,

    #[command(flatten)]
    format: FormatArgs,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    name: RepositoryName,
    tag: Tag,
    #[command(flatten)]
    format: FormatArgs,
}

impl UndeleteArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        match &self.reference {
            _ if self.list => self.list(target).await,
            Some(reference) => self.bring_back(target, reference).await,
            None => self.bring_back_repository(target).await,
        }
    }

    async fn list(&self, target: &Target) -> Result<(), Failure> {
        let tried = format!("listing what was deleted from {}", self.name);
        let deleted = match target {
            Target::Remote(remote) => {
                remote.get::<Vec<Deleted>>(&tried, &format!("{}/deleted", path(&self.name))).await?
            }
            Target::Offline(offline) => {
                let deleted = offline.directory().deleted(&self.name).await;
                deleted.map_err(|error| Failure::new(&tried, error))?
            }
        };
        let columns = ["TAG", "DIGEST", "DELETED", "UNTIL"];
        table::print(self.format.format, &deleted, columns, |deleted| {
            let tags = match (&deleted.tag, deleted.tags.as_slice()) {
                (Some(tag), _) => tag.clone(),
                (None, []) => "-".to_owned(),
                (None, tags) => tags.join(", "),
            };
            let until = deleted.until.as_deref().map_or_else(|| "-".to_owned(), table::to_the_second);
            [tags, deleted.digest.clone(), table::to_the_second(&deleted.deleted_at), until]
        })
    }

    async fn bring_back(&self, target: &Target, reference: &Reference) -> Result<(), Failure> {
        let tried = format!("bringing back {reference} of {}", self.name);
        match target {
            Target::Remote(remote) => {
                let path = format!("{}/deleted/{reference}", path(&self.name));
                remote.tell(&tried, Method::POST, &path, None::<&()>).await
            }
            Target::Offline(offline) => {
                let back = offline.directory().undelete(&self.name, reference, offline.actor()).await;
                back.map(drop).map_err(|error| Failure::new(&tried, error))
            }
        }
    }

    async fn bring_back_repository(&self, target: &Target) -> Result<(), Failure> {
        let tried = format!("bringing back the repository {}", self.name);
        match target {
            Target::Remote(remote) => {
                let path = format!("{}/deleted", path(&self.name));
                remote.tell(&tried, Method::POST, &path, None::<&()>).await
            }
            Target::Offline(offline) => {
                let back = offline.directory().undelete_repository(&self.name, offline.actor()).await;
                back.map_err(|error| Failure::new(&tried, error))
            }
        }
    }
}

impl HistoryArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        let Self { name, tag, format } = self;
        let tried = format!("asking what {name}:{tag} pointed at");
        let changes = match target {
            Target::Remote(remote) => {
                let path = format!("{}/tags/{tag}/history", path(name));
                remote.get::<Vec<TagChange>>(&tried, &path).await?
            }
            Target::Offline(offline) => {
                let changes = offline.directory().tag_history(name, tag).await;
                changes.map_err(|error| Failure::new(&tried, error))?
            }
        };
        table::print(format.format, &changes, ["SINCE", "DIGEST", "BY"], |change| {
            let digest = change.digest.clone().unwrap_or_else(|| "(deleted)".to_owned());
            let by = change.by.clone().unwrap_or_else(|| "-".to_owned());
            [table::to_the_second(&change.at), digest, by]
        })
    }
}
