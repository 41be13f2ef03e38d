//! Bytes that nothing names any more: removed from the blob store first, from here second.

use std::time::Duration;

use berth_oci::Digest;
use futures_util::future::BoxFuture;

use super::{Tx, args};
use crate::error::{Error, Fault};
use crate::ids::new_id;
use crate::{Location, Timestamp};

/// Something to be removed from the blob store.
#[derive(Debug, Clone)]
pub(crate) struct Condemned {
    pub(crate) id: String,
    pub(crate) what: Remains,
}

/// What is left of it.
#[derive(Debug, Clone)]
pub(crate) enum Remains {
    /// Sealed bytes.
    Sealed(Location),
    /// An upload that ended early, as JSON, and what it was perhaps being sealed as.
    Staged { staged: String, sealing: Option<Digest> },
}

/// Condemns sealed bytes.
pub(crate) async fn location(tx: &mut Tx<'_>, location: &Location, now: Timestamp) -> Result<(), Fault> {
    location_from(tx, location, now, now).await
}

/// Condemns sealed bytes that are to be removed no earlier than a moment.
pub(super) async fn location_from(
    tx: &mut Tx<'_>,
    location: &Location,
    now: Timestamp,
    from: Timestamp,
) -> Result<(), Fault> {
    let sql =
        "INSERT INTO condemned (id, location, condemned_at, retry_at, attempts) VALUES ($1, $2, $3, $4, 0)";
    tx.run(sql, args![&new_id(), location, now, from]).await
}

/// Condemns what an upload had staged.
pub(crate) async fn staged(
    tx: &mut Tx<'_>,
    staged: &str,
    sealing: Option<&Digest>,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "INSERT INTO condemned (id, staged, sealing, condemned_at, retry_at, attempts)
               VALUES ($1, $2, $3, $4, $4, 0)";
    tx.run(sql, args![&new_id(), staged, sealing, now]).await
}

/// How long what was taken is left to whoever took it: a process that ended meanwhile removes nothing.
const TAKEN: Duration = Duration::from_secs(300);

/// Takes what is due, oldest first, at most `limit`; nobody else is given it for [`TAKEN`].
pub(crate) fn take_due<'t>(
    tx: &'t mut Tx<'_>,
    (now, limit): &'t (Timestamp, u64),
) -> BoxFuture<'t, Result<Vec<Condemned>, Error>> {
    Box::pin(async move {
        let sql = "UPDATE condemned SET retry_at = $3
                   WHERE id IN (SELECT id FROM condemned WHERE retry_at <= $1 ORDER BY retry_at LIMIT $2)
                   RETURNING id, location, staged, sealing";
        let rows = tx.rows(sql, args![*now, *limit, now.after(TAKEN)]).await?;
        let condemned = rows.iter().map(|row| {
            let what = match row.text_or_null(2)? {
                Some(staged) => {
                    Remains::Staged { staged: staged.to_owned(), sealing: row.parsed_or_null(3)? }
                }
                None => Remains::Sealed(row.parsed(1)?),
            };
            Ok(Condemned { id: row.text(0)?.to_owned(), what })
        });
        condemned.collect()
    })
}

/// Forgets what has been removed.
pub(crate) fn forget<'t>(tx: &'t mut Tx<'_>, ids: &'t Vec<String>) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        for id in ids {
            tx.run("DELETE FROM condemned WHERE id = $1", args![id]).await?;
        }
        Ok(())
    })
}

/// Tries an item again later, each time after twice as long, at most a day.
pub(crate) fn postpone<'t>(
    tx: &'t mut Tx<'_>,
    (id, now): &'t (String, Timestamp),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "UPDATE condemned SET attempts = attempts + 1 WHERE id = $1 RETURNING attempts";
        let Some(row) = tx.row(sql, args![id]).await? else { return Ok(()) };
        let minutes = 1u64 << u32::try_from(row.int(0)?.clamp(0, 10)).unwrap_or(10);
        let wait = Duration::from_secs(60 * minutes).min(Duration::from_secs(24 * 60 * 60));
        tx.run("UPDATE condemned SET retry_at = $2 WHERE id = $1", args![id, now.after(wait)]).await?;
        Ok(())
    })
}
