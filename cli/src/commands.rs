//! One file a command: its arguments, and what it does with them.

mod admin;
mod completions;
mod history;
mod images;
mod inspect;
mod load;
mod login;
mod logout;
mod man;
mod pull;
mod push;
mod rmi;
mod save;
mod serve;
mod tag;
mod version;

use clap::Subcommand;

use crate::failure::Failure;

/// Every command of `berth`, in the order in which `--help` lists them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::Serve),
    Admin(admin::Admin),
    Pull(pull::Pull),
    Push(push::Push),
    Tag(tag::Tag),
    Images(images::Images),
    Rmi(rmi::Rmi),
    Inspect(inspect::Inspect),
    History(history::History),
    Save(save::Save),
    Load(load::Load),
    Login(login::Login),
    Logout(logout::Logout),
    Version(version::Version),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Command {
    /// Whether it makes or removes files that belong to the users of an image.
    pub(crate) fn makes_files_of_others(&self) -> bool {
        matches!(self, Self::Pull(_) | Self::Load(_) | Self::Rmi(_))
    }
}

/// Does what the command line asked for.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => serve.run(),
        Command::Admin(admin) => admin.run(),
        Command::Pull(pull) => pull.run(),
        Command::Push(push) => push.run(),
        Command::Tag(tag) => tag.run(),
        Command::Images(images) => images.run(),
        Command::Rmi(rmi) => rmi.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::History(history) => history.run(),
        Command::Save(save) => save.run(),
        Command::Load(load) => load.run(),
        Command::Login(login) => login.run(),
        Command::Logout(logout) => logout.run(),
        Command::Version(version) => version.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    }
}
