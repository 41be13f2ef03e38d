//! The contract of metadata, on PostgreSQL.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::LazyLock;

use berth_storage::{
    BufferBudget, Error, LocalBlobStore, NoTelemetry, PostgresOptions, Registry, RegistryOptions, SharedClock,
};
use test_servers::PostgresServer;

static SERVER: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

async fn postgres(folder: PathBuf, options: RegistryOptions) -> Result<Registry<LocalBlobStore>, Error> {
    let blobs =
        LocalBlobStore::open(&folder.join("blobs"), BufferBudget::new(16 << 20), Arc::new(NoTelemetry))?;
    // The next process on a folder finds the database of the one before.
    let note = folder.join("database");
    let url = std::fs::read_to_string(&note).unwrap_or_else(|_| {
        let url = SERVER.database();
        std::fs::write(&note, &url).expect("the folder can be written");
        url
    });
    let url = url.parse().expect("the test's URL is one");
    let database = PostgresOptions { url, connections: 8, clock: SharedClock::default() };
    Registry::open_postgres(database, blobs, options).await
}

berth_storage::metadata_suite!(postgres);
