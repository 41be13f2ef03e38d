//! Content digests (image-spec `descriptor.md`, *Digests*).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Hasher, ParseError};

/// A registered digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// SHA-256, 64 hexadecimal characters.
    Sha256,
    /// SHA-512, 128 hexadecimal characters.
    Sha512,
}

impl Algorithm {
    /// The name as it stands before the colon of a digest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of the encoded part, in hexadecimal characters.
    pub const fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            other => Err(ParseError::Algorithm(other.to_owned())),
        }
    }
}

/// The digest of some content, such as `sha256:…`; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Arc<str>);

impl Digest {
    /// The digest of `content`.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.finish()
    }

    /// The digest of `algorithm` whose raw hash is `hash`.
    pub(crate) fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Self {
        Self(format!("{algorithm}:{}", hex::encode(hash)).into())
    }

    /// The whole digest, `algorithm:hex`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The algorithm before the colon.
    pub fn algorithm(&self) -> Algorithm {
        if self.0.starts_with("sha512") { Algorithm::Sha512 } else { Algorithm::Sha256 }
    }

    /// The encoded part after the colon.
    pub fn hex(&self) -> &str {
        &self.0[self.algorithm().as_str().len() + 1..]
    }

    /// The tag under which clients listed a subject's referrers before the referrers API existed
    /// (distribution-spec, *Referrers Tag Schema*): `sha256-<hex>`, at most 128 characters.
    pub fn fallback_tag(&self) -> String {
        let mut tag = format!("{}-{}", self.algorithm(), self.hex());
        tag.truncate(128);
        tag
    }
}

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let invalid = || ParseError::Digest(text.to_owned());
        let (algorithm, encoded) = text.split_once(':').ok_or_else(invalid)?;
        let known = algorithm.parse::<Algorithm>();
        let Ok(algorithm) = known else {
            return Err(if is_well_formed(algorithm, encoded) {
                ParseError::Algorithm(algorithm.to_owned())
            } else {
                invalid()
            });
        };
        let is_hex = encoded.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if encoded.len() != algorithm.hex_len() || !is_hex {
            return Err(invalid());
        }
        Ok(Self(text.into()))
    }
}

/// Whether `algorithm:encoded` follows the general grammar of a digest.
fn is_well_formed(algorithm: &str, encoded: &str) -> bool {
    let component =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    algorithm.split(['+', '.', '_', '-']).all(component)
        && !encoded.is_empty()
        && encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"=_-".contains(&b))
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.as_str(), known);
        assert_eq!(known.parse(), Ok(digest));
    }

    #[test]
    fn a_digest_with_upper_case_a_wrong_length_or_no_colon_is_invalid() {
        for text in ["", "sha256", "sha256:", "sha256:ABC", "sha256:00", "a b:00", ":00"] {
            assert_eq!(text.parse::<Digest>(), Err(ParseError::Digest(text.to_owned())), "{text}");
        }
        let upper = format!("sha256:{}", "A".repeat(64));
        assert_eq!(upper.parse::<Digest>(), Err(ParseError::Digest(upper)));
    }

    #[test]
    fn a_digest_of_an_unregistered_algorithm_is_unsupported() {
        assert_eq!("md5:00ff".parse::<Digest>(), Err(ParseError::Algorithm("md5".to_owned())));
    }

    #[test]
    fn a_sha512_digest_keeps_its_parts() {
        let digest = Digest::of(Algorithm::Sha512, b"berth");
        assert_eq!(digest.algorithm(), Algorithm::Sha512);
        assert_eq!(digest.hex().len(), 128);
        assert_eq!(digest.fallback_tag().len(), 128);
    }
}
