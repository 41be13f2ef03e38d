//! The specification's error codes and the one error of this crate.

use serde::{Deserialize, Serialize};

/// A word that does not follow its grammar.
///
/// Each variant carries the sentence that a client may be shown; it names the value and what was
/// expected of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A repository name outside the grammar of distribution-spec, *Pulling manifests*.
    #[error("invalid repository name {0}")]
    RepositoryName(String),
    /// A tag outside the grammar of distribution-spec, *Pulling manifests*.
    #[error("invalid tag {0}")]
    Tag(String),
    /// A pattern of tags outside the grammar of [`TagPattern`](crate::TagPattern).
    #[error("invalid tag pattern {0}; a pattern has 1 to 128 letters, digits and . _ - * and at most two *")]
    TagPattern(String),
    /// A digest outside the grammar of image-spec `descriptor.md`, *Digests*.
    #[error("invalid digest {0}")]
    Digest(String),
    /// A well-formed digest, or an algorithm's name, of an algorithm that is not supported.
    #[error("unsupported digest algorithm {0}; sha256 and sha512 are supported")]
    Algorithm(String),
    /// A `Content-Range` that is not `<first>-<last>`.
    #[error("invalid chunk range {0}")]
    ChunkRange(String),
    /// A media type that is not `type/subtype`.
    #[error("invalid media type {0}")]
    MediaType(String),
    /// A manifest that is not what its media type promises.
    #[error("invalid manifest: {0}")]
    Manifest(String),
    /// An image configuration that is not what image-spec `config.md` asks for.
    #[error("invalid image configuration: {0}")]
    ImageConfig(String),
}

/// The error codes of distribution-spec, *Error Codes* (plus `UNKNOWN` for a server's own failure).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// code-1: blob unknown to the registry.
    BlobUnknown,
    /// code-2: blob upload invalid.
    BlobUploadInvalid,
    /// code-3: blob upload unknown to the registry.
    BlobUploadUnknown,
    /// code-4: the digest did not match the uploaded content.
    DigestInvalid,
    /// code-5: a manifest references a manifest or blob unknown to the registry.
    ManifestBlobUnknown,
    /// code-6: manifest invalid.
    ManifestInvalid,
    /// code-7: manifest unknown to the registry.
    ManifestUnknown,
    /// code-8: invalid repository name.
    NameInvalid,
    /// code-9: repository name not known to the registry.
    NameUnknown,
    /// code-10: the provided length did not match the content's length.
    SizeInvalid,
    /// code-11: authentication required.
    Unauthorized,
    /// code-12: access to the resource is denied.
    Denied,
    /// code-13: the operation is unsupported.
    Unsupported,
    /// code-14: too many requests.
    #[serde(rename = "TOOMANYREQUESTS")]
    TooManyRequests,
    /// Not of the specification: a failure of the server itself, only in 5xx answers.
    Unknown,
}

/// The body of a failed request (distribution-spec, *Error Codes*).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// At least one entry.
    pub errors: Vec<ErrorEntry>,
}

/// One error of an [`ErrorBody`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorEntry {
    /// Which kind of error, for programs.
    pub code: ErrorCode,
    /// One sentence for people: what was wrong and, where it helps, what to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What the sentence speaks of, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
}

impl ErrorBody {
    /// A body of one error.
    pub fn one(code: ErrorCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { errors: vec![ErrorEntry { code, message, detail: None }] }
    }
}
