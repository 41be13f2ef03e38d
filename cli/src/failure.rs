//! How a command ends when it could not do what was asked.

use std::fmt;

/// One sentence: what was tried, what was wrong, and, where it helps, what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    tried: String,
    wrong: String,
    code: u8,
}

impl Failure {
    /// `tried` as in "logging in to localhost:5000", `wrong` as in "wrong user name or password".
    pub(crate) fn new(tried: impl Into<String>, wrong: impl fmt::Display) -> Self {
        Self { tried: tried.into(), wrong: wrong.to_string(), code: 1 }
    }

    /// The same, with another exit code than 1.
    #[must_use]
    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.tried, self.wrong)
    }
}
