//! Opens what a server keeps: the data folder, the registry, the directory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use berth_auth::{Account, Attachment, MasterKey, Password, RepositoryPrefix, ShippedPolicy, UserName};
use berth_storage::{
    Actor, BufferBudget, Change, Clock, DataFolder, Records, RegistryOptions, Telemetry, Timestamp,
};
use secrecy::ExposeSecret;

use crate::blobs;
use crate::config::{Config, MetadataUrl};
use crate::directory::{
    Directory, DirectoryOptions, ITSELF, Identities, MASTER_KEY, NewUser, RepositoryPolicies,
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
}

impl Store {
    /// Opens everything that `config` names; makes what isn't there yet.
    ///
    /// # Errors
    /// One sentence on what can't be opened and why.
    pub async fn open(config: &Config, telemetry: Arc<dyn Telemetry>) -> Result<Self, Error> {
        let folder = DataFolder::open(&config.data)?;
        let clock: Clock = Arc::new(|| Timestamp::from_system(SystemTime::now()));
        let budget =
            BufferBudget::new(usize::try_from(config.limits.read_buffer_budget).unwrap_or(usize::MAX));
        let blobs = blobs::open(&config.blobs, &folder, budget, Arc::clone(&telemetry)).await?;
        let identities = Arc::new(Identities::default());
        let repository_policies = Arc::new(RepositoryPolicies::default());
        let observer = {
            let identities = Arc::clone(&identities);
            let repository_policies = Arc::clone(&repository_policies);
            Arc::new(move |changes: &[Change]| {
                identities.forget(changes);
                repository_policies.forget(changes);
            })
        };
        let MetadataUrl::Sqlite(database) = &config.metadata.url;
        let options = RegistryOptions {
            uploads_expire_after: config.uploads.expire_after,
            audit_keep: config.audit.keep,
            audit_most: config.audit.max_records as u64,
            manifest_cache_bytes: MANIFEST_CACHE,
            clock: Arc::clone(&clock),
            observer,
            telemetry,
        };
        let registry = Registry::open_sqlite(database, blobs, options).await?;
        registry.join_stores().await?;
        let options = DirectoryOptions {
            issuer: config.auth.issuer.clone(),
            token_ttl: config.auth.token_ttl,
            password_hashes: config.limits.password_hashes,
            master_key: master_key(config, &folder, &registry.records()).await?,
            clock,
            identities,
            repository_policies,
            account: Account {
                id: config.ecr.account.as_str().into(),
                region: config.ecr.region.as_str().into(),
            },
        };
        let directory = Directory::open(registry.records(), options).await?;
        Ok(Self { registry, directory, folder })
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
            self.directory.add_user(new, &itself).await?;
            return Ok(FirstAdmin::PasswordFromEnvironment);
        }
        let password = Password::generate()?;
        let path = self.folder.path("admin-password");
        // File first: a user whose password nobody knows would lock everyone out.
        write_secret(&path, password.secret().expose_secret())?;
        let new = NewUser { name, password, policies: all, groups: vec![] };
        self.directory.add_user(new, &itself).await?;
        Ok(FirstAdmin::PasswordIn(path))
    }
}

/// What came of the first administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstAdmin {
    /// This is not the first start.
    ThereAlready,
    /// Made, with the password of `BERTH_ADMIN_PASSWORD`.
    PasswordFromEnvironment,
    /// Made, with a random password that stands in this file.
    PasswordIn(std::path::PathBuf),
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
                return Err(Error::MasterKeyLost(own));
            }
            let key = MasterKey::generate()?;
            write_secret(path, key.to_text().expose_secret())?;
            Ok(key)
        }
        Err(error) => Err(berth_storage::Fault::new(reading(), error).into()),
    }
}

/// Writes a new file that only its owner may read, durably.
fn write_secret(path: &Path, secret: &str) -> Result<(), Error> {
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
