//! Blobs: which bytes exist, and which repository may show them.

use berth_oci::{Digest, RepositoryName};
use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::{Tx, args, collect, condemned, repositories, reviews};
use crate::error::{Error, Fault};
use crate::registry::Creation;
use crate::{Actor, By, Location, Timestamp};

/// A blob that a repository may show.
#[derive(Debug, Clone)]
pub(crate) struct BlobRow {
    pub(crate) size: u64,
    pub(crate) location: Location,
    /// When it may go, unless something comes to name it.
    pub(crate) review_after: Option<Timestamp>,
}

/// The blob `digest`, if the repository may show it and its bytes are sound.
pub(crate) fn find<'t>(
    tx: &'t mut Tx<'_>,
    (repository, digest): &'t (RepositoryName, Digest),
) -> BoxFuture<'t, Result<Option<BlobRow>, Error>> {
    Box::pin(async move {
        let sql = "SELECT blobs.size, blobs.location, reviews.review_after
                   FROM repositories
                   JOIN repository_blobs ON repository_blobs.repository_id = repositories.id
                   JOIN blobs ON blobs.digest = repository_blobs.digest
                   LEFT JOIN reviews ON reviews.repository_id = repositories.id AND reviews.kind = 1
                                    AND reviews.digest = repository_blobs.digest
                   WHERE repositories.name = $1 AND repositories.deleted_at IS NULL
                     AND repository_blobs.digest = $2 AND blobs.damaged_at IS NULL";
        let Some(row) = tx.row(sql, args![repository, digest]).await? else { return Ok(None) };
        let review_after = row.int_or_null(2)?.map(Timestamp);
        Ok(Some(BlobRow { size: row.size(0)?, location: row.parsed(1)?, review_after }))
    })
}

/// Repositories after `last` that may show the blob, in order of name, at most `limit`.
pub(crate) fn holders<'t>(
    tx: &'t mut Tx<'_>,
    (digest, last, limit): &'t (Digest, String, u64),
) -> BoxFuture<'t, Result<Vec<RepositoryName>, Error>> {
    Box::pin(async move {
        let sql = "SELECT repositories.name
                   FROM repository_blobs
                   JOIN repositories ON repositories.id = repository_blobs.repository_id
                   WHERE repository_blobs.digest = $1 AND repositories.name > $2
                     AND repositories.deleted_at IS NULL
                   ORDER BY repositories.name LIMIT $3";
        let rows = tx.rows(sql, args![digest, last, *limit]).await?;
        rows.iter().map(|row| Ok(row.parsed(0)?)).collect()
    })
}

/// Whether there is any blob at all.
pub(crate) fn any<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move { Ok(tx.row("SELECT digest FROM blobs LIMIT 1", args![]).await?.is_some()) })
}

/// A blob on its way from one repository to another.
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) target: RepositoryName,
    pub(crate) source: RepositoryName,
    pub(crate) digest: Digest,
    pub(crate) creation: Creation,
    pub(crate) actor: Actor,
    pub(crate) now: Timestamp,
    /// Until when the target keeps it though nothing there names it.
    pub(crate) kept_until: Timestamp,
}

/// Lets the target show the blob if the source does; whether it did.
pub(crate) fn mount<'t>(tx: &'t mut Tx<'_>, mount: &'t Mount) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        let Mount { target, source, digest, creation, actor, now, kept_until } = mount;
        let sql = "SELECT 1
                   FROM repositories
                   JOIN repository_blobs ON repository_blobs.repository_id = repositories.id
                   JOIN blobs ON blobs.digest = repository_blobs.digest
                   WHERE repositories.name = $1 AND repositories.deleted_at IS NULL
                     AND repository_blobs.digest = $2 AND blobs.damaged_at IS NULL";
        if tx.row(sql, args![source, digest]).await?.is_none() {
            return Ok(false);
        }
        let repository = repositories::get_or_create(tx, target, *creation, actor, *now).await?;
        grant(tx, &repository, digest, *now).await?;
        reviews::blob(tx, &repository, digest, *kept_until).await?;
        let (repository, digest, detail) = (Some(target), Some(digest), Some(format!("from {source}")));
        let deed = Deed { action: "blob.mount", repository, digest, detail, ..Deed::default() };
        note(tx, actor, *now, deed).await?;
        Ok(true)
    })
}

/// Lets the repository show the blob, and fills in the edges that were waiting for it.
pub(crate) async fn grant(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "INSERT INTO repository_blobs (repository_id, digest, created_at) VALUES ($1, $2, $3)
               ON CONFLICT (repository_id, digest) DO NOTHING";
    tx.run(sql, args![repository, digest, now]).await?;
    let sql = "UPDATE manifest_blobs SET blob = $2 WHERE repository_id = $1 AND wanted = $2 AND blob IS NULL";
    tx.run(sql, args![repository, digest]).await
}

/// Sealed bytes that are to become a blob.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) digest: &'a Digest,
    pub(crate) size: u64,
    pub(crate) location: &'a Location,
    pub(crate) now: Timestamp,
}

/// Makes the blob's row. Where the same bytes are here already and sound, the new ones are
/// condemned; where those were damaged, the new ones take their place.
pub(crate) async fn insert(tx: &mut Tx<'_>, arrival: &Arrival<'_>) -> Result<(), Fault> {
    let Arrival { digest, size, location, now } = arrival;
    let sql = "INSERT INTO blobs (digest, size, location, created_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (digest) DO NOTHING RETURNING digest";
    if tx.row(sql, args![*digest, *size, *location, *now]).await?.is_some() {
        return Ok(());
    }
    let sql = "SELECT location, damaged_at FROM blobs WHERE digest = $1";
    let Some(row) = tx.row(sql, args![*digest]).await? else {
        return Err(Fault::because(format!("keeping blob {digest}"), "its row was there and then was not"));
    };
    let old: Location = row.parsed(0)?;
    if row.int_or_null(1)?.is_none() {
        return condemned::location(tx, location, *now).await;
    }
    let sql = "UPDATE blobs SET location = $2, damaged_at = NULL WHERE digest = $1";
    tx.run(sql, args![*digest, *location]).await?;
    condemned::location(tx, &old, *now).await
}

/// Takes the blob from the repository, unless a living manifest there names it.
pub(crate) fn delete<'t>(
    tx: &'t mut Tx<'_>,
    (name, digest, by): &'t (RepositoryName, Digest, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let unknown = || Error::BlobUnknown(digest.clone());
        let repository = repositories::find(tx, name).await?.ok_or_else(unknown)?;
        let sql = "SELECT manifest_blobs.manifest
                   FROM manifest_blobs
                   JOIN manifests ON manifests.repository_id = manifest_blobs.repository_id
                                 AND manifests.digest = manifest_blobs.manifest
                   WHERE manifest_blobs.repository_id = $1 AND manifest_blobs.blob = $2
                     AND manifests.deleted_at IS NULL LIMIT 1";
        if let Some(row) = tx.row(sql, args![&repository, digest]).await? {
            return Err(Error::BlobInUse { blob: digest.clone(), manifest: row.parsed(0)? });
        }
        // Manifests that were deleted don't keep it: their edges only remember what they wanted.
        let sql = "UPDATE manifest_blobs SET blob = NULL WHERE repository_id = $1 AND blob = $2";
        tx.run(sql, args![&repository, digest]).await?;
        let sql = "DELETE FROM repository_blobs WHERE repository_id = $1 AND digest = $2 RETURNING digest";
        tx.row(sql, args![&repository, digest]).await?.ok_or_else(unknown)?;
        reviews::forget_blob(tx, &repository, digest).await?;
        collect::release(tx, digest, by.at).await?;
        let (repository, digest) = (Some(name), Some(digest));
        let deed = Deed { action: "blob.delete", repository, digest, ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}
