//! Dockerfiles: from bytes to stages of instructions.
//!
//! `parser` makes a tree of the lines, `instructions` gives its nodes their meaning, `words` replaces
//! variables, and `scope` knows the variables' values.

pub mod instructions;
pub mod parser;
pub(crate) mod problem;
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

    /// The number, from 0, of the stage that is called `target`, or of the last stage without one.
    ///
    /// # Errors
    /// When no stage is called so.
    pub fn target(&self, target: Option<&str>) -> Result<usize, Refusal> {
        let Some(target) = target.filter(|target| !target.is_empty()) else {
            return Ok(self.stages.len() - 1);
        };
        let name = target.to_lowercase();
        // Of two with one name, the last counts.
        self.stages.iter().rposition(|stage| stage.name.as_ref() == Some(&name)).ok_or_else(|| {
            let known: Vec<_> = self.stages.iter().filter_map(|stage| stage.name.as_deref()).collect();
            let remedy = if known.is_empty() {
                "no stage has a name: write FROM image AS name".to_owned()
            } else {
                problem::one_of(target, &known)
            };
            Refusal::new(format!("target stage {} could not be found", crate::go::quoted(target)), remedy)
        })
    }
}
