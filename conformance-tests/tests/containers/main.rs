//! Containers of this machine, through the built binary: `berth run`, `exec`, `ps`, `logs` and their like.
//!
//! They need root, busybox of the package busybox-static, nftables, iptables and iproute2.

mod attacks;
mod detached;
#[cfg(feature = "real-clients")]
mod docker;
mod isolation;
mod machine;
mod network;
mod run;
mod terminal;
