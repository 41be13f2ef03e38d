//! `berth wait`

use clap::Args;

use crate::containers;
use crate::failure::Failure;
use crate::local::DataArgs;
use crate::output;

/// Wait until containers have ended, and print their exit codes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth wait web")]
pub(crate) struct Wait {
    #[command(flatten)]
    data: DataArgs,

    /// The containers, by name or id
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Wait {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        containers::each("waiting for", &self.data, &self.containers, |container| {
            let code = container
                .wait()
                .map_err(|failure| Failure::new(format!("waiting for {}", container.config.name), failure))?;
            output::result(code)
        })
    }
}
