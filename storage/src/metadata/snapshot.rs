//! What whoever backs the database up asks of it.

use berth_oci::Digest;
use futures_util::future::BoxFuture;

use super::damage::{self, Kept, Mark};
use super::{Tx, args};
use crate::error::Error;
use crate::registry::ListedBlob;

/// Blobs after the digest `after`, in order, at most `limit`.
pub(crate) fn blobs<'t>(
    tx: &'t mut Tx<'_>,
    asked: &'t (String, u64),
) -> BoxFuture<'t, Result<Vec<ListedBlob>, Error>> {
    Box::pin(async move {
        let page = damage::page(tx, asked).await?;
        let listed = page.into_iter().map(|blob| ListedBlob {
            digest: blob.digest,
            size: blob.size,
            location: blob.location,
            damaged: blob.mark == Mark::Damaged,
        });
        Ok(listed.collect())
    })
}

/// A blob, whichever repository holds it.
pub(crate) fn blob<'t>(tx: &'t mut Tx<'_>, digest: &'t Digest) -> BoxFuture<'t, Result<Option<Kept>, Error>> {
    Box::pin(async move {
        let sql = "SELECT digest, size, location, damaged_at FROM blobs WHERE digest = $1";
        let row = tx.row(sql, args![digest]).await?;
        Ok(row.as_ref().map(damage::kept).transpose()?)
    })
}

/// How far PostgreSQL's log is.
pub(crate) fn point<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<String, Error>> {
    Box::pin(async move {
        let row = tx.row("SELECT CAST(pg_current_wal_lsn() AS TEXT)", args![]).await?;
        Ok(row.map_or(Ok(String::new()), |row| row.text(0).map(str::to_owned))?)
    })
}
