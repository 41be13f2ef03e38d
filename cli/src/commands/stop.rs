//! `berth stop`

use clap::Args;

use crate::containers;
use crate::failure::Failure;
use crate::local::DataArgs;
use crate::output;

/// Ask containers to end, and kill those that take too long
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth stop -t 3 web")]
pub(crate) struct Stop {
    /// How many seconds they may take; -1: as many as they want
    #[arg(short, long, alias = "timeout", value_name = "SECONDS", allow_hyphen_values = true)]
    time: Option<i64>,

    /// The signal that asks them to end
    #[arg(short, long, value_name = "SIGNAL", value_parser = containers::signal)]
    signal: Option<i32>,

    #[command(flatten)]
    data: DataArgs,

    /// The containers, by name or id
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Stop {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let time = self.time.map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX));
        containers::each("stopping", &self.data, &self.containers, |container| {
            container
                .stop(self.signal, time)
                .map_err(|failure| Failure::new(format!("stopping {}", container.config.name), failure))?;
            output::result(&container.config.name)
        })
    }
}
