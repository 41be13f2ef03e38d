//! Who there is, as plain records that the store never interprets.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::groups::{MembershipRecord, memberships_of};
use super::policies::{PolicyRecord, policies_of};
use super::{Change, Metadata, Row, Tx, args, store};
use crate::error::{Error, Fault};
use crate::ids::new_id;
use crate::page::Page;
use crate::time::Timestamp;

/// A user, as kept.
#[derive(Debug, Clone)]
pub struct IdentityRecord {
    /// Never changes; everything refers to it.
    pub id: String,
    /// What people call it; may change.
    pub name: String,
    /// The password's hash, a PHC string.
    pub password: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it may do nothing, if so.
    pub disabled_at: Option<Timestamp>,
    /// Tokens issued before this moment count no more.
    pub credentials_changed_at: Timestamp,
    /// What it may do.
    pub attachments: Vec<AttachmentRecord>,
    /// The groups it is in, and what it may do through them.
    pub groups: Vec<MembershipRecord>,
    /// The documents of those policies, its own and its groups', that have one here.
    pub documents: Vec<PolicyRecord>,
}

/// A policy attached to an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentRecord {
    /// The policy's name.
    pub policy: String,
    /// The repositories it is limited to, by prefix; empty: all.
    pub prefix: String,
}

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

/// The records beside the images: identities, keys, facts about the store.
#[derive(Debug, Clone)]
pub struct Records(Metadata);

impl Records {
    pub(crate) const fn new(metadata: Metadata) -> Self {
        Self(metadata)
    }

    pub(super) const fn metadata(&self) -> &Metadata {
        &self.0
    }

    /// The identity of this id, if there is one.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn identity(&self, id: String) -> Result<Option<IdentityRecord>, Error> {
        self.0.read(("SELECT id, name, password, created_at, disabled_at, credentials_changed_at FROM identities WHERE id = $1", id), find_identity).await
    }

    /// The identity of this name, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identity_named(&self, name: String) -> Result<Option<IdentityRecord>, Error> {
        self.0.read(("SELECT id, name, password, created_at, disabled_at, credentials_changed_at FROM identities WHERE name = $1", name), find_identity).await
    }

    /// The identities after the one named `after`, in order of name, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identities(&self, after: String, limit: u64) -> Result<Page<IdentityRecord>, Error> {
        let found = self.0.scan((after, limit.saturating_add(1)), identities).await?;
        Ok(Page::cut(found, limit))
    }

    /// Makes an identity; gives its id.
    ///
    /// # Errors
    /// [`Error::Exists`] when the name is taken.
    pub async fn add_identity(
        &self,
        name: String,
        password: String,
        attachments: Vec<AttachmentRecord>,
        now: Timestamp,
    ) -> Result<String, Error> {
        self.0.write((name, password, attachments, now), add_identity).await
    }

    /// Changes a password; tokens issued before, and refresh tokens, count no more.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such identity.
    pub async fn set_password(&self, id: String, password: String, now: Timestamp) -> Result<(), Error> {
        self.0.write((id, password, now), set_password).await
    }

    /// Disables an identity since `disabled_at`, or enables it; tokens issued before, and refresh
    /// tokens, count no more.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such identity.
    pub async fn set_disabled(
        &self,
        id: String,
        disabled_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.0.write((id, disabled_at, now), set_disabled).await
    }

    /// Removes an identity with all that hangs on it.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such identity.
    pub async fn remove_identity(&self, id: String) -> Result<(), Error> {
        self.0.write(id, remove_identity).await
    }

    /// Attaches a policy to an identity; doing it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such identity.
    pub async fn attach(&self, id: String, attachment: AttachmentRecord) -> Result<(), Error> {
        self.0.write((id, attachment), attach).await
    }

    /// Detaches a policy from an identity.
    ///
    /// # Errors
    /// [`Error::Missing`] when it was not attached.
    pub async fn detach(&self, id: String, attachment: AttachmentRecord) -> Result<(), Error> {
        self.0.write((id, attachment), detach).await
    }

    /// The keys that sign or whose tokens may still be alive, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Error> {
        self.0.read((), signing_keys).await
    }

    /// Keeps a new key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_signing_key(&self, key: SigningKeyRecord) -> Result<(), Error> {
        self.0.write(key, add_signing_key).await
    }

    /// Keeps a new key, which signs from now on in place of all others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate_signing_key(&self, key: SigningKeyRecord) -> Result<(), Error> {
        self.0.write(key, rotate_signing_key).await
    }

    /// Forgets the keys that sign no more since `retired_until` or longer; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_signing_keys(&self, retired_until: Timestamp) -> Result<usize, Error> {
        self.0.write(retired_until, remove_signing_keys).await
    }

    /// Keeps a refresh token's hash, and forgets those that have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_refresh_token(&self, token: RefreshTokenRecord, now: Timestamp) -> Result<(), Error> {
        self.0.write((token, now), add_refresh_token).await
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
        self.0.read((hash, now), refresh_token).await
    }

    /// A fact that was noted about the store; none when it never was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fact(&self, name: &'static str) -> Result<Option<String>, Error> {
        self.0.read(name, store::fact).await
    }

    /// Notes a fact about the store unless it was noted before; gives what stands there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_once(&self, name: &'static str, value: String) -> Result<String, Error> {
        if let Some(value) = self.0.read(name, store::fact).await? {
            return Ok(value);
        }
        self.0.write((name, value), store::note_once).await
    }
}

pub(super) fn missing(id: &str) -> Error {
    Error::Missing(format!("identity {id}"))
}

async fn identity_of(tx: &mut Tx<'_>, row: &Row) -> Result<IdentityRecord, Fault> {
    let id = row.text(0)?.to_owned();
    let sql = "SELECT policy, prefix FROM attachments WHERE identity_id = $1 ORDER BY policy, prefix";
    let rows = tx.rows(sql, args![&id]).await?;
    let attachments = rows
        .iter()
        .map(|row| Ok(AttachmentRecord { policy: row.text(0)?.to_owned(), prefix: row.text(1)?.to_owned() }))
        .collect::<Result<_, Fault>>()?;
    let groups = memberships_of(tx, &id).await?;
    let documents = policies_of(tx, &id).await?;
    Ok(IdentityRecord {
        id,
        name: row.text(1)?.to_owned(),
        password: row.text(2)?.to_owned(),
        created_at: Timestamp(row.int(3)?),
        disabled_at: row.int_or_null(4)?.map(Timestamp),
        credentials_changed_at: Timestamp(row.int(5)?),
        attachments,
        groups,
        documents,
    })
}

fn find_identity<'t>(
    tx: &'t mut Tx<'_>,
    (sql, key): &'t (&'static str, String),
) -> BoxFuture<'t, Result<Option<IdentityRecord>, Error>> {
    Box::pin(async move {
        let Some(row) = tx.row(sql, args![key]).await? else { return Ok(None) };
        Ok(Some(identity_of(tx, &row).await?))
    })
}

fn identities<'t>(
    tx: &'t mut Tx<'_>,
    (after, limit): &'t (String, u64),
) -> BoxFuture<'t, Result<Vec<IdentityRecord>, Error>> {
    Box::pin(async move {
        let sql = "SELECT id, name, password, created_at, disabled_at, credentials_changed_at FROM identities
                   WHERE name > $1 ORDER BY name LIMIT $2";
        let mut identities = Vec::new();
        for row in tx.rows(sql, args![after, *limit]).await? {
            identities.push(identity_of(tx, &row).await?);
        }
        Ok(identities)
    })
}

fn add_identity<'t>(
    tx: &'t mut Tx<'_>,
    (name, password, attachments, now): &'t (String, String, Vec<AttachmentRecord>, Timestamp),
) -> BoxFuture<'t, Result<String, Error>> {
    Box::pin(async move {
        let id = new_id();
        let sql = "INSERT INTO identities (id, name, password, created_at, credentials_changed_at)
                   VALUES ($1, $2, $3, $4, $4) ON CONFLICT (name) DO NOTHING RETURNING id";
        if tx.row(sql, args![&id, name, password, *now]).await?.is_none() {
            return Err(Error::Exists(format!("user {name}")));
        }
        for attachment in attachments {
            insert_attachment(tx, &id, attachment).await?;
        }
        tx.changed(Change::Directory);
        Ok(id)
    })
}

pub(super) async fn insert_attachment(
    tx: &mut Tx<'_>,
    id: &str,
    attachment: &AttachmentRecord,
) -> Result<(), Fault> {
    let sql = "INSERT INTO attachments (identity_id, policy, prefix) VALUES ($1, $2, $3)
               ON CONFLICT (identity_id, policy, prefix) DO NOTHING";
    tx.run(sql, args![id, &attachment.policy, &attachment.prefix]).await
}

fn set_password<'t>(
    tx: &'t mut Tx<'_>,
    (id, password, now): &'t (String, String, Timestamp),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql =
            "UPDATE identities SET password = $2, credentials_changed_at = $3 WHERE id = $1 RETURNING id";
        tx.row(sql, args![id, password, *now]).await?.ok_or_else(|| missing(id))?;
        tx.run("DELETE FROM refresh_tokens WHERE identity_id = $1", args![id]).await?;
        tx.changed(Change::Directory);
        Ok(())
    })
}

fn set_disabled<'t>(
    tx: &'t mut Tx<'_>,
    (id, disabled_at, now): &'t (String, Option<Timestamp>, Timestamp),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql =
            "UPDATE identities SET disabled_at = $2, credentials_changed_at = $3 WHERE id = $1 RETURNING id";
        tx.row(sql, args![id, *disabled_at, *now]).await?.ok_or_else(|| missing(id))?;
        tx.run("DELETE FROM refresh_tokens WHERE identity_id = $1", args![id]).await?;
        tx.changed(Change::Directory);
        Ok(())
    })
}

fn remove_identity<'t>(tx: &'t mut Tx<'_>, id: &'t String) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "DELETE FROM identities WHERE id = $1 RETURNING id";
        tx.row(sql, args![id]).await?.ok_or_else(|| missing(id))?;
        tx.changed(Change::Directory);
        Ok(())
    })
}

fn attach<'t>(
    tx: &'t mut Tx<'_>,
    (id, attachment): &'t (String, AttachmentRecord),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        tx.row("SELECT id FROM identities WHERE id = $1", args![id]).await?.ok_or_else(|| missing(id))?;
        insert_attachment(tx, id, attachment).await?;
        tx.changed(Change::Directory);
        Ok(())
    })
}

fn detach<'t>(
    tx: &'t mut Tx<'_>,
    (id, attachment): &'t (String, AttachmentRecord),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let AttachmentRecord { policy, prefix } = attachment;
        let sql =
            "DELETE FROM attachments WHERE identity_id = $1 AND policy = $2 AND prefix = $3 RETURNING policy";
        let gone = tx.row(sql, args![id, policy, prefix]).await?;
        gone.ok_or_else(|| Error::Missing(format!("the attachment of {policy} with prefix '{prefix}'")))?;
        tx.changed(Change::Directory);
        Ok(())
    })
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
        Ok(())
    })
}

fn rotate_signing_key<'t>(tx: &'t mut Tx<'_>, key: &'t SigningKeyRecord) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "UPDATE signing_keys SET retired_at = $1 WHERE retired_at IS NULL";
        tx.run(sql, args![key.created_at]).await?;
        add_signing_key(tx, key).await
    })
}

fn remove_signing_keys<'t>(
    tx: &'t mut Tx<'_>,
    retired_until: &'t Timestamp,
) -> BoxFuture<'t, Result<usize, Error>> {
    Box::pin(async move {
        let sql = "DELETE FROM signing_keys WHERE retired_at <= $1 RETURNING kid";
        Ok(tx.rows(sql, args![*retired_until]).await?.len())
    })
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
