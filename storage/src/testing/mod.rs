//! The contracts of the two seams, as suites: a named test for each clause, stamped on every
//! implementation. What tests of the store need besides stands here too.

pub mod blob_store;
mod clock;
mod content;
mod faulty;
pub mod metadata;

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
