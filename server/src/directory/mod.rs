//! Who there is and what they may do: joins `auth`'s pure values to `storage`'s records.

mod audit;
mod collection;
mod explain;
mod groups;
mod guesses;
mod identities;
mod keys;
mod logins;
mod paging;
mod policies;
mod repositories;
mod repository_policies;
mod signing_keys;
#[cfg(test)]
mod tests;
mod users;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use berth_auth::{
    AccessKeyId, Account, Claims, Identity, IdentityId, Jwks, MasterKey, Scope, TokenError, UserName,
    Verified, sign,
};
use berth_storage::{Actor, By, Clock, Timestamp};
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use secrecy::SecretString;
use tokio::sync::Semaphore;

pub use audit::AuditEntry;
pub use collection::{Deleted, Forecast, RepositoryForecast, RepositoryUsage, TagChange, Usage};
pub use explain::Explanation;
pub use groups::Group;
use guesses::{Guess, Guesses};
pub(crate) use identities::Identities;
use keys::Uses;
pub use keys::{AccessKey, MadeAccessKey};
use logins::Logins;
pub use paging::{ListPage, PageRequest};
pub use policies::{Holder, Policy};
pub use repositories::Repository;
pub(crate) use repository_policies::RepositoryPolicies;
use signing_keys::Keys;
pub use signing_keys::SigningKeyInfo;
pub(crate) use signing_keys::StaleKeys;
pub(crate) use signing_keys::Tended;
pub use users::{AttachedPolicy, NewUser, User};

use crate::error::Error;
use berth_storage::Records;

/// How many verified tokens are remembered.
const TOKENS: usize = 10_000;
/// What the audit calls the server where nobody asked it to do something.
pub(crate) const ITSELF: &str = "the server itself";
/// The fact that tells which master key the store was made with.
pub(crate) const MASTER_KEY: &str = "master_key";

/// Who there is and what they may do.
pub struct Directory {
    records: Records,
    identities: Arc<Identities>,
    repository_policies: Arc<RepositoryPolicies>,
    account: Arc<Account>,
    logins: Logins,
    guesses: Guesses,
    /// Logins tried at once: fewer than one user name may get wrong.
    tries: Semaphore,
    uses: Uses,
    master_key: MasterKey,
    /// Passwords hashed at once, so that logins can't take all memory and all cores.
    hashing: Arc<Semaphore>,
    clock: Clock,
    issuer: String,
    token_ttl: Duration,
    /// Replaced as a whole when a key comes or goes.
    keys: RwLock<Arc<Keys>>,
    stale_keys: Arc<StaleKeys>,
    /// When keys were last looked up for a token that no known key signed.
    keys_looked_at: AtomicI64,
    /// Held by whoever changes which keys there are.
    rotating: tokio::sync::Mutex<()>,
    /// Tokens whose signature has been checked; the rest is checked at each request.
    tokens: Cache<Box<str>, Arc<Verified>>,
}

/// What a [`Directory`] is told at its making.
pub struct DirectoryOptions {
    /// `iss` and `aud` of tokens, and the `service` of challenges.
    pub issuer: String,
    /// How long tokens live.
    pub token_ttl: Duration,
    /// How many passwords are hashed at once.
    pub password_hashes: usize,
    /// The key under which secrets are sealed.
    pub master_key: MasterKey,
    /// The present moment.
    pub clock: Clock,
    /// Told of every committed change.
    pub identities: Arc<Identities>,
    /// Told of every committed change.
    pub repository_policies: Arc<RepositoryPolicies>,
    /// Told of every committed change.
    pub(crate) stale_keys: Arc<StaleKeys>,
    /// What this registry's ARNs name.
    pub account: Account,
}

impl Directory {
    /// Opens the directory kept in `records`; makes the first signing key.
    ///
    /// # Errors
    /// When the database fails, or was made with another master key.
    pub async fn open(records: Records, options: DirectoryOptions) -> Result<Self, Error> {
        let DirectoryOptions {
            issuer,
            token_ttl,
            password_hashes,
            master_key,
            clock,
            identities,
            repository_policies,
            stale_keys,
            account,
        } = options;
        let fingerprint = master_key.fingerprint()?;
        if records.note_once(MASTER_KEY, fingerprint.clone()).await? != fingerprint {
            return Err(Error::WrongMasterKey);
        }
        let keys = signing_keys::open(&records, &master_key, &issuer, clock()).await?;
        Ok(Self {
            identities,
            repository_policies,
            account: Arc::new(account),
            logins: Logins::new()?,
            guesses: Guesses::new(),
            tries: Semaphore::new(password_hashes.clamp(1, 5)),
            uses: Uses::default(),
            master_key,
            hashing: Arc::new(Semaphore::new(password_hashes.max(1))),
            issuer,
            token_ttl,
            keys: RwLock::new(Arc::new(keys)),
            stale_keys,
            keys_looked_at: AtomicI64::new(i64::MIN),
            rotating: tokio::sync::Mutex::new(()),
            tokens: Cache::new(TOKENS),
            clock,
            records,
        })
    }

    /// The records beside the images.
    pub(crate) const fn records(&self) -> &Records {
        &self.records
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Somebody, now.
    pub(crate) fn by(&self, actor: &Actor) -> By {
        By { actor: actor.clone(), at: (self.clock)() }
    }

    /// The `service` that challenges name and tokens are good for.
    pub fn service(&self) -> &str {
        &self.issuer
    }

    /// What this registry's ARNs name.
    pub const fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// How long tokens live.
    pub const fn token_ttl(&self) -> Duration {
        self.token_ttl
    }

    /// The public keys of tokens.
    ///
    /// # Errors
    /// When another process changed them and the database fails.
    pub async fn jwks(&self) -> Result<Jwks, Error> {
        Ok(self.keys().await?.jwks.clone())
    }

    /// A token that says `access` of `subject` (none: anonymous), who showed `key` if it was one, and
    /// when it was made.
    pub(crate) async fn issue(
        &self,
        subject: Option<&Identity>,
        key: Option<&AccessKeyId>,
        access: Vec<Scope>,
    ) -> Result<(String, Timestamp), Error> {
        let now = (self.clock)();
        let claims = Claims::new(&self.issuer, &self.issuer, subject, access, now.seconds(), self.token_ttl)?;
        let claims = claims.through(key);
        Ok((sign(&claims, &self.keys().await?.signing)?, now))
    }

    /// What a bearer token says and whose it is, if both are to be believed now.
    pub(crate) async fn bearer(&self, token: &str) -> Result<Option<Bearer>, Error> {
        let now = (self.clock)().seconds();
        let verified = match self.tokens.get(token) {
            Some(verified) if now < verified.expires_at + berth_auth::LEEWAY_SECONDS => verified,
            Some(_) => {
                self.tokens.remove(token);
                return Ok(None);
            }
            None => {
                let Some(verified) = self.verified(token, now).await? else { return Ok(None) };
                let verified = Arc::new(verified);
                self.tokens.insert(token.into(), Arc::clone(&verified));
                verified
            }
        };
        let Some(id) = &verified.subject else { return Ok(Some(Bearer { verified, identity: None })) };
        let identity = self.identity(id).await?;
        let identity = identity.filter(|identity| verified.is_current(identity) && !identity.disabled);
        let Some(identity) = identity else { return Ok(None) };
        if let Some(key) = &verified.access_key
            && !self.key_is_good(key, &identity).await?
        {
            return Ok(None);
        }
        Ok(Some(Bearer { verified, identity: Some(identity) }))
    }

    async fn verified(&self, token: &str, now: i64) -> Result<Option<Verified>, Error> {
        match self.keys().await?.verifier.verify(token, now) {
            Ok(verified) => Ok(Some(verified)),
            Err(TokenError::UnknownKey) => {
                let newest = self.newest_keys().await?;
                Ok(newest.and_then(|keys| keys.verifier.verify(token, now).ok()))
            }
            Err(_) => Ok(None),
        }
    }

    /// The identity of this id, as it is now.
    pub(crate) async fn identity(&self, id: &IdentityId) -> Result<Option<Arc<Identity>>, Error> {
        self.identities.get(&self.records, &self.account, id).await
    }

    /// Whose user name and password, or access key's id and secret, these are, if anybody's who may
    /// log in; else what is wrong. Wrong ones are counted against `address`, whence they come.
    ///
    /// # Errors
    /// [`Error::TooManyGuesses`] when too many of late were wrong; when the database fails.
    pub(crate) async fn login(
        &self,
        user: &str,
        password: SecretString,
        address: Option<IpAddr>,
    ) -> Result<Result<Login, WrongLogin>, Error> {
        if let Ok(key) = user.parse::<AccessKeyId>() {
            let identity = self.login_with_key(&key, &password).await?;
            if identity.is_err() {
                // A right secret is always let in: none was ever guessed, and comparing costs nothing.
                self.guess(user, address)?;
            }
            return Ok(identity.map(|identity| Login { identity, key: Some(key) }));
        }
        let identity = self.login_with_password(user, password, address).await?;
        Ok(identity.map(|identity| Login { identity, key: None }))
    }

    fn guess(&self, user: &str, address: Option<IpAddr>) -> Result<Guess, Error> {
        self.guesses.begin(user, address, (self.clock)()).map_err(Error::TooManyGuesses)
    }

    /// Whose login this is, if it was right a moment ago and still is.
    async fn remembered(&self, user: &str, password: &SecretString) -> Result<Option<Arc<Identity>>, Error> {
        let Some((id, changed_at)) = self.logins.recall(user, password, (self.clock)()) else {
            return Ok(None);
        };
        let identity = self.identity(&id).await?;
        Ok(identity.filter(|identity| identity.credentials_changed_at == changed_at && !identity.disabled))
    }

    async fn login_with_password(
        &self,
        user: &str,
        password: SecretString,
        address: Option<IpAddr>,
    ) -> Result<Result<Arc<Identity>, WrongLogin>, Error> {
        if let Some(identity) = self.remembered(user, &password).await? {
            return Ok(Ok(identity));
        }
        // Few are tried at a time, and each looks again: of many right logins at once all but the first
        // are remembered by then, and none is taken for a guess.
        let _turn = self.tries.acquire().await;
        if let Some(identity) = self.remembered(user, &password).await? {
            return Ok(Ok(identity));
        }
        let guess = self.guess(user, address)?;
        // What is no name is looked up no more than an unknown one, and takes as long to refuse.
        let record = match user.parse::<UserName>() {
            Ok(name) => self.records.identity_named(name.to_string()).await?,
            Err(_) => None,
        };
        let hash = record.as_ref().map(|record| record.password.clone());
        let right = self.verify(password.clone(), hash).await?;
        let wrong = |why| Ok(Err(WrongLogin { why, owner: None }));
        let Some(record) = record else { return wrong("unknown user") };
        if !right {
            return wrong("wrong password");
        }
        let id: IdentityId = record.id.parse()?;
        let Some(identity) = self.identity(&id).await? else { return wrong("unknown user") };
        if identity.disabled {
            return wrong("disabled user");
        }
        if identity.credentials_changed_at != record.credentials_changed_at.0 {
            return wrong("wrong password");
        }
        guess.take_back();
        self.logins.remember(user, &password, &identity, (self.clock)());
        Ok(Ok(identity))
    }
}

/// A login that was right.
pub(crate) struct Login {
    pub(crate) identity: Arc<Identity>,
    /// The access key that was shown instead of a password.
    pub(crate) key: Option<AccessKeyId>,
}

/// Why a login is refused: for the audit, never for who tries.
pub(crate) struct WrongLogin {
    pub(crate) why: &'static str,
    /// Whose access key was shown.
    pub(crate) owner: Option<UserName>,
}

/// A bearer token that was believed.
pub(crate) struct Bearer {
    pub(crate) verified: Arc<Verified>,
    pub(crate) identity: Option<Arc<Identity>>,
}
