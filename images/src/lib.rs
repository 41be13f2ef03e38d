//! A machine's own images: pulled from registries and pushed to them, kept, and their layers unpacked.
//!
//! [`LocalImages`] is what is kept; [`pull()`] brings an image from a [`Registry`]. Nothing here runs anything,
//! and nothing here knows how Berth's own server works: registries are spoken to over HTTP.

mod chain;
mod credentials;
mod error;
mod load;
mod made;
mod platform;
mod progress;
mod pull;
mod push;
mod reference;
mod registry;
mod save;
mod store;
pub mod unpack;

pub use credentials::{Credential, Credentials, Error as CredentialsError, Kept};
pub use error::{Error, Result};
pub use load::{Loaded, load, load_folder};
pub use made::MadeLayer;
pub use platform::WantedPlatform;
pub use progress::{Event, LayerStep, Progress};
pub use pull::{Freshness, Pulled, pull};
pub use push::push;
pub use reference::{ImageReference, InvalidReference};
pub use registry::address::{RegistryAddress, Scheme};
pub use registry::authorization::{Refused, check as check_login};
pub use registry::client::Registry;
pub use registry::connection::{Certificates, Connection, Reach, Transport, root_cause};
pub use save::save;
pub use store::{Force, Image, ImageSummary, LayersInUse, LocalImages, Removed, Scratch};
