//! Heredocs: `<<NAME` in an instruction, its text on the lines below.

use super::lines::{LineReader, without_end};
use crate::dockerfile::words::{Lexer, NoVariables, Quotes, Unset};
use crate::dockerfile::{Lines, Problem, Refusal};

/// A text on the lines below its instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it, and the name of the file that `COPY` and `ADD` make.
    pub name: String,
    /// Whether variables in it are replaced: not when any of the name is quoted.
    pub expansion: Expansion,
    /// Whether tabs at the front of its lines are left out (`<<-`).
    pub tabs: Tabs,
    /// Its lines as they stand there.
    pub content: String,
}

/// Whether the variables of a heredoc are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expansion {
    /// They are, by whoever writes the file.
    Replace,
    /// They are text.
    Keep,
}

/// What becomes of tabs at the front of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tabs {
    /// They stay.
    Keep,
    /// They are left out.
    Remove,
}

impl Heredoc {
    /// The text without the tabs that are to be left out.
    pub fn text(&self) -> String {
        match self.tabs {
            Tabs::Keep => self.content.clone(),
            Tabs::Remove => {
                self.content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
            }
        }
    }

    /// The heredoc that a word announces, still without content; nothing when the word is another one.
    ///
    /// # Errors
    /// When its name can't be read, for example because a quote in it has no end.
    pub fn announced(word: &str) -> Result<Option<Self>, Refusal> {
        const SPACES: [char; 5] = ['\t', '\n', '\x0c', '\r', ' '];
        let Some(rest) = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<") else {
            return Ok(None);
        };
        let (tabs, name) = match rest.strip_prefix('-') {
            Some(name) => (Tabs::Remove, name),
            None => (Tabs::Keep, rest),
        };
        let name = name.trim_start_matches(SPACES);
        if name.is_empty() || name.contains('<') {
            return Ok(None);
        }
        let bare = Lexer { unset: Unset::Keep, ..Lexer::words('\\') };
        let [name, quoted] = [bare, Lexer { quotes: Quotes::Keep, ..bare }]
            .map(|lexer| lexer.expand(name, &NoVariables).map(|it| it.words));
        let (name, quoted) = (name?, quoted?);
        let ([name], [quoted]) = (&name[..], &quoted[..]) else { return Ok(None) };
        let quotes = |text: &str| text.matches(['\'', '"']).count();
        let expansion = if quotes(name) == quotes(quoted) { Expansion::Replace } else { Expansion::Keep };
        Ok(Some(Self { name: name.clone(), expansion, tabs, content: String::new() }))
    }

    /// Reads the lines up to the one that is its name.
    pub(super) fn read(&mut self, lines: &mut LineReader<'_>, first: usize) -> Result<(), Problem> {
        while let Some(line) = lines.next()? {
            let end = match self.tabs {
                Tabs::Keep => without_end(line),
                Tabs::Remove => without_end(line).trim_start_matches('\t'),
            };
            if end == self.name {
                return Ok(());
            }
            self.content.push_str(line);
        }
        let remedy = format!("end it with a line that is only {}", self.name);
        Err(Refusal::new("unterminated heredoc", remedy).at(Lines { first, last: lines.number }))
    }
}

/// The heredocs that an instruction announces.
pub(super) fn announced_in(text: &str) -> Result<Vec<Heredoc>, Refusal> {
    // What can't be cut into words has no heredocs: a shell may understand it.
    let Ok(expanded) = Lexer::display('\\').expand(text, &NoVariables) else { return Ok(Vec::new()) };
    expanded.words.iter().filter_map(|word| Heredoc::announced(word).transpose()).collect()
}
