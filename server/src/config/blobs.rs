//! `[blobs]`: where large bytes are kept.

use std::num::NonZeroU64;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::{self, PublicUrl};

/// How many bytes wait on the disk to be sent to S3, at most, unless it is said.
const SPOOL: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// `[blobs]`: where large bytes are kept.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum BlobsConfig {
    /// A folder on this machine.
    Local {
        /// The folder; default: in the data folder.
        path: PathBuf,
    },
    /// A bucket of S3, or of a server that speaks like it.
    S3(Box<S3Config>),
}

/// A bucket, and how it is reached.
#[derive(Debug, Clone, Serialize)]
pub struct S3Config {
    /// The bucket's name; it must be there.
    pub bucket: String,
    /// What all keys begin with.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Where S3 answers; left out: AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<PublicUrl>,
    /// Whether the bucket's name stands in the path; default: where an endpoint is given.
    pub path_style: bool,
    /// Who asks; left out: whom the AWS default chain finds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// The key's secret, or the file that holds it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<Secret>,
    /// Whether clients are sent to the bucket for a blob's bytes.
    pub redirect: bool,
    /// Where clients reach the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_endpoint: Option<PublicUrl>,
    /// Bytes of each part, for servers that want all alike; left out: they grow.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_bytes")]
    pub uniform_part_size: Option<NonZeroU64>,
    /// Whether the server checks each object by a CRC-32C.
    pub checksums: bool,
    /// How the server encrypts what it stores; left out: as the bucket does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<EncryptionKind>,
    /// The key of KMS; left out: the account's for S3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// Bytes that may wait on the disk to be sent.
    #[serde(serialize_with = "values::bytes::serialize")]
    pub spool: u64,
}

/// A secret, or the file that holds it.
#[derive(Debug, Clone, Serialize)]
pub enum Secret {
    /// As it was written; never shown.
    #[serde(rename = "secret_access_key", serialize_with = "hidden")]
    Text(SecretString),
    /// The file whose first line it is.
    #[serde(rename = "secret_access_key_file")]
    File(PathBuf),
}

/// How S3 encrypts what it stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum EncryptionKind {
    /// Under keys of S3's own.
    #[serde(rename = "AES256")]
    Aes256,
    /// Under a key of KMS.
    #[serde(rename = "aws:kms")]
    Kms,
}

impl BlobsConfig {
    /// Whether clients are sent to the bucket for a blob's bytes.
    pub fn redirects(&self) -> bool {
        matches!(self, Self::S3(s3) if s3.redirect)
    }
}

/// The section as it is written: the keys of all kinds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct Written {
    #[serde(default, deserialize_with = "kind")]
    kind: Kind,
    #[serde(default, deserialize_with = "some_path")]
    path: Option<PathBuf>,
    #[serde(default, deserialize_with = "some_name")]
    bucket: Option<String>,
    prefix: Option<String>,
    #[serde(default, deserialize_with = "some_region")]
    region: Option<String>,
    endpoint: Option<PublicUrl>,
    path_style: Option<bool>,
    #[serde(default, deserialize_with = "some_name")]
    access_key_id: Option<String>,
    secret_access_key: Option<SecretString>,
    #[serde(default, deserialize_with = "some_path")]
    secret_access_key_file: Option<PathBuf>,
    redirect: Option<bool>,
    public_endpoint: Option<PublicUrl>,
    #[serde(default, deserialize_with = "part_size")]
    uniform_part_size: Option<NonZeroU64>,
    checksums: Option<bool>,
    #[serde(default, deserialize_with = "encryption")]
    encryption: Option<EncryptionKind>,
    #[serde(default, deserialize_with = "some_name")]
    kms_key_id: Option<String>,
    #[serde(default, deserialize_with = "spool")]
    spool: Option<u64>,
}

#[derive(Default)]
enum Kind {
    #[default]
    Local,
    S3,
}

impl<'de> Deserialize<'de> for BlobsConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        match written.kind {
            Kind::Local => written.into_local(),
            Kind::S3 => written.into_s3().map(|s3| Self::S3(Box::new(s3))),
        }
    }
}

impl Written {
    fn into_local<E: serde::de::Error>(self) -> Result<BlobsConfig, E> {
        if let Some(key) = self.first_of_s3() {
            return Err(E::custom(format_args!("{key} is a key of S3; add kind = \"s3\" or leave it out")));
        }
        let path = self.path.ok_or_else(|| E::missing_field("path"))?;
        Ok(BlobsConfig::Local { path })
    }

    fn first_of_s3(&self) -> Option<&'static str> {
        let keys = [
            ("bucket", self.bucket.is_some()),
            ("prefix", self.prefix.is_some()),
            ("region", self.region.is_some()),
            ("endpoint", self.endpoint.is_some()),
            ("path_style", self.path_style.is_some()),
            ("access_key_id", self.access_key_id.is_some()),
            ("secret_access_key", self.secret_access_key.is_some()),
            ("secret_access_key_file", self.secret_access_key_file.is_some()),
            ("redirect", self.redirect.is_some()),
            ("public_endpoint", self.public_endpoint.is_some()),
            ("uniform_part_size", self.uniform_part_size.is_some()),
            ("checksums", self.checksums.is_some()),
            ("encryption", self.encryption.is_some()),
            ("kms_key_id", self.kms_key_id.is_some()),
            ("spool", self.spool.is_some()),
        ];
        keys.into_iter().find_map(|(key, is_written)| is_written.then_some(key))
    }

    fn into_s3<E: serde::de::Error>(self) -> Result<S3Config, E> {
        if self.path.is_some() {
            return Err(E::custom("path is a key of kind = \"local\"; leave it out"));
        }
        let secret = match (self.secret_access_key, self.secret_access_key_file) {
            (Some(_), Some(_)) => {
                return Err(E::custom("secret_access_key and secret_access_key_file are both set; keep one"));
            }
            (Some(secret), None) => Some(Secret::Text(secret)),
            (None, file) => file.map(Secret::File),
        };
        if self.access_key_id.is_some() != secret.is_some() {
            return Err(E::custom("access_key_id and its secret belong together; set both or neither"));
        }
        if self.kms_key_id.is_some() && self.encryption != Some(EncryptionKind::Kms) {
            return Err(E::custom("kms_key_id needs encryption = \"aws:kms\""));
        }
        let redirect = self.redirect.unwrap_or(false);
        if redirect && self.endpoint.is_some() && self.public_endpoint.is_none() {
            return Err(E::custom("redirect needs public_endpoint, where clients reach the bucket"));
        }
        Ok(S3Config {
            bucket: self.bucket.ok_or_else(|| E::missing_field("bucket"))?,
            prefix: self.prefix.unwrap_or_default(),
            region: self.region.unwrap_or_else(|| "us-east-1".to_owned()),
            path_style: self.path_style.unwrap_or(self.endpoint.is_some()),
            endpoint: self.endpoint,
            access_key_id: self.access_key_id,
            secret_access_key: secret,
            redirect,
            public_endpoint: self.public_endpoint,
            uniform_part_size: self.uniform_part_size,
            checksums: self.checksums.unwrap_or(true),
            encryption: self.encryption,
            kms_key_id: self.kms_key_id,
            spool: self.spool.unwrap_or(SPOOL),
        })
    }
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "local" => Ok(Kind::Local),
        "s3" => Ok(Kind::S3),
        other => Err(D::Error::custom(format_args!(
            "'{other}' is not a kind of blob store; use \"local\" or \"s3\""
        ))),
    }
}

fn encryption<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EncryptionKind>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "AES256" => Ok(Some(EncryptionKind::Aes256)),
        "aws:kms" => Ok(Some(EncryptionKind::Kms)),
        other => Err(D::Error::custom(format_args!(
            "'{other}' is not a way to encrypt; use \"AES256\" or \"aws:kms\""
        ))),
    }
}

fn some_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    values::path(deserializer).map(Some)
}

fn some_region<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    values::region(deserializer).map(Some)
}

fn some_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(D::Error::custom("it is empty")) } else { Ok(Some(text)) }
}

fn part_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroU64>, D::Error> {
    let bytes = values::bytes::deserialize(deserializer)?;
    let fits = (5 * MIB..=5 << 30).contains(&bytes).then(|| NonZeroU64::new(bytes)).flatten();
    fits.map(Some).ok_or_else(|| D::Error::custom("parts have 5MiB to 5GiB"))
}

fn spool<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let bytes = values::bytes::deserialize(deserializer)?;
    if bytes < 16 * MIB {
        return Err(D::Error::custom("a spool of less than 16MiB holds no two parts"));
    }
    Ok(Some(bytes))
}

fn some_bytes<S: Serializer>(bytes: &Option<NonZeroU64>, serializer: S) -> Result<S::Ok, S::Error> {
    values::bytes::serialize(&bytes.map_or(0, NonZeroU64::get), serializer)
}

fn hidden<S: Serializer>(_: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("(hidden)")
}
