//! `berth man`

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::failure::Failure;

/// Write the manual pages into a folder
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// The folder; it is made if it isn't there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(crate::args::Args::command(), &self.folder))
            .map_err(|error| {
                Failure::new(format!("writing manual pages to {}", self.folder.display()), error)
            })
    }
}
