//! Collection: looks at what may have died, and deletes it if it has, in one unit of work.
//!
//! What lives is held by foreign keys, manifest_blobs -> repository_blobs -> blobs; the conditions here
//! are looked at in the very transaction that deletes.

use std::time::Duration;

use berth_oci::{Digest, RepositoryName};
use futures_util::future::BoxFuture;

use super::reviews::{self, Cause, Delays, Kind, Review};
use super::{Change, Tx, args, condemned};
use crate::Timestamp;
use crate::error::{Error, Fault};

/// How long the bytes of a collected blob are still there for those who are reading them: longer
/// than a redirect is good for.
const READERS: Duration = Duration::from_secs(30 * 60);
/// How many rows of a removed repository one unit of work deletes of each table.
const STEP: u64 = 500;

/// What one look came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Freed {
    /// Manifests that went.
    pub(crate) manifests: u64,
    /// Blobs that went.
    pub(crate) blobs: u64,
    /// Bytes of those blobs.
    pub(crate) bytes: u64,
    /// Repositories that went altogether.
    pub(crate) repositories: u64,
}

impl std::ops::AddAssign for Freed {
    fn add_assign(&mut self, other: Self) {
        self.manifests += other.manifests;
        self.blobs += other.blobs;
        self.bytes += other.bytes;
        self.repositories += other.repositories;
    }
}

/// Something to be looked at now.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) review: Review,
    pub(crate) delays: Delays,
    /// What is due by then is looked at now.
    pub(crate) began: Timestamp,
    pub(crate) now: Timestamp,
}

/// Looks at one thing; deletes it if nothing holds it and its time has come.
pub(crate) fn look<'t>(tx: &'t mut Tx<'_>, look: &'t Look) -> BoxFuture<'t, Result<Freed, Error>> {
    Box::pin(async move {
        let Look { review, began, now, .. } = look;
        if !reviews::still_stands(tx, review).await? {
            return Ok(Freed::default());
        }
        match (review.kind, &review.digest) {
            (Kind::Manifest, Some(digest)) => look_at_manifest(tx, look, digest).await,
            (Kind::Blob, Some(digest)) => look_at_blob(tx, review, digest, *now).await,
            (Kind::Repository, _) | (_, None) => clear_repository(tx, review, *began, *now).await,
        }
    })
}

async fn look_at_manifest(tx: &mut Tx<'_>, look: &Look, digest: &Digest) -> Result<Freed, Error> {
    let Look { review, delays, now, .. } = look;
    let repository = &review.repository;
    let sql = "SELECT repositories.name, manifests.deleted_at, manifests.untagged_at,
                      repositories.deleted_at, repositories.untagged_after
               FROM manifests JOIN repositories ON repositories.id = manifests.repository_id
               WHERE manifests.repository_id = $1 AND manifests.digest = $2";
    let Some(row) = tx.row(sql, args![repository, digest]).await? else {
        reviews::end(tx, review).await?;
        return Ok(Freed::default());
    };
    let name: RepositoryName = row.parsed(0)?;
    let is_deleted = row.int_or_null(1)?.is_some();
    if row.int_or_null(3)?.is_some() {
        // It goes with its repository, in one piece.
        reviews::end(tx, review).await?;
        return Ok(Freed::default());
    }
    if !is_deleted {
        if is_held(tx, repository, digest).await? {
            reviews::end(tx, review).await?;
            return Ok(Freed::default());
        }
        if review.cause == Cause::Untagged {
            let since = Timestamp(row.int_or_null(2)?.unwrap_or(now.0));
            let kept = match row.int_or_null(4)? {
                None => delays.untagged,
                Some(micros) => u64::try_from(micros).ok().map(Duration::from_micros),
            };
            let until = kept.map(|kept| since.after(kept));
            match until {
                None => {
                    reviews::end(tx, review).await?;
                    return Ok(Freed::default());
                }
                Some(until) if until > *now => {
                    reviews::put_off(tx, review, until).await?;
                    return Ok(Freed::default());
                }
                Some(_) => {}
            }
        }
        // From now on what it named has the time that what was deleted has.
        for around in reviews::all_around(tx, repository, digest, now.after(delays.unreferenced)).await? {
            tx.changed(Change::Reference(name.clone(), around.as_str().to_owned()));
        }
    }
    take_apart(tx, repository, digest).await?;
    tx.run("DELETE FROM manifests WHERE repository_id = $1 AND digest = $2", args![repository, digest])
        .await?;
    reviews::end(tx, review).await?;
    tx.changed(Change::Reference(name, digest.as_str().to_owned()));
    Ok(Freed { manifests: 1, ..Freed::default() })
}

/// Whether a living manifest has a tag, is the child of a living index, or refers to a living subject.
pub(super) async fn is_held(tx: &mut Tx<'_>, repository: &str, digest: &Digest) -> Result<bool, Fault> {
    let sql = "SELECT 1
               WHERE EXISTS (SELECT 1 FROM tags WHERE repository_id = $1 AND digest = $2)
                  OR EXISTS (SELECT 1 FROM manifest_children
                             JOIN manifests ON manifests.repository_id = manifest_children.repository_id
                                           AND manifests.digest = manifest_children.manifest
                             WHERE manifest_children.repository_id = $1 AND manifest_children.child = $2
                               AND manifests.deleted_at IS NULL)
                  OR EXISTS (SELECT 1 FROM manifests
                             JOIN manifests AS subjects ON subjects.repository_id = manifests.repository_id
                                                       AND subjects.digest = manifests.subject_ref
                             WHERE manifests.repository_id = $1 AND manifests.digest = $2
                               AND subjects.deleted_at IS NULL)";
    Ok(tx.row(sql, args![repository, digest]).await?.is_some())
}

/// Removes every edge from and to a manifest; what other manifests wanted of it stays wanted.
async fn take_apart(tx: &mut Tx<'_>, repository: &str, digest: &Digest) -> Result<(), Fault> {
    for sql in [
        "DELETE FROM manifest_blobs WHERE repository_id = $1 AND manifest = $2",
        "DELETE FROM manifest_children WHERE repository_id = $1 AND manifest = $2",
        "UPDATE manifest_children SET child = NULL WHERE repository_id = $1 AND child = $2",
        "UPDATE manifests SET subject_ref = NULL WHERE repository_id = $1 AND subject = $2 AND subject_ref = $2",
    ] {
        tx.run(sql, args![repository, digest]).await?;
    }
    Ok(())
}

async fn look_at_blob(
    tx: &mut Tx<'_>,
    review: &Review,
    digest: &Digest,
    now: Timestamp,
) -> Result<Freed, Error> {
    let repository = &review.repository;
    reviews::end(tx, review).await?;
    let sql = "SELECT 1 FROM manifest_blobs
               JOIN manifests ON manifests.repository_id = manifest_blobs.repository_id
                             AND manifests.digest = manifest_blobs.manifest
               WHERE manifest_blobs.repository_id = $1 AND manifest_blobs.blob = $2
                 AND manifests.deleted_at IS NULL LIMIT 1";
    if tx.row(sql, args![repository, digest]).await?.is_some() {
        return Ok(Freed::default());
    }
    // Manifests that were deleted don't keep it: their edges only remember what they wanted.
    let sql = "UPDATE manifest_blobs SET blob = NULL WHERE repository_id = $1 AND blob = $2";
    tx.run(sql, args![repository, digest]).await?;
    let sql = "DELETE FROM repository_blobs WHERE repository_id = $1 AND digest = $2";
    tx.run(sql, args![repository, digest]).await?;
    Ok(release(tx, digest, now).await?)
}

/// Condemns a blob's bytes if no repository holds it any more.
pub(super) async fn release(tx: &mut Tx<'_>, digest: &Digest, now: Timestamp) -> Result<Freed, Fault> {
    let sql = "DELETE FROM blobs
               WHERE digest = $1 AND NOT EXISTS (SELECT 1 FROM repository_blobs WHERE digest = $1)
               RETURNING location, size";
    let Some(row) = tx.row(sql, args![digest]).await? else { return Ok(Freed::default()) };
    condemned::location_from(tx, &row.parsed(0)?, now, now.after(READERS)).await?;
    Ok(Freed { blobs: 1, bytes: row.size(1)?, ..Freed::default() })
}

/// Deletes some of what a removed repository held; the review stands until nothing is left.
async fn clear_repository(
    tx: &mut Tx<'_>,
    review: &Review,
    began: Timestamp,
    now: Timestamp,
) -> Result<Freed, Error> {
    let id = &review.repository;
    let removed = "SELECT 1 FROM repositories WHERE id = $1 AND deleted_at IS NOT NULL";
    if tx.row(removed, args![id]).await?.is_none() {
        reviews::end(tx, review).await?;
        return Ok(Freed::default());
    }
    // From now on it can't come back.
    let sql = "UPDATE reviews SET cause = 'clearing' WHERE repository_id = $1 AND kind = 2";
    tx.run(sql, args![id]).await?;
    let mut freed = Freed::default();
    let mut more = false;
    for sql in [
        "DELETE FROM tags WHERE repository_id = $1 AND name IN
             (SELECT name FROM tags WHERE repository_id = $1 LIMIT $2) RETURNING 1",
        "DELETE FROM tag_history WHERE id IN
             (SELECT id FROM tag_history WHERE repository_id = $1 LIMIT $2) RETURNING 1",
        "DELETE FROM reviews WHERE repository_id = $1 AND kind < 2 AND digest IN
             (SELECT digest FROM reviews WHERE repository_id = $1 AND kind < 2 LIMIT $2) RETURNING 1",
    ] {
        more |= !tx.rows(sql, args![id, STEP]).await?.is_empty();
    }
    let sql = "SELECT digest FROM manifests WHERE repository_id = $1 LIMIT $2";
    let manifests = tx.rows(sql, args![id, STEP]).await?;
    if !more {
        for row in &manifests {
            let digest: Digest = row.parsed(0)?;
            take_apart(tx, id, &digest).await?;
            tx.run("DELETE FROM manifests WHERE repository_id = $1 AND digest = $2", args![id, &digest])
                .await?;
            freed.manifests += 1;
        }
        more = !manifests.is_empty();
    }
    if !more {
        let sql = "DELETE FROM repository_blobs WHERE repository_id = $1 AND digest IN
                       (SELECT digest FROM repository_blobs WHERE repository_id = $1 LIMIT $2) RETURNING digest";
        let blobs = tx.rows(sql, args![id, STEP]).await?;
        for row in &blobs {
            freed += release(tx, &row.parsed(0)?, now).await?;
        }
        more = !blobs.is_empty();
    }
    if more {
        // Due again at once.
        reviews::put_off(tx, review, began).await?;
        return Ok(freed);
    }
    reviews::end(tx, review).await?;
    tx.run("DELETE FROM repositories WHERE id = $1", args![id]).await?;
    Ok(Freed { repositories: 1, ..freed })
}
