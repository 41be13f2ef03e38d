//! `berth admin migrate`

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use berth_server::config::{Config, Flags};
use berth_server::{Migrated, Progress};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::Failure;
use crate::{configuration, output};

/// How often a log that nobody watches hears how far it is.
const A_LINE_EVERY: Duration = Duration::from_secs(10);
/// How many damaged blobs are named.
const NAMED: usize = 20;

/// Copy a stopped server's store into another database and blob store
#[derive(Debug, Args)]
#[command(after_help = "Stop the server first. Whatever interrupts it, the same command goes on from there.

Example:
  berth admin migrate --from one-machine.toml --to postgres-and-s3.toml")]
pub(super) struct MigrateArgs {
    /// The configuration of the server whose store is copied
    #[arg(long, value_name = "CONFIG")]
    from: PathBuf,
    /// The configuration of the server that is to have it; its database and blob store must be empty
    #[arg(long, value_name = "CONFIG")]
    to: PathBuf,
}

impl MigrateArgs {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let (from, to) = (load(&self.from)?, load(&self.to)?);
        let shown = Shown::new();
        let migrated = berth_server::migrate(&from, &to, &|progress| shown.tell(progress)).await;
        shown.end();
        let tried =
            || format!("moving the store of {} to that of {}", self.from.display(), self.to.display());
        let Migrated { progress, damaged } = migrated.map_err(|error| Failure::new(tried(), error))?;
        for (digest, how) in damaged.iter().take(NAMED) {
            output::note(format_args!("berth: {digest}: {how}"));
        }
        if !damaged.is_empty() {
            let count = damaged.len();
            let why = format!(
                "{count} blobs are damaged; start the old server, push or delete the images that name them, stop \
                 it and run this again (everything else has been copied)"
            );
            return Err(Failure::new(tried(), why));
        }
        let Progress { blobs, bytes, rows, .. } = progress;
        output::result(format_args!(
            "moved {blobs} blobs ({bytes} bytes, every digest verified) and {rows} rows"
        ))
    }
}

/// The file alone: what the environment says would hold for both.
fn load(file: &Path) -> Result<Config, Failure> {
    configuration::load_without_environment(file, Flags::default())
}

/// How far it is: a bar on a terminal, a line now and then elsewhere.
struct Shown {
    bar: Option<ProgressBar>,
    last_line: Mutex<Instant>,
}

impl Shown {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {msg} {eta}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, last_line: Mutex::new(Instant::now()) }
    }

    fn tell(&self, progress: Progress) {
        let Progress { bytes, bytes_in_all, blobs, blobs_in_all, rows } = progress;
        let words = if rows == 0 { format!("{blobs}/{blobs_in_all} blobs") } else { format!("{rows} rows") };
        if let Some(bar) = &self.bar {
            bar.set_length(bytes_in_all);
            bar.set_position(bytes);
            bar.set_message(words);
            return;
        }
        let mut last_line = self.last_line.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last_line.elapsed() >= A_LINE_EVERY {
            *last_line = Instant::now();
            output::note(format_args!("berth: {bytes} of {bytes_in_all} bytes, {words}"));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
