//! A machine's own images, through the built binary: `berth pull`, `push`, `images` and their like.

#![expect(clippy::unwrap_used, reason = "what a test needs and doesn't get fails it")]

mod commands;
mod interrupted;
mod rootless;
mod support;
