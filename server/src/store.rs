//! Opens what a server keeps: the data folder, the registry, the directory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_auth::{Account, Attachment, MasterKey, Password, RepositoryPrefix, ShippedPolicy, UserName};
use berth_storage::{
    Actor, BufferBudget, Change, Clock, DataFolder, Delays, Observer, PostgresOptions, Records,
    RegistryOptions, SharedClock, Telemetry,
};
use secrecy::ExposeSecret;

use crate::blob_lease::BlobLease;
use crate::blobs;
use crate::config::{BlobsConfig, CollectionConfig, Config, MetadataUrl};
use crate::directory::{
    Directory, DirectoryOptions, ITSELF, Identities, MASTER_KEY, NewUser, RepositoryPolicies, StaleKeys,
};
use crate::error::Error;
use crate::state::Registry;

/// How much memory cached manifests may take, in bytes.
const MANIFEST_CACHE: u64 = 32 << 20;

/// What a server keeps, open and locked for this process.
pub struct Store {
    /// Images.
    pub(crate) registry: Registry,
    /// Who there is and what they may do.
    pub directory: Directory,
    pub(crate) folder: DataFolder,
    /// Where blobs are local but the database may be another machine's, too.
    pub(crate) blob_lease: Option<BlobLease>,
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be served, images and all.
    Serving,
    /// To look after users and policies; the blob store may be anywhere.
    Administration,
}

impl Store {
    /// Opens everything that `config` names; makes what isn't there yet.
    ///
    /// # Errors
    /// One sentence on what can't be opened and why.
    pub async fn open(
        config: &Config,
        purpose: Purpose,
        telemetry: Arc<dyn Telemetry>,
    ) -> Result<Self, Error> {
        let folder = DataFolder::open(&config.data)?;
        let identities = Arc::new(Identities::default());
        let repository_policies = Arc::new(RepositoryPolicies::default());
        let stale_keys = Arc::new(StaleKeys::default());
        let observer = {
            let identities = Arc::clone(&identities);
            let repository_policies = Arc::clone(&repository_policies);
            let stale_keys = Arc::clone(&stale_keys);
            Arc::new(move |changes: &[Change]| {
                identities.forget(changes);
                repository_policies.forget(changes);
                stale_keys.note(changes);
            })
        };
        let Bare { registry, blob_lease, clock } = Bare::open(config, &folder, observer, telemetry).await?;
        let opening = async {
            let options = DirectoryOptions {
                issuer: config.auth.issuer.clone(),
                token_ttl: config.auth.token_ttl,
                password_hashes: config.limits.password_hashes,
                master_key: master_key(config, &folder, &registry.records()).await?,
                clock,
                identities,
                repository_policies,
                stale_keys,
                account: Account {
                    id: config.ecr.account.as_str().into(),
                    region: config.ecr.region.as_str().into(),
                },
            };
            registry.refuse_half_moved().await?;
            if purpose == Purpose::Serving {
                registry.join_stores().await?;
                // Whatever the lease says: a backup made before this start is older than what comes now.
                registry.raise_epoch().await?;
            }
            Directory::open(registry.records(), options).await
        };
        let opened = opening.await;
        if opened.is_err()
            && let Some(lease) = &blob_lease
        {
            lease.give_back().await;
        }
        let directory = opened?;
        Ok(Self { registry, directory, folder, blob_lease })
    }

    /// Makes the user `admin` if there is no user at all yet; tells whether it did, and where the
    /// password is.
    ///
    /// # Errors
    /// When the user or the password's file can't be made.
    pub async fn first_admin(&self, config: &Config) -> Result<FirstAdmin, Error> {
        if !self.directory.is_empty().await? {
            return Ok(FirstAdmin::ThereAlready);
        }
        let name: UserName = "admin".parse()?;
        let itself = Actor { user: Some(ITSELF.into()), ..Actor::default() };
        let all = vec![Attachment { policy: ShippedPolicy::Admin.into(), prefix: RepositoryPrefix::all() }];
        if let Some(password) = &config.admin_password {
            let new =
                NewUser { name, password: Password::new(password.clone())?, policies: all, groups: vec![] };
            let first = self.directory.add_first_user(new, &itself).await?;
            return Ok(if first { FirstAdmin::PasswordFromEnvironment } else { FirstAdmin::ThereAlready });
        }
        let password = Password::generate()?;
        let path = self.folder.path("admin-password");
        // File first: a user whose password nobody knows would lock everyone out.
        write_secret(&path, password.secret().expose_secret())?;
        let new = NewUser { name, password, policies: all, groups: vec![] };
        if self.directory.add_first_user(new, &itself).await? {
            return Ok(FirstAdmin::PasswordIn(path));
        }
        // Another server on the same database was first, and its folder has the password.
        remove_secret(&path)?;
        Ok(FirstAdmin::ThereAlready)
    }
}

/// A registry without those who use it.
pub(crate) struct Bare {
    pub(crate) registry: Registry,
    /// Where blobs are local but the database may be another machine's, too.
    pub(crate) blob_lease: Option<BlobLease>,
    pub(crate) clock: Clock,
}

impl Bare {
    /// Opens the database and the blob store that `config` names.
    ///
    /// # Errors
    /// One sentence on what can't be opened and why.
    pub(crate) async fn open(
        config: &Config,
        folder: &DataFolder,
        observer: Observer,
        telemetry: Arc<dyn Telemetry>,
    ) -> Result<Self, Error> {
        let shared_clock = SharedClock::default();
        let clock = shared_clock.clock();
        let budget =
            BufferBudget::new(usize::try_from(config.limits.read_buffer_budget).unwrap_or(usize::MAX));
        let blobs = blobs::open(&config.blobs, folder, budget, Arc::clone(&telemetry)).await?;
        let options = RegistryOptions {
            uploads_expire_after: config.uploads.expire_after,
            delays: delays(&config.collection),
            audit_keep: config.audit.keep,
            audit_most: config.audit.max_records as u64,
            manifest_cache_bytes: MANIFEST_CACHE,
            clock: Arc::clone(&clock),
            observer,
            telemetry,
        };
        let registry = match &config.metadata.url {
            MetadataUrl::Sqlite(database) => Registry::open_sqlite(database, blobs, options).await?,
            MetadataUrl::Postgres(url) => {
                let url = match &config.metadata.password {
                    Some(password) => url.as_ref().clone().with_password(password),
                    None => url.as_ref().clone(),
                };
                let connections = config.metadata.connections;
                let database = PostgresOptions { url, connections, clock: shared_clock };
                Registry::open_postgres(database, blobs, options).await?
            }
        };
        let blob_lease = match (&config.metadata.url, &config.blobs) {
            (MetadataUrl::Sqlite(_), _) | (MetadataUrl::Postgres(_), BlobsConfig::S3(_)) => None,
            (MetadataUrl::Postgres(_), BlobsConfig::Local { .. }) => {
                Some(BlobLease::take(registry.records(), folder, Arc::clone(&clock)).await?)
            }
        };
        Ok(Self { registry, blob_lease, clock })
    }
}

/// The configured delays, as the store takes them.
fn delays(config: &CollectionConfig) -> Delays {
    Delays { unreferenced: config.unreferenced_after, untagged: config.untagged_after }
}

/// What came of the first administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstAdmin {
    /// This is not the first start.
    ThereAlready,
    /// Made, with the password of `BERTH_ADMIN_PASSWORD`.
    PasswordFromEnvironment,
    /// Made, with a random password that stands in this file.
    PasswordIn(PathBuf),
}

/// The key under which secrets are sealed: the configured file's, or one made at the first start.
async fn master_key(config: &Config, folder: &DataFolder, records: &Records) -> Result<MasterKey, Error> {
    let own = folder.path("master-key");
    let path = config.auth.master_key_file.as_deref().unwrap_or(&own);
    let reading = || format!("reading the master key {}", path.display());
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.parse()?),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path == own => {
            // Never another one in a lost one's place: it would open nothing.
            if records.fact(MASTER_KEY).await?.is_some() {
                return Err(lost(config, own));
            }
            let key = MasterKey::generate()?;
            write_secret(path, key.to_text().expose_secret())?;
            let fingerprint = key.fingerprint()?;
            if records.note_once(MASTER_KEY, fingerprint.clone()).await? != fingerprint {
                // Another server made one for the same database just now.
                remove_secret(path)?;
                return Err(lost(config, own));
            }
            Ok(key)
        }
        Err(error) => Err(berth_storage::Fault::new(reading(), error).into()),
    }
}

/// The store has a master key, which isn't here.
fn lost(config: &Config, path: PathBuf) -> Error {
    match &config.metadata.url {
        MetadataUrl::Sqlite(_) => Error::MasterKeyLost(path),
        MetadataUrl::Postgres(url) => Error::MasterKeyElsewhere(url.to_string()),
    }
}

/// Writes a new file that only its owner may read, durably.
pub(crate) fn write_secret(path: &Path, secret: &str) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        let temporary = path.with_extension("new");
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
        writeln!(file, "{secret}")?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        fs::File::open(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?.sync_all()
    };
    write().map_err(|error| berth_storage::Fault::new(format!("writing {}", path.display()), error).into())
}

fn remove_secret(path: &Path) -> Result<(), Error> {
    let removing = |error| berth_storage::Fault::new(format!("removing {}", path.display()), error);
    Ok(fs::remove_file(path).map_err(removing)?)
}
