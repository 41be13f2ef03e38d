//! Access keys, whose secrets come here sealed and are never opened.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::records::{Records, missing};
use super::{Change, Row, Tx, args};
use crate::error::{Error, Fault};
use crate::page::Page;
use crate::time::Timestamp;
use crate::{Actor, By};

/// An access key, as kept.
#[derive(Debug, Clone)]
pub struct AccessKeyRecord {
    /// Never changes; what it is shown and asked for by.
    pub id: String,
    /// Whose it is.
    pub identity_id: String,
    /// That identity's name; only read, never kept here.
    pub user: String,
    /// What people call it, if they do.
    pub name: Option<String>,
    /// The secret, sealed under the master key.
    pub sealed_secret: Bytes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, if it was: some seconds behind.
    pub used_at: Option<Timestamp>,
}

/// A place in the list of access keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeyPlace {
    /// The name of the key's user.
    pub user: String,
    /// When the key was made.
    pub created_at: Timestamp,
    /// The key's id.
    pub id: String,
}

impl AccessKeyPlace {
    /// The place before all keys.
    pub const fn start() -> Self {
        Self { user: String::new(), created_at: Timestamp(i64::MIN), id: String::new() }
    }

    /// The place of a key.
    pub fn of(key: &AccessKeyRecord) -> Self {
        Self { user: key.user.clone(), created_at: key.created_at, id: key.id.clone() }
    }
}

impl Records {
    /// The access key of this id, if there is one.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn access_key(&self, id: String) -> Result<Option<AccessKeyRecord>, Error> {
        self.metadata().read(id, access_key).await
    }

    /// The access keys after a place, all or those of the identity named `owner`, at most `limit`; in
    /// order of their users' names, of each user's the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_keys(
        &self,
        owner: Option<String>,
        after: AccessKeyPlace,
        limit: u64,
    ) -> Result<Page<AccessKeyRecord>, Error> {
        let found = self.metadata().scan((owner, after, limit.saturating_add(1)), access_keys).await?;
        Ok(Page::cut(found, limit))
    }

    /// Keeps a new access key.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such identity.
    pub async fn add_access_key(&self, key: AccessKeyRecord, actor: &Actor) -> Result<(), Error> {
        self.metadata().write((key, actor.clone()), add_access_key).await
    }

    /// Removes an access key, and the refresh tokens that were asked for with it.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such key.
    pub async fn remove_access_key(&self, id: String, by: By) -> Result<(), Error> {
        self.metadata().write((id, by), remove_access_key).await
    }

    /// Notes when access keys were last used; those that are gone are passed over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_uses(&self, uses: Vec<(String, Timestamp)>) -> Result<(), Error> {
        self.metadata().write(uses, note_uses).await
    }
}

fn read(row: &Row) -> Result<AccessKeyRecord, Fault> {
    Ok(AccessKeyRecord {
        id: row.text(0)?.to_owned(),
        identity_id: row.text(1)?.to_owned(),
        user: row.text(2)?.to_owned(),
        name: row.text_or_null(3)?.map(str::to_owned),
        sealed_secret: row.bytes(4)?,
        created_at: Timestamp(row.int(5)?),
        expires_at: row.int_or_null(6)?.map(Timestamp),
        used_at: row.int_or_null(7)?.map(Timestamp),
    })
}

fn access_key<'t>(
    tx: &'t mut Tx<'_>,
    id: &'t String,
) -> BoxFuture<'t, Result<Option<AccessKeyRecord>, Error>> {
    Box::pin(async move {
        let sql = "SELECT access_keys.id, identity_id, identities.name, access_keys.name, sealed_secret,
                          access_keys.created_at, expires_at, used_at
                   FROM access_keys JOIN identities ON identities.id = identity_id
                   WHERE access_keys.id = $1";
        Ok(tx.row(sql, args![id]).await?.as_ref().map(read).transpose()?)
    })
}

fn access_keys<'t>(
    tx: &'t mut Tx<'_>,
    (owner, after, limit): &'t (Option<String>, AccessKeyPlace, u64),
) -> BoxFuture<'t, Result<Vec<AccessKeyRecord>, Error>> {
    Box::pin(async move {
        let AccessKeyPlace { user, created_at, id } = after;
        let sql = "SELECT access_keys.id, identity_id, identities.name, access_keys.name, sealed_secret,
                          access_keys.created_at, expires_at, used_at
                   FROM access_keys JOIN identities ON identities.id = identity_id
                   WHERE (identities.name, access_keys.created_at, access_keys.id) > ($1, $2, $3)
                   AND identities.name = COALESCE($4, identities.name)
                   ORDER BY identities.name, access_keys.created_at, access_keys.id LIMIT $5";
        let args = args![user, *created_at, id, owner.as_ref(), *limit];
        Ok(tx.rows(sql, args).await?.iter().map(read).collect::<Result<_, _>>()?)
    })
}

fn add_access_key<'t>(
    tx: &'t mut Tx<'_>,
    (key, actor): &'t (AccessKeyRecord, Actor),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let AccessKeyRecord { id, identity_id, name, sealed_secret, created_at, expires_at, .. } = key;
        let owner = tx.row("SELECT name FROM identities WHERE id = $1", args![identity_id]).await?;
        let owner = owner.ok_or_else(|| missing(identity_id))?;
        let sql = "INSERT INTO access_keys (id, identity_id, name, sealed_secret, created_at, expires_at)
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let secret = sealed_secret.clone();
        tx.run(sql, args![id, identity_id, name.as_ref(), secret, *created_at, *expires_at]).await?;
        let called = name.as_ref().map(|name| format!(", called {name}")).unwrap_or_default();
        let detail = Some(format!("of {}{called}", owner.text(0)?));
        let deed = Deed { action: "key.create", subject: Some(id), detail, ..Deed::default() };
        Ok(note(tx, actor, *created_at, deed).await?)
    })
}

fn remove_access_key<'t>(tx: &'t mut Tx<'_>, (id, by): &'t (String, By)) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "DELETE FROM access_keys WHERE id = $1
                   RETURNING (SELECT name FROM identities WHERE identities.id = access_keys.identity_id)";
        let gone = tx.row(sql, args![id]).await?;
        let gone = gone.ok_or_else(|| Error::Missing(format!("access key {id}")))?;
        tx.changed(Change::Directory);
        let detail = gone.text_or_null(0)?.map(|owner| format!("of {owner}"));
        let deed = Deed { action: "key.rm", subject: Some(id), detail, ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}

/// No change to the directory: who may do what stays as it is.
fn note_uses<'t>(tx: &'t mut Tx<'_>, uses: &'t Vec<(String, Timestamp)>) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "UPDATE access_keys SET used_at = $2
                   WHERE id = $1 AND (used_at IS NULL OR used_at < $2)";
        for (id, used_at) in uses {
            tx.run(sql, args![id, *used_at]).await?;
        }
        Ok(())
    })
}
