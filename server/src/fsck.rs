//! The inspection of a stopped server's stores.

use std::sync::Arc;
use std::time::Duration;

use berth_storage::{DataFolder, Depth, Fault, FullSpeed, Inspection, Leased, NoTelemetry, Remedies};

use tracing::warn;

use crate::config::{Config, MetadataUrl};
use crate::epoch;
use crate::error::Error;
use crate::presence;
use crate::store::Bare;

const RENEWED_EVERY: Duration = Duration::from_secs(30);

/// Compares the database that `config` names with its blob store, and puts right what can be.
///
/// # Errors
/// One sentence when a server runs on them, they don't belong together, or either can't be asked.
pub async fn fsck(config: &Config, depth: Depth, remedies: Remedies) -> Result<Inspection, Error> {
    if let MetadataUrl::Sqlite(database) = &config.metadata.url
        && !database.is_file()
    {
        let doing = format!("opening the database {}", database.display());
        let why = "no berth server has kept anything there; name its folder with --data, or its configuration \
                   with --config";
        return Err(Fault::because(doing, why).into());
    }
    let folder = DataFolder::open(&config.data)?;
    let bare = Bare::open(config, &folder, Arc::new(|_| {}), Arc::new(NoTelemetry)).await?;
    let inspected = match &config.metadata.url {
        // The folder's lock says that nobody else has it.
        MetadataUrl::Sqlite(_) => inspect(&bare, depth, remedies).await,
        MetadataUrl::Postgres(_) => alone(&folder, &bare, inspect(&bare, depth, remedies)).await,
    };
    if let Some(lease) = &bare.blob_lease {
        lease.give_back().await;
    }
    inspected
}

async fn inspect(bare: &Bare, depth: Depth, remedies: Remedies) -> Result<Inspection, Error> {
    Ok(bare.registry.inspect(depth, remedies, &mut FullSpeed).await?)
}

/// Does `work` while no server runs on the database, and nobody else does such work.
pub(crate) async fn alone<T>(
    folder: &DataFolder,
    bare: &Bare,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let (records, lease) = (bare.registry.records(), epoch::lease(folder));
    presence::refuse_running("opening the database", &records, folder, bare.registry.now()).await?;
    let hold = async || match records.lease(lease.clone(), bare.registry.now()).await? {
        Leased::Yes => Ok::<_, Error>(()),
        Leased::To(_) => Err(Error::ServerRuns(epoch::LASTS)),
    };
    hold().await?;
    let holding = async {
        loop {
            tokio::time::sleep(RENEWED_EVERY).await;
            if let Err(error) = hold().await {
                return error;
            }
        }
    };
    let done = tokio::select! {
        done = work => done,
        lost = holding => Err(lost),
    };
    if let Err(error) = records.give_back(lease.name, lease.holder.clone()).await {
        warn!(%error, "the lease of the epoch stays until it runs out");
    }
    done
}
