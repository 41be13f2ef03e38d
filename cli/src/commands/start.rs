//! `berth start`

use std::process::ExitCode;

use berth_runner::container::{Container, Streams};
use berth_runner::{Attach, Ending};
use clap::Args;

use crate::containers::flags::DetachFlags;
use crate::containers::{self, OWN_FAILURE};
use crate::failure::Failure;
use crate::local::DataArgs;
use crate::output;

/// Start containers that were created, or have ended
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  berth start web\n  berth start -ai shell")]
pub(crate) struct Start {
    /// Pass on its output and signals
    #[arg(short, long)]
    attach: bool,

    /// Pass on standard input, too
    #[arg(short, long)]
    interactive: bool,

    #[command(flatten)]
    keys: DetachFlags,

    #[command(flatten)]
    data: DataArgs,

    /// The containers, by name or id
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Start {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        if !self.attach && !self.interactive {
            let start = |container: &Container| {
                let is_alive = container.state().is_ok_and(|state| state.status.is_alive());
                if !is_alive {
                    let failed = |failure: berth_runner::Failure| {
                        Failure::new(format!("starting {}", container.config.name), &failure)
                            .with_code(failure.exit_code())
                    };
                    let mut connection = container.start(None).map_err(failed)?;
                    connection.started(containers::note).map_err(failed)?;
                }
                output::result(&container.config.name)
            };
            return containers::each("starting", &self.data, &self.containers, start)
                .map(|()| ExitCode::SUCCESS);
        }
        let [word] = self.containers.as_slice() else {
            let wrong = "only one container can be attached to; name one";
            return Err(Failure::new("starting containers", wrong).with_code(OWN_FAILURE));
        };
        let failed = |failure: berth_runner::Failure| {
            Failure::new(format!("starting {word}"), &failure).with_code(failure.exit_code())
        };
        let container = containers::open(&self.data)?.find(word).map_err(failed)?;
        let Streams::Monitor { tty, stdin, .. } = container.config.streams else {
            return Err(Failure::new(format!("starting {word}"), "it can't be attached to"));
        };
        let attach = Attach {
            stdin: self.interactive && stdin,
            tty,
            signals: true,
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
