//! What must hold after every step.

use std::collections::BTreeSet;

use berth_oci::{Algorithm, Digest};
use berth_storage::Row;

use crate::content::{BLOBS, REPOSITORIES, TAGS, manifest};
use crate::expectations::{Expectations, Fact, Known, Promised};
use crate::world::Process;
use berth_storage::testing::digest_of;

fn texts(rows: &[Row], column: usize) -> BTreeSet<String> {
    rows.iter().filter_map(|row| row.text_or_null(column).unwrap().map(str::to_owned)).collect()
}

impl Process {
    /// Fails when anything acknowledged is not as it was acknowledged, or bytes have no name.
    pub(crate) fn check(&self) {
        self.what_is_named_is_there();
        self.what_is_there_is_named();
        self.living_manifests_are_whole();
        self.what_clients_were_told_is_so();
    }

    /// Every blob's bytes are at its location, and are what its digest says.
    fn what_is_named_is_there(&self) {
        let sealed = self.ground.blobs.sealed();
        for row in self.rows("SELECT digest, location, size FROM blobs") {
            let (digest, location) = (row.parsed::<Digest>(0).unwrap(), row.text(1).unwrap());
            let bytes = sealed.get(location).unwrap_or_else(|| panic!("the bytes of {digest} are gone"));
            assert_eq!(Digest::of(Algorithm::Sha256, bytes), digest);
            assert_eq!(bytes.len() as u64, row.size(2).unwrap());
        }
    }

    /// Bytes in the blob store, sealed or on their way, are named by some row.
    fn what_is_there_is_named(&self) {
        let mut sealed = texts(&self.rows("SELECT location FROM blobs"), 0);
        sealed.extend(texts(&self.rows("SELECT location FROM condemned"), 0));
        let mut staged = BTreeSet::new();
        for row in self.rows(
            "SELECT staged, sealing FROM uploads
             UNION ALL SELECT staged, sealing FROM condemned WHERE staged IS NOT NULL",
        ) {
            let id: serde_json::Value = serde_json::from_str(row.text(0).unwrap()).unwrap();
            let id = id["id"].as_str().unwrap().to_owned();
            if let Some(digest) = row.text_or_null(1).unwrap() {
                sealed.insert(format!("{digest}/{id}"));
            }
            staged.insert(id);
        }
        for location in self.ground.blobs.sealed().keys() {
            assert!(sealed.contains(location), "{location} is named by no row");
        }
        for id in self.ground.blobs.staged() {
            assert!(staged.contains(&id), "{id} is staged and named by no row");
        }
    }

    /// No manifest that can be pulled lacks a blob; a child only if it was deleted.
    fn living_manifests_are_whole(&self) {
        let broken = self.rows(
            "SELECT manifest_blobs.manifest, manifest_blobs.wanted FROM manifest_blobs
             JOIN manifests ON manifests.repository_id = manifest_blobs.repository_id
                           AND manifests.digest = manifest_blobs.manifest
             JOIN repositories ON repositories.id = manifests.repository_id
             WHERE manifests.deleted_at IS NULL AND repositories.deleted_at IS NULL
               AND manifest_blobs.blob IS NULL",
        );
        assert!(broken.is_empty(), "manifests that lack blobs: {broken:?}");
    }

    fn what_clients_were_told_is_so(&self) {
        let now = self.clock.now();
        let mut expectations = self.expectations.lock();
        let tags = self.rows(
            "SELECT repositories.name, tags.name, tags.digest FROM tags
             JOIN repositories ON repositories.id = tags.repository_id AND repositories.deleted_at IS NULL
             JOIN manifests ON manifests.repository_id = tags.repository_id AND manifests.digest = tags.digest
             WHERE manifests.deleted_at IS NULL",
        );
        let manifests = self.rows(
            "SELECT repositories.name, manifests.digest FROM manifests
             JOIN repositories ON repositories.id = manifests.repository_id AND repositories.deleted_at IS NULL
             WHERE manifests.deleted_at IS NULL",
        );
        let is_there = |repository: usize, which: usize| {
            let digest = manifest(which).image.digest();
            manifests.iter().any(|row| {
                row.text(0).unwrap() == REPOSITORIES[repository] && row.text(1).unwrap() == digest.as_str()
            })
        };
        for (fact, known) in expectations.certain() {
            match fact {
                Fact::Tag(repository, tag) => {
                    let found = tags.iter().find(|row| {
                        row.text(0).unwrap() == REPOSITORIES[repository] && row.text(1).unwrap() == TAGS[tag]
                    });
                    let found = found.map(|row| row.parsed::<Digest>(2).unwrap());
                    let expected = match known {
                        Known::Is(which, _) => Some(manifest(which).image.digest()),
                        Known::Nothing | Known::IsNot => None,
                    };
                    assert_eq!(found, expected, "{}", Expectations::name(fact));
                }
                Fact::Manifest(repository, which) => match known {
                    // So long it stays in any case; a deletion of what holds it may end it later.
                    Known::Is(_, since) if now < since.after(crate::clients::WINDOW) => {
                        assert!(is_there(repository, which), "{} is gone", Expectations::name(fact));
                    }
                    Known::Is(..) | Known::Nothing => {}
                    Known::IsNot => {
                        assert!(!is_there(repository, which), "{} is there", Expectations::name(fact));
                    }
                },
            }
        }
        let held = self.rows(
            "SELECT repositories.name, repository_blobs.digest FROM repository_blobs
             JOIN repositories ON repositories.id = repository_blobs.repository_id
             WHERE repositories.deleted_at IS NULL",
        );
        for promise in expectations.promises(now) {
            let kept = match promise.what {
                Promised::Manifest(which) => is_there(promise.repository, which),
                Promised::Blob(blob) => {
                    let digest = digest_of(BLOBS[blob]);
                    held.iter().any(|row| {
                        row.text(0).unwrap() == REPOSITORIES[promise.repository]
                            && row.text(1).unwrap() == digest.as_str()
                    })
                }
            };
            assert!(kept, "{promise:?} was not kept");
        }
    }

    /// At the end, when all delays are over: nothing is there that nobody needs.
    pub(crate) fn nothing_unneeded_is_left(&self) {
        let count = |sql| self.rows(sql)[0].int(0).unwrap();
        assert_eq!(count("SELECT COUNT(*) FROM condemned"), 0, "condemned bytes");
        assert_eq!(count("SELECT COUNT(*) FROM uploads"), 0, "upload sessions");
        assert_eq!(count("SELECT COUNT(*) FROM reviews"), 0, "reviews");
        assert_eq!(
            count("SELECT COUNT(*) FROM repositories WHERE deleted_at IS NOT NULL"),
            0,
            "repositories"
        );
        assert_eq!(
            count("SELECT COUNT(*) FROM manifests WHERE deleted_at IS NOT NULL"),
            0,
            "deleted manifests"
        );
        let unheld = "SELECT COUNT(*) FROM repository_blobs
                      WHERE NOT EXISTS (SELECT 1 FROM manifest_blobs
                                        WHERE manifest_blobs.repository_id = repository_blobs.repository_id
                                          AND manifest_blobs.blob = repository_blobs.digest)";
        assert_eq!(count(unheld), 0, "blobs that no manifest names");
        let ownerless = "SELECT COUNT(*) FROM blobs
                         WHERE NOT EXISTS (SELECT 1 FROM repository_blobs WHERE digest = blobs.digest)";
        assert_eq!(count(ownerless), 0, "blobs that no repository holds");
        let named = texts(&self.rows("SELECT location FROM blobs"), 0);
        let sealed: BTreeSet<_> = self.ground.blobs.sealed().into_keys().collect();
        assert_eq!(sealed, named, "the bytes that are left");
        assert!(self.ground.blobs.staged().is_empty(), "staged bytes");
    }
}
