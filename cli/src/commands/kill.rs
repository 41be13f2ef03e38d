//! `berth kill`

use clap::Args;

use crate::containers;
use crate::failure::Failure;
use crate::local::DataArgs;
use crate::output;

/// Send a signal to containers
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth kill -s HUP web")]
pub(crate) struct Kill {
    /// The signal
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = containers::signal)]
    signal: i32,

    #[command(flatten)]
    data: DataArgs,

    /// The containers, by name or id
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Kill {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        containers::each("killing", &self.data, &self.containers, |container| {
            container
                .signal(self.signal)
                .map_err(|failure| Failure::new(format!("killing {}", container.config.name), failure))?;
            output::result(&container.config.name)
        })
    }
}
