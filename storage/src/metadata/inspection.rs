//! What an inspection of the whole store asks the database.

use std::collections::HashSet;

use berth_oci::{Digest, RepositoryName};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{Tx, args};
use crate::error::Error;
use crate::{Location, Staged};

/// What is named by rows that are not blobs'.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// Upload sessions and what ended ones had staged, by [`Staged::id`].
    pub(crate) uploads: HashSet<String>,
    /// Places that are to be cleared.
    pub(crate) condemned: HashSet<Location>,
    /// How many rows wait for a sweep.
    pub(crate) waiting: u64,
}

/// All of it.
pub(crate) fn named<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<Named, Error>> {
    Box::pin(async move {
        let mut named = Named::default();
        for row in tx.rows("SELECT staged FROM uploads", args![]).await? {
            named.uploads.insert(Staged::from_json(row.text(0)?)?.id);
        }
        for row in tx.rows("SELECT location, staged FROM condemned", args![]).await? {
            named.waiting += 1;
            if let Some(staged) = row.text_or_null(1)? {
                named.uploads.insert(Staged::from_json(staged)?.id);
            }
            named.condemned.extend(row.parsed_or_null(0)?);
        }
        Ok(named)
    })
}

/// A manifest as its row has it.
#[derive(Debug)]
pub(crate) struct KeptManifest {
    pub(crate) repository_id: String,
    pub(crate) repository: RepositoryName,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) content: Bytes,
}

/// Manifests after (repository id, digest), in order, at most `limit`.
pub(crate) fn manifests<'t>(
    tx: &'t mut Tx<'_>,
    (repository, digest, limit): &'t (String, String, u64),
) -> BoxFuture<'t, Result<Vec<KeptManifest>, Error>> {
    Box::pin(async move {
        let sql = "SELECT manifests.repository_id, repositories.name, manifests.digest, manifests.size,
                          manifests.content
                   FROM manifests JOIN repositories ON repositories.id = manifests.repository_id
                   WHERE (manifests.repository_id, manifests.digest) > ($1, $2)
                   ORDER BY manifests.repository_id, manifests.digest LIMIT $3";
        let rows = tx.rows(sql, args![repository, digest, *limit]).await?;
        let manifests = rows.iter().map(|row| {
            Ok(KeptManifest {
                repository_id: row.text(0)?.to_owned(),
                repository: row.parsed(1)?,
                digest: row.parsed(2)?,
                size: row.size(3)?,
                content: row.bytes(4)?,
            })
        });
        manifests.collect()
    })
}

/// What SQLite finds wrong with its own file, and with references in it.
pub(crate) fn check_sqlite<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<Vec<String>, Error>> {
    Box::pin(async move {
        let mut wrong = Vec::new();
        for row in tx.rows("PRAGMA integrity_check(20)", args![]).await? {
            if row.text(0)? != "ok" {
                wrong.push(row.text(0)?.to_owned());
            }
        }
        for row in tx.rows("PRAGMA foreign_key_check", args![]).await?.iter().take(20) {
            wrong.push(format!("a row of {} refers to a row of {} that is gone", row.text(0)?, row.text(2)?));
        }
        Ok(wrong)
    })
}
