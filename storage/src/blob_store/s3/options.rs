//! What a bucket is reached with.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::parts::PartSizes;

/// How a bucket is reached, and how blobs are put into it.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The bucket; it must be there.
    pub bucket: String,
    /// What all keys begin with.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Where S3 answers; none: AWS.
    pub endpoint: Option<String>,
    /// Where clients reach the same bucket; none: where this store does.
    pub public_endpoint: Option<String>,
    /// Where the bucket's name stands in URLs.
    pub addressing: Addressing,
    /// Who asks; none: whom the AWS default chain finds (environment, profile, container, machine).
    pub credentials: Option<S3Credentials>,
    /// How objects are encrypted by the server.
    pub encryption: Option<Encryption>,
    /// Whether the server checks each object by a CRC-32C.
    pub checksums: Checksums,
    /// How large parts are.
    pub parts: PartSizes,
    /// The folder of bytes that wait until they are a part.
    pub spool: PathBuf,
    /// How many bytes may wait there.
    pub spool_capacity: u64,
    /// How long a request waits while nothing moves, in either direction.
    pub silence: Duration,
}

/// Where the bucket's name stands in URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// First in the path.
    Path,
    /// First in the host's name.
    Host,
}

/// An access key of S3.
#[derive(Debug, Clone)]
pub struct S3Credentials {
    /// Its name.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretString,
}

/// How S3 encrypts what it stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// `AES256`: under keys of S3's own.
    S3,
    /// `aws:kms`: under this key of KMS, or else the account's for S3.
    Kms(Option<String>),
}

/// Whether the server checks each object by a CRC-32C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksums {
    /// It does.
    On,
    /// It does not: for servers that don't know how.
    Off,
}

impl fmt::Display for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, prefix, .. } = self;
        let endpoint = self.endpoint.as_deref().unwrap_or("AWS");
        write!(f, "s3://{bucket}/{prefix} at {endpoint}")
    }
}
