//! How containers are connected: with nothing, with the host's own network, or with a network of bridges.
//!
//! A network is a folder ([`Networks`]); its bridge and its rules ([`firewall`]) come with the first container
//! and go with the last, so nothing is left where nothing runs. Who takes or gives back a [`Place`] does so in
//! turn with all others on the machine.

mod files;
mod firewall;
mod netlink;
mod networks;
mod place;
mod ports;
mod subnet;

pub use networks::{DEFAULT, Member, NetworkRecord, Networks, Outside};
pub use ports::{Protocol, Publish};
pub use subnet::Subnet;

pub(crate) use files::Files;
pub(crate) use place::{Place, connect, give_back, introduce_all, take};
