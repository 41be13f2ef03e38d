//! The keys that sign tokens: one at a time, and those before it for as long as their tokens live.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_auth::{Jwks, LEEWAY_SECONDS, MasterKey, PublicKey, SigningKey, Verifier};
use berth_storage::{Actor, Change, Records, SigningKeyRecord, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Directory, ITSELF};
use crate::error::Error;

/// What the private half of a signing key is sealed for.
const SIGNING_KEY: &str = "signing key";
/// A key this old signs no more.
const ROTATED_AFTER: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How often keys are looked up for tokens that no known key signed.
const LOOKED_EVERY: Duration = Duration::from_secs(1);
/// How long a rotation may take, while the old key still signs.
const ROTATING: Duration = Duration::from_secs(60);

/// A key that signs tokens, or did, as people see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SigningKeyInfo {
    /// Its thumbprint (RFC 7638), as tokens and `/.well-known/jwks.json` name it.
    pub kid: String,
    /// When it was made, in seconds since the epoch.
    pub created_at: i64,
    /// Until when the tokens that it signed may be alive, in seconds since the epoch; none: it is the
    /// one that signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub believed_until: Option<i64>,
}

/// The keys in memory.
pub(super) struct Keys {
    /// The one that signs.
    pub(super) signing: SigningKey,
    pub(super) jwks: Jwks,
    pub(super) verifier: Verifier,
    /// When the one that signs was made.
    signing_since: Timestamp,
    /// When the first of the others stopped signing, if there are any.
    first_retired_at: Option<Timestamp>,
}

/// Whether the keys in memory may have been changed by someone else.
#[derive(Default)]
pub(crate) struct StaleKeys(AtomicBool);

impl StaleKeys {
    /// Takes note of what was changed; called by the database's writer after COMMIT.
    pub(crate) fn note(&self, changes: &[Change]) {
        if changes.iter().any(|change| matches!(change, Change::SigningKeys | Change::Anything)) {
            self.mark();
        }
    }

    fn mark(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::SeqCst)
    }
}

/// What became of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tended {
    /// None is too old.
    Nothing,
    /// The one that signed was old: another one does.
    Rotated,
    /// Some whose tokens have ended are gone.
    Removed,
}

/// Opens all keys that are kept; makes the first.
pub(super) async fn open(
    records: &Records,
    master_key: &MasterKey,
    issuer: &str,
    now: Timestamp,
) -> Result<Keys, Error> {
    let mut kept = records.signing_keys().await?;
    if kept.iter().all(|key| key.retired_at.is_some()) {
        records.replace_signing_key(generate(master_key, now)?.1, Timestamp(0), &itself()).await?;
        kept = records.signing_keys().await?;
    }
    let open = |record: &SigningKeyRecord| -> Result<SigningKey, Error> {
        let pkcs8 = master_key.open(SIGNING_KEY, &record.sealed_private)?;
        Ok(SigningKey::from_pkcs8(&pkcs8)?)
    };
    let keys = kept.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let signs = |record: &SigningKeyRecord| record.retired_at.is_none();
    let (signing, record) =
        keys.iter().zip(&kept).find(|(_, record)| signs(record)).ok_or(Error::WrongMasterKey)?;
    let public: Vec<&PublicKey> = keys.iter().map(SigningKey::public_key).collect();
    Ok(Keys {
        signing: signing.clone(),
        signing_since: record.created_at,
        first_retired_at: kept.iter().filter_map(|record| record.retired_at).min(),
        verifier: Verifier::new(issuer, issuer, public.iter().copied()),
        jwks: public.into_iter().collect(),
    })
}

/// The server, who also rotates keys unasked.
fn itself() -> Actor {
    Actor { user: Some(ITSELF.into()), ..Actor::default() }
}

fn generate(master_key: &MasterKey, now: Timestamp) -> Result<(SigningKey, SigningKeyRecord), Error> {
    let key = SigningKey::generate()?;
    let record = SigningKeyRecord {
        kid: key.id().to_string(),
        sealed_private: master_key.seal(SIGNING_KEY, key.as_pkcs8())?.into(),
        created_at: now,
        retired_at: None,
    };
    Ok((key, record))
}

impl Directory {
    /// The keys as they are now, also after another process changed them.
    pub(super) async fn keys(&self) -> Result<Arc<Keys>, Error> {
        if self.stale_keys.take() {
            let reopened = self.reopen((self.clock)()).await;
            if reopened.is_err() {
                self.stale_keys.mark();
            }
            reopened?;
        }
        Ok(Arc::clone(&self.keys.read()))
    }

    /// The keys, looked up for a token that none of those in memory signed: another process may have
    /// made one just now. Not more often than once a second, as anyone can send such a token.
    pub(super) async fn newest_keys(&self) -> Result<Option<Arc<Keys>>, Error> {
        let now = (self.clock)();
        let looked_at = self.keys_looked_at.load(Ordering::Relaxed);
        if Timestamp(looked_at).after(LOOKED_EVERY) > now {
            return Ok(None);
        }
        self.keys_looked_at.store(now.0, Ordering::Relaxed);
        self.reopen(now).await?;
        Ok(Some(Arc::clone(&self.keys.read())))
    }

    /// For how long after a key stopped signing its tokens may be alive.
    fn longest_life(&self) -> Duration {
        self.token_ttl + Duration::from_secs(LEEWAY_SECONDS.unsigned_abs()) + ROTATING
    }

    /// The keys that sign, or whose tokens may still be alive; newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyInfo>, Error> {
        let life = self.longest_life();
        let info = |record: SigningKeyRecord| SigningKeyInfo {
            kid: record.kid,
            created_at: record.created_at.seconds(),
            believed_until: record.retired_at.map(|retired| retired.after(life).seconds()),
        };
        Ok(self.records.signing_keys().await?.into_iter().map(info).collect())
    }

    /// Lets a new key sign from now on; tokens of the ones before are believed until they end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate_signing_key(&self, actor: &Actor) -> Result<(), Error> {
        let _rotating = self.rotating.lock().await;
        let now = (self.clock)();
        let (_, record) = generate(&self.master_key, now)?;
        self.records.rotate_signing_key(record, actor).await?;
        self.reopen(now).await
    }

    /// Rotates a key that is old, and forgets those whose tokens have all ended.
    pub(crate) async fn tend_signing_keys(&self) -> Result<Tended, Error> {
        let _rotating = self.rotating.lock().await;
        let (keys, now) = (self.keys().await?, (self.clock)());
        if keys.signing_since.after(ROTATED_AFTER) <= now {
            let (_, record) = generate(&self.master_key, now)?;
            let rotated = self.records.replace_signing_key(record, keys.signing_since, &itself()).await?;
            self.reopen(now).await?;
            return Ok(if rotated { Tended::Rotated } else { Tended::Nothing });
        }
        let life = self.longest_life();
        if keys.first_retired_at.is_none_or(|retired| now < retired.after(life)) {
            return Ok(Tended::Nothing);
        }
        let life = i64::try_from(life.as_micros()).unwrap_or(i64::MAX);
        self.records.remove_signing_keys(Timestamp(now.0.saturating_sub(life))).await?;
        self.reopen(now).await?;
        Ok(Tended::Removed)
    }

    async fn reopen(&self, now: Timestamp) -> Result<(), Error> {
        let keys = open(&self.records, &self.master_key, &self.issuer, now).await?;
        *self.keys.write() = Arc::new(keys);
        Ok(())
    }
}
