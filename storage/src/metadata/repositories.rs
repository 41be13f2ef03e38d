//! Repositories by name.

use berth_oci::RepositoryName;
use futures_util::future::BoxFuture;

use super::{Tx, args};
use crate::error::{Error, Fault};
use crate::ids::new_id;
use crate::registry::Creation;
use crate::{Actor, Timestamp};

/// The id of a repository, if there is one of that name.
pub(crate) async fn find(tx: &mut Tx<'_>, name: &RepositoryName) -> Result<Option<String>, Fault> {
    let sql = "SELECT id FROM repositories WHERE name = $1 AND deleted_at IS NULL";
    let row = tx.row(sql, args![name]).await?;
    row.map(|row| Ok(row.text(0)?.to_owned())).transpose()
}

/// The id of a repository that must be there.
pub(crate) async fn get(tx: &mut Tx<'_>, name: &RepositoryName) -> Result<String, Error> {
    find(tx, name).await?.ok_or_else(|| Error::RepositoryUnknown(name.clone()))
}

/// The id of a repository, which is made when it isn't there and `creation` allows it.
pub(crate) async fn get_or_create(
    tx: &mut Tx<'_>,
    name: &RepositoryName,
    creation: Creation,
    actor: &Actor,
    now: Timestamp,
) -> Result<String, Error> {
    if let Some(id) = find(tx, name).await? {
        return Ok(id);
    }
    if creation == Creation::Refused {
        return Err(Error::RepositoryUnknown(name.clone()));
    }
    let sql = "INSERT INTO repositories (id, name, created_at, created_by) VALUES ($1, $2, $3, $4)
               ON CONFLICT DO NOTHING";
    tx.run(sql, args![&new_id(), name, now, actor.identity.as_deref()]).await?;
    // Another process may have been first: whatever id stands there is the right one.
    get(tx, name).await
}

/// The names after `last`, in order, at most `limit`.
pub(crate) fn page<'t>(
    tx: &'t mut Tx<'_>,
    (last, limit): &'t (String, u64),
) -> BoxFuture<'t, Result<Vec<RepositoryName>, Error>> {
    Box::pin(async move {
        let sql =
            "SELECT name FROM repositories WHERE name > $1 AND deleted_at IS NULL ORDER BY name LIMIT $2";
        let rows = tx.rows(sql, args![last, *limit]).await?;
        rows.iter().map(|row| Ok(row.parsed(0)?)).collect()
    })
}
