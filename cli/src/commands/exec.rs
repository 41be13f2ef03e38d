//! `berth exec`

use std::process::ExitCode;

use berth_runner::container::Streams;
use berth_runner::{Attach, Ending, Exec as Wanted};
use clap::Args;

use crate::containers;
use crate::containers::flags::DetachFlags;
use crate::containers::{OWN_FAILURE, config};
use crate::failure::Failure;
use crate::local::DataArgs;

/// Run a command in a container that runs
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  berth exec -it web sh\n  berth exec -u root -w /srv web ls")]
pub(crate) struct Exec {
    /// Leave it running and say nothing
    #[arg(short, long)]
    detach: bool,

    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,

    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,

    /// A variable of its environment; without a value it is that of the caller
    #[arg(short, long, value_name = "K[=V]")]
    env: Vec<String>,

    /// A file of variables
    #[arg(long, value_name = "FILE")]
    env_file: Vec<std::path::PathBuf>,

    /// Who it runs as
    #[arg(short, long, value_name = "USER[:GROUP]", default_value = "", hide_default_value = true)]
    user: String,

    /// Where it starts
    #[arg(short, long, value_name = "DIR", default_value = "", hide_default_value = true)]
    workdir: String,

    /// Set it apart from the host no more than needed
    #[arg(long)]
    privileged: bool,

    #[command(flatten)]
    keys: DetachFlags,

    #[command(flatten)]
    data: DataArgs,

    /// The container, by name or id, and what to run in it
    #[arg(required = true, num_args = 2.., trailing_var_arg = true, value_names = ["CONTAINER", "CMD"])]
    container_and_command: Vec<String>,
}

impl Exec {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let (word, command) = self.container_and_command.split_first().expect("clap wants two at least");
        let tried = || format!("running a command in {word}");
        let failed =
            |failure: berth_runner::Failure| Failure::new(tried(), &failure).with_code(failure.exit_code());
        // As docker does here, and only here: it is the container that is wrong, not what is to run in it.
        let not_there = |failure: berth_runner::Failure| Failure::new(tried(), &failure).with_code(1);
        let containers = containers::open(&self.data).map_err(|failure| failure.with_code(OWN_FAILURE))?;
        let container = containers.find(word).map_err(not_there)?;
        let state = container.state().map_err(|error| Failure::new(tried(), error).with_code(OWN_FAILURE))?;
        if !state.status.is_alive() {
            return Err(Failure::new(tried(), "the container is not running; start it first").with_code(1));
        }
        let env = config::environment(&self.env_file, &self.env)
            .map_err(|wrong| Failure::new(tried(), wrong).with_code(OWN_FAILURE))?;
        let exec = Wanted {
            command: command.to_vec(),
            env,
            working_dir: self.workdir.clone(),
            user: self.user.clone(),
            privileged: self.privileged,
            streams: Streams::Monitor {
                tty: self.tty,
                stdin: self.interactive,
                stdin_once: self.interactive,
            },
        };
        if self.detach {
            let mut connection = container.exec(exec, None).map_err(failed)?;
            connection.started(containers::note).map_err(failed)?;
            return Ok(ExitCode::SUCCESS);
        }
        let attach = Attach {
            stdin: self.interactive,
            tty: self.tty,
            // The command gets signals only through a terminal, as docker's.
            signals: false,
            detach_keys: self.keys.detach_keys.clone(),
        };
        let connection = container.exec(exec, Some(&attach)).map_err(failed)?;
        match connection.attach(&attach, containers::note).map_err(failed)? {
            Ending::Exited(code) => Ok(containers::exit_code(code)),
            Ending::Detached => Ok(ExitCode::SUCCESS),
            Ending::Failed(failure) => Err(failed(failure)),
        }
    }
}
