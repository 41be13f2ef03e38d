//! Users: made, shown, changed, removed; and what hashing passwords costs, bounded.

use berth_auth::{Attachment, GroupName, Password, PasswordHash, RefreshToken, UserName, verify_password};
use berth_storage::{
    Actor, AttachmentRecord, By, IdentityRecord, NewIdentity, RefreshTokenRecord, Timestamp,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policies::origin_of;
use super::{Directory, ListPage, Login, PageRequest};
use crate::error::Error;

/// A user, as people see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Never changes.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When it was made, in seconds since the epoch.
    pub created_at: i64,
    /// Whether it may do nothing for now.
    pub disabled: bool,
    /// What it may do, and to which repositories, besides what its groups may.
    pub policies: Vec<AttachedPolicy>,
    /// The groups it is in, in order of name.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// A user that is to be made.
#[derive(Debug)]
pub struct NewUser {
    /// What people will call it.
    pub name: UserName,
    /// Its password.
    pub password: Password,
    /// What it may do from the start.
    pub policies: Vec<Attachment>,
    /// The groups it is in from the start.
    pub groups: Vec<GroupName>,
}

/// A policy attached to a user or a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttachedPolicy {
    /// The policy's name.
    pub policy: String,
    /// The repositories a shipped one is limited to, by prefix; empty: all.
    #[serde(default)]
    pub prefix: String,
}

impl AttachedPolicy {
    pub(super) fn of(record: AttachmentRecord) -> Self {
        Self { policy: record.policy, prefix: record.prefix }
    }
}

pub(super) fn record_of(attachment: &Attachment) -> AttachmentRecord {
    AttachmentRecord { policy: attachment.policy.to_string(), prefix: attachment.prefix.to_string() }
}

impl User {
    fn of(record: IdentityRecord) -> Self {
        Self {
            id: record.id,
            name: record.name,
            created_at: record.created_at.seconds(),
            disabled: record.disabled_at.is_some(),
            policies: record.attachments.into_iter().map(AttachedPolicy::of).collect(),
            groups: record.groups.into_iter().map(|membership| membership.group).collect(),
        }
    }
}

impl Directory {
    /// Runs `work` with passwords away from the async threads, few at a time.
    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, berth_auth::Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let _slot = self.hashing.acquire().await;
        let done = tokio::task::spawn_blocking(work).await;
        Ok(done.map_err(|error| berth_storage::Fault::new("hashing a password", error))??)
    }

    /// Whether `offered` is the password whose hash is `stored`; no hash costs the same.
    pub(super) async fn verify(&self, offered: SecretString, stored: Option<String>) -> Result<bool, Error> {
        let stored = stored.map(|hash| PasswordHash::parse(&hash)).transpose()?;
        self.hashing(move || verify_password(&offered, stored.as_ref())).await
    }

    async fn hash(&self, password: Password) -> Result<String, Error> {
        self.hashing(move || password.hash().map(|hash| hash.to_phc())).await
    }

    /// A page of the users, in order of name.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn users(&self, page: &PageRequest) -> Result<ListPage<User>, Error> {
        let found = self.records.identities(page.after.clone(), page.limit()).await?;
        Ok(ListPage::of(found, |record| record.name.clone(), User::of))
    }

    /// The user of this name.
    ///
    /// # Errors
    /// When there is none.
    pub async fn user(&self, name: &UserName) -> Result<User, Error> {
        self.record(name).await.map(User::of)
    }

    pub(super) async fn record(&self, name: &UserName) -> Result<IdentityRecord, Error> {
        let record = self.records.identity_named(name.to_string()).await?;
        record.ok_or_else(|| berth_storage::Error::Missing(format!("user {name}")).into())
    }

    /// Makes a user with its policies and groups, all or nothing.
    ///
    /// # Errors
    /// When the name is taken, or there is no such group or policy.
    pub async fn add_user(&self, new: NewUser, actor: &Actor) -> Result<User, Error> {
        let name = new.name.clone();
        let identity = self.new_identity(new).await?;
        self.records.add_identity(identity, self.by(actor)).await?;
        self.user(&name).await
    }

    async fn new_identity(&self, new: NewUser) -> Result<NewIdentity, Error> {
        let NewUser { name, password, policies, groups } = new;
        Ok(NewIdentity {
            name: name.to_string(),
            password: self.hash(password).await?,
            attachments: policies.iter().map(|policy| (record_of(policy), origin_of(policy))).collect(),
            groups: groups.iter().map(ToString::to_string).collect(),
        })
    }

    /// Whether there is any user yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.records.identities(String::new(), 1).await?.items.is_empty())
    }

    /// Makes the very first user; false when there is one already, perhaps since a moment ago.
    ///
    /// # Errors
    /// When there is no such group or policy.
    pub async fn add_first_user(&self, new: NewUser, actor: &Actor) -> Result<bool, Error> {
        let identity = self.new_identity(new).await?;
        Ok(self.records.add_first_identity(identity, self.by(actor)).await?)
    }

    /// Changes a password; every token issued before is worthless at once.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn set_password(
        &self,
        name: &UserName,
        password: Password,
        actor: &Actor,
    ) -> Result<(), Error> {
        let record = self.record(name).await?;
        let hash = self.hash(password).await?;
        let by = self.by_after(actor, &record);
        Ok(self.records.set_password(record.id, hash, by).await?)
    }

    /// Tokens tell old credentials from new ones by this moment, so it always moves on.
    fn by_after(&self, actor: &Actor, record: &IdentityRecord) -> By {
        let at = Timestamp((self.clock)().0.max(record.credentials_changed_at.0 + 1));
        By { actor: actor.clone(), at }
    }

    /// Lets a user do nothing until it is enabled; every token issued before is worthless for good.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn disable_user(&self, name: &UserName, actor: &Actor) -> Result<(), Error> {
        let record = self.record(name).await?;
        let by = self.by_after(actor, &record);
        Ok(self.records.set_disabled(record.id, Some(by.at), by).await?)
    }

    /// Lets a user that was disabled log in again.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn enable_user(&self, name: &UserName, actor: &Actor) -> Result<(), Error> {
        let record = self.record(name).await?;
        let by = self.by_after(actor, &record);
        Ok(self.records.set_disabled(record.id, None, by).await?)
    }

    /// Removes a user, with its tokens.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn remove_user(&self, name: &UserName, actor: &Actor) -> Result<(), Error> {
        let record = self.record(name).await?;
        Ok(self.records.remove_identity(record.id, self.by(actor)).await?)
    }

    /// A refresh token for someone who has just logged in (OAuth2, `access_type=offline`).
    pub(crate) async fn issue_refresh_token(&self, login: &Login) -> Result<SecretString, Error> {
        let token = RefreshToken::generate()?;
        let now = (self.clock)();
        let record = RefreshTokenRecord {
            hash: hash_text(&token),
            identity_id: login.identity.id.to_string(),
            access_key: login.key.as_ref().map(ToString::to_string),
            service: self.service().to_owned(),
            expires_at: now.after(REFRESH_TOKEN_TTL),
        };
        self.records.add_refresh_token(record, now).await?;
        Ok(token.secret().clone())
    }

    /// Whose refresh token this is, if it is still good.
    pub(crate) async fn refresh(&self, token: SecretString) -> Result<Option<Login>, Error> {
        let Ok(token) = RefreshToken::parse(token) else { return Ok(None) };
        let found = self.records.refresh_token(hash_text(&token), (self.clock)()).await?;
        let Some(found) = found.filter(|found| found.service == self.service()) else { return Ok(None) };
        let identity = self.identity(&found.identity_id.parse()?).await?;
        let Some(identity) = identity.filter(|identity| !identity.disabled) else { return Ok(None) };
        let key = found.access_key.map(|id| id.parse()).transpose()?;
        if let Some(key) = &key
            && !self.key_is_good(key, &identity).await?
        {
            return Ok(None);
        }
        Ok(Some(Login { identity, key }))
    }
}

/// Refresh tokens live 90 days.
const REFRESH_TOKEN_TTL: std::time::Duration = std::time::Duration::from_secs(90 * 24 * 60 * 60);

fn hash_text(token: &RefreshToken) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(token.hash().as_bytes())
}
