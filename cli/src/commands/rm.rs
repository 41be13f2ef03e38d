//! `berth rm`

use berth_runner::container::Volumes;
use clap::Args;

use crate::containers;
use crate::failure::Failure;
use crate::local::DataArgs;
use crate::output;

/// Remove containers
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  berth rm web\n  berth rm -f $(berth ps -aq)")]
pub(crate) struct Rm {
    /// Kill those that run
    #[arg(short, long)]
    force: bool,

    /// Remove the volumes that nobody gave a name, too
    #[arg(short, long)]
    volumes: bool,

    #[command(flatten)]
    data: DataArgs,

    /// The containers, by name or id
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Rm {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let volumes = if self.volumes { Volumes::Anonymous } else { Volumes::Kept };
        containers::each("removing", &self.data, &self.containers, |container| {
            let failed = |failure| Failure::new(format!("removing {}", container.config.name), failure);
            if self.force {
                container.end_by_force().map_err(failed)?;
            }
            container.remove(volumes).map_err(failed)?;
            output::result(&container.config.name)
        })
    }
}
