//! Groups of identities, and the policies attached to them, as plain records.

use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::policies::need_policy;
use super::records::{AttachmentRecord, Records, missing};
use super::{Change, Row, Tx, args};
use crate::By;
use crate::error::{Error, Fault};
use crate::page::Page;
use crate::time::Timestamp;

/// A group, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// What people call it; everything refers to it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The names of the identities in it, in order.
    pub members: Vec<String>,
    /// What all of them may do.
    pub attachments: Vec<AttachmentRecord>,
}

/// A group that an identity is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipRecord {
    /// The group's name.
    pub group: String,
    /// What everyone in it may do.
    pub attachments: Vec<AttachmentRecord>,
}

/// Where a policy's document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyOrigin {
    /// In the program.
    Shipped,
    /// Here: it must be kept before it can be attached.
    Kept,
}

impl Records {
    /// The groups after the one named `after`, in order of name, at most `limit`.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn groups(&self, after: String, limit: u64) -> Result<Page<GroupRecord>, Error> {
        let found = self.metadata().scan((after, limit.saturating_add(1)), groups).await?;
        Ok(Page::cut(found, limit))
    }

    /// Makes a group that nobody is in.
    ///
    /// # Errors
    /// [`Error::Exists`] when the name is taken.
    pub async fn add_group(&self, name: String, by: By) -> Result<(), Error> {
        self.metadata().write((name, by), add_group).await
    }

    /// Removes a group; who was in it is so no more.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such group.
    pub async fn remove_group(&self, name: String, by: By) -> Result<(), Error> {
        self.metadata().write((name, by), remove_group).await
    }

    /// Puts an identity into a group; doing it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such group or identity.
    pub async fn join_group(&self, name: String, id: String, by: By) -> Result<(), Error> {
        self.metadata().write((name, id, by), join_group).await
    }

    /// Takes an identity out of a group.
    ///
    /// # Errors
    /// [`Error::Missing`] when it was not in it.
    pub async fn leave_group(&self, name: String, id: String, by: By) -> Result<(), Error> {
        self.metadata().write((name, id, by), leave_group).await
    }

    /// Attaches a policy to a group; doing it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such group, or no such policy of those kept here.
    pub async fn attach_to_group(
        &self,
        name: String,
        attachment: AttachmentRecord,
        origin: PolicyOrigin,
        by: By,
    ) -> Result<(), Error> {
        self.metadata().write((name, attachment, origin, by), attach_to_group).await
    }

    /// Detaches a policy from a group.
    ///
    /// # Errors
    /// [`Error::Missing`] when it was not attached.
    pub async fn detach_from_group(
        &self,
        name: String,
        attachment: AttachmentRecord,
        by: By,
    ) -> Result<(), Error> {
        self.metadata().write((name, attachment, by), detach_from_group).await
    }
}

fn no_group(name: &str) -> Error {
    Error::Missing(format!("group {name}"))
}

fn attachment(row: &Row) -> Result<AttachmentRecord, Fault> {
    Ok(AttachmentRecord { policy: row.text(0)?.to_owned(), prefix: row.text(1)?.to_owned() })
}

const ATTACHED: &str =
    "SELECT policy, prefix FROM group_attachments WHERE group_name = $1 ORDER BY policy, prefix";

/// The groups that an identity is in, in order of name.
pub(super) async fn memberships_of(tx: &mut Tx<'_>, identity: &str) -> Result<Vec<MembershipRecord>, Fault> {
    let sql = "SELECT group_name FROM group_members WHERE identity_id = $1 ORDER BY group_name";
    let mut memberships = Vec::new();
    for row in tx.rows(sql, args![identity]).await? {
        let group = row.text(0)?.to_owned();
        let attachments = tx.rows(ATTACHED, args![&group]).await?;
        let attachments = attachments.iter().map(attachment).collect::<Result<_, _>>()?;
        memberships.push(MembershipRecord { group, attachments });
    }
    Ok(memberships)
}

fn groups<'t>(
    tx: &'t mut Tx<'_>,
    (after, limit): &'t (String, u64),
) -> BoxFuture<'t, Result<Vec<GroupRecord>, Error>> {
    Box::pin(async move {
        let sql = "SELECT name, created_at FROM user_groups WHERE name > $1 ORDER BY name LIMIT $2";
        let mut groups = Vec::new();
        for row in tx.rows(sql, args![after, *limit]).await? {
            let name = row.text(0)?.to_owned();
            let sql = "SELECT identities.name FROM group_members
                       JOIN identities ON identities.id = group_members.identity_id
                       WHERE group_members.group_name = $1 ORDER BY identities.name";
            let members = tx.rows(sql, args![&name]).await?;
            let members =
                members.iter().map(|row| Ok(row.text(0)?.to_owned())).collect::<Result<_, Fault>>()?;
            let attachments = tx.rows(ATTACHED, args![&name]).await?;
            let attachments = attachments.iter().map(attachment).collect::<Result<_, _>>()?;
            groups.push(GroupRecord { name, created_at: Timestamp(row.int(1)?), members, attachments });
        }
        Ok(groups)
    })
}

fn add_group<'t>(tx: &'t mut Tx<'_>, (name, by): &'t (String, By)) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "INSERT INTO user_groups (name, created_at) VALUES ($1, $2)
                   ON CONFLICT (name) DO NOTHING RETURNING name";
        let made = tx.row(sql, args![name, by.at]).await?;
        made.ok_or_else(|| Error::Exists(format!("group {name}")))?;
        let deed = Deed { action: "group.add", subject: Some(name), ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}

fn remove_group<'t>(tx: &'t mut Tx<'_>, (name, by): &'t (String, By)) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "DELETE FROM user_groups WHERE name = $1 RETURNING name";
        tx.row(sql, args![name]).await?.ok_or_else(|| no_group(name))?;
        tx.changed(Change::Directory);
        let deed = Deed { action: "group.rm", subject: Some(name), ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}

async fn need_group(tx: &mut Tx<'_>, name: &str) -> Result<(), Error> {
    let found = tx.row("SELECT name FROM user_groups WHERE name = $1", args![name]).await?;
    found.map(drop).ok_or_else(|| no_group(name))
}

fn join_group<'t>(
    tx: &'t mut Tx<'_>,
    (name, id, by): &'t (String, String, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        join(tx, name, id, by).await?;
        tx.changed(Change::Directory);
        Ok(())
    })
}

/// Puts an identity into a group that must be there; the caller tells the change.
pub(super) async fn join(tx: &mut Tx<'_>, name: &str, id: &str, by: &By) -> Result<(), Error> {
    need_group(tx, name).await?;
    let user = name_of(tx, id).await?;
    let sql = "INSERT INTO group_members (group_name, identity_id) VALUES ($1, $2)
               ON CONFLICT (group_name, identity_id) DO NOTHING RETURNING group_name";
    if tx.row(sql, args![name, id]).await?.is_none() {
        return Ok(());
    }
    let deed = Deed { action: "group.join", subject: Some(name), detail: Some(user), ..Deed::default() };
    Ok(note(tx, &by.actor, by.at, deed).await?)
}

/// The name of an identity that must be there.
pub(super) async fn name_of(tx: &mut Tx<'_>, id: &str) -> Result<String, Error> {
    let found = tx.row("SELECT name FROM identities WHERE id = $1", args![id]).await?;
    Ok(found.ok_or_else(|| missing(id))?.text(0)?.to_owned())
}

fn leave_group<'t>(
    tx: &'t mut Tx<'_>,
    (name, id, by): &'t (String, String, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        need_group(tx, name).await?;
        let sql = "DELETE FROM group_members WHERE group_name = $1 AND identity_id = $2 RETURNING group_name";
        let gone = tx.row(sql, args![name, id]).await?;
        gone.ok_or_else(|| Error::Missing(format!("the membership in group {name}")))?;
        tx.changed(Change::Directory);
        let detail = Some(name_of(tx, id).await?);
        let deed = Deed { action: "group.leave", subject: Some(name), detail, ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}

fn attach_to_group<'t>(
    tx: &'t mut Tx<'_>,
    (name, attachment, origin, by): &'t (String, AttachmentRecord, PolicyOrigin, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        need_group(tx, name).await?;
        let AttachmentRecord { policy, prefix } = attachment;
        need_policy(tx, policy, *origin).await?;
        let sql = "INSERT INTO group_attachments (group_name, policy, prefix) VALUES ($1, $2, $3)
                   ON CONFLICT (group_name, policy, prefix) DO NOTHING RETURNING policy";
        if tx.row(sql, args![name, policy, prefix]).await?.is_none() {
            return Ok(());
        }
        tx.changed(Change::Directory);
        Ok(note(tx, &by.actor, by.at, attachment.deed("policy.attach", "group", name)).await?)
    })
}

fn detach_from_group<'t>(
    tx: &'t mut Tx<'_>,
    (name, attachment, by): &'t (String, AttachmentRecord, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        need_group(tx, name).await?;
        let AttachmentRecord { policy, prefix } = attachment;
        let sql = "DELETE FROM group_attachments WHERE group_name = $1 AND policy = $2 AND prefix = $3
                   RETURNING policy";
        let gone = tx.row(sql, args![name, policy, prefix]).await?;
        gone.ok_or_else(|| Error::Missing(format!("the attachment of {policy} with prefix '{prefix}'")))?;
        tx.changed(Change::Directory);
        Ok(note(tx, &by.actor, by.at, attachment.deed("policy.detach", "group", name)).await?)
    })
}
