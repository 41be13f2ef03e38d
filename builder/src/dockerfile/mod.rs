//! Dockerfiles: from bytes to stages of instructions.
//!
//! `parser` makes a tree of the lines, `instructions` gives its nodes their meaning, `words` replaces
//! variables, and `scope` knows the variables' values.

pub mod instructions;
pub mod parser;
mod problem;
mod scope;
pub mod words;

pub use instructions::{GlobalArguments, Instruction, Kind, Source, Stage};
pub(crate) use parser::text;
pub use problem::{Lines, Problem, Refusal};
pub use scope::{Environment, Global, Inputs, Scope};

/// A Dockerfile: at least one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// The character that escapes others and continues lines.
    pub escape: char,
    /// What the directive `syntax` says. Nothing follows from it: there is one syntax here.
    pub syntax: Option<String>,
    /// What the directive `check` says.
    pub check: Option<String>,
    /// The `ARG`s in front of the first `FROM`.
    pub arguments: Vec<GlobalArguments>,
    /// The stages, in order; the last is what is built unless another is asked for.
    pub stages: Vec<Stage>,
    /// What is allowed and will not stay so.
    pub warnings: Vec<Problem>,
}

impl Dockerfile {
    /// Reads a Dockerfile.
    ///
    /// # Errors
    /// The first problem with its lines.
    pub fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.is_empty() {
            let remedy = "begin with FROM and the name of an image";
            return Err(Refusal::new("the Dockerfile cannot be empty", remedy).at(Lines::one(1)));
        }
        instructions::parse(parser::parse(bytes)?)
    }
}
