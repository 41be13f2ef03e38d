//! The contract of metadata, on SQLite.

use std::path::PathBuf;
use std::sync::Arc;

use berth_storage::{BufferBudget, Error, LocalBlobStore, NoTelemetry, Registry, RegistryOptions};

async fn sqlite(folder: PathBuf, options: RegistryOptions) -> Result<Registry<LocalBlobStore>, Error> {
    let blobs =
        LocalBlobStore::open(&folder.join("blobs"), BufferBudget::new(16 << 20), Arc::new(NoTelemetry))?;
    Registry::open_sqlite(&folder.join("berth.db"), blobs, options).await
}

berth_storage::metadata_suite!(sqlite);
