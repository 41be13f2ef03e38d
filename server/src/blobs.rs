//! Opens the blob store that the configuration names.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use berth_storage::{
    Addressing, Blobs, BufferBudget, Checksums, DataFolder, Encryption, Fault, LocalBlobStore, PartSizes,
    S3BlobStore, S3Credentials, S3Options, Telemetry,
};
use secrecy::SecretString;

use crate::config::{BlobsConfig, EncryptionKind, PublicUrl, S3Config, Secret};

/// How long an S3 server may keep a request waiting while nothing moves.
const SILENCE: Duration = Duration::from_secs(60);

/// Opens the store; one in a bucket is tried out first.
pub(crate) async fn open(
    config: &BlobsConfig,
    folder: &DataFolder,
    budget: BufferBudget,
    telemetry: Arc<dyn Telemetry>,
) -> Result<Blobs, Fault> {
    match config {
        BlobsConfig::Local { path } => Ok(Blobs::Local(LocalBlobStore::open(path, budget, telemetry)?)),
        BlobsConfig::S3(s3) => {
            let store = S3BlobStore::open(options(s3, folder)?, budget, telemetry).await?;
            store.check().await?;
            Ok(Blobs::S3(store))
        }
    }
}

fn options(config: &S3Config, folder: &DataFolder) -> Result<S3Options, Fault> {
    let credentials = match (&config.access_key_id, &config.secret_access_key) {
        (Some(id), Some(secret)) => {
            Some(S3Credentials { access_key_id: id.clone(), secret_access_key: read(secret)? })
        }
        _ => None,
    };
    let encryption = config.encryption.map(|kind| match kind {
        EncryptionKind::Aes256 => Encryption::S3,
        EncryptionKind::Kms => Encryption::Kms(config.kms_key_id.clone()),
    });
    Ok(S3Options {
        bucket: config.bucket.clone(),
        prefix: config.prefix.clone(),
        region: config.region.clone(),
        endpoint: config.endpoint.as_ref().map(PublicUrl::origin),
        public_endpoint: config.public_endpoint.as_ref().map(PublicUrl::origin),
        addressing: if config.path_style { Addressing::Path } else { Addressing::Host },
        credentials,
        encryption,
        checksums: if config.checksums { Checksums::On } else { Checksums::Off },
        parts: config.uniform_part_size.map_or(PartSizes::Growing, PartSizes::Uniform),
        spool: folder.path("spool"),
        spool_capacity: config.spool,
        silence: SILENCE,
    })
}

fn read(secret: &Secret) -> Result<SecretString, Fault> {
    match secret {
        Secret::Text(secret) => Ok(secret.clone()),
        Secret::File(path) => {
            let reading = || format!("reading blobs.secret_access_key_file {}", path.display());
            let text = fs::read_to_string(path).map_err(|error| Fault::new(reading(), error))?;
            match text.lines().next().unwrap_or_default() {
                "" => Err(Fault::because(reading(), "it holds no secret")),
                secret => Ok(secret.to_owned().into()),
            }
        }
    }
}
