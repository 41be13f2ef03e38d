//! `berth completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output;

/// Print a script that lets a shell complete berth's commands
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  source <(berth completions bash)")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::args::Args::command(), "berth", &mut script);
        output::raw_result(&script)
    }
}
