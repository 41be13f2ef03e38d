//! Builds images: a Dockerfile and a context become layers and a configuration.
//!
//! So far this crate owns the language: what a Dockerfile and a `.dockerignore` say. It reads them as
//! BuildKit v0.34.2 does, never opens a file, and knows nothing of how an instruction is carried out.

pub mod dockerfile;
mod go;
pub mod ignore;

#[cfg(test)]
mod tests;

pub use dockerfile::{Dockerfile, Problem};
