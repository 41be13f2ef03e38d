//! What the parser makes of a Dockerfile.

use std::fmt;

use super::Heredoc;
use crate::dockerfile::{Lines, Problem};
use crate::go;

/// A Dockerfile as a list of instructions that aren't understood yet.
///
/// It is shown as BuildKit dumps its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The character that escapes others and continues lines: `\`, or the directive's.
    pub escape: char,
    /// What the directive `syntax` says.
    pub syntax: Option<String>,
    /// What the directive `check` says.
    pub check: Option<String>,
    /// The instructions, in order; at least one.
    pub nodes: Vec<Node>,
    /// What is allowed and will not stay so.
    pub warnings: Vec<Problem>,
}

/// One instruction as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name as written, as `RUN` or `run`.
    pub name: String,
    /// Its flags, each `--name` or `--name=value`, without quotes and escapes.
    pub flags: Vec<String>,
    /// What stands behind the flags.
    pub arguments: Arguments,
    /// The heredocs that it announces, in order.
    pub heredocs: Vec<Heredoc>,
    /// The instruction as one line, continuations joined, heredocs left out.
    pub text: String,
    /// Where it stands, heredocs included.
    pub lines: Lines,
    /// The comments above it, without `#`.
    pub comments: Vec<String>,
}

/// What stands behind an instruction's flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arguments {
    /// Words, or all that is left as one.
    Words(Vec<String>),
    /// A JSON array of strings; behind the type in the case of `HEALTHCHECK`.
    Json(Vec<String>),
    /// Names with values.
    Pairs(Vec<Pair>),
    /// The instruction in an `ONBUILD`.
    Instruction(Box<Node>),
}

/// A name and its value, quotes and variables still in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
    /// What stands between them.
    pub separator: Separator,
}

/// What stands between a name and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `NAME=value`.
    Equals,
    /// `NAME value`, the old form: the value is the rest of the line.
    Space,
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.nodes.iter().enumerate() {
            let end = if index + 1 < self.nodes.len() { "\n" } else { "" };
            write!(f, "({node}){end}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name.to_lowercase())?;
        if !self.flags.is_empty() {
            write!(f, " {}", go::quoted_list(&self.flags))?;
        }
        match &self.arguments {
            Arguments::Words(words) | Arguments::Json(words) => {
                words.iter().try_for_each(|word| write!(f, " {}", go::quoted(word)))
            }
            Arguments::Pairs(pairs) => pairs.iter().try_for_each(|pair| {
                let separator = match pair.separator {
                    Separator::Equals => "=",
                    Separator::Space => "",
                };
                let [name, value] = [&pair.name, &pair.value].map(|it| go::quoted(it));
                write!(f, " {name} {value} \"{separator}\"")
            }),
            Arguments::Instruction(node) => write!(f, " ({node})"),
        }
    }
}
