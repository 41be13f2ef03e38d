//! The actions of ECR's IAM model, and a few of Berth's own.

use std::str::FromStr;

use crate::error::shortened;
use crate::text::text_type;
use crate::{ParseError, Word, Words};

/// One thing that a request does, and that a policy allows or does not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Read a manifest.
    BatchGetImage,
    /// Read a blob's bytes.
    GetDownloadUrlForLayer,
    /// Learn whether a blob is there.
    BatchCheckLayerAvailability,
    /// List a repository's tags.
    ListImages,
    /// List the manifests that refer to a manifest.
    ListImageReferrers,
    /// Begin an upload.
    InitiateLayerUpload,
    /// Send a part of an upload.
    UploadLayerPart,
    /// Finish an upload.
    CompleteLayerUpload,
    /// Store a manifest, and tag it.
    PutImage,
    /// Make a repository, also by pushing to one that isn't there.
    CreateRepository,
    /// Delete tags, manifests and blobs.
    BatchDeleteImage,
    /// Delete a repository.
    DeleteRepository,
    /// See that a repository exists; without one, ask for the list of those one may see.
    DescribeRepositories,
    /// Exchange a credential for a token.
    GetAuthorizationToken,
    /// Add, change and remove users and what they may do.
    ManageUsers,
    /// Read the server's metrics.
    ReadMetrics,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 16] = [
        Self::BatchGetImage,
        Self::GetDownloadUrlForLayer,
        Self::BatchCheckLayerAvailability,
        Self::ListImages,
        Self::ListImageReferrers,
        Self::InitiateLayerUpload,
        Self::UploadLayerPart,
        Self::CompleteLayerUpload,
        Self::PutImage,
        Self::CreateRepository,
        Self::BatchDeleteImage,
        Self::DeleteRepository,
        Self::DescribeRepositories,
        Self::GetAuthorizationToken,
        Self::ManageUsers,
        Self::ReadMetrics,
    ];

    /// The name in policies, such as `ecr:PutImage`; Berth's own stand under `berth:`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BatchGetImage => "ecr:BatchGetImage",
            Self::GetDownloadUrlForLayer => "ecr:GetDownloadUrlForLayer",
            Self::BatchCheckLayerAvailability => "ecr:BatchCheckLayerAvailability",
            Self::ListImages => "ecr:ListImages",
            Self::ListImageReferrers => "ecr:ListImageReferrers",
            Self::InitiateLayerUpload => "ecr:InitiateLayerUpload",
            Self::UploadLayerPart => "ecr:UploadLayerPart",
            Self::CompleteLayerUpload => "ecr:CompleteLayerUpload",
            Self::PutImage => "ecr:PutImage",
            Self::CreateRepository => "ecr:CreateRepository",
            Self::BatchDeleteImage => "ecr:BatchDeleteImage",
            Self::DeleteRepository => "ecr:DeleteRepository",
            Self::DescribeRepositories => "ecr:DescribeRepositories",
            Self::GetAuthorizationToken => "ecr:GetAuthorizationToken",
            Self::ManageUsers => "berth:ManageUsers",
            Self::ReadMetrics => "berth:ReadMetrics",
        }
    }

    /// Whether it is an action on the server itself, which only its administrator has.
    pub const fn is_administrative(self) -> bool {
        matches!(self, Self::ManageUsers | Self::ReadMetrics)
    }

    /// The token words that carry it; none for what docker's tokens have no word for.
    pub fn words(self) -> Words {
        Word::ALL.into_iter().filter(|word| word.actions().contains(&self)).collect()
    }

    /// The least word to ask for in a challenge: the inverse of [`Word::actions`].
    pub fn word(self) -> Option<Word> {
        self.words().iter().next()
    }
}

impl FromStr for Action {
    type Err = ParseError;

    /// Case is ignored, as IAM ignores it.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|action| action.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| ParseError::Action(shortened(text)))
    }
}

text_type!(Action);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_parsed_from_its_name_in_any_case() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(action));
            assert_eq!(action.as_str().to_uppercase().parse(), Ok(action));
        }
    }

    #[test]
    fn a_name_that_is_no_action_is_refused() {
        for name in ["", "PutImage", "ecr:", "ecr:*", "s3:PutImage", "ecr:PutImage "] {
            assert!(name.parse::<Action>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_action_names_the_least_word_that_carries_it() {
        for (action, word) in [
            (Action::BatchGetImage, Some(Word::Pull)),
            (Action::BatchCheckLayerAvailability, Some(Word::Pull)),
            (Action::PutImage, Some(Word::Push)),
            (Action::CreateRepository, Some(Word::Push)),
            (Action::BatchDeleteImage, Some(Word::Delete)),
            (Action::DeleteRepository, None),
            (Action::ManageUsers, None),
        ] {
            assert_eq!(action.word(), word, "{action}");
        }
    }
}
