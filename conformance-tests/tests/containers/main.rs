//! Containers of this machine, through the built binary: `berth run`, `exec`, `ps`, `logs` and their like.
//!
//! They need root, and busybox of the package busybox-static.

mod attacks;
mod detached;
#[cfg(feature = "real-clients")]
mod docker;
mod isolation;
mod machine;
mod run;
mod terminal;
