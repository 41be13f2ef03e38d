//! Drives the built `berth` binary from outside, the way its users do.
//!
//! This library is the harness: it starts and stops servers ([`Berth`]), speaks plain HTTP to them
//! ([`Client`]), makes content ([`content`]) and runs other people's programs ([`Program`]). What must hold
//! is written in `tests/`. It depends on no crate of Berth's, so that nothing here can agree with the server
//! by sharing its mistakes.

pub mod binary;
pub mod client;
pub mod content;
pub mod engines;
pub mod frail_disk;
pub mod layout;
pub mod program;
pub mod replicas;
pub mod rootfs;
pub mod s3_server;
pub mod server;
pub mod small_disk;
pub mod stores;
pub mod tls;

pub use client::{Answer, Client, Repository};
pub use program::{Outcome, Program};
pub use s3_server::S3Server;
pub use server::{ADMIN_PASSWORD, Berth, Options};
pub use small_disk::SmallDisk;
pub use stores::{Blobs, Metadata, Stores};
