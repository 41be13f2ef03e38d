//! What was deleted and is not collected yet: listed, and brought back.

use berth_oci::{Content, Digest, Manifest, Reference, RepositoryName, Tag};
use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::records::Records;
use super::reviews::{self, Delays};
use super::tags::{self, Tagging};
use super::{Change, Tx, args, repositories};
use crate::error::{Error, Fault};
use crate::{By, Timestamp};

/// Something deleted that can be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The manifest.
    pub digest: Digest,
    /// The tag that was deleted alone, while its manifest stayed; none: the manifest was deleted.
    pub tag: Option<Tag>,
    /// The tags that went with the manifest.
    pub tags: Vec<Tag>,
    /// When.
    pub deleted_at: Timestamp,
    /// Until when it can be brought back; none: until something else ends its manifest.
    pub until: Option<Timestamp>,
}

/// What a tag pointed at for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagChange {
    /// The manifest; none: the tag was deleted.
    pub digest: Option<Digest>,
    /// Since when.
    pub at: Timestamp,
    /// Who moved it: the user's name, or the identity's id once that user is gone.
    pub by: Option<String>,
}

impl Records {
    /// What was deleted from a repository and can be brought back, the newest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when it isn't there.
    pub async fn deleted(&self, name: RepositoryName, limit: u64) -> Result<Vec<Deleted>, Error> {
        self.metadata().scan((name, limit), deleted).await
    }

    /// Brings a manifest back with the tags that went with it, or a tag to what it named last; gives
    /// the manifest's digest.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when the repository isn't there, [`Error::Missing`] when nothing of
    /// that name was deleted or it is collected already, [`Error::TagImmutable`],
    /// [`Error::ManifestBlobUnknown`] when a blob of it was deleted by itself meanwhile.
    pub async fn undelete(
        &self,
        name: RepositoryName,
        reference: Reference,
        by: By,
    ) -> Result<Digest, Error> {
        self.metadata().write((name, reference, by, self.delays()), undelete).await
    }

    /// Brings a removed repository back with all that was in it.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is one of that name again, [`Error::Missing`] when none was removed
    /// or it is collected already.
    pub async fn undelete_repository(&self, name: RepositoryName, by: By) -> Result<(), Error> {
        self.metadata().write((name, by, self.delays()), undelete_repository).await
    }

    /// What a tag pointed at, the newest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when the repository isn't there.
    pub async fn tag_history(
        &self,
        name: RepositoryName,
        tag: Tag,
        limit: u64,
    ) -> Result<Vec<TagChange>, Error> {
        self.metadata().scan((name, tag, limit), history).await
    }
}

fn deleted<'t>(
    tx: &'t mut Tx<'_>,
    (name, limit): &'t (RepositoryName, u64),
) -> BoxFuture<'t, Result<Vec<Deleted>, Error>> {
    Box::pin(async move {
        let repository = repositories::get(tx, name).await?;
        let sql = "SELECT manifests.digest, manifests.deleted_at, reviews.review_after
                   FROM manifests
                   LEFT JOIN reviews ON reviews.repository_id = manifests.repository_id AND reviews.kind = 0
                                    AND reviews.digest = manifests.digest
                   WHERE manifests.repository_id = $1 AND manifests.deleted_at IS NOT NULL
                   ORDER BY manifests.deleted_at DESC LIMIT $2";
        let mut found = Vec::new();
        for row in tx.rows(sql, args![&repository, *limit]).await? {
            let (digest, deleted_at) = (row.parsed(0)?, Timestamp(row.int(1)?));
            let tags = went_with(tx, &repository, &digest, deleted_at).await?;
            let until = row.int_or_null(2)?.map(Timestamp);
            found.push(Deleted { digest, tag: None, tags, deleted_at, until });
        }
        // The last change of a tag was its end, and the manifest of the change before lives.
        let sql = "SELECT ends.name, ends.changed_at, befores.digest
                   FROM tag_history AS ends
                   JOIN tag_history AS befores ON befores.id =
                       (SELECT MAX(id) FROM tag_history WHERE repository_id = $1 AND name = ends.name
                                                          AND id < ends.id AND digest IS NOT NULL)
                   JOIN manifests ON manifests.repository_id = $1 AND manifests.digest = befores.digest
                                 AND manifests.deleted_at IS NULL
                   WHERE ends.repository_id = $1 AND ends.digest IS NULL
                     AND NOT EXISTS (SELECT 1 FROM tag_history WHERE repository_id = $1 AND name = ends.name
                                                                 AND id > ends.id)
                   ORDER BY ends.changed_at DESC LIMIT $2";
        for row in tx.rows(sql, args![&repository, *limit]).await? {
            let (tag, digest) = (Some(row.parsed(0)?), row.parsed(2)?);
            found.push(Deleted {
                digest,
                tag,
                tags: vec![],
                deleted_at: Timestamp(row.int(1)?),
                until: None,
            });
        }
        found.sort_by_key(|deleted| std::cmp::Reverse(deleted.deleted_at));
        found.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
        Ok(found)
    })
}

/// The tags that were on a manifest when it was deleted.
async fn went_with(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
    deleted_at: Timestamp,
) -> Result<Vec<Tag>, Fault> {
    let sql = "SELECT ends.name
               FROM tag_history AS ends
               JOIN tag_history AS befores ON befores.id =
                   (SELECT MAX(id) FROM tag_history WHERE repository_id = $1 AND name = ends.name
                                                      AND id < ends.id AND digest IS NOT NULL)
               WHERE ends.repository_id = $1 AND ends.digest IS NULL AND ends.changed_at = $3
                 AND befores.digest = $2
               ORDER BY ends.name";
    tx.rows(sql, args![repository, digest, deleted_at]).await?.iter().map(|row| row.parsed(0)).collect()
}

fn undelete<'t>(
    tx: &'t mut Tx<'_>,
    (name, reference, by, delays): &'t (RepositoryName, Reference, By, Delays),
) -> BoxFuture<'t, Result<Digest, Error>> {
    Box::pin(async move {
        let repository = repositories::get(tx, name).await?;
        let (digest, tags) = match reference {
            Reference::Digest(digest) => {
                let deleted_at = bring_back(tx, name, &repository, digest, by, *delays).await?;
                let deleted_at = deleted_at.ok_or_else(|| missing(name, reference))?;
                // But for those that name something else by now.
                let mut free = Vec::new();
                for tag in went_with(tx, &repository, digest, deleted_at).await? {
                    let sql = "SELECT 1 FROM tags WHERE repository_id = $1 AND name = $2";
                    if tx.row(sql, args![&repository, &tag]).await?.is_none() {
                        free.push(tag);
                    }
                }
                (digest.clone(), free)
            }
            Reference::Tag(tag) => {
                let sql = "SELECT digest FROM tag_history
                           WHERE repository_id = $1 AND name = $2 AND digest IS NOT NULL
                             AND NOT EXISTS (SELECT 1 FROM tags WHERE repository_id = $1 AND name = $2)
                           ORDER BY id DESC LIMIT 1";
                let row = tx.row(sql, args![&repository, tag]).await?;
                let digest: Digest = row.ok_or_else(|| missing(name, reference))?.parsed(0)?;
                let sql = "SELECT deleted_at FROM manifests WHERE repository_id = $1 AND digest = $2";
                let row = tx.row(sql, args![&repository, &digest]).await?;
                if row.ok_or_else(|| missing(name, reference))?.int_or_null(0)?.is_some() {
                    bring_back(tx, name, &repository, &digest, by, *delays).await?;
                }
                (digest, vec![tag.clone()])
            }
        };
        let (actor, now) = (&by.actor, by.at);
        let tagging = Tagging { name, repository: &repository, digest: &digest, actor, now, delays: *delays };
        for tag in &tags {
            tags::set(tx, tag, &tagging).await?;
        }
        let deed = Deed {
            action: "manifest.undelete",
            repository: Some(name),
            digest: Some(&digest),
            tags: &tags,
            ..Deed::default()
        };
        note(tx, actor, now, deed).await?;
        Ok(digest)
    })
}

fn missing(name: &RepositoryName, reference: &Reference) -> Error {
    Error::Missing(format!("something deleted under {reference} in {name} that is not collected yet"))
}

/// Shows a deleted manifest again; gives when it was deleted, none when it wasn't or is gone.
async fn bring_back(
    tx: &mut Tx<'_>,
    name: &RepositoryName,
    repository: &str,
    digest: &Digest,
    by: &By,
    delays: Delays,
) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT deleted_at FROM manifests
               WHERE repository_id = $1 AND digest = $2 AND deleted_at IS NOT NULL";
    let Some(row) = tx.row(sql, args![repository, digest]).await? else { return Ok(None) };
    let deleted_at = Timestamp(row.int(0)?);
    // A blob that was deleted by itself meanwhile may be here again.
    let sql = "UPDATE manifest_blobs SET blob = wanted
               WHERE repository_id = $1 AND manifest = $2 AND blob IS NULL
                 AND EXISTS (SELECT 1 FROM repository_blobs
                             WHERE repository_blobs.repository_id = $1
                               AND repository_blobs.digest = manifest_blobs.wanted)";
    tx.run(sql, args![repository, digest]).await?;
    refuse_broken(tx, repository, digest).await?;
    let sql =
        "UPDATE manifests SET deleted_at = NULL, untagged_at = $3 WHERE repository_id = $1 AND digest = $2";
    tx.run(sql, args![repository, digest, by.at]).await?;
    reviews::untagged(tx, repository, digest, by.at, delays).await?;
    tx.changed(Change::Reference(name.clone(), digest.as_str().to_owned()));
    Ok(Some(deleted_at))
}

/// Refuses a manifest one of whose blobs was deleted by itself meanwhile.
async fn refuse_broken(tx: &mut Tx<'_>, repository: &str, digest: &Digest) -> Result<(), Error> {
    let sql = "SELECT wanted FROM manifest_blobs WHERE repository_id = $1 AND manifest = $2 AND blob IS NULL";
    let absent = tx.rows(sql, args![repository, digest]).await?;
    let absent = absent.iter().map(|row| row.parsed(0)).collect::<Result<Vec<Digest>, _>>()?;
    if absent.is_empty() {
        return Ok(());
    }
    let sql = "SELECT media_type, content FROM manifests WHERE repository_id = $1 AND digest = $2";
    let Some(row) = tx.row(sql, args![repository, digest]).await? else { return Ok(()) };
    let Ok(manifest) = Manifest::parse(Some(row.text(0)?), &row.bytes(1)?) else { return Ok(()) };
    let Content::Blobs { config, layers } = manifest.content else { return Ok(()) };
    let lost =
        config.into_iter().chain(layers).find(|blob| !blob.is_foreign() && absent.contains(&blob.digest));
    match lost {
        Some(blob) => Err(Error::ManifestBlobUnknown(blob.digest)),
        None => Ok(()),
    }
}

fn undelete_repository<'t>(
    tx: &'t mut Tx<'_>,
    (name, by, delays): &'t (RepositoryName, By, Delays),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        if repositories::find(tx, name).await?.is_some() {
            return Err(Error::Exists(format!("repository {name}")));
        }
        // What is being collected is not whole any more.
        let sql = "SELECT repositories.id FROM repositories
                   JOIN reviews ON reviews.repository_id = repositories.id AND reviews.kind = 2
                               AND reviews.cause <> 'clearing'
                   WHERE repositories.name = $1 AND repositories.deleted_at IS NOT NULL
                   ORDER BY repositories.deleted_at DESC LIMIT 1";
        let missing = || Error::Missing(format!("a removed repository {name} that is not collected yet"));
        let row = tx.row(sql, args![name]).await?.ok_or_else(missing)?;
        let id = row.text(0)?;
        tx.run("UPDATE repositories SET deleted_at = NULL WHERE id = $1", args![id]).await?;
        tx.run("DELETE FROM reviews WHERE repository_id = $1 AND kind = 2", args![id]).await?;
        // Reviews of what is in it may have ended while it was removed.
        let after = by.at.after(delays.unreferenced);
        for sql in [
            "INSERT INTO reviews (repository_id, kind, digest, cause, review_after)
             SELECT repository_id, 0, digest, CASE WHEN deleted_at IS NULL THEN 'untagged' ELSE 'orphaned' END, $2
             FROM manifests
             WHERE repository_id = $1 AND (deleted_at IS NOT NULL OR untagged_at IS NOT NULL)
             ON CONFLICT (repository_id, kind, digest) DO NOTHING",
            "INSERT INTO reviews (repository_id, kind, digest, cause, review_after)
             SELECT repository_id, 1, digest, 'orphaned', $2
             FROM repository_blobs WHERE repository_id = $1
             ON CONFLICT (repository_id, kind, digest) DO NOTHING",
        ] {
            tx.run(sql, args![id, after]).await?;
        }
        tx.changed(Change::Repository(name.clone()));
        let deed = Deed { action: "repo.undelete", repository: Some(name), ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}

fn history<'t>(
    tx: &'t mut Tx<'_>,
    (name, tag, limit): &'t (RepositoryName, Tag, u64),
) -> BoxFuture<'t, Result<Vec<TagChange>, Error>> {
    Box::pin(async move {
        let repository = repositories::get(tx, name).await?;
        let sql = "SELECT tag_history.digest, tag_history.changed_at,
                          COALESCE(identities.name, tag_history.changed_by)
                   FROM tag_history LEFT JOIN identities ON identities.id = tag_history.changed_by
                   WHERE tag_history.repository_id = $1 AND tag_history.name = $2
                   ORDER BY tag_history.id DESC LIMIT $3";
        let rows = tx.rows(sql, args![&repository, tag, *limit]).await?;
        let changes = rows.iter().map(|row| {
            let by = row.text_or_null(2)?.map(str::to_owned);
            Ok(TagChange { digest: row.parsed_or_null(0)?, at: Timestamp(row.int(1)?), by })
        });
        changes.collect()
    })
}
