//! The contract of a blob store, on an S3 server in this process, and what is S3's own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod memory;
mod requests;
mod server;
mod slow_lines;
mod starts;
mod uploads;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use berth_storage::{
    Addressing, BufferBudget, Checksums, NoTelemetry, PartSizes, S3BlobStore, S3Credentials, S3Options,
};

use server::{ACCESS_KEY, BUCKET, SECRET_KEY, Server};

fn options(endpoint: String, spool: &Path) -> S3Options {
    S3Options {
        bucket: BUCKET.to_owned(),
        prefix: "some/prefix".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint),
        public_endpoint: None,
        addressing: Addressing::Path,
        credentials: Some(S3Credentials {
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: SECRET_KEY.to_owned().into(),
        }),
        encryption: None,
        checksums: Checksums::On,
        parts: PartSizes::Growing,
        spool: spool.to_owned(),
        spool_capacity: 64 << 20,
        silence: Duration::from_secs(60),
    }
}

async fn store(options: S3Options) -> S3BlobStore {
    S3BlobStore::open(options, BufferBudget::new(4 << 20), Arc::new(NoTelemetry)).await.unwrap()
}

/// A server on the folder, and a store on the server.
async fn served(folder: &Path, change: impl FnOnce(&mut S3Options)) -> (Server, S3BlobStore) {
    let server = Server::start(&folder.join("s3")).await;
    let mut options = options(format!("http://{}", server.address), &folder.join("spool"));
    change(&mut options);
    (server, store(options).await)
}

async fn growing(folder: PathBuf) -> S3BlobStore {
    let (server, store) = served(&folder, |_| {}).await;
    // It ends with the test's runtime.
    std::mem::forget(server);
    store
}

async fn uniform(folder: PathBuf) -> S3BlobStore {
    let parts = PartSizes::Uniform((5 << 20).try_into().unwrap());
    let (server, store) = served(&folder, |options| options.parts = parts).await;
    std::mem::forget(server);
    store
}

mod with_growing_parts {
    berth_storage::blob_store_suite!(super::growing);
}

mod with_uniform_parts {
    berth_storage::blob_store_suite!(super::uniform);
}
