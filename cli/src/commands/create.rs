//! `berth create`

use clap::Args;

use crate::containers::config::Connected;
use crate::containers::flags::ContainerFlags;
use crate::containers::{OWN_FAILURE, create};
use crate::failure::Failure;
use crate::output;

/// Create a container without starting it
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    after_help = "Example:\n  berth create --name web --network host 127.0.0.1:5000/team/web"
)]
pub(crate) struct Create {
    #[command(flatten)]
    container: ContainerFlags,
}

impl Create {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let container = create::create(&self.container, Connected::Attached)?;
        output::result(&container.config.id).map_err(|failure| failure.with_code(OWN_FAILURE))
    }
}
