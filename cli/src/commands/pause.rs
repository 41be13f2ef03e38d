//! `berth pause`

use clap::Args;

use crate::containers;
use crate::failure::Failure;
use crate::local::DataArgs;
use crate::output;

/// Let containers stand still
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth pause web")]
pub(crate) struct Pause {
    #[command(flatten)]
    data: DataArgs,

    /// The containers, by name or id
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Pause {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        containers::each("pausing", &self.data, &self.containers, |container| {
            container
                .pause()
                .map_err(|failure| Failure::new(format!("pausing {}", container.config.name), failure))?;
            output::result(&container.config.name)
        })
    }
}
