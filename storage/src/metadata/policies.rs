//! Policy documents that administrators wrote, as text that the store never interprets.

use futures_util::future::BoxFuture;

use super::records::{AttachmentRecord, Records, insert_attachment, missing};
use super::{Change, Row, Tx, args};
use crate::error::{Error, Fault};
use crate::page::Page;
use crate::time::Timestamp;

/// A policy document, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRecord {
    /// What it is attached by.
    pub name: String,
    /// The document, as it was given.
    pub document: String,
    /// When it was first kept.
    pub created_at: Timestamp,
    /// When it was last replaced.
    pub updated_at: Timestamp,
}

impl Records {
    /// The policies after the one named `after`, in order of name, at most `limit`.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn policies(&self, after: String, limit: u64) -> Result<Page<PolicyRecord>, Error> {
        let found = self.metadata().scan((after, limit.saturating_add(1)), policies).await?;
        Ok(Page::cut(found, limit))
    }

    /// The policy of this name, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn policy(&self, name: String) -> Result<Option<PolicyRecord>, Error> {
        self.metadata().read(name, policy).await
    }

    /// Keeps a document, in place of the one of this name if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_policy(&self, name: String, document: String, now: Timestamp) -> Result<(), Error> {
        self.metadata().write((name, document, now), put_policy).await
    }

    /// Removes a policy that nobody has.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such policy, [`Error::PolicyAttached`] when somebody has it.
    pub async fn remove_policy(&self, name: String) -> Result<(), Error> {
        self.metadata().write(name, remove_policy).await
    }

    /// Attaches a document that is kept here to an identity; doing it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such identity or no such policy.
    pub async fn attach_document(&self, id: String, policy: String) -> Result<(), Error> {
        self.metadata().write((id, policy), attach_document).await
    }
}

pub(super) fn no_policy(name: &str) -> Error {
    Error::Missing(format!("policy {name}"))
}

fn read(row: &Row) -> Result<PolicyRecord, Fault> {
    Ok(PolicyRecord {
        name: row.text(0)?.to_owned(),
        document: row.text(1)?.to_owned(),
        created_at: Timestamp(row.int(2)?),
        updated_at: Timestamp(row.int(3)?),
    })
}

/// The documents that are attached to an identity or to a group it is in, each once.
pub(super) async fn policies_of(tx: &mut Tx<'_>, identity: &str) -> Result<Vec<PolicyRecord>, Fault> {
    let sql = "SELECT name, document, created_at, updated_at FROM policies
               WHERE name IN (SELECT policy FROM attachments WHERE identity_id = $1)
               OR name IN (SELECT group_attachments.policy FROM group_members
                           JOIN group_attachments ON group_attachments.group_name = group_members.group_name
                           WHERE group_members.identity_id = $1)
               ORDER BY name";
    tx.rows(sql, args![identity]).await?.iter().map(read).collect()
}

fn policies<'t>(
    tx: &'t mut Tx<'_>,
    (after, limit): &'t (String, u64),
) -> BoxFuture<'t, Result<Vec<PolicyRecord>, Error>> {
    Box::pin(async move {
        let sql = "SELECT name, document, created_at, updated_at FROM policies
                   WHERE name > $1 ORDER BY name LIMIT $2";
        Ok(tx.rows(sql, args![after, *limit]).await?.iter().map(read).collect::<Result<_, _>>()?)
    })
}

fn policy<'t>(tx: &'t mut Tx<'_>, name: &'t String) -> BoxFuture<'t, Result<Option<PolicyRecord>, Error>> {
    Box::pin(async move {
        let sql = "SELECT name, document, created_at, updated_at FROM policies WHERE name = $1";
        Ok(tx.row(sql, args![name]).await?.as_ref().map(read).transpose()?)
    })
}

fn put_policy<'t>(
    tx: &'t mut Tx<'_>,
    (name, document, now): &'t (String, String, Timestamp),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "INSERT INTO policies (name, document, created_at, updated_at) VALUES ($1, $2, $3, $3)
                   ON CONFLICT (name) DO UPDATE SET document = $2, updated_at = $3";
        tx.run(sql, args![name, document, *now]).await?;
        tx.changed(Change::Directory);
        Ok(())
    })
}

fn remove_policy<'t>(tx: &'t mut Tx<'_>, name: &'t String) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "SELECT identities.name FROM attachments
                   JOIN identities ON identities.id = attachments.identity_id
                   WHERE attachments.policy = $1 ORDER BY identities.name";
        let rows = tx.rows(sql, args![name]).await?;
        let mut holders =
            rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect::<Result<Vec<_>, Fault>>()?;
        let sql = "SELECT group_name FROM group_attachments WHERE policy = $1 ORDER BY group_name";
        for row in tx.rows(sql, args![name]).await? {
            holders.push(format!("group {}", row.text(0)?));
        }
        if !holders.is_empty() {
            return Err(Error::PolicyAttached { policy: name.clone(), to: holders.join(", ") });
        }
        let sql = "DELETE FROM policies WHERE name = $1 RETURNING name";
        tx.row(sql, args![name]).await?.ok_or_else(|| no_policy(name))?;
        tx.changed(Change::Directory);
        Ok(())
    })
}

fn attach_document<'t>(
    tx: &'t mut Tx<'_>,
    (id, policy): &'t (String, String),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        tx.row("SELECT id FROM identities WHERE id = $1", args![id]).await?.ok_or_else(|| missing(id))?;
        let sql = "SELECT name FROM policies WHERE name = $1";
        tx.row(sql, args![policy]).await?.ok_or_else(|| no_policy(policy))?;
        let attachment = AttachmentRecord { policy: policy.clone(), prefix: String::new() };
        insert_attachment(tx, id, &attachment).await?;
        tx.changed(Change::Directory);
        Ok(())
    })
}
