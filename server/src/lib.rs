//! The HTTP faces of a registry: the OCI distribution API, tokens, management, probes; the
//! configuration they come with, and the front door that requests come through.

mod access;
mod api;
mod blob_lease;
mod blobs;
mod circumstances;
pub mod config;
mod directory;
mod early_refusal;
mod epoch;
mod error;
pub mod front_door;
pub mod logging;
mod management;
pub mod metrics;
mod migrate;
mod moments;
pub mod observe;
pub mod pack_names;
mod presence;
mod probes;
mod refusals;
mod retention;
mod routes;
mod security_headers;
mod serve;
mod state;
mod store;
mod token;

pub use berth_storage::{
    Actor, AuditPage, Images, Migrated, NewRepository, Progress, TagMutability, Timestamp,
};
pub use directory::{
    AccessKey, AttachedPolicy, AuditEntry, Deleted, Directory, Explanation, Forecast, Group, Holder,
    ListPage, MadeAccessKey, NewUser, PageRequest, Policy, Repository, RepositoryForecast, RepositoryUsage,
    SigningKeyInfo, TagChange, Usage, User,
};
pub use error::Error;
pub use management::{AcceptedRestore, ChangePassword, Collected, NewAccessKey};
pub use migrate::migrate;
pub use retention::{Expiring, Gone, Scope, parse_keep_untagged};
pub use serve::{Server, StartError};
pub use store::{FirstAdmin, Purpose, Store};
