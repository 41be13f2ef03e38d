//! The data folder of a stopped server.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use berth_auth::{Action, Context, Subject, Transport};
use berth_oci::RepositoryName;
use berth_server::config::{Config, Flags};
use berth_server::metrics::Metrics;
use berth_server::{Actor, Directory, Error, Explanation, Purpose, Store};

use crate::failure::Failure;

/// What the audit calls whoever works on a stopped server's folder.
const WHO: &str = "berth admin --data";

/// A stopped server's store, locked while this lives.
pub(super) struct Offline {
    store: Store,
    actor: Actor,
}

impl Offline {
    pub(super) async fn open(data: &Path) -> Result<Self, Failure> {
        let tried = || format!("opening the data folder {}", data.display());
        if !data.join("registry").is_dir() {
            return Err(Failure::new(tried(), "no berth server has kept anything there"));
        }
        if has_its_names_elsewhere(&data.join("registry")).map_err(|error| Failure::new(tried(), error))? {
            let why = "its users are not there but in the database that its server's configuration names \
                       ([metadata] url); start the server, log in and leave --data out";
            return Err(Failure::new(tried(), why));
        }
        let flags = Flags { listen: None, data: Some(data.to_owned()) };
        let (config, _) =
            Config::load(None, std::iter::empty(), flags).map_err(|error| Failure::new(tried(), error))?;
        let store = Store::open(&config, Purpose::Administration, Arc::new(Metrics::new())).await;
        let store = store.map_err(|error| Failure::new("opening a stopped server's store", error))?;
        Ok(Self { store, actor: Actor { user: Some(WHO.into()), ..Actor::default() } })
    }

    pub(super) const fn directory(&self) -> &Directory {
        &self.store.directory
    }

    /// Who does this, as it is written down.
    pub(super) const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What would come of a request made now, over TLS.
    pub(super) async fn explain(
        &self,
        subject: &Subject,
        action: Action,
        repository: Option<&RepositoryName>,
        from: Option<IpAddr>,
    ) -> Result<Explanation, Error> {
        let directory = self.directory();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let context = Context { account: directory.account(), address: from, transport: Transport::Tls, now };
        directory.explain(subject, action, repository, &context).await
    }
}

/// Whether a server was started on this folder that keeps its names in another database.
fn has_its_names_elsewhere(registry: &Path) -> io::Result<bool> {
    let (mut names_here, mut started) = (false, false);
    for entry in fs::read_dir(registry)? {
        let name = entry?.file_name();
        names_here |= name == "metadata.db";
        // These two are made before any database is opened.
        started |= name != "lock" && name != "blobs";
    }
    Ok(started && !names_here)
}
