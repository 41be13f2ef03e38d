//! Leases: what one process has to itself for a while, among all that share the database.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::records::Records;
use super::{Tx, args};
use crate::error::Error;
use crate::time::Timestamp;

/// A lease that is asked for.
#[derive(Debug, Clone)]
pub struct Lease {
    /// What it is for.
    pub name: Cow<'static, str>,
    /// Who asks; the same holder may ask again, and so keeps it.
    pub holder: String,
    /// How people know the holder.
    pub shown: String,
    /// How long it is good for.
    pub lasts: Duration,
}

/// What came of asking for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leased {
    /// It is the asker's for as long as was asked for.
    Yes,
    /// Somebody else has it, whom people know as this.
    To(String),
}

impl Records {
    /// Asks for a lease, or keeps it.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn lease(&self, lease: Lease, now: Timestamp) -> Result<Leased, Error> {
        self.metadata().write((lease, now), take).await
    }

    /// Gives a lease back; nothing happens when it is another's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_back(&self, name: Cow<'static, str>, holder: String) -> Result<(), Error> {
        self.metadata().write((name, holder), give_back).await
    }

    /// Who holds leases whose names begin with `prefix`, as people know them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holders(&self, prefix: &'static str, now: Timestamp) -> Result<Vec<String>, Error> {
        self.metadata().read((prefix, now), holders).await
    }

    /// Forgets leases that ran out, such as those of processes that were killed and never come back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_leases(&self, now: Timestamp) -> Result<(), Error> {
        self.metadata().write(now, forget).await
    }
}

fn take<'t>(
    tx: &'t mut Tx<'_>,
    (lease, now): &'t (Lease, Timestamp),
) -> BoxFuture<'t, Result<Leased, Error>> {
    Box::pin(async move {
        let sql = "INSERT INTO leases (name, holder, shown, held_until) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (name) DO UPDATE SET
                       holder = excluded.holder, shown = excluded.shown, held_until = excluded.held_until
                   WHERE leases.holder = excluded.holder OR leases.held_until <= $5
                   RETURNING name";
        let Lease { name, holder, shown, lasts } = lease;
        if tx.row(sql, args![name.as_ref(), holder, shown, now.after(*lasts), *now]).await?.is_some() {
            return Ok(Leased::Yes);
        }
        let row = tx.row("SELECT shown FROM leases WHERE name = $1", args![name.as_ref()]).await?;
        Ok(Leased::To(row.map_or(Ok(String::new()), |row| row.text(0).map(str::to_owned))?))
    })
}

fn give_back<'t>(
    tx: &'t mut Tx<'_>,
    (name, holder): &'t (Cow<'static, str>, String),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "DELETE FROM leases WHERE name = $1 AND holder = $2";
        Ok(tx.run(sql, args![name.as_ref(), holder]).await?)
    })
}

fn holders<'t>(
    tx: &'t mut Tx<'_>,
    (prefix, now): &'t (&'static str, Timestamp),
) -> BoxFuture<'t, Result<Vec<String>, Error>> {
    Box::pin(async move {
        // The names that begin so end before the prefix with the last character there is behind it.
        let sql =
            "SELECT shown FROM leases WHERE name >= $1 AND name < $2 AND held_until > $3 ORDER BY shown";
        let rows = tx.rows(sql, args![*prefix, &format!("{prefix}\u{10ffff}"), *now]).await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    })
}

fn forget<'t>(tx: &'t mut Tx<'_>, now: &'t Timestamp) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move { Ok(tx.run("DELETE FROM leases WHERE held_until <= $1", args![*now]).await?) })
}
