//! Repositories as administrators see them.

use berth_oci::{ErrorCode, RepositoryName};
use berth_storage::{Actor, Images, KeepUntagged, NewRepository, RepositoryRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Directory, ListPage, PageRequest};
use crate::error::Error;

/// A repository, as people see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// When it was made, in seconds since the epoch.
    pub created_at: i64,
    /// What people say of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether its tags may move, in ECR's words.
    pub tag_mutability: String,
    /// The patterns of tags that may although others may not.
    pub immutable_except: Vec<String>,
    /// Whether it has a policy of its own.
    pub own_policy: bool,
    /// How many manifests it holds.
    pub images: u64,
}

impl Repository {
    fn of(record: RepositoryRecord) -> Self {
        Self {
            name: record.name.to_string(),
            created_at: record.created_at.seconds(),
            description: record.description,
            tag_mutability: record.tags.as_str().to_owned(),
            immutable_except: record.tags.exclusions(),
            own_policy: record.has_policy,
            images: record.images,
        }
    }
}

/// The longest description, in bytes.
const LONGEST: usize = 1_000;
/// The most patterns of tags, as in ECR.
const MOST_PATTERNS: usize = 5;

impl Directory {
    /// A page of the repositories, in order of name.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn repositories(&self, page: &PageRequest) -> Result<ListPage<Repository>, Error> {
        let found = self.records.repositories(page.after.clone(), page.limit()).await?;
        Ok(ListPage::of(found, |record| record.name.to_string(), Repository::of))
    }

    /// One repository.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn repository(&self, name: &RepositoryName) -> Result<Repository, Error> {
        Ok(Repository::of(self.records.repository(name.clone()).await?))
    }

    /// Makes a repository.
    ///
    /// # Errors
    /// When there is one of that name, or its description or list of patterns is too long.
    pub async fn add_repository(&self, new: NewRepository, actor: &Actor) -> Result<(), Error> {
        let refused = |sentence: String| Err(Error::Request(ErrorCode::Unsupported, sentence));
        if new.description.as_ref().is_some_and(|text| text.contains('\0')) {
            return refused("a description holds no NUL".to_owned());
        }
        if new.description.as_ref().is_some_and(|text| text.len() > LONGEST) {
            return refused(format!("a description has at most {LONGEST} bytes"));
        }
        if new.tags.exclusions().len() > MOST_PATTERNS {
            return refused(format!("at most {MOST_PATTERNS} patterns can except tags from being immutable"));
        }
        Ok(self.records.add_repository(new, self.by(actor)).await?)
    }

    /// Sets how long a repository keeps manifests that have no tag, those it has included.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn keep_untagged(
        &self,
        name: &RepositoryName,
        keep: KeepUntagged,
        actor: &Actor,
    ) -> Result<(), Error> {
        Ok(self.records.keep_untagged(name.clone(), keep, self.by(actor)).await?)
    }

    /// Removes a repository.
    ///
    /// # Errors
    /// When there is none of that name, or it holds images and they don't go too.
    pub async fn remove_repository(
        &self,
        name: &RepositoryName,
        images: Images,
        actor: &Actor,
    ) -> Result<(), Error> {
        Ok(self.records.remove_repository(name.clone(), images, self.by(actor)).await?)
    }
}
