//! What the store tells whoever counts and times.

use std::time::Duration;

/// Takes note of how long the store's parts take; called on hot paths, so it must be quick.
pub trait Telemetry: Send + Sync {
    /// A database operation (`read`, `scan`, `write`, `commit`) took this long.
    fn database(&self, operation: &'static str, took: Duration);
    /// A blob store operation (`append`, `sync`, `seal`, `read`, `remove`) took this long.
    fn blob_store(&self, operation: &'static str, took: Duration);
    /// The cache of this name had, or didn't have, what was asked of it.
    fn cache(&self, cache: &'static str, hit: bool);
}

/// Takes note of nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoTelemetry;

impl Telemetry for NoTelemetry {
    fn database(&self, _: &'static str, _: Duration) {}
    fn blob_store(&self, _: &'static str, _: Duration) {}
    fn cache(&self, _: &'static str, _: bool) {}
}
