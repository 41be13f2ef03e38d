//! Facts about the store itself.

use futures_util::future::BoxFuture;

use super::{Tx, args};
use crate::error::Error;

/// The fact `name`, if it was noted.
pub(crate) fn fact<'t>(
    tx: &'t mut Tx<'_>,
    name: &'t &'static str,
) -> BoxFuture<'t, Result<Option<String>, Error>> {
    Box::pin(async move {
        let row = tx.row("SELECT value FROM store WHERE name = $1", args![*name]).await?;
        row.map(|row| Ok(row.text(0)?.to_owned())).transpose()
    })
}

/// Notes the fact (name, value) unless one of that name was noted; gives what stands there now.
pub(crate) fn note_once<'t>(
    tx: &'t mut Tx<'_>,
    (name, value): &'t (&'static str, String),
) -> BoxFuture<'t, Result<String, Error>> {
    Box::pin(async move {
        let sql = "INSERT INTO store (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        tx.run(sql, args![*name, value]).await?;
        Ok(fact(tx, name).await?.unwrap_or_else(|| value.clone()))
    })
}

/// Notes the fact (name, value), whatever was noted under that name before.
pub(crate) fn note<'t>(
    tx: &'t mut Tx<'_>,
    (name, value): &'t (&'static str, String),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "INSERT INTO store (name, value) VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        Ok(tx.run(sql, args![*name, value]).await?)
    })
}

/// Forgets a fact.
pub(crate) fn forget<'t>(tx: &'t mut Tx<'_>, name: &'t &'static str) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move { Ok(tx.run("DELETE FROM store WHERE name = $1", args![*name]).await?) })
}
