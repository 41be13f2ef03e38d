//! Policies: kept, shown, removed, attached.

use std::convert::identity;

use berth_auth::{
    Attachment, GroupName, IdentityPolicy, ParseError, PolicyName, RepositoryPrefix, ShippedPolicy, UserName,
};
use berth_storage::{Actor, Page, PolicyOrigin, PolicyRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::record_of;
use super::{Directory, ListPage, PageRequest};
use crate::error::Error;

/// A policy, as people see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// What it is attached by.
    pub name: String,
    /// Whether it comes with Berth.
    pub shipped: bool,
    /// When it was first kept, in seconds since the epoch; not for shipped ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<i64>,
    /// When it was last replaced, in seconds since the epoch; not for shipped ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<i64>,
    /// The document; of a shipped one as it is without a prefix.
    pub document: String,
}

impl Policy {
    fn of(record: PolicyRecord) -> Self {
        Self {
            name: record.name,
            shipped: false,
            created_at: Some(record.created_at.seconds()),
            updated_at: Some(record.updated_at.seconds()),
            document: record.document,
        }
    }

    fn shipped(policy: ShippedPolicy) -> Self {
        Self {
            name: policy.to_string(),
            shipped: true,
            created_at: None,
            updated_at: None,
            document: policy.text(&RepositoryPrefix::all()),
        }
    }
}

/// Who has policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// One user.
    User(UserName),
    /// Every user in a group.
    Group(GroupName),
}

/// Where the document of a policy that is attached is.
pub(super) fn origin_of(attachment: &Attachment) -> PolicyOrigin {
    match attachment.policy.shipped() {
        Some(_) => PolicyOrigin::Shipped,
        None => PolicyOrigin::Kept,
    }
}

/// Only what administrators wrote can be written again.
fn own(name: &PolicyName) -> Result<(), ParseError> {
    name.shipped().map_or(Ok(()), |policy| Err(ParseError::Shipped(policy)))
}

impl Directory {
    /// A page of the policies: the shipped ones come first, then the others in order of name.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn policies(&self, page: &PageRequest) -> Result<ListPage<Policy>, Error> {
        let shipped = ShippedPolicy::ALL.map(Policy::shipped);
        let (told, own_after) = match shipped.iter().position(|policy| policy.name == page.after) {
            Some(place) => (place + 1, ""),
            None if page.after.is_empty() => (0, ""),
            None => (shipped.len(), page.after.as_str()),
        };
        let own = self.records.policies(own_after.to_owned(), page.limit()).await?;
        let items = shipped.into_iter().skip(told).chain(own.items.into_iter().map(Policy::of)).collect();
        let found = Page { items, more: own.more }.at_most(page.limit());
        Ok(ListPage::of(found, |policy| policy.name.clone(), identity))
    }

    /// The policy of this name.
    ///
    /// # Errors
    /// When there is none.
    pub async fn policy(&self, name: &PolicyName) -> Result<Policy, Error> {
        if let Some(policy) = name.shipped() {
            return Ok(Policy::shipped(policy));
        }
        let record = self.records.policy(name.to_string()).await?;
        record.map(Policy::of).ok_or_else(|| berth_storage::Error::Missing(format!("policy {name}")).into())
    }

    /// Keeps a document, in place of the one of this name if there is one. Whoever has it is judged
    /// by it from their next request on.
    ///
    /// # Errors
    /// When the document is broken, or the name is a shipped one's.
    pub async fn put_policy(&self, name: &PolicyName, document: String, actor: &Actor) -> Result<(), Error> {
        own(name)?;
        IdentityPolicy::parse(&document, &self.account).map_err(ParseError::from)?;
        Ok(self.records.put_policy(name.to_string(), document, self.by(actor)).await?)
    }

    /// Removes a policy.
    ///
    /// # Errors
    /// When there is none, when it is a shipped one, or when somebody has it.
    pub async fn remove_policy(&self, name: &PolicyName, actor: &Actor) -> Result<(), Error> {
        own(name)?;
        Ok(self.records.remove_policy(name.to_string(), self.by(actor)).await?)
    }

    /// Attaches a policy; doing it again changes nothing.
    ///
    /// # Errors
    /// When there is no such user or group, or no such policy.
    pub async fn attach(&self, holder: &Holder, attachment: &Attachment, actor: &Actor) -> Result<(), Error> {
        let (record, origin) = (record_of(attachment), origin_of(attachment));
        match holder {
            Holder::User(name) => {
                let id = self.record(name).await?.id;
                self.records.attach(id, record, origin, self.by(actor)).await?;
            }
            Holder::Group(name) => {
                self.records.attach_to_group(name.to_string(), record, origin, self.by(actor)).await?;
            }
        }
        Ok(())
    }

    /// Detaches a policy.
    ///
    /// # Errors
    /// When there is no such user or group, or the policy was not attached to it.
    pub async fn detach(&self, holder: &Holder, attachment: &Attachment, actor: &Actor) -> Result<(), Error> {
        let (record, by) = (record_of(attachment), self.by(actor));
        match holder {
            Holder::User(name) => self.records.detach(self.record(name).await?.id, record, by).await?,
            Holder::Group(name) => self.records.detach_from_group(name.to_string(), record, by).await?,
        }
        Ok(())
    }
}
