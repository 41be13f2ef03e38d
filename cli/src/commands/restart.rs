//! `berth restart`

use clap::Args;

use crate::containers;
use crate::failure::Failure;
use crate::local::DataArgs;
use crate::output;

/// Stop containers, and start them again
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth restart web")]
pub(crate) struct Restart {
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

impl Restart {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let time = self.time.map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX));
        containers::each("restarting", &self.data, &self.containers, |container| {
            let failed = |failure| Failure::new(format!("restarting {}", container.config.name), failure);
            container.stop(self.signal, time).map_err(failed)?;
            let mut connection = container.start(None).map_err(failed)?;
            connection.started(containers::note).map_err(failed)?;
            output::result(&container.config.name)
        })
    }
}
