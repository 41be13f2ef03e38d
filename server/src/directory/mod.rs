//! Who there is and what they may do: joins `auth`'s pure values to `storage`'s records.

mod explain;
mod groups;
mod identities;
mod logins;
mod policies;
mod repositories;
mod repository_policies;
mod users;

use std::sync::Arc;
use std::time::Duration;

use berth_auth::{
    Account, Claims, Identity, IdentityId, Jwks, MasterKey, PublicKey, Scope, SigningKey, Verified, Verifier,
    sign,
};
use berth_storage::{Clock, SigningKeyRecord, Timestamp};
use quick_cache::sync::Cache;
use secrecy::SecretString;
use tokio::sync::Semaphore;

pub use explain::Explanation;
pub use groups::Group;
pub(crate) use identities::Identities;
use logins::Logins;
pub use policies::{Holder, Policy};
pub use repositories::Repository;
pub(crate) use repository_policies::RepositoryPolicies;
pub use users::{AttachedPolicy, User};

use crate::error::Error;
use berth_storage::Records;

/// How many verified tokens are remembered.
const TOKENS: usize = 10_000;
/// What the private half of a signing key is sealed for.
const SIGNING_KEY: &str = "signing key";
/// The fact that tells which master key the store was made with.
pub(crate) const MASTER_KEY: &str = "master_key";

/// Who there is and what they may do.
pub struct Directory {
    records: Records,
    identities: Arc<Identities>,
    repository_policies: Arc<RepositoryPolicies>,
    account: Arc<Account>,
    logins: Logins,
    /// Passwords hashed at once, so that logins can't take all memory and all cores.
    hashing: Arc<Semaphore>,
    clock: Clock,
    issuer: String,
    token_ttl: Duration,
    key: SigningKey,
    jwks: Jwks,
    verifier: Verifier,
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
            account,
        } = options;
        let fingerprint = master_key.fingerprint()?;
        if records.note_once(MASTER_KEY, fingerprint.clone()).await? != fingerprint {
            return Err(Error::WrongMasterKey);
        }
        let (key, known) = signing_keys(&records, &master_key, clock()).await?;
        let public: Vec<&PublicKey> = known.iter().map(SigningKey::public_key).collect();
        let verifier = Verifier::new(&issuer, &issuer, public.iter().copied());
        Ok(Self {
            identities,
            repository_policies,
            account: Arc::new(account),
            logins: Logins::new()?,
            hashing: Arc::new(Semaphore::new(password_hashes.max(1))),
            issuer,
            token_ttl,
            key,
            jwks: public.into_iter().collect(),
            verifier,
            tokens: Cache::new(TOKENS),
            clock,
            records,
        })
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
    pub const fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// A token that says `access` of `subject` (none: anonymous), and when it was made.
    pub(crate) fn issue(
        &self,
        subject: Option<&Identity>,
        access: Vec<Scope>,
    ) -> Result<(String, Timestamp), Error> {
        let now = (self.clock)();
        let claims = Claims::new(&self.issuer, &self.issuer, subject, access, now.seconds(), self.token_ttl)?;
        Ok((sign(&claims, &self.key)?, now))
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
                let Ok(verified) = self.verifier.verify(token, now) else { return Ok(None) };
                let verified = Arc::new(verified);
                self.tokens.insert(token.into(), Arc::clone(&verified));
                verified
            }
        };
        let Some(id) = &verified.subject else { return Ok(Some(Bearer { verified, identity: None })) };
        let identity = self.identity(id).await?;
        let identity = identity.filter(|identity| verified.is_current(identity) && !identity.disabled);
        Ok(identity.map(|identity| Bearer { verified, identity: Some(identity) }))
    }

    /// The identity of this id, as it is now.
    pub(crate) async fn identity(&self, id: &IdentityId) -> Result<Option<Arc<Identity>>, Error> {
        self.identities.get(&self.records, &self.account, id).await
    }

    /// Whose user name and password these are, if anybody's who may log in.
    pub(crate) async fn login(
        &self,
        user: &str,
        password: SecretString,
    ) -> Result<Option<Arc<Identity>>, Error> {
        if let Some((id, changed_at)) = self.logins.recall(user, &password, (self.clock)()) {
            let identity = self.identity(&id).await?;
            let same = |identity: &Arc<Identity>| {
                identity.credentials_changed_at == changed_at && !identity.disabled
            };
            if let Some(identity) = identity.filter(same) {
                return Ok(Some(identity));
            }
        }
        let record = self.records.identity_named(user.to_owned()).await?;
        let hash = record.as_ref().map(|record| record.password.clone());
        if !self.verify(password.clone(), hash).await? {
            return Ok(None);
        }
        let Some(record) = record else { return Ok(None) };
        let id: IdentityId = record.id.parse()?;
        let Some(identity) = self.identity(&id).await? else { return Ok(None) };
        if identity.disabled || identity.credentials_changed_at != record.credentials_changed_at.0 {
            return Ok(None);
        }
        self.logins.remember(user, &password, &identity, (self.clock)());
        Ok(Some(identity))
    }
}

/// A bearer token that was believed.
pub(crate) struct Bearer {
    pub(crate) verified: Arc<Verified>,
    pub(crate) identity: Option<Arc<Identity>>,
}

/// The key that signs now, and all whose tokens are believed.
async fn signing_keys(
    records: &Records,
    master_key: &MasterKey,
    now: Timestamp,
) -> Result<(SigningKey, Vec<SigningKey>), Error> {
    let mut kept = records.signing_keys().await?;
    if kept.iter().all(|key| key.retired_at.is_some()) {
        let key = SigningKey::generate()?;
        let sealed = master_key.seal(SIGNING_KEY, key.as_pkcs8())?;
        let record = SigningKeyRecord {
            kid: key.id().to_string(),
            sealed_private: sealed.into(),
            created_at: now,
            retired_at: None,
        };
        records.add_signing_key(record).await?;
        kept = records.signing_keys().await?;
    }
    let open = |record: &SigningKeyRecord| -> Result<SigningKey, Error> {
        let pkcs8 = master_key.open(SIGNING_KEY, &record.sealed_private)?;
        Ok(SigningKey::from_pkcs8(&pkcs8)?)
    };
    let keys = kept.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let current = kept.iter().position(|record| record.retired_at.is_none()).unwrap_or(0);
    let key = keys.get(current).cloned().ok_or(Error::WrongMasterKey)?;
    Ok((key, keys))
}
