//! Containers as they are kept: what each was asked to be, and what became of it.

mod apart;
mod config;
mod folder;
mod id;
mod lock;
mod names;
mod repair;
mod state;
mod store;

pub use apart::start_apart;
pub use config::{
    Access, Care, Config, Device, First, Image, Isolation, Limits, Namespace, Network, NetworkMode, Process,
    Restart, RootFs, Streams, Ulimit, Upper,
};
pub use folder::Folder;
pub use id::Id;
pub use names::{is_valid as is_valid_name, random as random_name};
pub use state::{State, Status};
pub use store::{Container, Containers, Volumes};

pub(crate) use lock::{Lock, is_looked_after};
pub(crate) use store::remove_whole;
