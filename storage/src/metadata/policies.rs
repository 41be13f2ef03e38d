//! Policy documents that administrators wrote, as text that the store never interprets.

use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::groups::PolicyOrigin;
use super::records::Records;
use super::{Change, Row, Tx, args};
use crate::By;
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
    pub async fn put_policy(&self, name: String, document: String, by: By) -> Result<(), Error> {
        self.metadata().write((name, document, by), put_policy).await
    }

    /// Removes a policy that nobody has.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such policy, [`Error::PolicyAttached`] when somebody has it.
    pub async fn remove_policy(&self, name: String, by: By) -> Result<(), Error> {
        self.metadata().write((name, by), remove_policy).await
    }
}

fn no_policy(name: &str) -> Error {
    Error::Missing(format!("policy {name}"))
}

/// Refuses a policy whose document must be here and isn't.
pub(super) async fn need_policy(tx: &mut Tx<'_>, name: &str, origin: PolicyOrigin) -> Result<(), Error> {
    match origin {
        PolicyOrigin::Shipped => Ok(()),
        PolicyOrigin::Kept => {
            let found = tx.row("SELECT name FROM policies WHERE name = $1", args![name]).await?;
            found.map(drop).ok_or_else(|| no_policy(name))
        }
    }
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
    (name, document, by): &'t (String, String, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "INSERT INTO policies (name, document, created_at, updated_at) VALUES ($1, $2, $3, $3)
                   ON CONFLICT (name) DO UPDATE SET document = $2, updated_at = $3";
        tx.run(sql, args![name, document, by.at]).await?;
        tx.changed(Change::Directory);
        let deed = Deed { action: "policy.put", subject: Some(name), ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}

fn remove_policy<'t>(tx: &'t mut Tx<'_>, (name, by): &'t (String, By)) -> BoxFuture<'t, Result<(), Error>> {
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
        let deed = Deed { action: "policy.rm", subject: Some(name), ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}
