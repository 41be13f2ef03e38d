//! Groups of users: made, listed, removed, joined and left.

use berth_auth::{GroupName, UserName};
use berth_storage::{Actor, GroupRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::AttachedPolicy;
use super::{Directory, ListPage, PageRequest};
use crate::error::Error;

/// A group, as people see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// What people call it.
    pub name: String,
    /// When it was made, in seconds since the epoch.
    pub created_at: i64,
    /// The users in it, in order of name.
    pub members: Vec<String>,
    /// What all of them may do, and to which repositories.
    pub policies: Vec<AttachedPolicy>,
}

impl Group {
    fn of(record: GroupRecord) -> Self {
        Self {
            name: record.name,
            created_at: record.created_at.seconds(),
            members: record.members,
            policies: record.attachments.into_iter().map(AttachedPolicy::of).collect(),
        }
    }
}

impl Directory {
    /// A page of the groups, in order of name.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn groups(&self, page: &PageRequest) -> Result<ListPage<Group>, Error> {
        let found = self.records.groups(page.after.clone(), page.limit()).await?;
        Ok(ListPage::of(found, |record| record.name.clone(), Group::of))
    }

    /// Makes a group that nobody is in.
    ///
    /// # Errors
    /// When the name is taken.
    pub async fn add_group(&self, name: &GroupName, actor: &Actor) -> Result<(), Error> {
        Ok(self.records.add_group(name.to_string(), self.by(actor)).await?)
    }

    /// Removes a group; who was in it loses what it gave at once.
    ///
    /// # Errors
    /// When there is no such group.
    pub async fn remove_group(&self, name: &GroupName, actor: &Actor) -> Result<(), Error> {
        Ok(self.records.remove_group(name.to_string(), self.by(actor)).await?)
    }

    /// Puts a user into a group.
    ///
    /// # Errors
    /// When there is no such group or user.
    pub async fn join_group(&self, name: &GroupName, user: &UserName, actor: &Actor) -> Result<(), Error> {
        let id = self.record(user).await?.id;
        Ok(self.records.join_group(name.to_string(), id, self.by(actor)).await?)
    }

    /// Takes a user out of a group.
    ///
    /// # Errors
    /// When there is no such group or user, or the user is not in it.
    pub async fn leave_group(&self, name: &GroupName, user: &UserName, actor: &Actor) -> Result<(), Error> {
        let id = self.record(user).await?.id;
        Ok(self.records.leave_group(name.to_string(), id, self.by(actor)).await?)
    }
}
