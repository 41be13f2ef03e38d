//! How many bytes repositories hold: one query over the whole store.

use berth_oci::RepositoryName;
use futures_util::future::BoxFuture;

use super::records::Records;
use super::{Row, Tx, args};
use crate::error::{Error, Fault};

/// What all repositories hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Blobs, each counted once, those of removed repositories too until they are collected.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The repositories, in order of name.
    pub repositories: Vec<RepositoryUsage>,
}

/// What one repository holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryUsage {
    /// Its name.
    pub name: RepositoryName,
    /// Its blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of the bytes that another repository holds too: removing this one alone frees the others.
    pub shared: u64,
}

impl Records {
    /// How many bytes repositories hold.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage(&self) -> Result<Usage, Error> {
        self.metadata().scan((), usage).await
    }
}

fn usage<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<Usage, Error>> {
    Box::pin(async move {
        let sql = "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM blobs";
        let (blobs, bytes) = match tx.row(sql, args![]).await? {
            Some(row) => (row.size(0)?, row.size(1)?),
            None => (0, 0),
        };
        let sql = "WITH holders AS (
                SELECT repository_blobs.digest, COUNT(*) AS holders
                FROM repository_blobs
                JOIN repositories ON repositories.id = repository_blobs.repository_id
                WHERE repositories.deleted_at IS NULL
                GROUP BY repository_blobs.digest)
            SELECT repositories.name, COUNT(blobs.digest), CAST(COALESCE(SUM(blobs.size), 0) AS BIGINT),
                   CAST(COALESCE(SUM(CASE WHEN holders.holders > 1 THEN blobs.size ELSE 0 END), 0) AS BIGINT)
            FROM repositories
            LEFT JOIN repository_blobs ON repository_blobs.repository_id = repositories.id
            LEFT JOIN blobs ON blobs.digest = repository_blobs.digest
            LEFT JOIN holders ON holders.digest = repository_blobs.digest
            WHERE repositories.deleted_at IS NULL
            GROUP BY repositories.name
            ORDER BY repositories.name";
        let rows = tx.rows(sql, args![]).await?;
        let repositories = rows.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Usage { blobs, bytes, repositories })
    })
}

fn read(row: &Row) -> Result<RepositoryUsage, Fault> {
    Ok(RepositoryUsage {
        name: row.parsed(0)?,
        blobs: row.size(1)?,
        bytes: row.size(2)?,
        shared: row.size(3)?,
    })
}
