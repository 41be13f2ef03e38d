//! What nobody needs any more: what will be freed and when, what was deleted and can be brought back.

use berth_oci::{Reference, RepositoryName, Tag};
use berth_storage::Actor;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Directory;
use crate::error::Error;
use crate::moments;

/// What collection will free if nothing else happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    /// Manifests that will go.
    pub manifests: u64,
    /// Blobs that no repository will hold any more.
    pub blobs: u64,
    /// Bytes of those blobs.
    pub bytes: u64,
    /// When something is looked at next (RFC 3339); none: nothing is waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The repositories that will lose something, in order of name.
    pub repositories: Vec<RepositoryForecast>,
}

/// What a repository will lose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepositoryForecast {
    /// Its name; two of one name where one of them was removed.
    pub name: String,
    /// Since when it is removed (RFC 3339), if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<String>,
    /// Manifests that will go.
    pub manifests: u64,
    /// Blobs that it will hold no more.
    pub blobs: u64,
    /// Bytes of those of them that nobody else will hold either.
    pub bytes: u64,
    /// When something of it is looked at next (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What all repositories hold together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Blobs, each counted once.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The repositories, in order of name.
    pub repositories: Vec<RepositoryUsage>,
}

/// What one repository holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepositoryUsage {
    /// Its name.
    pub name: String,
    /// Its blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of the bytes that another repository holds too.
    pub shared: u64,
    /// What removing this repository would free.
    pub own: u64,
}

/// Something deleted that can be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// The manifest.
    pub digest: String,
    /// The tag that was deleted alone, while its manifest stayed; none: the manifest was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The tags that went with the manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// When (RFC 3339).
    pub deleted_at: String,
    /// Until when it can be brought back (RFC 3339); none: as long as its manifest stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What a tag pointed at for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TagChange {
    /// The manifest; none: the tag was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Since when (RFC 3339).
    pub at: String,
    /// The user who moved it, or the identity's id once that user is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// How much of what was deleted, or of a tag's past, is told at most.
const MOST: u64 = 1000;

impl Directory {
    /// What collection will free if nothing else happens.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn forecast(&self) -> Result<Forecast, Error> {
        let found = self.records.forecast().await?;
        let repositories = found.repositories.into_iter().map(|repository| RepositoryForecast {
            name: repository.name.to_string(),
            removed_at: repository.removed_at.map(moments::in_words),
            manifests: repository.manifests,
            blobs: repository.blobs,
            bytes: repository.bytes,
            next: repository.next.map(moments::in_words),
        });
        Ok(Forecast {
            manifests: found.manifests,
            blobs: found.blobs,
            bytes: found.bytes,
            next: found.next.map(moments::in_words),
            repositories: repositories.collect(),
        })
    }

    /// How many bytes repositories hold.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage(&self) -> Result<Usage, Error> {
        let found = self.records.usage().await?;
        let repositories = found.repositories.into_iter().map(|repository| RepositoryUsage {
            name: repository.name.to_string(),
            blobs: repository.blobs,
            bytes: repository.bytes,
            shared: repository.shared,
            own: repository.bytes - repository.shared,
        });
        Ok(Usage { blobs: found.blobs, bytes: found.bytes, repositories: repositories.collect() })
    }

    /// What was deleted from a repository and can be brought back, the newest first.
    ///
    /// # Errors
    /// When there is no such repository.
    pub async fn deleted(&self, name: &RepositoryName) -> Result<Vec<Deleted>, Error> {
        let found = self.records.deleted(name.clone(), MOST).await?;
        let deleted = found.into_iter().map(|deleted| Deleted {
            digest: deleted.digest.to_string(),
            tag: deleted.tag.map(|tag| tag.to_string()),
            tags: deleted.tags.iter().map(ToString::to_string).collect(),
            deleted_at: moments::in_words(deleted.deleted_at),
            until: deleted.until.map(moments::in_words),
        });
        Ok(deleted.collect())
    }

    /// Brings a manifest back with the tags that went with it, or a tag to what it named last; gives
    /// the manifest's digest.
    ///
    /// # Errors
    /// When the repository isn't there, nothing of that name was deleted or it is collected already,
    /// the tag may not move, or a blob was deleted by itself meanwhile.
    pub async fn undelete(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        actor: &Actor,
    ) -> Result<String, Error> {
        let digest = self.records.undelete(name.clone(), reference.clone(), self.by(actor)).await?;
        Ok(digest.to_string())
    }

    /// Brings a removed repository back with all that was in it.
    ///
    /// # Errors
    /// When there is one of that name again, or none was removed, or it is collected already.
    pub async fn undelete_repository(&self, name: &RepositoryName, actor: &Actor) -> Result<(), Error> {
        Ok(self.records.undelete_repository(name.clone(), self.by(actor)).await?)
    }

    /// What a tag pointed at, the newest first.
    ///
    /// # Errors
    /// When there is no such repository.
    pub async fn tag_history(&self, name: &RepositoryName, tag: &Tag) -> Result<Vec<TagChange>, Error> {
        let found = self.records.tag_history(name.clone(), tag.clone(), MOST).await?;
        let changes = found.into_iter().map(|change| TagChange {
            digest: change.digest.map(|digest| digest.to_string()),
            at: moments::in_words(change.at),
            by: change.by,
        });
        Ok(changes.collect())
    }
}
