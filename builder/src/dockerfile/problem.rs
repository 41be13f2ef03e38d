//! What is wrong with a Dockerfile: where, what, and what to do about it.

use std::fmt;

/// Lines of a Dockerfile, from the first, which is 1, to the last, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lines {
    /// The first line.
    pub first: usize,
    /// The last line, never before the first.
    pub last: usize,
}

impl Lines {
    /// One line.
    pub fn one(line: usize) -> Self {
        Self { first: line, last: line }
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "line {}", self.first)
        } else {
            write!(f, "lines {} to {}", self.first, self.last)
        }
    }
}

/// What is wrong, in BuildKit's words where it has some, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {remedy}")]
pub struct Refusal {
    /// What is wrong, as `unknown instruction: FRM`.
    pub what: String,
    /// What to do, as `did you mean FROM?`.
    pub remedy: String,
}

impl Refusal {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }

    /// The problem that this refusal is on these lines.
    pub(crate) fn at(self, lines: Lines) -> Problem {
        Problem { lines, refusal: self }
    }
}

/// A refusal and the lines of the Dockerfile that it is about: one sentence for whoever wrote them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{lines}: {refusal}")]
pub struct Problem {
    /// The lines it is about.
    pub lines: Lines,
    /// What is wrong with them.
    pub refusal: Refusal,
}

/// The one of `known` that `word` was probably meant to be: fewer than three letters are different.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_ascii_lowercase();
    let distance = |known: &str| strsim::levenshtein(&word, &known.to_ascii_lowercase());
    known
        .iter()
        .copied()
        .map(|known| (distance(known), known))
        .filter(|(far, _)| *far < 3)
        .min()
        .map(|it| it.1)
}

/// What to do about `word`, of which only `known` would be understood.
pub(crate) fn one_of(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("it is one of {}", known.join(", ")),
    }
}
