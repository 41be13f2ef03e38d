//! What restoring a store writes.

use std::path::Path;

use futures_util::future::BoxFuture;
use rusqlite::Connection;

use super::damage::{self, Adoption};
use super::{Tx, args, uploads};
use crate::error::{Error, Fault, OrFault};
use crate::{Timestamp, UploadId};

/// Notes in the SQLite file `database`, which nobody has open, that it is being restored.
///
/// # Errors
/// When it is no database of berth's, or can't be written.
pub(crate) fn mark_file(database: &Path, fact: &'static str) -> Result<(), Fault> {
    let marking = || format!("preparing the database {}", database.display());
    let connection = Connection::open(database).or_fault(marking)?;
    let sql = "INSERT INTO store (name, value) VALUES (?1, '1') ON CONFLICT (name) DO NOTHING";
    connection.execute(sql, [fact]).or_fault(marking)?;
    connection.close().map_err(|(_, error)| error).or_fault(marking)
}

/// Ends all upload sessions: what they had staged was never in a backup.
pub(crate) fn end_uploads<'t>(tx: &'t mut Tx<'_>, now: &'t Timestamp) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        for row in tx.rows("SELECT id FROM uploads", args![]).await? {
            uploads::condemn(tx, &row.parsed(0)?, *now).await?;
        }
        Ok(())
    })
}

/// Turns a session into the bytes of a blob that had lost them.
pub(crate) fn arrive<'t>(
    tx: &'t mut Tx<'_>,
    (id, adoption): &'t (UploadId, Adoption),
) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        tx.run("DELETE FROM uploads WHERE id = $1", args![id]).await?;
        damage::adopt(tx, adoption).await
    })
}
