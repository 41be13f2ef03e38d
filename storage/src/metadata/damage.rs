//! Blobs whose bytes are lost or wrong: their rows stay, so that the next push of the same bytes brings
//! them back.

use berth_oci::{Digest, RepositoryName};
use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::{Row, Tx, args, condemned};
use crate::error::{Error, Fault};
use crate::{By, Location};

/// A blob as its row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) location: Location,
    pub(crate) mark: Mark,
}

/// What is known of a blob's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing bad.
    None,
    /// They are lost or wrong: nobody is given them.
    Damaged,
}

pub(super) fn kept(row: &Row) -> Result<Kept, Fault> {
    let mark = if row.int_or_null(3)?.is_some() { Mark::Damaged } else { Mark::None };
    Ok(Kept { digest: row.parsed(0)?, size: row.size(1)?, location: row.parsed(2)?, mark })
}

/// Blobs after the digest `after`, in order, at most `limit`.
pub(crate) fn page<'t>(
    tx: &'t mut Tx<'_>,
    (after, limit): &'t (String, u64),
) -> BoxFuture<'t, Result<Vec<Kept>, Error>> {
    Box::pin(async move {
        let sql = "SELECT digest, size, location, damaged_at FROM blobs WHERE digest > $1
                   ORDER BY digest LIMIT $2";
        let rows = tx.rows(sql, args![after, *limit]).await?;
        rows.iter().map(|row| Ok(kept(row)?)).collect()
    })
}

/// How many blobs are marked.
pub(crate) fn count<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<u64, Error>> {
    Box::pin(async move {
        let row = tx.row("SELECT COUNT(*) FROM blobs WHERE damaged_at IS NOT NULL", args![]).await?;
        Ok(row.map_or(Ok(0), |row| row.size(0))?)
    })
}

/// Whether the repository holds the blob, and only its bytes are lost or wrong.
pub(crate) fn is_marked<'t>(
    tx: &'t mut Tx<'_>,
    (repository, digest): &'t (RepositoryName, Digest),
) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        let sql = "SELECT 1 FROM repositories
                   JOIN repository_blobs ON repository_blobs.repository_id = repositories.id
                   JOIN blobs ON blobs.digest = repository_blobs.digest
                   WHERE repositories.name = $1 AND repositories.deleted_at IS NULL
                     AND repository_blobs.digest = $2 AND blobs.damaged_at IS NOT NULL";
        Ok(tx.row(sql, args![repository, digest]).await?.is_some())
    })
}

/// What was found of a blob's bytes at one place.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) digest: Digest,
    pub(crate) location: Location,
    /// What is wrong with them; none: nothing.
    pub(crate) wrong: Option<String>,
    pub(crate) by: By,
}

/// Marks the blob, or takes the mark away, unless it is so already or its bytes are elsewhere by now;
/// whether that changed anything.
pub(crate) fn mark<'t>(tx: &'t mut Tx<'_>, found: &'t Found) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        let Found { digest, location, wrong, by } = found;
        let changed = if wrong.is_some() {
            let sql = "UPDATE blobs SET damaged_at = $3
                       WHERE digest = $1 AND location = $2 AND damaged_at IS NULL RETURNING digest";
            tx.row(sql, args![digest, location, by.at]).await?
        } else {
            let sql = "UPDATE blobs SET damaged_at = NULL
                       WHERE digest = $1 AND location = $2 AND damaged_at IS NOT NULL RETURNING digest";
            tx.row(sql, args![digest, location]).await?
        };
        if changed.is_none() {
            return Ok(false);
        }
        let action = if wrong.is_some() { "blob.damaged" } else { "blob.sound" };
        let deed = Deed { action, digest: Some(digest), detail: wrong.clone(), ..Deed::default() };
        note(tx, &by.actor, by.at, deed).await?;
        Ok(true)
    })
}

/// The damaged blobs that a manifest names.
pub(super) async fn named_by(
    tx: &mut Tx<'_>,
    repository: &str,
    manifest: &Digest,
) -> Result<Vec<Digest>, Fault> {
    // In this order: damaged blobs are few, most often none.
    let sql = "SELECT blobs.digest FROM blobs CROSS JOIN manifest_blobs
               WHERE blobs.damaged_at IS NOT NULL AND manifest_blobs.repository_id = $1
                 AND manifest_blobs.manifest = $2 AND manifest_blobs.blob = blobs.digest";
    tx.rows(sql, args![repository, manifest]).await?.iter().map(|row| row.parsed(0)).collect()
}

/// Bytes that turned up elsewhere.
#[derive(Debug)]
pub(crate) struct Adoption {
    pub(crate) digest: Digest,
    pub(crate) from: Location,
    pub(crate) to: Location,
    pub(crate) by: By,
}

/// Lets a blob have its bytes at another place, unless it has them elsewhere by now; whether it does.
pub(crate) fn adopt<'t>(tx: &'t mut Tx<'_>, adoption: &'t Adoption) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        let Adoption { digest, from, to, by } = adoption;
        let sql = "UPDATE blobs SET location = $3, damaged_at = NULL
                   WHERE digest = $1 AND location = $2 RETURNING digest";
        if tx.row(sql, args![digest, from, to]).await?.is_none() {
            return Ok(false);
        }
        condemned::location(tx, from, by.at).await?;
        let deed = Deed { action: "blob.sound", digest: Some(digest), ..Deed::default() };
        note(tx, &by.actor, by.at, deed).await?;
        Ok(true)
    })
}
