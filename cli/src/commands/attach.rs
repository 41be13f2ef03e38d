//! `berth attach`

use std::process::ExitCode;

use berth_runner::container::Streams;
use berth_runner::{Attach as Attachment, Ending};
use clap::Args;

use crate::containers;
use crate::containers::flags::DetachFlags;
use crate::failure::Failure;
use crate::local::DataArgs;

/// Connect to the input and output of a container that runs
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth attach web      # ctrl-p ctrl-q leaves it running")]
pub(crate) struct Attach {
    /// Pass no input on
    #[arg(long)]
    no_stdin: bool,

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
    data: DataArgs,

    /// The container, by name or id
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Attach {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let failed = |failure: berth_runner::Failure| {
            Failure::new(format!("attaching to {}", self.container), failure)
        };
        let container = containers::open(&self.data)?.find(&self.container).map_err(failed)?;
        let Streams::Monitor { tty, stdin, .. } = container.config.streams else {
            return Err(Failure::new(format!("attaching to {}", self.container), "it keeps no streams"));
        };
        let attach = Attachment {
            stdin: stdin && !self.no_stdin,
            tty,
            signals: self.sig_proxy,
            detach_keys: self.keys.detach_keys.clone(),
        };
        match container.attach(&attach, containers::note).map_err(failed)? {
            Ending::Exited(code) => Ok(containers::exit_code(code)),
            Ending::Detached => Ok(ExitCode::SUCCESS),
            Ending::Failed(failure) => Err(failed(failure)),
        }
    }
}
