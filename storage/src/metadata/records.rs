//! Who there is, as plain records that the store never interprets.

use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::groups::{self, MembershipRecord, PolicyOrigin, memberships_of, name_of};
use super::policies::{PolicyRecord, need_policy, policies_of};
use super::reviews::Delays;
use super::{Change, Metadata, Row, Tx, args, store};
use crate::By;
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

impl AttachmentRecord {
    /// What attaching or detaching it is, in the audit.
    pub(super) fn deed(&self, action: &'static str, kind: &str, holder: &str) -> Deed<'_> {
        let on = if self.prefix.is_empty() { String::new() } else { format!(" on {}", self.prefix) };
        let detail = Some(format!("{kind} {holder}{on}"));
        Deed { action, subject: Some(&self.policy), detail, ..Deed::default() }
    }
}

/// A user that is to be made.
#[derive(Debug, Clone)]
pub struct NewIdentity {
    /// What people will call it.
    pub name: String,
    /// The password's hash, a PHC string.
    pub password: String,
    /// What it may do from the start.
    pub attachments: Vec<(AttachmentRecord, PolicyOrigin)>,
    /// The groups it is in from the start.
    pub groups: Vec<String>,
}

const BY_ID: &str = "SELECT id, name, password, created_at, disabled_at, credentials_changed_at
                     FROM identities WHERE id = $1";
const BY_NAME: &str = "SELECT id, name, password, created_at, disabled_at, credentials_changed_at
                       FROM identities WHERE name = $1";

/// The records beside the images: identities, keys, facts about the store.
#[derive(Debug, Clone)]
pub struct Records {
    metadata: Metadata,
    delays: Delays,
}

impl Records {
    pub(crate) const fn new(metadata: Metadata, delays: Delays) -> Self {
        Self { metadata, delays }
    }

    pub(super) const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(super) const fn delays(&self) -> Delays {
        self.delays
    }

    /// The identity of this id, if there is one.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn identity(&self, id: String) -> Result<Option<IdentityRecord>, Error> {
        self.metadata.scan((BY_ID, id), find_identity).await
    }

    /// The identity of this name, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identity_named(&self, name: String) -> Result<Option<IdentityRecord>, Error> {
        self.metadata.scan((BY_NAME, name), find_identity).await
    }

    /// The identities after the one named `after`, in order of name, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identities(&self, after: String, limit: u64) -> Result<Page<IdentityRecord>, Error> {
        let found = self.metadata.scan((after, limit.saturating_add(1)), identities).await?;
        Ok(Page::cut(found, limit))
    }

    /// Makes an identity with its policies and groups, all or nothing; gives its id.
    ///
    /// # Errors
    /// [`Error::Exists`] when the name is taken, [`Error::Missing`] when there is no such group or
    /// policy.
    pub async fn add_identity(&self, new: NewIdentity, by: By) -> Result<String, Error> {
        self.metadata.write((new, by), add_identity).await
    }

    /// Makes the very first identity; false when there is one already, perhaps since a moment ago.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such group or policy.
    pub async fn add_first_identity(&self, new: NewIdentity, by: By) -> Result<bool, Error> {
        self.metadata.write((new, by), add_first_identity).await
    }

    /// Changes a password; tokens issued before, and refresh tokens, count no more.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such identity.
    pub async fn set_password(&self, id: String, password: String, by: By) -> Result<(), Error> {
        self.metadata.write((id, password, by), set_password).await
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
        by: By,
    ) -> Result<(), Error> {
        self.metadata.write((id, disabled_at, by), set_disabled).await
    }

    /// Removes an identity with all that hangs on it.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such identity.
    pub async fn remove_identity(&self, id: String, by: By) -> Result<(), Error> {
        self.metadata.write((id, by), remove_identity).await
    }

    /// Attaches a policy to an identity; doing it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such identity, or no such policy of those kept here.
    pub async fn attach(
        &self,
        id: String,
        attachment: AttachmentRecord,
        origin: PolicyOrigin,
        by: By,
    ) -> Result<(), Error> {
        self.metadata.write((id, attachment, origin, by), attach).await
    }

    /// Detaches a policy from an identity.
    ///
    /// # Errors
    /// [`Error::Missing`] when it was not attached.
    pub async fn detach(&self, id: String, attachment: AttachmentRecord, by: By) -> Result<(), Error> {
        self.metadata.write((id, attachment, by), detach).await
    }

    /// A fact that was noted about the store; none when it never was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fact(&self, name: &'static str) -> Result<Option<String>, Error> {
        self.metadata.read(name, store::fact).await
    }

    /// Notes a fact about the store unless it was noted before; gives what stands there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_once(&self, name: &'static str, value: String) -> Result<String, Error> {
        if let Some(value) = self.metadata.read(name, store::fact).await? {
            return Ok(value);
        }
        self.metadata.write((name, value), store::note_once).await
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
    (new, by): &'t (NewIdentity, By),
) -> BoxFuture<'t, Result<String, Error>> {
    Box::pin(async move {
        let NewIdentity { name, password, attachments, groups } = new;
        let id = new_id();
        let sql = "INSERT INTO identities (id, name, password, created_at, credentials_changed_at)
                   VALUES ($1, $2, $3, $4, $4) ON CONFLICT (name) DO NOTHING RETURNING id";
        if tx.row(sql, args![&id, name, password, by.at]).await?.is_none() {
            return Err(Error::Exists(format!("user {name}")));
        }
        tx.changed(Change::Directory);
        note(tx, &by.actor, by.at, of_user("user.add", name)).await?;
        for (attachment, origin) in attachments {
            insert_attachment(tx, &id, attachment, *origin, by).await?;
        }
        for group in groups {
            groups::join(tx, group, &id, by).await?;
        }
        Ok(id)
    })
}

fn add_first_identity<'t>(
    tx: &'t mut Tx<'_>,
    new: &'t (NewIdentity, By),
) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        if tx.row("SELECT id FROM identities LIMIT 1", args![]).await?.is_some() {
            return Ok(false);
        }
        add_identity(tx, new).await?;
        Ok(true)
    })
}

fn of_user<'a>(action: &'static str, name: &'a str) -> Deed<'a> {
    Deed { action, subject: Some(name), ..Deed::default() }
}

async fn insert_attachment(
    tx: &mut Tx<'_>,
    id: &str,
    attachment: &AttachmentRecord,
    origin: PolicyOrigin,
    by: &By,
) -> Result<(), Error> {
    let user = name_of(tx, id).await?;
    need_policy(tx, &attachment.policy, origin).await?;
    let sql = "INSERT INTO attachments (identity_id, policy, prefix) VALUES ($1, $2, $3)
               ON CONFLICT (identity_id, policy, prefix) DO NOTHING RETURNING policy";
    if tx.row(sql, args![id, &attachment.policy, &attachment.prefix]).await?.is_none() {
        return Ok(());
    }
    Ok(note(tx, &by.actor, by.at, attachment.deed("policy.attach", "user", &user)).await?)
}

fn set_password<'t>(
    tx: &'t mut Tx<'_>,
    (id, password, by): &'t (String, String, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql =
            "UPDATE identities SET password = $2, credentials_changed_at = $3 WHERE id = $1 RETURNING name";
        let row = tx.row(sql, args![id, password, by.at]).await?.ok_or_else(|| missing(id))?;
        tx.run("DELETE FROM refresh_tokens WHERE identity_id = $1", args![id]).await?;
        tx.changed(Change::Directory);
        Ok(note(tx, &by.actor, by.at, of_user("user.passwd", row.text(0)?)).await?)
    })
}

fn set_disabled<'t>(
    tx: &'t mut Tx<'_>,
    (id, disabled_at, by): &'t (String, Option<Timestamp>, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "UPDATE identities SET disabled_at = $2, credentials_changed_at = $3 WHERE id = $1
                   RETURNING name";
        let row = tx.row(sql, args![id, *disabled_at, by.at]).await?.ok_or_else(|| missing(id))?;
        tx.run("DELETE FROM refresh_tokens WHERE identity_id = $1", args![id]).await?;
        tx.changed(Change::Directory);
        let action = if disabled_at.is_some() { "user.disable" } else { "user.enable" };
        Ok(note(tx, &by.actor, by.at, of_user(action, row.text(0)?)).await?)
    })
}

fn remove_identity<'t>(tx: &'t mut Tx<'_>, (id, by): &'t (String, By)) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "DELETE FROM identities WHERE id = $1 RETURNING name";
        let row = tx.row(sql, args![id]).await?.ok_or_else(|| missing(id))?;
        tx.changed(Change::Directory);
        Ok(note(tx, &by.actor, by.at, of_user("user.rm", row.text(0)?)).await?)
    })
}

fn attach<'t>(
    tx: &'t mut Tx<'_>,
    (id, attachment, origin, by): &'t (String, AttachmentRecord, PolicyOrigin, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        insert_attachment(tx, id, attachment, *origin, by).await?;
        tx.changed(Change::Directory);
        Ok(())
    })
}

fn detach<'t>(
    tx: &'t mut Tx<'_>,
    (id, attachment, by): &'t (String, AttachmentRecord, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let AttachmentRecord { policy, prefix } = attachment;
        let sql =
            "DELETE FROM attachments WHERE identity_id = $1 AND policy = $2 AND prefix = $3 RETURNING policy";
        let gone = tx.row(sql, args![id, policy, prefix]).await?;
        gone.ok_or_else(|| Error::Missing(format!("the attachment of {policy} with prefix '{prefix}'")))?;
        tx.changed(Change::Directory);
        let user = name_of(tx, id).await?;
        Ok(note(tx, &by.actor, by.at, attachment.deed("policy.detach", "user", &user)).await?)
    })
}
