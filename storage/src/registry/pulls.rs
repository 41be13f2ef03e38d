//! When manifests were last pulled: noted in memory at a pull, written down together now and then.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use berth_oci::{Digest, RepositoryName};
use parking_lot::Mutex;

use super::{Registry, StoredManifest};
use crate::error::Error;
use crate::metadata::manifests;
use crate::{BlobStore, Timestamp};

/// How exact the times are: of many pulls within this, the first is written down.
const EXACT: Duration = Duration::from_secs(3600);
/// How many pulls wait to be written down at most; of more, some are forgotten.
const WAITING: usize = 100_000;
/// How many are written in one unit of work.
const STEP: usize = 500;

/// When a manifest was last pulled, as far as is written down or waits for it.
#[derive(Debug)]
pub(crate) struct LastPull(AtomicI64);

impl LastPull {
    pub(crate) fn new(at: Option<Timestamp>) -> Self {
        Self(AtomicI64::new(at.map_or(i64::MIN, |at| at.0)))
    }

    /// Whether a pull at this moment is to be written down; true for one of many who ask at once.
    fn is_news(&self, now: Timestamp) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        last < now.before(EXACT).0
            && self.0.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// A pull that is written down.
#[derive(Debug, Clone)]
pub(crate) struct Pull {
    pub(crate) repository: RepositoryName,
    pub(crate) digest: Digest,
    pub(crate) at: Timestamp,
}

/// The last pull of each manifest that waits to be written down. In order, so that processes which write
/// at once take the rows in the same one.
pub(super) type Pulls = Mutex<BTreeMap<(RepositoryName, Digest), Timestamp>>;

impl<B: BlobStore> Registry<B> {
    /// Notes that a manifest was pulled.
    pub fn note_pull(&self, repository: &RepositoryName, manifest: &StoredManifest) {
        let now = self.now();
        if !manifest.last_pull.is_news(now) {
            return;
        }
        let mut pulls = self.shared.pulls.lock();
        if pulls.len() < WAITING {
            // Where manifests are looked up each time, each looks new until this is written down.
            pulls.insert((repository.clone(), manifest.digest.clone()), now);
        }
    }

    /// Writes down the pulls that were noted.
    ///
    /// # Errors
    /// When the database fails; they are noted still.
    pub async fn write_pulls(&self) -> Result<(), Error> {
        loop {
            let batch: Vec<Pull> = {
                let mut pulls = self.shared.pulls.lock();
                let first = std::iter::from_fn(|| pulls.pop_first()).take(STEP);
                first.map(|((repository, digest), at)| Pull { repository, digest, at }).collect()
            };
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.metadata().write(batch.clone(), manifests::pulled).await {
                let mut pulls = self.shared.pulls.lock();
                for Pull { repository, digest, at } in batch {
                    pulls.entry((repository, digest)).or_insert(at);
                }
                return Err(error);
            }
        }
    }
}
