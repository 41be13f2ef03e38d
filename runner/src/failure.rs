//! Why a process could not be started.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a process could not be started, and with which exit code docker says that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind it is.
    pub kind: Kind,
    /// What was wrong, in one sentence.
    pub sentence: String,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Berth couldn't do its part.
    Own,
    /// The command is there and can't be invoked.
    NotInvokable,
    /// The command isn't there.
    NotFound,
}

impl Failure {
    /// One of Berth's own.
    pub fn own(sentence: impl Into<String>) -> Self {
        Self { kind: Kind::Own, sentence: sentence.into() }
    }

    /// The exit code that tells it: 125, 126 or 127.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Own => 125,
            Kind::NotInvokable => 126,
            Kind::NotFound => 127,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}

impl From<String> for Failure {
    fn from(sentence: String) -> Self {
        Self::own(sentence)
    }
}

/// An error with those that caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}
