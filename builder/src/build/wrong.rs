//! Why a build fails, in the words in which a person is told.

use std::fmt;
use std::io;
use std::path::Path;

use crate::dockerfile::{Lines, Problem, Refusal};

/// Why there is no image.
#[derive(Debug)]
pub enum Error {
    /// What the Dockerfile says can't be done.
    Dockerfile(Problem),
    /// What was asked for beside the Dockerfile can't be done.
    Asked(Refusal),
    /// A step failed.
    Step(Box<FailedStep>),
    /// An image that the build starts from can't be had, or the machine failed.
    Other(String),
    /// Somebody stopped it.
    Stopped,
}

/// A step that failed.
#[derive(Debug)]
pub struct FailedStep {
    /// Its lines in the Dockerfile.
    pub lines: Lines,
    /// What it is shown as, such as `[2/3] RUN make`.
    pub name: String,
    /// Why it failed.
    pub wrong: String,
    /// The last lines that its command said.
    pub output: Vec<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dockerfile(problem) => write!(f, "Dockerfile {problem}"),
            Self::Asked(refusal) => write!(f, "{refusal}"),
            Self::Step(step) => write!(f, "Dockerfile {}: {}", step.lines, step.wrong),
            Self::Other(sentence) => f.write_str(sentence),
            Self::Stopped => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Dockerfile(problem)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Asked(refusal)
    }
}

/// Why a step failed.
#[derive(Debug)]
pub(super) enum Wrong {
    /// In a sentence.
    Sentence(String),
    /// Its command ended with this code, having said these lines last.
    Exit { command: String, code: i32, output: Vec<String> },
    /// Somebody stopped the build.
    Stopped,
}

impl Wrong {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self::Sentence(sentence.into())
    }

    /// The step's error.
    pub(super) fn of_step(self, lines: Lines, name: &str) -> Error {
        let (wrong, output) = match self {
            Self::Sentence(wrong) => (wrong, Vec::new()),
            Self::Exit { command, code, output } => {
                (format!("the command {command} ended with exit code {code}"), output)
            }
            Self::Stopped => return Error::Stopped,
        };
        Error::Step(Box::new(FailedStep { lines, name: name.to_owned(), wrong, output }))
    }
}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.to_string())
    }
}

impl From<berth_images::Error> for Wrong {
    fn from(error: berth_images::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<berth_runner::Failure> for Wrong {
    fn from(failure: berth_runner::Failure) -> Self {
        Self::new(failure.sentence)
    }
}

/// Says what was being done to which path when the system failed.
pub(super) trait At<T> {
    fn at(self, doing: &str, path: &Path) -> Result<T, Wrong>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, doing: &str, path: &Path) -> Result<T, Wrong> {
        self.map_err(|error| {
            let error: io::Error = error.into();
            let reason = match error.kind() {
                io::ErrorKind::StorageFull => "the disk is full; make room and try again".to_owned(),
                _ => error.to_string(),
            };
            Wrong::new(format!("{doing} {}: {reason}", path.display()))
        })
    }
}
