//! `berth push`

use berth_images::ImageReference;
use clap::Args;

use crate::args::ConnectionArgs;
use crate::failure::Failure;
use crate::layer_progress::{LayerProgress, Loudness};
use crate::local::{self, DataArgs};
use crate::output;

/// Push an image to a registry
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth push 127.0.0.1:5000/team/app:1.2")]
pub(crate) struct Push {
    /// Print nothing but the digest
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    connection: ConnectionArgs,

    #[command(flatten)]
    data: DataArgs,

    /// The image, as [HOST[:PORT]/]REPOSITORY[:TAG]
    #[arg(value_name = "REF")]
    reference: ImageReference,
}

impl Push {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let failed = |wrong: String| Failure::new(format!("pushing {}", self.reference), wrong);
        let images = self.data.images()?;
        let image = images.get(&self.reference.whole()).map_err(|error| {
            failed(format!("{error}; name one so with 'berth tag IMAGE {}'", self.reference))
        })?;
        let registry = local::registry(&self.reference, self.connection.reach()).map_err(failed)?;
        let progress = LayerProgress::new(if self.quiet { Loudness::Quiet } else { Loudness::Normal });
        let show = |event: berth_images::Event<'_>| progress.show(event);
        let pushing = berth_images::push(&images, &registry, &self.reference, &image, &show);
        let digest = local::wait_for(pushing).map_err(failed)?.map_err(|error| failed(error.to_string()))?;
        output::result(digest)
    }
}
