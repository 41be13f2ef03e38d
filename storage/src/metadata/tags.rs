//! Tags: movable names for manifests, and the history of what they named.

use berth_oci::{Digest, RepositoryName, Tag};
use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::reviews::{self, Delays};
use super::{Change, Tx, args, repositories, settings};
use crate::error::{Error, Fault};
use crate::{Actor, Timestamp};

/// A tag that is to name a manifest.
#[derive(Debug)]
pub(crate) struct Tagging<'a> {
    pub(crate) name: &'a RepositoryName,
    pub(crate) repository: &'a str,
    pub(crate) digest: &'a Digest,
    pub(crate) actor: &'a Actor,
    pub(crate) now: Timestamp,
    pub(crate) delays: Delays,
}

/// Lets `tag` name the manifest, and remembers that it does; gives the one it named before, if it
/// was another.
pub(crate) async fn set(tx: &mut Tx<'_>, tag: &Tag, tagging: &Tagging<'_>) -> Result<Option<Digest>, Error> {
    let Tagging { name, repository, digest, actor, now, delays } = tagging;
    let sql = "SELECT digest FROM tags WHERE repository_id = $1 AND name = $2";
    let before: Option<Digest> = match tx.row(sql, args![*repository, tag]).await? {
        Some(row) => Some(row.parsed(0)?),
        None => None,
    };
    if before.as_ref() == Some(*digest) {
        return Ok(None);
    }
    if before.is_some() && !settings::tags_of(tx, repository).await?.may_move(tag) {
        return Err(Error::TagImmutable { tag: tag.clone(), repository: (*name).clone() });
    }
    let sql = "INSERT INTO tags (repository_id, name, digest, updated_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (repository_id, name)
               DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at";
    tx.run(sql, args![*repository, tag, *digest, *now]).await?;
    remember(tx, repository, tag, Some(digest), actor, *now).await?;
    let sql = "UPDATE manifests SET untagged_at = NULL
               WHERE repository_id = $1 AND digest = $2 AND untagged_at IS NOT NULL";
    tx.run(sql, args![*repository, *digest]).await?;
    if let Some(before) = &before {
        note_untagged(tx, repository, before, *now, *delays).await?;
        tx.changed(Change::Reference((*name).clone(), before.as_str().to_owned()));
    }
    tx.changed(Change::Reference((*name).clone(), tag.as_str().to_owned()));
    Ok(before)
}

async fn remember(
    tx: &mut Tx<'_>,
    repository: &str,
    tag: &Tag,
    digest: Option<&Digest>,
    actor: &Actor,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "INSERT INTO tag_history (repository_id, name, digest, changed_at, changed_by)
               VALUES ($1, $2, $3, $4, $5)";
    tx.run(sql, args![repository, tag, digest, now, actor.identity.as_deref()]).await
}

/// Notes since when a manifest has no tag, if it has none.
async fn note_untagged(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
    now: Timestamp,
    delays: Delays,
) -> Result<(), Fault> {
    let sql = "UPDATE manifests SET untagged_at = $3
               WHERE repository_id = $1 AND digest = $2
                 AND NOT EXISTS (SELECT 1 FROM tags WHERE repository_id = $1 AND digest = $2)
               RETURNING digest";
    match tx.row(sql, args![repository, digest, now]).await? {
        Some(_) => reviews::untagged(tx, repository, digest, now, delays).await,
        None => Ok(()),
    }
}

/// A tag that is to go.
#[derive(Debug)]
pub(crate) struct DeleteTag {
    pub(crate) name: RepositoryName,
    pub(crate) tag: Tag,
    pub(crate) actor: Actor,
    pub(crate) now: Timestamp,
    pub(crate) delays: Delays,
}

/// Removes the tag alone; the manifest stays. Whether it was there.
pub(crate) fn delete<'t>(tx: &'t mut Tx<'_>, delete: &'t DeleteTag) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        let DeleteTag { name, tag, actor, now, delays } = delete;
        let Some(repository) = repositories::find(tx, name).await? else { return Ok(false) };
        let sql = "DELETE FROM tags WHERE repository_id = $1 AND name = $2 RETURNING digest";
        let Some(row) = tx.row(sql, args![&repository, tag]).await? else { return Ok(false) };
        remember(tx, &repository, tag, None, actor, *now).await?;
        let digest: Digest = row.parsed(0)?;
        note_untagged(tx, &repository, &digest, *now, *delays).await?;
        tx.changed(Change::Reference(name.clone(), tag.as_str().to_owned()));
        tx.changed(Change::Reference(name.clone(), digest.as_str().to_owned()));
        let (tags, digest) = (std::slice::from_ref(tag), Some(&digest));
        let deed = Deed { action: "tag.delete", repository: Some(name), digest, tags, ..Deed::default() };
        note(tx, actor, *now, deed).await?;
        Ok(true)
    })
}

/// Every tag of a manifest.
pub(crate) async fn all_of(tx: &mut Tx<'_>, repository: &str, digest: &Digest) -> Result<Vec<Tag>, Fault> {
    let sql = "SELECT name FROM tags WHERE repository_id = $1 AND digest = $2";
    tx.rows(sql, args![repository, digest]).await?.iter().map(|row| row.parsed(0)).collect()
}

/// Removes every tag of a manifest; gives which there were.
pub(crate) async fn delete_all_of(tx: &mut Tx<'_>, tagging: &Tagging<'_>) -> Result<Vec<Tag>, Fault> {
    let Tagging { name, repository, digest, actor, now, .. } = tagging;
    let sql = "DELETE FROM tags WHERE repository_id = $1 AND digest = $2 RETURNING name";
    let mut gone = Vec::new();
    for row in tx.rows(sql, args![*repository, *digest]).await? {
        let tag: Tag = row.parsed(0)?;
        remember(tx, repository, &tag, None, actor, *now).await?;
        tx.changed(Change::Reference((*name).clone(), tag.as_str().to_owned()));
        gone.push(tag);
    }
    Ok(gone)
}

/// The tags after `last`, in order, at most `limit`; none when there is no such repository.
pub(crate) fn page<'t>(
    tx: &'t mut Tx<'_>,
    (name, last, limit): &'t (RepositoryName, String, u64),
) -> BoxFuture<'t, Result<Option<Vec<Tag>>, Error>> {
    Box::pin(async move {
        let Some(repository) = repositories::find(tx, name).await? else { return Ok(None) };
        let sql = "SELECT name FROM tags WHERE repository_id = $1 AND name > $2 ORDER BY name LIMIT $3";
        let rows = tx.rows(sql, args![&repository, last, *limit]).await?;
        rows.iter().map(|row| Ok(row.parsed(0)?)).collect::<Result<_, _>>().map(Some)
    })
}
