//! How a step is shown while it is carried out: `RUN make`, variables replaced.

use super::Draft;
use crate::dockerfile::instructions::{Command, MountKind, Run};
use crate::dockerfile::parser::Heredoc;
use crate::dockerfile::words::{Lexer, Variables};
use crate::dockerfile::{Environment, Instruction, Kind};

/// Variables of which some are secret.
struct Masked<'a> {
    secret: Vec<String>,
    variables: &'a Environment,
}

impl Variables for Masked<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        let is_secret = self.secret.iter().any(|secret| secret == name);
        if is_secret { Some("****") } else { self.variables.value(name) }
    }
}

impl Draft<'_> {
    /// An instruction as one line for people. What can't be expanded stays as it is written.
    pub fn shown(&self, instruction: &Instruction) -> String {
        let escape = self.scope.escape();
        let mut text = instruction.source.text.clone();
        let mut secret = Vec::new();
        let lexer = match &instruction.kind {
            Kind::Run(run) => {
                text += &heredoc_summary(run);
                let mounts = self.scope.mounts(run).unwrap_or_default().into_iter();
                secret.extend(mounts.filter(|it| it.kind == MountKind::Secret).filter_map(|it| it.env));
                Lexer::display(escape)
            }
            _ => Lexer::words(escape),
        };
        let variables = Masked { secret, variables: self.scope.environment() };
        let text = lexer.expand(&text, &variables).map_or(text, |expanded| expanded.text);
        match text.split_once(' ') {
            Some((name, rest)) => format!("{} {rest}", name.to_uppercase()),
            None => text.to_uppercase(),
        }
    }
}

/// ` (first line...)` of a heredoc that is all of a command.
fn heredoc_summary(run: &Run) -> String {
    let (Command::Shell(command), [heredoc, ..]) = (&run.command, &run.heredocs[..]) else {
        return String::new();
    };
    if !matches!(Heredoc::announced(command), Ok(Some(_))) {
        return String::new();
    }
    let mut lines = heredoc.content.trim().lines();
    let first = lines.next().unwrap_or_default();
    let more = if lines.next().is_some() { "..." } else { "" };
    format!(" ({first}{more})")
}
