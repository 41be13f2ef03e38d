//! Logins that were right a moment ago, so that a busy client doesn't pay for argon2 each time.

use std::time::Duration;

use berth_auth::{Identity, IdentityId, MasterKey};
use berth_oci::{Algorithm, Hasher};
use berth_storage::Timestamp;
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret, SecretString};

use crate::error::Error;

/// How long a login is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Right logins under a hash that is keyed with a secret of this process.
pub(super) struct Logins {
    secret: SecretString,
    right: Cache<String, Right>,
}

#[derive(Clone)]
struct Right {
    id: IdentityId,
    credentials_changed_at: i64,
    until: Timestamp,
}

impl Logins {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self { secret: MasterKey::generate()?.to_text(), right: Cache::new(1_000) })
    }

    fn key(&self, user: &str, password: &SecretString) -> String {
        let mut hasher = Hasher::new(Algorithm::Sha512);
        let password = password.expose_secret();
        // Lengths first: no two logins give the same bytes.
        let lengths = [user.len() as u64, password.len() as u64].map(u64::to_be_bytes).concat();
        for part in [self.secret.expose_secret().as_bytes(), &lengths, user.as_bytes(), password.as_bytes()] {
            hasher.update(part);
        }
        hasher.finish().as_str().to_owned()
    }

    /// Whose login this was, with the state of the credentials it was right for.
    pub(super) fn recall(
        &self,
        user: &str,
        password: &SecretString,
        now: Timestamp,
    ) -> Option<(IdentityId, i64)> {
        let right = self.right.get(&self.key(user, password))?;
        (now < right.until).then_some((right.id, right.credentials_changed_at))
    }

    pub(super) fn remember(&self, user: &str, password: &SecretString, identity: &Identity, now: Timestamp) {
        let right = Right {
            id: identity.id.clone(),
            credentials_changed_at: identity.credentials_changed_at,
            until: now.after(REMEMBERED),
        };
        self.right.insert(self.key(user, password), right);
    }
}
