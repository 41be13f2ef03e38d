//! `berth admin restore`

use std::fs;
use std::path::{Path, PathBuf};

use berth_server::RestoredStore;
use berth_server::config::{Flags, MetadataUrl};
use clap::Args;

use super::backup::{Backup, Files};
use crate::failure::Failure;
use crate::{configuration, output};

/// How many lost blobs are named.
const NAMED: usize = 20;

/// Bring a store back from a backup, where nothing is left of it or only its blobs
#[derive(Debug, Args)]
#[command(
    after_help = "Where names are in PostgreSQL, restore its own backup first. What interrupts it is no matter: \
the same command goes on.

Examples:
  berth admin --data /var/lib/berth restore /backup/berth
  berth admin restore --config berth.toml /backup/berth"
)]
pub(super) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The configuration of the server that is to have it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl RestoreArgs {
    pub(super) async fn run(&self, data: Option<&Path>) -> Result<(), Failure> {
        let flags = Flags { listen: None, data: data.map(Path::to_owned) };
        let config = configuration::load(self.config.as_deref(), flags)?;
        let files = Files::of(&self.folder);
        let tried = format!("restoring {} to {}", self.folder.display(), config.data.display());
        let backup = read(&files).map_err(|why| Failure::new(&tried, why))?;
        let configured = match config.metadata.url {
            MetadataUrl::Sqlite(_) => "sqlite",
            MetadataUrl::Postgres(_) => "postgres",
        };
        if backup.database != configured {
            let kept = &backup.database;
            let why =
                format!("the backup is of names in {kept}, and the configuration has them in {configured}");
            return Err(Failure::new(tried, why));
        }
        let copies = backup.copied.then(|| files.copies());
        let restored = berth_server::restore(&config, &files.database(), copies.as_deref()).await;
        tell(&backup, &restored.map_err(|error| Failure::new(tried, error))?)
    }
}

fn read(files: &Files) -> Result<Backup, String> {
    let path = files.about();
    let text = fs::read(&path).map_err(|error| {
        format!("reading {}: {error}; a folder without it holds no whole backup", path.display())
    })?;
    serde_json::from_slice(&text).map_err(|error| format!("reading {}: {error}", path.display()))
}

fn tell(backup: &Backup, restored: &RestoredStore) -> Result<(), Failure> {
    let RestoredStore { blobs, older, master_key_missing } = restored;
    for digest in blobs.lost.iter().take(NAMED) {
        output::note(format_args!("berth: {digest} is lost; push an image that has it again"));
    }
    if *older {
        output::note(
            "berth: the database is of an older state than its blob store: nothing is cleared until \
             `berth admin gc --accept-restore`",
        );
    }
    if let Some(path) = master_key_missing {
        output::note(format_args!("berth: now put the master key of the old server to {}", path.display()));
    }
    let verified = if backup.copied { "every digest verified" } else { "sizes compared" };
    output::result(format_args!(
        "restored the database; {} blobs ({} bytes, {verified}), {} of them from the backup, {} lost",
        blobs.blobs,
        blobs.bytes,
        blobs.brought,
        blobs.lost.len()
    ))
}
