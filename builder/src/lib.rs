//! Builds images: a Dockerfile and a context become layers and a configuration.
//!
//! `dockerfile` and `ignore` are the language; what follows from it without touching a file is in `plan` (which
//! stages are needed) and `image` (what a stage's instructions make of an image's configuration). All of it is
//! as in BuildKit v0.34.2. `build` carries the steps out, and `layer` packs what they wrote.

pub mod build;
pub mod dockerfile;
mod go;
pub mod ignore;
pub mod image;
pub mod layer;
pub mod plan;

#[cfg(test)]
mod tests;

pub use dockerfile::{Dockerfile, Problem};
