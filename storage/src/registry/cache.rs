//! Manifests by name, kept so that they can't be wrong.
//!
//! The database's writer forgets what a COMMIT changed before anyone gets an answer. A reader
//! keeps what it found only if nothing was forgotten since before it looked: otherwise it may
//! have looked before the COMMIT and come to keep it after.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use berth_oci::{Reference, RepositoryName};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use super::StoredManifest;
use crate::Change;

const STRIPES: usize = 256;

type Key = (RepositoryName, Box<str>);

/// A key that is only looked up with.
#[derive(Hash)]
struct Lookup<'a>(&'a RepositoryName, &'a str);

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.0 == key.0 && *self.1 == *key.1
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Arc<StoredManifest>> for ByBytes {
    fn weight(&self, key: &Key, manifest: &Arc<StoredManifest>) -> u64 {
        (key.0.as_str().len() + key.1.len() + manifest.content.len() + 200) as u64
    }
}

/// Manifests by repository and reference (tag or digest).
pub(super) struct ManifestCache {
    entries: Cache<Key, Arc<StoredManifest>, ByBytes>,
    /// How often something was forgotten, by a hash of the repository's name.
    forgotten: Vec<Mutex<u64>>,
    hasher: RandomState,
}

/// The state of things before a reader looked.
pub(super) struct Stamp {
    stripe: usize,
    forgotten: u64,
}

impl ManifestCache {
    pub(super) fn new(bytes: u64) -> Self {
        let entries = Cache::with_weighter((bytes / 2048) as usize, bytes, ByBytes);
        let forgotten = (0..STRIPES).map(|_| Mutex::new(0)).collect();
        Self { entries, forgotten, hasher: RandomState::new() }
    }

    fn stripe(&self, name: &RepositoryName) -> usize {
        (self.hasher.hash_one(name) as usize) % STRIPES
    }

    pub(super) fn get(&self, name: &RepositoryName, reference: &Reference) -> Option<Arc<StoredManifest>> {
        self.entries.get(&Lookup(name, reference.as_str()))
    }

    /// To be taken before looking into the database.
    pub(super) fn stamp(&self, name: &RepositoryName) -> Stamp {
        let stripe = self.stripe(name);
        Stamp { stripe, forgotten: *self.forgotten[stripe].lock() }
    }

    /// Keeps what was found, unless something was forgotten since `stamp`.
    pub(super) fn keep(
        &self,
        stamp: &Stamp,
        name: &RepositoryName,
        reference: &Reference,
        manifest: &Arc<StoredManifest>,
    ) {
        let forgotten = self.forgotten[stamp.stripe].lock();
        if *forgotten == stamp.forgotten {
            self.entries.insert((name.clone(), reference.as_str().into()), Arc::clone(manifest));
        }
    }

    /// Forgets what was changed; called by the database's writer after COMMIT.
    pub(super) fn forget(&self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Reference(name, reference) => {
                    let mut forgotten = self.forgotten[self.stripe(name)].lock();
                    *forgotten += 1;
                    self.entries.remove(&Lookup(name, reference));
                }
                Change::Repository(name) => {
                    let mut forgotten = self.forgotten[self.stripe(name)].lock();
                    *forgotten += 1;
                    self.entries.retain(|key, _| key.0 != *name);
                }
                Change::Anything => {
                    self.forgotten.iter().for_each(|forgotten| *forgotten.lock() += 1);
                    self.entries.clear();
                }
                Change::Directory | Change::SigningKeys => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::{Algorithm, Digest, MediaType};

    use super::*;
    use crate::registry::pulls::LastPull;

    fn manifest(content: &'static str) -> Arc<StoredManifest> {
        let digest = Digest::of(Algorithm::Sha256, content.as_bytes());
        let content = content.into();
        let (media_type, last_pull) = (MediaType::OCI_MANIFEST, LastPull::new(None));
        Arc::new(StoredManifest { digest, media_type, content, review_after: None, last_pull })
    }

    #[test]
    fn a_reader_that_looked_before_a_change_keeps_nothing() {
        let cache = ManifestCache::new(1 << 20);
        let name: RepositoryName = "a".parse().unwrap();
        let tag: Reference = "latest".parse().unwrap();
        let before = cache.stamp(&name);
        cache.forget(&[Change::Reference(name.clone(), "latest".to_owned())]);
        cache.keep(&before, &name, &tag, &manifest("old"));
        assert_eq!(cache.get(&name, &tag), None);
        cache.keep(&cache.stamp(&name), &name, &tag, &manifest("new"));
        assert_eq!(cache.get(&name, &tag), Some(manifest("new")));
    }

    #[test]
    fn a_change_of_one_tag_leaves_the_others() {
        let cache = ManifestCache::new(1 << 20);
        let name: RepositoryName = "a".parse().unwrap();
        for tag in ["one", "two"] {
            cache.keep(&cache.stamp(&name), &name, &tag.parse().unwrap(), &manifest("m"));
        }
        cache.forget(&[Change::Reference(name.clone(), "one".to_owned())]);
        assert_eq!(cache.get(&name, &"one".parse().unwrap()), None);
        assert_eq!(cache.get(&name, &"two".parse().unwrap()), Some(manifest("m")));
        cache.forget(&[Change::Repository(name.clone())]);
        assert_eq!(cache.get(&name, &"two".parse().unwrap()), None);
    }
}
