//! Builds images: a Dockerfile and a context become layers and a configuration.
//!
//! So far this crate owns the language (`dockerfile`, `ignore`) and what follows from it without touching a
//! file: which stages are needed (`plan`), and what a stage's instructions make of an image's
//! configuration (`image`). All of it is as in BuildKit v0.34.2. Besides, `layer` packs a folder tree.
//! Nothing runs an instruction yet.

pub mod dockerfile;
mod go;
pub mod ignore;
pub mod image;
pub mod layer;
pub mod plan;

#[cfg(test)]
mod tests;

pub use dockerfile::{Dockerfile, Problem};
