//! Keys that sign tokens, whose private parts come here sealed and are never opened.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::records::Records;
use super::{Change, Tx, args};
use crate::Actor;
use crate::error::Error;
use crate::time::Timestamp;

/// A key that signs tokens.
#[derive(Debug, Clone)]
pub struct SigningKeyRecord {
    /// The key's id, as tokens carry it.
    pub kid: String,
    /// The private key, sealed under the master key.
    pub sealed_private: Bytes,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it signs no more, if so; what it signed is still believed.
    pub retired_at: Option<Timestamp>,
}

impl Records {
    /// The keys that sign or whose tokens may still be alive, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Error> {
        self.metadata().read((), signing_keys).await
    }

    /// Keeps a new key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_signing_key(&self, key: SigningKeyRecord) -> Result<(), Error> {
        self.metadata().write(key, add_signing_key).await
    }

    /// Keeps a new key, which signs from now on in place of all others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate_signing_key(&self, key: SigningKeyRecord, actor: &Actor) -> Result<(), Error> {
        self.metadata().write((key, actor.clone()), rotate_signing_key).await
    }

    /// The same, but only if the key that signs now was made at `made_until` or before, or there is
    /// none; whether it was. Another process may have been first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_signing_key(
        &self,
        key: SigningKeyRecord,
        made_until: Timestamp,
        actor: &Actor,
    ) -> Result<bool, Error> {
        self.metadata().write(((key, actor.clone()), made_until), replace_signing_key).await
    }

    /// Forgets the keys that sign no more since `retired_until` or longer; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_signing_keys(&self, retired_until: Timestamp) -> Result<usize, Error> {
        self.metadata().write(retired_until, remove_signing_keys).await
    }
}

fn signing_keys<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<Vec<SigningKeyRecord>, Error>> {
    Box::pin(async move {
        let sql =
            "SELECT kid, sealed_private, created_at, retired_at FROM signing_keys ORDER BY created_at DESC";
        let rows = tx.rows(sql, args![]).await?;
        let keys = rows.iter().map(|row| {
            Ok(SigningKeyRecord {
                kid: row.text(0)?.to_owned(),
                sealed_private: row.bytes(1)?,
                created_at: Timestamp(row.int(2)?),
                retired_at: row.int_or_null(3)?.map(Timestamp),
            })
        });
        keys.collect()
    })
}

fn add_signing_key<'t>(tx: &'t mut Tx<'_>, key: &'t SigningKeyRecord) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "INSERT INTO signing_keys (kid, sealed_private, created_at) VALUES ($1, $2, $3)";
        tx.run(sql, args![&key.kid, key.sealed_private.clone(), key.created_at]).await?;
        tx.changed(Change::SigningKeys);
        Ok(())
    })
}

fn rotate_signing_key<'t>(
    tx: &'t mut Tx<'_>,
    (key, actor): &'t (SigningKeyRecord, Actor),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "UPDATE signing_keys SET retired_at = $1 WHERE retired_at IS NULL";
        tx.run(sql, args![key.created_at]).await?;
        add_signing_key(tx, key).await?;
        let deed = Deed { action: "signing-key.rotate", subject: Some(&key.kid), ..Deed::default() };
        Ok(note(tx, actor, key.created_at, deed).await?)
    })
}

fn replace_signing_key<'t>(
    tx: &'t mut Tx<'_>,
    (new, made_until): &'t ((SigningKeyRecord, Actor), Timestamp),
) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        let sql = "SELECT kid FROM signing_keys WHERE retired_at IS NULL AND created_at > $1 LIMIT 1";
        if tx.row(sql, args![*made_until]).await?.is_some() {
            return Ok(false);
        }
        rotate_signing_key(tx, new).await?;
        Ok(true)
    })
}

fn remove_signing_keys<'t>(
    tx: &'t mut Tx<'_>,
    retired_until: &'t Timestamp,
) -> BoxFuture<'t, Result<usize, Error>> {
    Box::pin(async move {
        let sql = "DELETE FROM signing_keys WHERE retired_at <= $1 RETURNING kid";
        let removed = tx.rows(sql, args![*retired_until]).await?.len();
        tx.changed(Change::SigningKeys);
        Ok(removed)
    })
}
