//! `berth pull`

use berth_images::{Freshness, ImageReference, WantedPlatform};
use clap::Args;

use crate::args::ConnectionArgs;
use crate::failure::Failure;
use crate::layer_progress::{LayerProgress, Loudness};
use crate::local::{self, DataArgs};
use crate::output;

/// Pull an image from a registry
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth pull 127.0.0.1:5000/team/app
  berth pull --platform linux/arm64 registry.example.com/team/app:1.2
  berth pull -q debian@sha256:…")]
pub(crate) struct Pull {
    /// Print nothing but the digest
    #[arg(short, long)]
    quiet: bool,

    /// Which of several platforms' images, as OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<WantedPlatform>,

    #[command(flatten)]
    connection: ConnectionArgs,

    #[command(flatten)]
    data: DataArgs,

    /// The image, as [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]
    #[arg(value_name = "REF")]
    reference: ImageReference,
}

impl Pull {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let failed = |wrong: String| Failure::new(format!("pulling {}", self.reference), wrong);
        let images = self.data.images()?;
        let registry = local::registry(&self.reference, self.connection.reach()).map_err(failed)?;
        let loudness = if self.quiet { Loudness::Quiet } else { Loudness::Normal };
        let progress = LayerProgress::new(loudness);
        let show = |event: berth_images::Event<'_>| progress.show(event);
        let pulling = berth_images::pull(&images, &registry, &self.reference, self.platform.as_ref(), &show);
        let pulled = local::wait_for(pulling).map_err(failed)?.map_err(|error| failed(error.to_string()))?;
        if !self.quiet {
            output::note(match pulled.freshness {
                Freshness::UpToDate => format!("Status: Image is up to date for {}", self.reference),
                Freshness::Newer => format!("Status: Downloaded newer image for {}", self.reference),
            });
        }
        output::result(pulled.digest)
    }
}
