//! A machine's own images, through the built binary: `berth pull`, `push`, `images` and their like.

mod commands;
mod interrupted;
mod rootless;
mod support;
