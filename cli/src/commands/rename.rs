//! `berth rename`

use clap::Args;

use crate::containers;
use crate::failure::Failure;
use crate::local::DataArgs;

/// Give a container another name
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth rename web old-web")]
pub(crate) struct Rename {
    #[command(flatten)]
    data: DataArgs,

    /// The container, by name or id
    #[arg(value_name = "CONTAINER")]
    container: String,

    /// Its name from here on
    #[arg(value_name = "NAME")]
    name: String,
}

impl Rename {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let failed = |failure: berth_runner::Failure| {
            Failure::new(format!("renaming {} to {}", self.container, self.name), failure)
        };
        let container = containers::open(&self.data)?.find(&self.container).map_err(failed)?;
        container.rename(&self.name).map_err(failed)
    }
}
