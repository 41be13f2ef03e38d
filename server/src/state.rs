//! What every handler can reach.

use std::sync::Arc;
use std::time::Duration;

use berth_storage::{Blobs, Creation, DataFolder, Sparse};

use crate::config::{Config, PublicUrl};
use crate::directory::Directory;
use crate::metrics::Metrics;
use crate::refusals::Refusals;
use crate::store::Store;

/// The registry that this server serves.
pub(crate) type Registry = berth_storage::Registry<Blobs>;

/// One running server; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    /// Images.
    pub(crate) registry: Registry,
    /// Who there is and what they may do.
    pub(crate) directory: Directory,
    /// What was configured, as far as handlers need it.
    pub(crate) settings: Settings,
    /// What was refused and is not in the audit yet.
    pub(crate) refusals: Refusals,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Locked for as long as anything may still write.
    pub(crate) folder: DataFolder,
}

/// What was configured, as far as handlers need it.
pub(crate) struct Settings {
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) body_idle_timeout: Duration,
    pub(crate) delete_enabled: bool,
    pub(crate) sparse: Sparse,
    pub(crate) creation: Creation,
    pub(crate) blobs_served: Served,
}

/// Who sends a blob's bytes to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// This server.
    Here,
    /// The blob store, where it can.
    ByTheStore,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Self {
        let repositories = &config.repositories;
        Self {
            public_url: config.public_url.clone(),
            body_idle_timeout: config.limits.body_idle_timeout,
            delete_enabled: config.delete.enabled,
            sparse: if repositories.sparse_indexes { Sparse::Allowed } else { Sparse::Refused },
            creation: if repositories.create_on_push { Creation::Allowed } else { Creation::Refused },
            blobs_served: if config.blobs.redirects() { Served::ByTheStore } else { Served::Here },
        }
    }
}

impl App {
    pub(crate) fn new(store: Store, settings: Settings, metrics: Arc<Metrics>) -> Self {
        let Store { registry, directory, folder, blob_lease: _ } = store;
        let refusals = Refusals::new(metrics.audit_lost.clone());
        Self(Arc::new(Inner { registry, directory, settings, refusals, metrics, folder }))
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
