//! `berth unpause`

use clap::Args;

use crate::containers;
use crate::failure::Failure;
use crate::local::DataArgs;
use crate::output;

/// Let containers that stand still go on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth unpause web")]
pub(crate) struct Unpause {
    #[command(flatten)]
    data: DataArgs,

    /// The containers, by name or id
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Unpause {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        containers::each("unpausing", &self.data, &self.containers, |container| {
            container
                .unpause()
                .map_err(|failure| Failure::new(format!("unpausing {}", container.config.name), failure))?;
            output::result(&container.config.name)
        })
    }
}
