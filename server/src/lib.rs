//! The HTTP faces of a registry, its configuration and the front door that requests come through.

pub mod config;
pub mod front_door;
