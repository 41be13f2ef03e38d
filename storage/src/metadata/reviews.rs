//! Reviews: what may have died, and when it is looked at.
//!
//! Whatever may orphan something notes a review of it in the same unit of work. Nothing dies by a
//! review alone: the unit that deletes looks again (`collect`).

use std::time::Duration;

use berth_oci::{Digest, RepositoryName};
use futures_util::future::BoxFuture;

use super::{Change, Row, Tx, args};
use crate::Timestamp;
use crate::error::{Error, Fault};

/// How long one process has what it took to look at it.
const TAKEN: Duration = Duration::from_secs(300);

/// How long what nobody needs is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// Bytes that nothing names, and what was deleted.
    pub unreferenced: Duration,
    /// Manifests that have no tag and that nothing refers to; none: for ever.
    pub untagged: Option<Duration>,
}

/// What kind of thing is looked at, in the order in which things due at one moment are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A manifest.
    Manifest,
    /// A blob, as far as a repository holds it.
    Blob,
    /// A repository that was removed.
    Repository,
}

impl Kind {
    const fn number(self) -> i64 {
        match self {
            Self::Manifest => 0,
            Self::Blob => 1,
            Self::Repository => 2,
        }
    }
}

/// Why a manifest is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It has no tag: it may stay for a while.
    Untagged,
    /// It was deleted, or what held it was.
    Orphaned,
}

impl Cause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Untagged => "untagged",
            Self::Orphaned => "orphaned",
        }
    }
}

/// Something that is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Review {
    pub(crate) repository: String,
    pub(crate) kind: Kind,
    /// None for a repository.
    pub(crate) digest: Option<Digest>,
    pub(crate) cause: Cause,
    /// Until when it was taken: if another moment stands there later, somebody wants it kept.
    pub(crate) taken_until: Timestamp,
}

/// Notes that a manifest may have died, in place of an earlier note.
pub(super) async fn manifest(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
    cause: Cause,
    after: Timestamp,
) -> Result<(), Fault> {
    note(tx, repository, Kind::Manifest, digest.as_str(), cause, after).await
}

/// Notes that nothing in a repository may name a blob any more.
pub(super) async fn blob(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
    after: Timestamp,
) -> Result<(), Fault> {
    note(tx, repository, Kind::Blob, digest.as_str(), Cause::Orphaned, after).await
}

/// Notes that a repository was removed.
pub(super) async fn repository(tx: &mut Tx<'_>, repository: &str, after: Timestamp) -> Result<(), Fault> {
    note(tx, repository, Kind::Repository, "", Cause::Orphaned, after).await
}

async fn note(
    tx: &mut Tx<'_>,
    repository: &str,
    kind: Kind,
    digest: &str,
    cause: Cause,
    after: Timestamp,
) -> Result<(), Fault> {
    let sql = "INSERT INTO reviews (repository_id, kind, digest, cause, review_after)
               VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (repository_id, kind, digest)
               DO UPDATE SET cause = excluded.cause, review_after = excluded.review_after";
    tx.run(sql, args![repository, kind.number(), digest, cause.as_str(), after]).await
}

/// Notes that a manifest lost its last tag, or never had one, if that ever ends it.
pub(super) async fn untagged(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
    now: Timestamp,
    delays: Delays,
) -> Result<(), Fault> {
    let sql = "SELECT untagged_after FROM repositories WHERE id = $1";
    let own = tx.row(sql, args![repository]).await?.map(|row| row.int_or_null(0)).transpose()?.flatten();
    let kept = match own {
        None => delays.untagged,
        Some(micros) => u64::try_from(micros).ok().map(Duration::from_micros),
    };
    match kept {
        Some(kept) => manifest(tx, repository, digest, Cause::Untagged, now.after(kept)).await,
        None => Ok(()),
    }
}

/// Notes reviews of all that a manifest names or that names it as its subject: it goes. Gives the
/// manifests among them.
pub(super) async fn all_around(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
    after: Timestamp,
) -> Result<Vec<Digest>, Fault> {
    let blobs = "INSERT INTO reviews (repository_id, kind, digest, cause, review_after)
                 SELECT repository_id, 1, blob, 'orphaned', $3 FROM manifest_blobs
                 WHERE repository_id = $1 AND manifest = $2 AND blob IS NOT NULL
                 ON CONFLICT (repository_id, kind, digest)
                 DO UPDATE SET cause = excluded.cause, review_after = excluded.review_after";
    tx.run(blobs, args![repository, digest, after]).await?;
    let children = "INSERT INTO reviews (repository_id, kind, digest, cause, review_after)
                    SELECT repository_id, 0, child, 'orphaned', $3 FROM manifest_children
                    WHERE repository_id = $1 AND manifest = $2 AND child IS NOT NULL
                    ON CONFLICT (repository_id, kind, digest)
                    DO UPDATE SET cause = excluded.cause, review_after = excluded.review_after
                    RETURNING digest";
    let mut manifests = tx.rows(children, args![repository, digest, after]).await?;
    let referrers = "INSERT INTO reviews (repository_id, kind, digest, cause, review_after)
                     SELECT repository_id, 0, digest, 'orphaned', $3 FROM manifests
                     WHERE repository_id = $1 AND subject = $2 AND subject_ref IS NOT NULL
                     ON CONFLICT (repository_id, kind, digest)
                     DO UPDATE SET cause = excluded.cause, review_after = excluded.review_after
                     RETURNING digest";
    manifests.extend(tx.rows(referrers, args![repository, digest, after]).await?);
    manifests.iter().map(|row| row.parsed(0)).collect()
}

/// Takes what was due at `due`, the first first, at most `limit`: nobody else looks at it for some minutes.
pub(crate) fn take_due<'t>(
    tx: &'t mut Tx<'_>,
    (due, now, limit): &'t (Timestamp, Timestamp, u64),
) -> BoxFuture<'t, Result<Vec<Review>, Error>> {
    Box::pin(async move {
        let sql = "SELECT repository_id, kind, digest, cause FROM reviews
                   WHERE review_after <= $1 ORDER BY review_after, kind LIMIT $2";
        let taken_until = now.after(TAKEN);
        let mut reviews = Vec::new();
        for row in tx.rows(sql, args![*due, *limit]).await? {
            let review = read(&row, taken_until)?;
            let digest = review.digest.as_ref().map_or("", Digest::as_str);
            let sql = "UPDATE reviews SET review_after = $4
                       WHERE repository_id = $1 AND kind = $2 AND digest = $3";
            tx.run(sql, args![&review.repository, review.kind.number(), digest, taken_until]).await?;
            reviews.push(review);
        }
        Ok(reviews)
    })
}

fn read(row: &Row, taken_until: Timestamp) -> Result<Review, Fault> {
    let kind = match row.int(1)? {
        0 => Kind::Manifest,
        1 => Kind::Blob,
        _ => Kind::Repository,
    };
    let digest = match kind {
        Kind::Manifest | Kind::Blob => Some(row.parsed(2)?),
        Kind::Repository => None,
    };
    let cause = if row.text(3)? == Cause::Untagged.as_str() { Cause::Untagged } else { Cause::Orphaned };
    Ok(Review { repository: row.text(0)?.to_owned(), kind, digest, cause, taken_until })
}

/// Forgets that a blob was to be looked at: the repository holds it no more.
pub(super) async fn forget_blob(tx: &mut Tx<'_>, repository: &str, digest: &Digest) -> Result<(), Fault> {
    let sql = "DELETE FROM reviews WHERE repository_id = $1 AND kind = 1 AND digest = $2";
    tx.run(sql, args![repository, digest]).await
}

/// Whether nobody has asked for it to be kept since it was taken.
pub(super) async fn still_stands(tx: &mut Tx<'_>, review: &Review) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM reviews
               WHERE repository_id = $1 AND kind = $2 AND digest = $3 AND review_after = $4";
    let digest = review.digest.as_ref().map_or("", Digest::as_str);
    let args = args![&review.repository, review.kind.number(), digest, review.taken_until];
    Ok(tx.row(sql, args).await?.is_some())
}

/// Ends a review: it lives, or is gone.
pub(super) async fn end(tx: &mut Tx<'_>, review: &Review) -> Result<(), Fault> {
    let digest = review.digest.as_ref().map_or("", Digest::as_str);
    let sql = "DELETE FROM reviews WHERE repository_id = $1 AND kind = $2 AND digest = $3";
    tx.run(sql, args![&review.repository, review.kind.number(), digest]).await
}

/// Looks again later.
pub(super) async fn put_off(tx: &mut Tx<'_>, review: &Review, until: Timestamp) -> Result<(), Fault> {
    let digest = review.digest.as_ref().map_or("", Digest::as_str);
    let sql = "UPDATE reviews SET review_after = $4
               WHERE repository_id = $1 AND kind = $2 AND digest = $3";
    tx.run(sql, args![&review.repository, review.kind.number(), digest, until]).await
}

/// Something that a client was told is there, and counts on for a while.
#[derive(Debug)]
pub(crate) struct Keep {
    pub(crate) name: RepositoryName,
    pub(crate) kind: Kind,
    pub(crate) digest: Digest,
    pub(crate) until: Timestamp,
}

/// Puts a review off because a client is about to be told that it is there; whether it still is.
pub(crate) fn keep<'t>(tx: &'t mut Tx<'_>, keep: &'t Keep) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        let Keep { name, kind, digest, until } = keep;
        let Some(repository) = super::repositories::find(tx, name).await? else { return Ok(false) };
        let sql = match kind {
            Kind::Manifest => {
                "SELECT 1 FROM manifests WHERE repository_id = $1 AND digest = $2 AND deleted_at IS NULL"
            }
            Kind::Blob | Kind::Repository => {
                "SELECT 1 FROM repository_blobs
                 JOIN blobs ON blobs.digest = repository_blobs.digest
                 WHERE repository_blobs.repository_id = $1 AND repository_blobs.digest = $2
                   AND blobs.damaged_at IS NULL"
            }
        };
        if tx.row(sql, args![&repository, digest]).await?.is_none() {
            return Ok(false);
        }
        let sql = "UPDATE reviews SET review_after = $4
                   WHERE repository_id = $1 AND kind = $2 AND digest = $3 AND review_after < $4";
        tx.run(sql, args![&repository, kind.number(), digest, *until]).await?;
        if *kind == Kind::Manifest {
            tx.changed(Change::Reference(name.clone(), digest.as_str().to_owned()));
        }
        Ok(true)
    })
}
