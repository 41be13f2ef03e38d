//! Quotes, escapes and variables: `$name`, `${name}` and what `${name…}` can do to a value.
//!
//! The grammar is that of BuildKit's `frontend/dockerfile/shell`. It resembles a shell's, and isn't.

mod lexer;
mod pattern;
mod substitution;

pub use lexer::{Escapes, Expanded, Lexer, Quotes, Unset};

/// The values that `$name` may stand for.
pub trait Variables {
    /// The value of a variable, when it is set.
    fn value(&self, name: &str) -> Option<&str>;
}

/// No variable is set.
#[derive(Debug, Clone, Copy)]
pub struct NoVariables;

impl Variables for NoVariables {
    fn value(&self, _name: &str) -> Option<&str> {
        None
    }
}
