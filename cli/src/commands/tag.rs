//! `berth tag`

use berth_images::ImageReference;
use clap::Args;

use crate::failure::Failure;
use crate::local::DataArgs;

/// Give an image another name
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth tag app 127.0.0.1:5000/team/app:1.2")]
pub(crate) struct Tag {
    #[command(flatten)]
    data: DataArgs,

    /// The image, by name, id or the beginning of one
    #[arg(value_name = "SRC")]
    source: String,

    /// Its new name, taken from the image that has it
    #[arg(value_name = "DST")]
    target: ImageReference,
}

impl Tag {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let failed = |error| Failure::new(format!("tagging {}", self.source), error);
        self.data.images()?.tag(&self.source, &self.target).map_err(failed)
    }
}
