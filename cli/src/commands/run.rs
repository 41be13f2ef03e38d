//! `berth run`

use std::process::ExitCode;

use berth_runner::{Attach, Ending};
use clap::Args;

use crate::containers::config::Connected;
use crate::containers::flags::{ContainerFlags, DetachFlags};
use crate::containers::{self, create};
use crate::failure::Failure;
use crate::output;

/// Run a command in a new container
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    after_help = "Examples:
  berth run --rm -it --network host 127.0.0.1:5000/team/app sh
  berth run -d --name web --network host -v data:/srv 127.0.0.1:5000/team/web"
)]
pub(crate) struct Run {
    /// Leave it running and print its id
    #[arg(short, long)]
    detach: bool,

    /// Pass signals on to it
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    sig_proxy: bool,

    #[command(flatten)]
    keys: DetachFlags,

    #[command(flatten)]
    container: ContainerFlags,
}

impl Run {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let flags = &self.container;
        let connected = if self.detach { Connected::Detached } else { Connected::Attached };
        let container = create::create(flags, connected)?;
        let failed = |failure: berth_runner::Failure| {
            Failure::new(format!("running {}", flags.image()), &failure).with_code(failure.exit_code())
        };
        if self.detach {
            container
                .start(None)
                .and_then(|mut connection| connection.started(containers::note))
                .map_err(failed)?;
            output::result(&container.config.id)?;
            return Ok(ExitCode::SUCCESS);
        }
        let attach = Attach {
            stdin: flags.interactive,
            tty: flags.tty,
            signals: self.sig_proxy,
            detach_keys: self.keys.detach_keys.clone(),
        };
        let connection = container.start(Some(&attach)).map_err(failed)?;
        match connection.attach(&attach, containers::note).map_err(failed)? {
            Ending::Exited(code) => Ok(containers::exit_code(code)),
            Ending::Detached => Ok(ExitCode::SUCCESS),
            Ending::Failed(failure) => Err(failed(failure)),
        }
    }
}
