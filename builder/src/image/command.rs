//! What a `RUN` runs.

use super::{Draft, with_shell};
use crate::dockerfile::Refusal;
use crate::dockerfile::instructions::{Command, Device, Mount, Network, Run, Security};
use crate::dockerfile::parser::Heredoc;

/// A command and what it runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandStep {
    /// The program and its arguments.
    pub arguments: Vec<String>,
    /// A program that exists while the command runs.
    pub script: Option<Script>,
    /// Its variables, the one set last at the end. Proxies are not among them.
    pub environment: Vec<(String, String)>,
    /// Where it starts, absolute.
    pub folder: String,
    /// Who runs it; empty is root.
    pub user: String,
    /// What it sees of other places, in the order of the plan's origins.
    pub mounts: Vec<Mount>,
    /// Its network.
    pub network: Network,
    /// What it is kept from.
    pub security: Security,
    /// Devices of the host.
    pub devices: Vec<Device>,
}

/// A heredoc that begins with `#!`: a program by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Where the command finds it.
    pub path: String,
    /// Its text.
    pub content: String,
}

impl Draft<'_> {
    pub(super) fn command(&self, run: &Run) -> Result<CommandStep, Refusal> {
        let config = &self.image.config;
        let (command, script) = match &run.command {
            Command::Shell(text) if !run.heredocs.is_empty() => heredocs(text, &run.heredocs)?,
            command => (command.clone(), None),
        };
        if command == Command::Exec(Vec::new()) {
            return Err(Refusal::new("RUN has no command to run", "name a program in the array"));
        }
        let folder = if config.working_dir.is_empty() { "/" } else { &config.working_dir };
        let environment = self.scope.environment().iter();
        Ok(CommandStep {
            arguments: with_shell(&config.shell, command),
            script,
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            folder: folder.to_owned(),
            user: config.user.clone(),
            mounts: self.scope.mounts(run)?,
            network: run.network,
            security: run.security,
            devices: run.devices.clone(),
        })
    }
}

/// A heredoc that is all there is becomes the command; others are left to the shell.
fn heredocs(text: &str, heredocs: &[Heredoc]) -> Result<(Command, Option<Script>), Refusal> {
    if !matches!(Heredoc::announced(text), Ok(Some(_))) {
        let given = heredocs.iter().map(|heredoc| format!("\n{}{}", heredoc.content, heredoc.name));
        return Ok((Command::Shell(format!("{text}{}", given.collect::<String>())), None));
    }
    let heredoc = &heredocs[0];
    let content = heredoc.text();
    if !content.starts_with("#!") {
        return Ok((Command::Shell(content), None));
    }
    if heredoc.name.contains('/') || matches!(heredoc.name.as_str(), "." | "..") {
        let what = format!("the heredoc {} is a program, and its name is no file's", heredoc.name);
        return Err(Refusal::new(what, "give it a name without slashes"));
    }
    let path = format!("/dev/pipes/{}", heredoc.name);
    Ok((Command::Shell(path.clone()), Some(Script { path, content })))
}
