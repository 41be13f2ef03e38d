//! The store's own names for things.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

use crate::Timestamp;

/// Names an upload session: a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UploadId(Uuid);

impl UploadId {
    /// A new name, never used before.
    pub(crate) fn random() -> Self {
        #[cfg(feature = "testing")]
        if let Some(id) = seeded::next() {
            return Self(id);
        }
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UploadId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Who is doing something, as it is written down; the store never interprets it.
#[derive(Debug, Clone, Default)]
pub struct Actor {
    /// The identity's id; none for someone anonymous and for the server itself.
    pub identity: Option<Arc<str>>,
    /// What people call it, now; for what has no identity, what it is.
    pub user: Option<Arc<str>>,
    /// The id of the access key that was shown, if it was one.
    pub access_key: Option<Arc<str>>,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// The request's id, as it stands in the logs.
    pub request: Option<Arc<str>>,
}

/// Who does something, and when.
#[derive(Debug, Clone)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

/// A new id for a row, in the order of time.
pub(crate) fn new_id() -> String {
    #[cfg(feature = "testing")]
    if let Some(id) = seeded::next() {
        return id.simple().to_string();
    }
    Uuid::now_v7().simple().to_string()
}

#[cfg(feature = "testing")]
pub(crate) use seeded::seed;

/// Ids that follow from a seed, so that a simulation can be run again.
#[cfg(feature = "testing")]
mod seeded {
    use std::cell::Cell;

    use uuid::Uuid;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// From now on ids of this thread follow from `seed`.
    pub(crate) fn seed(seed: u64) {
        STATE.set(Some(seed));
    }

    pub(super) fn next() -> Option<Uuid> {
        STATE.get().map(|_| Uuid::from_u64_pair(word(), word()))
    }

    /// SplitMix64.
    fn word() -> u64 {
        let state = STATE.get().unwrap_or_default().wrapping_add(0x9e37_79b9_7f4a_7c15);
        STATE.set(Some(state));
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}
