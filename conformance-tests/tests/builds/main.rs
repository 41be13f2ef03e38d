//! `berth build`, through the built binary.
//!
//! The tests need root, and busybox of the package busybox-static.

mod attacks;
#[cfg(feature = "real-clients")]
mod buildkit;
mod cache;
mod copies;
#[cfg(feature = "real-clients")]
mod dockerfiles;
mod failures;
mod inputs;
mod mounts;
mod outputs;
mod steps;
mod tree;
mod workshop;
