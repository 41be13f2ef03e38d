//! Refresh tokens, of which only the hash is kept.

use futures_util::future::BoxFuture;

use super::records::Records;
use super::{Tx, args};
use crate::error::Error;
use crate::time::Timestamp;

/// A refresh token, of which only the hash is kept.
#[derive(Debug, Clone)]
pub struct RefreshTokenRecord {
    /// The token's hash.
    pub hash: String,
    /// Whose it is.
    pub identity_id: String,
    /// The access key that it was asked for with, if it was one.
    pub access_key: Option<String>,
    /// The service it was issued for.
    pub service: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Records {
    /// Keeps a refresh token's hash, and forgets those that have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_refresh_token(&self, token: RefreshTokenRecord, now: Timestamp) -> Result<(), Error> {
        self.metadata().write((token, now), add_refresh_token).await
    }

    /// The refresh token of this hash, unless it has ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refresh_token(
        &self,
        hash: String,
        now: Timestamp,
    ) -> Result<Option<RefreshTokenRecord>, Error> {
        self.metadata().read((hash, now), refresh_token).await
    }
}

fn add_refresh_token<'t>(
    tx: &'t mut Tx<'_>,
    (token, now): &'t (RefreshTokenRecord, Timestamp),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        tx.run("DELETE FROM refresh_tokens WHERE expires_at <= $1", args![*now]).await?;
        let sql =
            "INSERT INTO refresh_tokens (hash, identity_id, access_key, service, created_at, expires_at)
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let RefreshTokenRecord { hash, identity_id, access_key, service, expires_at } = token;
        let access_key = access_key.as_ref();
        tx.run(sql, args![hash, identity_id, access_key, service, *now, *expires_at]).await?;
        Ok(())
    })
}

fn refresh_token<'t>(
    tx: &'t mut Tx<'_>,
    (hash, now): &'t (String, Timestamp),
) -> BoxFuture<'t, Result<Option<RefreshTokenRecord>, Error>> {
    Box::pin(async move {
        let sql = "SELECT hash, identity_id, access_key, service, expires_at FROM refresh_tokens
                   WHERE hash = $1 AND expires_at > $2";
        let Some(row) = tx.row(sql, args![hash, *now]).await? else { return Ok(None) };
        Ok(Some(RefreshTokenRecord {
            hash: row.text(0)?.to_owned(),
            identity_id: row.text(1)?.to_owned(),
            access_key: row.text_or_null(2)?.map(str::to_owned),
            service: row.text(3)?.to_owned(),
            expires_at: Timestamp(row.int(4)?),
        }))
    })
}
