//! The `berth` command: reads its arguments, calls what does the work, says how it went.
//!
//! Results go to stdout, everything else to stderr; what failed is one sentence and exit code 1.

mod args;
mod commands;
mod connection;
mod credentials;
mod failure;
mod login_check;
mod output;
mod registry_address;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Wrong usage ends here, with clap's message and exit code 2.
    let args = args::Args::parse();
    match commands::run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::note(format_args!("berth: {failure}"));
            ExitCode::FAILURE
        }
    }
}
