//! Moving a stopped store: from the database and blob store of one configuration into those of another.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use berth_storage::{DataFolder, Fault, Migrated, NoTelemetry, Progress};

use crate::config::{BlobsConfig, Config, MetadataUrl};
use crate::error::Error;
use crate::presence;
use crate::store::{Bare, write_secret};

/// Copies all that the configuration `from` names to where `to` says, or goes on with that; the
/// master key goes along. `told` hears how far it is.
///
/// # Errors
/// One sentence on what is in the way. What was copied stays, and the next call goes on from it.
pub async fn migrate(
    from: &Config,
    to: &Config,
    told: &(impl Fn(Progress) + Sync),
) -> Result<Migrated, Error> {
    let from_folder = DataFolder::open(&from.data)?;
    // The usual case: one data folder, whose database and blobs go elsewhere.
    let same = fs::canonicalize(&from.data).ok() == fs::canonicalize(&to.data).ok();
    let to_folder = if same { None } else { Some(DataFolder::open(&to.data)?) };
    let to_folder = to_folder.as_ref().unwrap_or(&from_folder);
    copy_master_key(&key_file(from, &from_folder), &key_file(to, to_folder))?;
    let source = Bare::open(from, &from_folder, Arc::new(|_| {}), Arc::new(NoTelemetry)).await?;
    if let (MetadataUrl::Postgres(_), BlobsConfig::S3(_)) = (&from.metadata.url, &from.blobs) {
        // With anything on this machine the data folder's lock, or the lease of its blobs, has told.
        let (records, now) = (source.registry.records(), source.registry.now());
        presence::refuse_running("opening the store that is moved", &records, &from_folder, now).await?;
    }
    let target = Bare::open(to, to_folder, Arc::new(|_| {}), Arc::new(NoTelemetry)).await;
    let migrated = match &target {
        Ok(target) => source.registry.move_into(&target.registry, told).await.map_err(Error::from),
        Err(_) => Ok(Migrated::default()),
    };
    for lease in [Some(&source), target.as_ref().ok()]
        .into_iter()
        .flatten()
        .filter_map(|bare| bare.blob_lease.as_ref())
    {
        lease.give_back().await;
    }
    target?;
    migrated
}

fn key_file(config: &Config, folder: &DataFolder) -> PathBuf {
    config.auth.master_key_file.clone().unwrap_or_else(|| folder.path("master-key"))
}

/// What the database holds is sealed under this key, wherever it is.
fn copy_master_key(from: &PathBuf, to: &PathBuf) -> Result<(), Error> {
    if from == to {
        return Ok(());
    }
    let reading = |path: &PathBuf| {
        let path = path.clone();
        move |error| Fault::new(format!("reading the master key {}", path.display()), error)
    };
    let key = fs::read_to_string(from).map_err(reading(from))?;
    match fs::read_to_string(to) {
        Ok(other) if other.trim() == key.trim() => Ok(()),
        Ok(_) => {
            let doing = format!("copying the master key {} to {}", from.display(), to.display());
            let why = "another key is there, and what is moved is sealed under this one; put it there by hand \
                       if nothing else needs the other";
            Err(Fault::because(doing, why).into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_secret(to, key.trim()),
        Err(error) => Err(reading(to)(error).into()),
    }
}
