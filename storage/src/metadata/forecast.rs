//! What collection will free if nothing else happens: one query over the whole store.

use berth_oci::RepositoryName;
use futures_util::future::BoxFuture;

use super::records::Records;
use super::{Row, Tx, args};
use crate::Timestamp;
use crate::error::{Error, Fault};

/// What will be freed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Manifests that will go.
    pub manifests: u64,
    /// Blobs that no repository will hold any more.
    pub blobs: u64,
    /// Bytes of those blobs.
    pub bytes: u64,
    /// When something is looked at next; none: nothing is waiting.
    pub next: Option<Timestamp>,
    /// The repositories that will lose something, in order of name.
    pub repositories: Vec<RepositoryForecast>,
}

/// What a repository will lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryForecast {
    /// Its name; two of one name where one of them was removed.
    pub name: RepositoryName,
    /// Since when it is removed, if it is.
    pub removed_at: Option<Timestamp>,
    /// Manifests that will go.
    pub manifests: u64,
    /// Blobs that it will hold no more.
    pub blobs: u64,
    /// Bytes of those of them that nobody else will hold either.
    pub bytes: u64,
    /// When something of it is looked at next.
    pub next: Option<Timestamp>,
}

impl Records {
    /// What collection will free if nothing else happens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forecast(&self) -> Result<Forecast, Error> {
        // NULL: untagged manifests stay for ever.
        let untagged = self.delays().untagged.map(|kept| i64::try_from(kept.as_micros()).unwrap_or(i64::MAX));
        self.metadata().scan(untagged, forecast).await
    }
}

fn forecast<'t>(tx: &'t mut Tx<'_>, untagged: &'t Option<i64>) -> BoxFuture<'t, Result<Forecast, Error>> {
    Box::pin(async move {
        // An edge leads from what holds to what is held. Held is what a tag leads to, and what stays for
        // ever without one because nothing says when it would be looked at.
        let sql = "WITH RECURSIVE
            edges AS (
                SELECT manifest_children.repository_id, manifest_children.manifest AS holder,
                       manifest_children.child AS digest
                FROM manifest_children
                JOIN manifests ON manifests.repository_id = manifest_children.repository_id
                              AND manifests.digest = manifest_children.manifest AND manifests.deleted_at IS NULL
                WHERE manifest_children.child IS NOT NULL
                UNION ALL
                SELECT manifests.repository_id, manifests.subject_ref, manifests.digest
                FROM manifests
                JOIN manifests AS subjects ON subjects.repository_id = manifests.repository_id
                              AND subjects.digest = manifests.subject_ref AND subjects.deleted_at IS NULL),
            living AS (
                SELECT manifests.repository_id, manifests.digest, reviews.cause, repositories.untagged_after
                FROM manifests
                JOIN repositories ON repositories.id = manifests.repository_id
                LEFT JOIN reviews ON reviews.repository_id = manifests.repository_id AND reviews.kind = 0
                                 AND reviews.digest = manifests.digest
                WHERE repositories.deleted_at IS NULL AND manifests.deleted_at IS NULL),
            held AS (
                SELECT living.repository_id, living.digest FROM living
                WHERE EXISTS (SELECT 1 FROM tags WHERE tags.repository_id = living.repository_id
                                                   AND tags.digest = living.digest)
                   OR ((living.cause IS NULL
                        OR (living.cause = 'untagged' AND COALESCE(living.untagged_after, $1, -1) = -1))
                       AND NOT EXISTS (SELECT 1 FROM edges WHERE edges.repository_id = living.repository_id
                                                             AND edges.digest = living.digest))
                UNION
                SELECT living.repository_id, living.digest
                FROM held
                JOIN edges ON edges.repository_id = held.repository_id AND edges.holder = held.digest
                JOIN living ON living.repository_id = edges.repository_id AND living.digest = edges.digest),
            staying AS (
                SELECT repository_blobs.repository_id, repository_blobs.digest
                FROM repository_blobs
                JOIN repositories ON repositories.id = repository_blobs.repository_id
                WHERE repositories.deleted_at IS NULL
                  AND EXISTS (SELECT 1 FROM manifest_blobs
                              JOIN held ON held.repository_id = manifest_blobs.repository_id
                                       AND held.digest = manifest_blobs.manifest
                              WHERE manifest_blobs.repository_id = repository_blobs.repository_id
                                AND manifest_blobs.blob = repository_blobs.digest)),
            freed AS (
                SELECT blobs.digest, blobs.size FROM blobs
                WHERE NOT EXISTS (SELECT 1 FROM staying WHERE staying.digest = blobs.digest)),
            manifests_going AS (
                SELECT manifests.repository_id, COUNT(*) AS manifests FROM manifests
                WHERE NOT EXISTS (SELECT 1 FROM held WHERE held.repository_id = manifests.repository_id
                                                       AND held.digest = manifests.digest)
                GROUP BY manifests.repository_id),
            blobs_going AS (
                SELECT repository_blobs.repository_id, COUNT(*) AS blobs,
                       CAST(COALESCE(SUM(freed.size), 0) AS BIGINT) AS bytes
                FROM repository_blobs
                LEFT JOIN freed ON freed.digest = repository_blobs.digest
                WHERE NOT EXISTS (SELECT 1 FROM staying
                                  WHERE staying.repository_id = repository_blobs.repository_id
                                    AND staying.digest = repository_blobs.digest)
                GROUP BY repository_blobs.repository_id),
            next_looks AS (
                SELECT repository_id, MIN(review_after) AS review_after FROM reviews GROUP BY repository_id)
            SELECT repositories.name, repositories.deleted_at, COALESCE(manifests_going.manifests, 0),
                   COALESCE(blobs_going.blobs, 0), COALESCE(blobs_going.bytes, 0), next_looks.review_after,
                   (SELECT COUNT(*) FROM freed), (SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM freed)
            FROM repositories
            LEFT JOIN manifests_going ON manifests_going.repository_id = repositories.id
            LEFT JOIN blobs_going ON blobs_going.repository_id = repositories.id
            LEFT JOIN next_looks ON next_looks.repository_id = repositories.id
            WHERE manifests_going.manifests IS NOT NULL OR blobs_going.blobs IS NOT NULL
            ORDER BY repositories.name, repositories.deleted_at";
        let rows = tx.rows(sql, args![*untagged]).await?;
        let repositories = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = rows.first() else { return Ok(Forecast::default()) };
        Ok(Forecast {
            manifests: repositories.iter().map(|repository| repository.manifests).sum(),
            blobs: first.size(6)?,
            bytes: first.size(7)?,
            next: repositories.iter().filter_map(|repository| repository.next).min(),
            repositories,
        })
    })
}

fn read(row: &Row) -> Result<RepositoryForecast, Fault> {
    Ok(RepositoryForecast {
        name: row.parsed(0)?,
        removed_at: row.int_or_null(1)?.map(Timestamp),
        manifests: row.size(2)?,
        blobs: row.size(3)?,
        bytes: row.size(4)?,
        next: row.int_or_null(5)?.map(Timestamp),
    })
}
