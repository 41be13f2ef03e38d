//! `berth load`

use std::fs::File;
use std::io::{self, BufReader, IsTerminal};
use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::local::DataArgs;
use crate::output;

/// Read images from an archive of 'save', docker's too, or from an OCI layout
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth load -i app.tar
  docker save app | berth load")]
pub(crate) struct Load {
    /// The archive, compressed or not, or the folder of a layout; standard input if there is none
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,

    #[command(flatten)]
    data: DataArgs,
}

impl Load {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let from = self.input.as_ref().map_or("standard input".to_owned(), |path| path.display().to_string());
        let failed = |wrong: String| Failure::new(format!("loading images from {from}"), wrong);
        let local = self.data.images()?;
        let loaded = match &self.input {
            None if io::stdin().is_terminal() => {
                return Err(failed("it is a terminal; use -i FILE, or pipe an archive in".to_owned()));
            }
            None => berth_images::load(&local, BufReader::with_capacity(1 << 20, io::stdin())),
            Some(path) if path.is_dir() => berth_images::load_folder(&local, path),
            Some(path) => {
                let file = File::open(path).map_err(|error| failed(error.to_string()))?;
                berth_images::load(&local, BufReader::with_capacity(1 << 20, file))
            }
        };
        for image in loaded.map_err(|error| failed(error.to_string()))? {
            match image.names.as_slice() {
                [] => output::result(format_args!("Loaded image ID: {}", image.image.id))?,
                names => {
                    names.iter().try_for_each(|name| output::result(format_args!("Loaded image: {name}")))?;
                }
            }
        }
        Ok(())
    }
}
