//! The contracts of the two seams, as suites: a named test for each clause, stamped on every
//! implementation. What tests of the store need besides stands here too.
#![expect(clippy::unwrap_used, reason = "a clause that can't go on has failed")]

pub mod blob_store;
mod clock;
mod content;
mod faulty;
pub mod metadata;
pub mod simulation;

pub use clock::TestClock;
pub use content::{
    Body, Image, OCI_EMPTY, append, artifact, body, chunk, digest_of, image, index, options, push_blob,
    push_image, random_bytes, read_blob, rows, whole,
};
pub use faulty::{Call, FaultyBlobStore, Outcome};

/// Makes a test of each clause of a suite; `blob_store_suite!` and `metadata_suite!` are what is
/// to be used.
#[doc(hidden)]
#[macro_export]
macro_rules! stamp_clauses {
    ($make:path, metadata::$part:ident: $($clause:ident)*) => {
        $(
            #[tokio::test]
            async fn $clause() {
                $crate::testing::metadata::$part::$clause($make).await;
            }
        )*
    };
    ($make:path, $suite:ident: $($clause:ident)*) => {
        $(
            #[tokio::test]
            async fn $clause() {
                $crate::testing::$suite::$clause($make).await;
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    /// Each clause that is written, and how often its name stands in the list of its suite.
    fn assert_every_clause_is_stamped(list: &str, clauses: &str) {
        let mut count = 0;
        for line in clauses.lines() {
            let Some(rest) = line.strip_prefix("pub async fn ") else { continue };
            let name = rest.split(['<', '(']).next().unwrap();
            let stamped = list.lines().filter(|line| line.trim() == name).count();
            assert_eq!(stamped, 1, "{name} is in the list of its suite so many times");
            count += 1;
        }
        assert!(count > 5, "{count} clauses were found");
    }

    #[test]
    fn every_clause_is_stamped_once() {
        let blob_store = include_str!("blob_store.rs");
        assert_every_clause_is_stamped(blob_store, blob_store);
        let metadata = include_str!("metadata/mod.rs");
        for clauses in [
            include_str!("metadata/audit.rs"),
            include_str!("metadata/blobs.rs"),
            include_str!("metadata/collection.rs"),
            include_str!("metadata/damage.rs"),
            include_str!("metadata/listings.rs"),
            include_str!("metadata/manifests.rs"),
            include_str!("metadata/policies.rs"),
            include_str!("metadata/records.rs"),
            include_str!("metadata/retention.rs"),
            include_str!("metadata/settings.rs"),
            include_str!("metadata/units.rs"),
            include_str!("metadata/uploads.rs"),
        ] {
            assert_every_clause_is_stamped(metadata, clauses);
        }
    }
}
