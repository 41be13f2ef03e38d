//! What a server is told: one TOML file, the environment and flags, parsed into [`Config`].
//!
//! Order: default < file < `BERTH_SECTION__KEY` < flag. Parsed means valid: whoever holds a
//! [`Config`] checks nothing again. The environment comes in as an argument; the only files read
//! here besides the configuration are those that hold secrets.

mod blobs;
mod environment;
mod error;
mod reader;
mod sections;
mod settings;
#[cfg(test)]
mod tests;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use berth_auth::AuthConfig;
use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use blobs::{BlobsConfig, EncryptionKind, S3Config, Secret};
use environment::Environment;
pub use error::{ConfigError, Warning};
pub use sections::{
    AdminConfig, AuditConfig, CollectionConfig, DeleteConfig, EcrConfig, LimitsConfig, LogConfig, LogFormat,
    MetadataConfig, MetadataUrl, RepositoriesConfig, TlsConfig, UploadsConfig,
};
use settings::{Origin, Settings};
pub use values::{LogLevel, PublicUrl};

/// The whole configuration of `berth serve`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Config {
    /// Where the registry answers.
    #[serde(deserialize_with = "values::listen")]
    pub listen: SocketAddr,
    /// The folder that holds everything the server keeps on this machine.
    #[serde(deserialize_with = "values::path")]
    pub data: PathBuf,
    /// How clients reach this registry; left out: taken from each request's `Host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<PublicUrl>,
    /// Peers whose `X-Forwarded-*` headers are believed.
    #[serde(default, deserialize_with = "values::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Where names and relations are kept.
    pub metadata: MetadataConfig,
    /// Where large bytes are kept.
    pub blobs: BlobsConfig,
    /// Encryption of connections; left out: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// Tokens and the key that encrypts secrets.
    #[serde(default)]
    pub auth: AuthConfig,
    /// What one client, or all together, may use.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// What is logged, and how.
    #[serde(default)]
    pub log: LogConfig,
    /// Upload sessions.
    #[serde(default)]
    pub uploads: UploadsConfig,
    /// How long what nobody needs is kept.
    #[serde(default)]
    pub collection: CollectionConfig,
    /// How much is remembered of what was done and refused.
    #[serde(default)]
    pub audit: AuditConfig,
    /// Deleting through the API.
    #[serde(default)]
    pub delete: DeleteConfig,
    /// What repositories take.
    #[serde(default)]
    pub repositories: RepositoriesConfig,
    /// The account and region of this registry's ARNs.
    #[serde(default)]
    pub ecr: EcrConfig,
    /// Probes and metrics.
    #[serde(default)]
    pub admin: AdminConfig,
    /// `BERTH_ADMIN_PASSWORD`: the first administrator's password, never shown.
    #[serde(skip)]
    pub admin_password: Option<SecretString>,
}

/// How long a client may count on what it was told is there, at least: as long as a slow push takes.
const PROMISED: std::time::Duration = std::time::Duration::from_secs(3600);

/// What the command line may say; it wins over everything else.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen ADDR`
    pub listen: Option<String>,
    /// `--data DIR`
    pub data: Option<PathBuf>,
}

impl Config {
    /// Reads the file, if one is named, and puts environment and flags over it.
    ///
    /// # Errors
    /// One sentence that names the place (file and line, variable or flag), the key, and what is
    /// expected of it.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: Flags,
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        let environment = Environment::sort(environment);
        let mut warnings = Vec::new();
        let mut settings = match file {
            Some(path) => Settings::from_file(path)?,
            None => Settings::default(),
        };
        settings.set_default("listen", "127.0.0.1:5000");
        if let Some(data) = environment.data_folder(rustix::process::geteuid().is_root()) {
            settings.set_default("data", &data);
        }
        for (name, value) in &environment.settings {
            if !settings.set_from_environment(name, value) {
                warnings.push(Warning::unknown_variable(name, None));
            }
        }
        if let Some(listen) = flags.listen {
            settings.set("listen", listen, Origin::Flag("--listen"));
        }
        if let Some(data) = flags.data {
            let data = data.into_os_string().into_string().map_err(|data| {
                ConfigError::at(&Origin::Flag("--data"), "data", format!("{data:?} is not UTF-8"))
            })?;
            settings.set("data", data, Origin::Flag("--data"));
        }
        for secret in ["metadata.url", "metadata.password"] {
            settings.read_secret_file(secret)?;
        }
        if let Some(data) = settings.text("data").map(str::to_owned) {
            settings.set_default("metadata.url", &format!("sqlite:{data}/registry/metadata.db"));
            if settings.text("blobs.kind") != Some("s3") {
                settings.set_default("blobs.path", &format!("{data}/registry/blobs"));
            }
        }
        let mut config: Self = settings.read(&mut warnings)?;
        if config.collection.unreferenced_after < PROMISED {
            warnings.push(Warning::short_promise(config.collection.unreferenced_after));
        }
        config.admin_password = environment.admin_password()?;
        Ok((config, warnings))
    }

    /// The configuration in force as TOML, secrets hidden: what `--check` prints.
    pub fn effective(&self) -> String {
        let mut text = toml::to_string(self).unwrap_or_else(|error| format!("# {error}\n"));
        if self.admin_password.is_some() {
            text.insert_str(0, "# BERTH_ADMIN_PASSWORD is set (hidden)\n");
        }
        text
    }
}
