//! One file a command: its arguments, and what it does with them.

mod admin;
mod attach;
mod build;
mod completions;
mod create;
mod exec;
mod fsck;
mod healthcheck;
mod history;
mod images;
mod inspect;
mod kill;
mod load;
mod login;
mod logout;
mod logs;
mod man;
mod network;
mod pause;
mod port;
mod ps;
mod pull;
mod push;
mod rename;
mod restart;
mod rm;
mod rmi;
mod run;
mod save;
mod serve;
mod start;
mod stop;
mod tag;
mod unpause;
mod version;
mod wait;

use std::process::ExitCode;

use clap::Subcommand;

use crate::failure::Failure;

/// Every command of `berth`, in the order in which `--help` lists them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::Serve),
    Fsck(fsck::Fsck),
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
    Build(Box<build::Build>),
    Run(Box<run::Run>),
    Create(Box<create::Create>),
    Start(start::Start),
    Restart(restart::Restart),
    Stop(stop::Stop),
    Kill(kill::Kill),
    Pause(pause::Pause),
    Unpause(unpause::Unpause),
    Wait(wait::Wait),
    Rename(rename::Rename),
    Rm(rm::Rm),
    Ps(ps::Ps),
    Logs(logs::Logs),
    Exec(exec::Exec),
    Attach(attach::Attach),
    Port(port::Port),
    Network(network::Network),
    Login(login::Login),
    Logout(logout::Logout),
    Healthcheck(healthcheck::Healthcheck),
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
pub(crate) fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        // These end as the container does.
        Command::Run(run) => return run.run(),
        Command::Start(start) => return start.run(),
        Command::Exec(exec) => return exec.run(),
        Command::Attach(attach) => return attach.run(),
        Command::Serve(serve) => serve.run(),
        Command::Fsck(fsck) => fsck.run(),
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
        Command::Build(build) => build.run(),
        Command::Create(create) => create.run(),
        Command::Restart(restart) => restart.run(),
        Command::Stop(stop) => stop.run(),
        Command::Kill(kill) => kill.run(),
        Command::Pause(pause) => pause.run(),
        Command::Unpause(unpause) => unpause.run(),
        Command::Wait(wait) => wait.run(),
        Command::Rename(rename) => rename.run(),
        Command::Rm(rm) => rm.run(),
        Command::Ps(ps) => ps.run(),
        Command::Logs(logs) => logs.run(),
        Command::Port(port) => port.run(),
        Command::Network(network) => network.run(),
        Command::Login(login) => login.run(),
        Command::Logout(logout) => logout.run(),
        Command::Healthcheck(healthcheck) => healthcheck.run(),
        Command::Version(version) => version.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    }?;
    Ok(ExitCode::SUCCESS)
}
