//! The sections of the configuration and their defaults.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use berth_storage::PostgresUrl;
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::{self, LogLevel};

/// `[metadata]`: where names and relations are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct MetadataConfig {
    /// The database; default: SQLite in the data folder.
    pub url: MetadataUrl,
    /// PostgreSQL's password, if it isn't in the URL.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "values::hidden")]
    pub password: Option<SecretString>,
    /// The most connections to PostgreSQL that requests may use at once.
    #[serde(default = "connections", deserialize_with = "values::count")]
    pub connections: usize,
}

const fn connections() -> usize {
    16
}

/// Which database, as its URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataUrl {
    /// `sqlite:PATH`: one file on this machine.
    Sqlite(PathBuf),
    /// `postgres://USER@HOST/DATABASE`: one that any number of servers may share.
    Postgres(Box<PostgresUrl>),
}

impl fmt::Display for MetadataUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl Serialize for MetadataUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MetadataUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Some(path) = text.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(path.into()));
        }
        // What follows the scheme may hold a password, so it is not repeated.
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "postgres" | "postgresql" => {
                Ok(Self::Postgres(Box::new(text.parse().map_err(D::Error::custom)?)))
            }
            _ => {
                let known = "sqlite:PATH or postgres://user@host/database";
                Err(D::Error::custom(format_args!("not a database's URL; write it like {known}")))
            }
        }
    }
}

/// `[tls]`: the server's certificate, read again when its files change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct TlsConfig {
    /// PEM: the server's certificate first, then those that vouch for it.
    #[serde(deserialize_with = "values::path")]
    pub cert: PathBuf,
    /// PEM: the private key of the first certificate.
    #[serde(deserialize_with = "values::path")]
    pub key: PathBuf,
}

/// `[limits]`: what one client, or all together, may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct LimitsConfig {
    /// Connections open at once; more wait in the system's queue.
    #[serde(deserialize_with = "values::count")]
    pub connections: usize,
    /// The longest that a TLS handshake, a request's headers or an idle connection may take.
    #[serde(serialize_with = "humantime_serde::serialize", deserialize_with = "values::duration")]
    pub header_timeout: Duration,
    /// The longest silence within a request's body.
    #[serde(serialize_with = "humantime_serde::serialize", deserialize_with = "values::duration")]
    pub body_idle_timeout: Duration,
    /// The longest that a client may leave an answer unread.
    #[serde(serialize_with = "humantime_serde::serialize", deserialize_with = "values::duration")]
    pub write_timeout: Duration,
    /// Bytes of a request's headers.
    #[serde(with = "values::header_bytes")]
    pub headers: u32,
    /// Threads for work that blocks, such as reading files.
    #[serde(deserialize_with = "values::count")]
    pub blocking_threads: usize,
    /// Passwords hashed at once; each takes about 20 MiB of memory.
    #[serde(deserialize_with = "values::count")]
    pub password_hashes: usize,
    /// Bytes of memory that all blob reads together may buffer.
    #[serde(with = "values::bytes")]
    pub read_buffer_budget: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 4096,
            // Also ends idle connections: clients keep theirs for up to 90 s and must not race a
            // server that closes early.
            header_timeout: Duration::from_secs(100),
            body_idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            headers: 32 << 10,
            blocking_threads: 64,
            password_hashes: 2,
            read_buffer_budget: 32 << 20,
        }
    }
}

/// `[log]`: what is logged, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct LogConfig {
    /// For people or for programs.
    pub format: LogFormat,
    /// From which level on.
    pub level: LogLevel,
}

/// How a log event is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl<'de> Deserialize<'de> for LogFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => {
                Err(D::Error::custom(format_args!("'{other}' is not a log format; use \"text\" or \"json\"")))
            }
        }
    }
}

/// `[uploads]`: upload sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct UploadsConfig {
    /// How long an upload that nobody continues is kept.
    #[serde(serialize_with = "humantime_serde::serialize", deserialize_with = "values::duration")]
    pub expire_after: Duration,
}

impl Default for UploadsConfig {
    fn default() -> Self {
        Self { expire_after: Duration::from_secs(24 * 3600) }
    }
}

/// `[collection]`: how long what nobody needs is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct CollectionConfig {
    /// How long bytes that nothing names, and what was deleted, are kept.
    #[serde(serialize_with = "humantime_serde::serialize", deserialize_with = "values::duration")]
    pub unreferenced_after: Duration,
    /// How long manifests are kept that have no tag and that nothing refers to; none: for ever.
    #[serde(serialize_with = "values::never::serialize", deserialize_with = "values::never::deserialize")]
    pub untagged_after: Option<Duration>,
}

impl Default for CollectionConfig {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self { unreferenced_after: day, untagged_after: Some(30 * day) }
    }
}

/// `[audit]`: how much is remembered of what was done and refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct AuditConfig {
    /// How long a record is kept.
    #[serde(serialize_with = "humantime_serde::serialize", deserialize_with = "values::duration")]
    pub keep: Duration,
    /// How many records are kept; each takes some 300 bytes.
    #[serde(deserialize_with = "values::count")]
    pub max_records: usize,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { keep: Duration::from_secs(90 * 24 * 3600), max_records: 1_000_000 }
    }
}

/// `[delete]`: deleting through the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct DeleteConfig {
    /// Whether manifests, tags and blobs may be deleted.
    pub enabled: bool,
}

impl Default for DeleteConfig {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// `[repositories]`: what repositories take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RepositoriesConfig {
    /// Whether an index may name manifests that are not here.
    pub sparse_indexes: bool,
    /// Whether a push makes its repository.
    pub create_on_push: bool,
}

impl Default for RepositoriesConfig {
    fn default() -> Self {
        Self { sparse_indexes: false, create_on_push: true }
    }
}

/// `[ecr]`: the account and region of this registry's ARNs, fixed at the first start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct EcrConfig {
    /// Twelve digits.
    #[serde(deserialize_with = "values::account")]
    pub account: String,
    /// Such as `us-east-1`.
    #[serde(deserialize_with = "values::region")]
    pub region: String,
}

impl Default for EcrConfig {
    fn default() -> Self {
        Self { account: "000000000000".to_owned(), region: "us-east-1".to_owned() }
    }
}

/// `[admin]`: probes and metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct AdminConfig {
    /// Where `/livez`, `/readyz` and `/metrics` answer instead; left out: beside the registry.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "values::some_listen")]
    pub listen: Option<std::net::SocketAddr>,
}
