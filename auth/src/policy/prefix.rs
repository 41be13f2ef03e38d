//! The repositories that a shipped policy is limited to.

use std::str::FromStr;
use std::sync::Arc;

use berth_oci::RepositoryName;

use crate::ParseError;
use crate::error::shortened;
use crate::text::text_type;

/// The repositories that a policy is limited to, by whole path components; cheap to clone.
///
/// Empty covers all; `team-a/` covers `team-a/app`; `team-a` covers that and `team-a` itself.
/// Neither covers `team-ab/app`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryPrefix(Arc<str>);

impl RepositoryPrefix {
    /// The prefix of every repository.
    pub fn all() -> Self {
        Self("".into())
    }

    /// The prefix as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the prefix of every repository.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// The same as the resources of a policy document.
    pub(super) fn resources(&self) -> Vec<String> {
        const REPOSITORY: &str = "arn:aws:ecr:*:*:repository/";
        match &*self.0 {
            "" => vec!["*".to_owned()],
            folder if folder.ends_with('/') => vec![format!("{REPOSITORY}{folder}*")],
            name => vec![format!("{REPOSITORY}{name}"), format!("{REPOSITORY}{name}/*")],
        }
    }
}

impl FromStr for RepositoryPrefix {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let components = text.strip_suffix('/').unwrap_or(text);
        let valid = text.is_empty() || components.parse::<RepositoryName>().is_ok();
        if valid { Ok(Self(text.into())) } else { Err(ParseError::RepositoryPrefix(shortened(text))) }
    }
}

text_type!(RepositoryPrefix);
