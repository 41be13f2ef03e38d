//! Repositories as administrators see them: made, listed, removed, and their settings.

use berth_oci::{RepositoryName, Tag, TagPattern};
use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::records::Records;
use super::reviews::{self, Delays};
use super::{Change, Row, Tx, args, repositories, retention, uploads};
use crate::error::{Error, Fault};
use crate::ids::new_id;
use crate::page::Page;
use crate::{By, Timestamp};

/// Whether a tag may come to name another manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagMutability {
    /// Every tag may.
    Mutable,
    /// Only tags that match one of these patterns may.
    Immutable(Vec<TagPattern>),
}

impl TagMutability {
    /// Whether `tag` may.
    pub fn may_move(&self, tag: &Tag) -> bool {
        match self {
            Self::Mutable => true,
            Self::Immutable(except) => except.iter().any(|pattern| pattern.matches(tag)),
        }
    }

    /// ECR's word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Mutable => "MUTABLE",
            Self::Immutable(except) if except.is_empty() => "IMMUTABLE",
            Self::Immutable(_) => "IMMUTABLE_WITH_EXCLUSION",
        }
    }

    /// For people, as it stands in the audit.
    fn in_words(&self) -> String {
        match self.exclusions().as_slice() {
            [] => format!("tags {}", self.as_str().to_lowercase()),
            except => format!("tags immutable except {}", except.join(", ")),
        }
    }

    /// The patterns of tags that may although others may not.
    pub fn exclusions(&self) -> Vec<String> {
        match self {
            Self::Mutable => Vec::new(),
            Self::Immutable(except) => except.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A repository that is to be made.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// Its name.
    pub name: RepositoryName,
    /// What people say of it.
    pub description: Option<String>,
    /// Whether its tags may move.
    pub tags: TagMutability,
}

/// A repository, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRecord {
    /// Its name.
    pub name: RepositoryName,
    /// When it was made.
    pub created_at: Timestamp,
    /// What people say of it.
    pub description: Option<String>,
    /// Whether its tags may move.
    pub tags: TagMutability,
    /// Whether it has a policy of its own.
    pub has_policy: bool,
    /// How many manifests it holds.
    pub images: u64,
}

/// What becomes of the images of a repository that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Images {
    /// There must be none.
    None,
    /// They go, too.
    Removed,
}

impl Records {
    /// The repositories after the one named `after`, in order of name, at most `limit`.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn repositories(&self, after: String, limit: u64) -> Result<Page<RepositoryRecord>, Error> {
        let found = self.metadata().scan((after, limit.saturating_add(1)), list).await?;
        Ok(Page::cut(found, limit))
    }

    /// One repository.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when it isn't there.
    pub async fn repository(&self, name: RepositoryName) -> Result<RepositoryRecord, Error> {
        self.metadata().scan(name, show).await
    }

    /// Makes a repository.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is one of that name.
    pub async fn add_repository(&self, new: NewRepository, by: By) -> Result<(), Error> {
        self.metadata().write((new, by), add).await
    }

    /// Removes a repository with all that is in it; invisible at once, and a new one of that name
    /// begins with nothing.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when it isn't there, [`Error::RepositoryNotEmpty`] when it holds
    /// images and they don't go too.
    pub async fn remove_repository(&self, name: RepositoryName, images: Images, by: By) -> Result<(), Error> {
        self.metadata().write((name, images, by, self.delays()), remove).await
    }
}

/// Whether the tags of a repository, by its id, may move.
pub(super) async fn tags_of(tx: &mut Tx<'_>, repository: &str) -> Result<TagMutability, Fault> {
    let sql = "SELECT tag_mutability, tag_exclusions FROM repositories WHERE id = $1";
    match tx.row(sql, args![repository]).await? {
        Some(row) => read_tags(&row, 0),
        None => Ok(TagMutability::Mutable),
    }
}

/// What two columns say, the first of which is `column`.
fn read_tags(row: &Row, column: usize) -> Result<TagMutability, Fault> {
    if row.text(column)? == TagMutability::Mutable.as_str() {
        return Ok(TagMutability::Mutable);
    }
    let patterns = row.text(column + 1)?.split_whitespace().map(str::parse).collect::<Result<_, _>>();
    let unreadable = |error| Fault::new("reading which tags are immutable", error);
    patterns.map(TagMutability::Immutable).map_err(unreadable)
}

fn read(row: &Row) -> Result<RepositoryRecord, Fault> {
    Ok(RepositoryRecord {
        name: row.parsed(0)?,
        created_at: Timestamp(row.int(1)?),
        description: row.text_or_null(2)?.map(str::to_owned),
        tags: read_tags(row, 3)?,
        has_policy: row.int(5)? != 0,
        images: row.size(6)?,
    })
}

fn list<'t>(
    tx: &'t mut Tx<'_>,
    (after, limit): &'t (String, u64),
) -> BoxFuture<'t, Result<Vec<RepositoryRecord>, Error>> {
    Box::pin(async move {
        let sql = "SELECT name, created_at, description, tag_mutability, tag_exclusions,
                       CASE WHEN policy IS NULL THEN 0 ELSE 1 END,
                       (SELECT COUNT(*) FROM manifests
                        WHERE manifests.repository_id = repositories.id AND manifests.deleted_at IS NULL)
                   FROM repositories WHERE name > $1 AND deleted_at IS NULL ORDER BY name LIMIT $2";
        Ok(tx.rows(sql, args![after, *limit]).await?.iter().map(read).collect::<Result<_, _>>()?)
    })
}

fn show<'t>(tx: &'t mut Tx<'_>, name: &'t RepositoryName) -> BoxFuture<'t, Result<RepositoryRecord, Error>> {
    Box::pin(async move {
        let sql = "SELECT name, created_at, description, tag_mutability, tag_exclusions,
                       CASE WHEN policy IS NULL THEN 0 ELSE 1 END,
                       (SELECT COUNT(*) FROM manifests
                        WHERE manifests.repository_id = repositories.id AND manifests.deleted_at IS NULL)
                   FROM repositories WHERE name = $1 AND deleted_at IS NULL";
        let row = tx.row(sql, args![name]).await?;
        Ok(read(&row.ok_or_else(|| Error::RepositoryUnknown(name.clone()))?)?)
    })
}

fn add<'t>(tx: &'t mut Tx<'_>, (new, by): &'t (NewRepository, By)) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let NewRepository { name, description, tags } = new;
        let sql =
            "INSERT INTO repositories (id, name, created_at, description, tag_mutability, tag_exclusions)
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id";
        let exclusions = tags.exclusions().join(" ");
        let args = args![&new_id(), name, by.at, description.as_ref(), tags.as_str(), &exclusions];
        tx.row(sql, args).await?.ok_or_else(|| Error::Exists(format!("repository {name}")))?;
        tx.changed(Change::Repository(name.clone()));
        let detail = Some(tags.in_words());
        let deed = Deed { action: "repo.create", repository: Some(name), detail, ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}

fn remove<'t>(
    tx: &'t mut Tx<'_>,
    (name, images, by, delays): &'t (RepositoryName, Images, By, Delays),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let repository = repositories::get(tx, name).await?;
        let sql = "SELECT 1 FROM manifests WHERE repository_id = $1 AND deleted_at IS NULL LIMIT 1";
        if *images == Images::None && tx.row(sql, args![&repository]).await?.is_some() {
            return Err(Error::RepositoryNotEmpty(name.clone()));
        }
        tx.run("UPDATE repositories SET deleted_at = $2 WHERE id = $1", args![&repository, by.at]).await?;
        reviews::repository(tx, &repository, by.at.after(delays.unreferenced)).await?;
        uploads::end_all_of(tx, name, by.at).await?;
        retention::forget(tx, name).await?;
        tx.changed(Change::Repository(name.clone()));
        let deed = Deed { action: "repo.rm", repository: Some(name), ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}
