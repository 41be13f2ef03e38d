//! Referrers: manifests that name another as their subject.

use berth_oci::{Digest, RepositoryName};
use futures_util::future::BoxFuture;

use super::{Tx, args};
use crate::error::{Error, Fault};
use crate::registry::Referrer;

/// Which referrers are asked for.
#[derive(Debug)]
pub(crate) struct ReferrersOf {
    pub(crate) name: RepositoryName,
    pub(crate) subject: Digest,
    pub(crate) artifact_type: Option<String>,
    pub(crate) last: String,
    pub(crate) limit: u64,
}

/// The referrers after `last`, in order of digest, at most `limit`.
pub(crate) fn page<'t>(
    tx: &'t mut Tx<'_>,
    asked: &'t ReferrersOf,
) -> BoxFuture<'t, Result<Vec<Referrer>, Error>> {
    Box::pin(async move {
        let sql = "SELECT manifests.digest, manifests.media_type, manifests.size,
                          manifests.artifact_type, manifests.annotations
                   FROM repositories
                   JOIN manifests ON manifests.repository_id = repositories.id
                   WHERE repositories.name = $1 AND repositories.deleted_at IS NULL
                     AND manifests.subject = $2 AND manifests.digest > $4 AND manifests.deleted_at IS NULL
                     AND (CAST($3 AS TEXT) IS NULL OR manifests.artifact_type = $3)
                   ORDER BY manifests.digest LIMIT $5";
        let ReferrersOf { name, subject, artifact_type, last, limit } = asked;
        let rows = tx.rows(sql, args![name, subject, artifact_type.as_ref(), last, *limit]).await?;
        let referrers = rows.iter().map(|row| {
            let annotations = match row.text_or_null(4)? {
                Some(text) => serde_json::from_str(text).map_err(|e| Fault::new("reading annotations", e))?,
                None => Default::default(),
            };
            Ok(Referrer {
                digest: row.parsed(0)?,
                media_type: row.parsed(1)?,
                size: row.size(2)?,
                artifact_type: row.text_or_null(3)?.map(str::to_owned),
                annotations,
            })
        });
        referrers.collect()
    })
}
