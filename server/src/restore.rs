//! Bringing a store back from a backup.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_storage::{Age, DataFolder, Fault, NoTelemetry, Restored, mark_restoring};

use crate::config::{Config, MetadataUrl};
use crate::error::Error;
use crate::fsck::alone;
use crate::store::Bare;

/// What came of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredStore {
    /// The blobs.
    pub blobs: Restored,
    /// Whether the database is of an older state than its blob store, so that nothing is collected.
    pub older: bool,
    /// Where the master key has to be put, unless it is there.
    pub master_key_missing: Option<PathBuf>,
}

/// Puts the database `snapshot` in place, where it is SQLite, and makes every blob whole that can be, from
/// what the blob store holds or from `copies`.
///
/// # Errors
/// One sentence when something else is in its place already, or either store can't be asked. What was
/// brought stays, and the next call goes on from it.
pub async fn restore(
    config: &Config,
    snapshot: &Path,
    copies: Option<&Path>,
) -> Result<RestoredStore, Error> {
    let folder = DataFolder::open(&config.data)?;
    if let MetadataUrl::Sqlite(database) = &config.metadata.url {
        put_in_place(snapshot, database)?;
    }
    let bare = Bare::open(config, &folder, Arc::new(|_| {}), Arc::new(NoTelemetry)).await?;
    let restoring = async {
        let blobs = bare.registry.restore(copies).await?;
        let older = bare.registry.age().await? != Age::Same;
        Ok::<_, Error>((blobs, older))
    };
    let restored = match &config.metadata.url {
        MetadataUrl::Sqlite(_) => restoring.await,
        MetadataUrl::Postgres(_) => Box::pin(alone(&folder, &bare, restoring)).await,
    };
    if let Some(lease) = &bare.blob_lease {
        lease.give_back().await;
    }
    let (blobs, older) = restored?;
    let key = config.auth.master_key_file.clone().unwrap_or_else(|| folder.path("master-key"));
    let master_key_missing = (!key.exists()).then_some(key);
    Ok(RestoredStore { blobs, older, master_key_missing })
}

/// Copies the snapshot, marked as one that is being restored, to where the server looks for it.
fn put_in_place(snapshot: &Path, database: &Path) -> Result<(), Error> {
    // An earlier run did; what isn't marked as being restored is refused when it is opened.
    if database.exists() {
        return Ok(());
    }
    let copying =
        |error| Fault::new(format!("copying {} to {}", snapshot.display(), database.display()), error);
    if let Some(journal) = journals(database).into_iter().find(|journal| journal.exists()) {
        let why = format!("{} is left of another database; move it away, too", journal.display());
        return Err(Fault::because(format!("restoring {}", database.display()), why).into());
    }
    let copy = database.with_extension("restoring");
    for journal in journals(&copy).into_iter().filter(|journal| journal.exists()) {
        // Of a copy that was interrupted: SQLite would play it into this one.
        fs::remove_file(journal).map_err(copying)?;
    }
    fs::copy(snapshot, &copy).map_err(copying)?;
    mark_restoring(&copy)?;
    let finish = || -> io::Result<()> {
        fs::File::open(&copy)?.sync_all()?;
        fs::rename(&copy, database)?;
        fs::File::open(database.parent().ok_or(io::ErrorKind::InvalidInput)?)?.sync_all()
    };
    Ok(finish().map_err(copying)?)
}

/// What SQLite keeps beside a database, and would play into whatever stands in that one's place.
fn journals(database: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|end| {
        let mut path = database.as_os_str().to_owned();
        path.push(end);
        path.into()
    })
}
