//! How containers are connected.

mod files;
mod loopback;

pub(crate) use files::Files;
pub(crate) use loopback::bring_up;
