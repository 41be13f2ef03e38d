//! One file a command: its arguments, and what it does with them.

mod admin;
mod completions;
mod fsck;
mod healthcheck;
mod login;
mod logout;
mod man;
mod serve;
mod version;

use clap::Subcommand;

use crate::failure::Failure;

/// Every command of `berth`, in the order in which `--help` lists them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::Serve),
    Fsck(fsck::Fsck),
    Admin(admin::Admin),
    Login(login::Login),
    Logout(logout::Logout),
    Healthcheck(healthcheck::Healthcheck),
    Version(version::Version),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Does what the command line asked for.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => serve.run(),
        Command::Fsck(fsck) => fsck.run(),
        Command::Admin(admin) => admin.run(),
        Command::Login(login) => login.run(),
        Command::Logout(logout) => logout.run(),
        Command::Healthcheck(healthcheck) => healthcheck.run(),
        Command::Version(version) => version.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    }
}
