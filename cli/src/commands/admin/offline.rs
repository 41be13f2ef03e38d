//! The data folder of a stopped server.

use std::path::Path;
use std::sync::Arc;

use berth_server::config::{Config, Flags};
use berth_server::metrics::Metrics;
use berth_server::{Directory, Store};

use crate::failure::Failure;

/// A stopped server's store, locked while this lives.
pub(super) struct Offline {
    store: Store,
}

impl Offline {
    pub(super) async fn open(data: &Path) -> Result<Self, Failure> {
        let tried = || format!("opening the data folder {}", data.display());
        if !data.join("registry").is_dir() {
            return Err(Failure::new(tried(), "no berth server has kept anything there"));
        }
        let flags = Flags { listen: None, data: Some(data.to_owned()) };
        let (config, _) =
            Config::load(None, std::iter::empty(), flags).map_err(|error| Failure::new(tried(), error))?;
        let store = Store::open(&config, Arc::new(Metrics::new())).await;
        let store = store.map_err(|error| Failure::new("opening a stopped server's store", error))?;
        Ok(Self { store })
    }

    pub(super) const fn directory(&self) -> &Directory {
        &self.store.directory
    }
}
