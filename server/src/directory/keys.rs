//! Access keys: made, listed, removed, and believed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use berth_auth::{AccessKeyId, AccessKeyName, AccessKeySecret, Identity, IdentityId, UserName};
use berth_oci::ErrorCode;
use berth_storage::{AccessKeyPlace, AccessKeyRecord, Actor, Timestamp};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Directory, ListPage, PageRequest, WrongLogin};
use crate::error::Error;

/// How far what is noted of a key's last use may be behind.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// An access key, as people see one: without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessKey {
    /// What it is removed by, and the user name to log in with.
    pub id: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose it is.
    pub user: String,
    /// When it was made, in seconds since the epoch.
    pub created_at: i64,
    /// When it ends, in seconds since the epoch; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// When it was last used, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<i64>,
    /// Whether it is good for nothing any more, since its time is over.
    pub expired: bool,
}

/// An access key that has just been made. Debug hides its secret.
#[derive(Debug, Clone)]
pub struct MadeAccessKey {
    /// The key itself.
    pub key: AccessKey,
    /// Its secret, which is shown only now: the password to log in with.
    pub secret: SecretString,
}

impl AccessKey {
    fn of(record: AccessKeyRecord, now: Timestamp) -> Self {
        Self {
            id: record.id,
            name: record.name,
            user: record.user,
            created_at: record.created_at.seconds(),
            expires_at: record.expires_at.map(Timestamp::seconds),
            used_at: record.used_at.map(Timestamp::seconds),
            expired: record.expires_at.is_some_and(|end| end <= now),
        }
    }
}

/// An access key as it is now, opened.
pub(super) struct KnownKey {
    identity: IdentityId,
    secret: AccessKeySecret,
    expires_at: Option<Timestamp>,
    /// The use that was last noted, in microseconds since the epoch.
    noted_at: AtomicI64,
}

impl KnownKey {
    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// When keys were last used, as far as that isn't written down yet.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<AccessKeyId, Timestamp>>);

impl Uses {
    /// Cheap when the key was used a moment ago, as a busy robot's is.
    fn note(&self, id: &AccessKeyId, key: &KnownKey, now: Timestamp) {
        let noted = Timestamp(key.noted_at.load(Ordering::Relaxed));
        if noted.after(NOTED_EVERY) <= now {
            key.noted_at.store(now.0, Ordering::Relaxed);
            self.0.lock().insert(id.clone(), now);
        }
    }
}

/// A key's place in the list, which its id alone is not once the key is gone.
fn place_of(key: &AccessKeyRecord) -> String {
    let AccessKeyPlace { user, created_at, id } = AccessKeyPlace::of(key);
    format!("{user}:{}:{id}", created_at.0)
}

fn place(text: &str) -> Result<AccessKeyPlace, Error> {
    if text.is_empty() {
        return Ok(AccessKeyPlace::start());
    }
    let read = || {
        let (user, rest) = text.split_once(':')?;
        let (created_at, id) = rest.split_once(':')?;
        let created_at = Timestamp(created_at.parse().ok()?);
        Some(AccessKeyPlace { user: user.to_owned(), created_at, id: id.to_owned() })
    };
    let sentence = "after is what the page before calls next, word for word";
    read().ok_or_else(|| Error::Request(ErrorCode::Unsupported, sentence.to_owned()))
}

fn sealed_for(id: &AccessKeyId) -> String {
    format!("access key {id}")
}

impl Directory {
    /// Makes an access key for a user, good for `ttl` (none: until it is removed). When the actor shows
    /// a key, it is good for as long as that one at most.
    ///
    /// # Errors
    /// When there is no such user, or `ttl` is longer than the actor's key is good for.
    pub async fn add_access_key(
        &self,
        user: &UserName,
        name: Option<AccessKeyName>,
        ttl: Option<Duration>,
        actor: &Actor,
    ) -> Result<MadeAccessKey, Error> {
        let owner = self.record(user).await?;
        let (id, secret) = (AccessKeyId::generate()?, AccessKeySecret::generate()?);
        let plain = secret.secret().expose_secret().as_bytes();
        let now = (self.clock)();
        let wanted = ttl.map(|ttl| now.after(ttl));
        let maker = actor.access_key.as_deref().map(str::parse).transpose()?;
        let expires_at = match &maker {
            Some(maker) => self.outlived_by(maker, wanted).await?,
            None => wanted,
        };
        let record = AccessKeyRecord {
            sealed_secret: self.master_key.seal(&sealed_for(&id), plain)?.into(),
            id: id.to_string(),
            identity_id: owner.id,
            user: owner.name,
            name: name.map(|name| name.to_string()),
            created_at: now,
            expires_at,
            used_at: None,
        };
        self.records.add_access_key(record.clone(), actor).await?;
        Ok(MadeAccessKey { key: AccessKey::of(record, now), secret: secret.secret().clone() })
    }

    /// When a key ends that `maker` makes and that is wanted until then: otherwise a key that ends
    /// could be made to last.
    async fn outlived_by(
        &self,
        maker: &AccessKeyId,
        wanted: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, Error> {
        let gone = || berth_storage::Error::Missing(format!("access key {maker}"));
        let Some(end) = self.known_key(maker).await?.ok_or_else(gone)?.expires_at else {
            return Ok(wanted);
        };
        if wanted.is_some_and(|wanted| wanted > end) {
            let left = Duration::from_micros(u64::try_from(end.0 - (self.clock)().0).unwrap_or(0));
            let sentence = format!(
                "the access key {maker} ends in {}, and none that it makes may outlive it; ask for less, or \
                 log in with a password",
                humantime::format_duration(Duration::from_secs(left.as_secs()))
            );
            return Err(Error::Denied(sentence));
        }
        Ok(Some(wanted.unwrap_or(end)))
    }

    /// A page of all access keys, or of one user's, in order of their users' names; of each user's the
    /// oldest first.
    ///
    /// # Errors
    /// When no page said that this one comes next, or the database fails.
    pub async fn access_keys(
        &self,
        owner: Option<&UserName>,
        page: &PageRequest,
    ) -> Result<ListPage<AccessKey>, Error> {
        let now = (self.clock)();
        let (owner, after) = (owner.map(ToString::to_string), place(&page.after)?);
        // What is about to be written down counts, too.
        self.write_uses().await?;
        let found = self.records.access_keys(owner, after, page.limit()).await?;
        Ok(ListPage::of(found, place_of, |record| AccessKey::of(record, now)))
    }

    /// Removes an access key, with every token that was asked for with it; one of another user than
    /// `owner` is as good as not there.
    ///
    /// # Errors
    /// When there is none.
    pub async fn remove_access_key(
        &self,
        id: &AccessKeyId,
        owner: Option<&UserName>,
        actor: &Actor,
    ) -> Result<(), Error> {
        if let Some(owner) = owner {
            let record = self.records.access_key(id.to_string()).await?;
            if record.is_none_or(|record| record.user != owner.as_str()) {
                return Err(berth_storage::Error::Missing(format!("access key {id}")).into());
            }
        }
        Ok(self.records.remove_access_key(id.to_string(), self.by(actor)).await?)
    }

    /// Whose id and secret these are, if the key is good now and its user may log in; else what is
    /// wrong.
    pub(super) async fn login_with_key(
        &self,
        id: &AccessKeyId,
        secret: &SecretString,
    ) -> Result<Result<Arc<Identity>, WrongLogin>, Error> {
        let unknown = WrongLogin { why: "unknown access key", owner: None };
        let Some(key) = self.known_key(id).await? else { return Ok(Err(unknown)) };
        let right = key.secret.is(secret);
        let Some(identity) = self.identity(&key.identity).await? else { return Ok(Err(unknown)) };
        let wrong = |why| Ok(Err(WrongLogin { why, owner: Some(identity.name.clone()) }));
        if !right {
            return wrong("wrong secret");
        }
        if key.is_over((self.clock)()) {
            return wrong("expired access key");
        }
        if identity.disabled {
            return wrong("disabled user");
        }
        self.uses.note(id, &key, (self.clock)());
        Ok(Ok(identity))
    }

    /// Whether what was asked for with this key is still good for `identity`.
    pub(super) async fn key_is_good(&self, id: &AccessKeyId, identity: &Identity) -> Result<bool, Error> {
        let now = (self.clock)();
        let Some(key) = self.known_key(id).await? else { return Ok(false) };
        if key.is_over(now) || key.identity != identity.id {
            return Ok(false);
        }
        self.uses.note(id, &key, now);
        Ok(true)
    }

    async fn known_key(&self, id: &AccessKeyId) -> Result<Option<Arc<KnownKey>>, Error> {
        let (known, generation) = self.identities.key(id);
        if known.is_some() {
            return Ok(known);
        }
        let Some(record) = self.records.access_key(id.to_string()).await? else { return Ok(None) };
        let plain = self.master_key.open(&sealed_for(id), &record.sealed_secret)?;
        let key = Arc::new(KnownKey {
            identity: record.identity_id.parse()?,
            secret: AccessKeySecret::from_bytes(&plain)?,
            expires_at: record.expires_at,
            noted_at: AtomicI64::new(record.used_at.map_or(i64::MIN, |used| used.0)),
        });
        self.identities.keep_key(id, &key, generation);
        Ok(Some(key))
    }

    /// Writes down which access keys were used; what can't be written is kept for the next time.
    pub(crate) async fn write_uses(&self) -> Result<(), Error> {
        let uses = std::mem::take(&mut *self.uses.0.lock());
        if uses.is_empty() {
            return Ok(());
        }
        let written = uses.iter().map(|(id, used)| (id.to_string(), *used)).collect();
        let done = self.records.note_uses(written).await;
        if done.is_err() {
            let mut waiting = self.uses.0.lock();
            for (id, used) in uses {
                waiting.entry(id).or_insert(used);
            }
        }
        Ok(done?)
    }
}
