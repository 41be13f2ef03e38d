//! The epoch: how far this database has come, beside which its blob store's is held.

use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::{Tx, args};
use crate::By;
use crate::error::Error;

/// A step of the epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rise {
    /// What it must be.
    pub(crate) from: u64,
    /// What it becomes.
    pub(crate) to: u64,
}

/// Raises the fact that is the epoch; false when it was another than it must be. Written down where somebody
/// accepted a restore.
pub(crate) fn rise<'t>(
    tx: &'t mut Tx<'_>,
    (name, rise, accepted): &'t (&'static str, Rise, Option<By>),
) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        let (from, to) = (rise.from.to_string(), rise.to.to_string());
        let sql = "INSERT INTO store (name, value) VALUES ($1, $3)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE store.value = $2
                   RETURNING name";
        let risen = tx.row(sql, args![*name, &from, &to]).await?.is_some();
        if let Some(by) = accepted.as_ref().filter(|_| risen) {
            let detail = format!("the database was behind its blob store: {from}, now {to}");
            let deed = Deed { action: "restore.accept", detail: Some(detail), ..Deed::default() };
            note(tx, &by.actor, by.at, deed).await?;
        }
        Ok(risen)
    })
}
