//! Registries as a client sees them: where they are, how they are reached, who asks.

pub(crate) mod address;
pub(crate) mod authorization;
pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod download;
