//! Refresh tokens: random words that only their hash is kept of.

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use crate::{Fault, ParseError, random};

/// Says what it is, to people and to scanners for leaked secrets.
const PREFIX: &str = "berth_refresh_";
const RANDOM_LEN: usize = 52;

/// A refresh token: 260 random bits, given out once. Debug hides it.
#[derive(Debug, Clone)]
pub struct RefreshToken(SecretString);

impl RefreshToken {
    /// A new random token.
    pub fn generate() -> Result<Self, Fault> {
        Ok(Self(format!("{PREFIX}{}", random::word::<RANDOM_LEN>()?).into()))
    }

    /// Takes a token as a client gave it.
    pub fn parse(text: SecretString) -> Result<Self, ParseError> {
        let random = text.expose_secret().strip_prefix(PREFIX);
        let valid = random.is_some_and(|word| word.len() == RANDOM_LEN && word.is_ascii());
        if valid { Ok(Self(text)) } else { Err(ParseError::RefreshToken) }
    }

    /// The token itself, to be sent to whom it belongs.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// What it is kept and looked up under. A plain hash is enough for 260 random bits.
    pub fn hash(&self) -> RefreshTokenHash {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, self.0.expose_secret().as_bytes()).as_ref());
        RefreshTokenHash(hash)
    }
}

/// The SHA-256 of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RefreshTokenHash([u8; 32]);

impl RefreshTokenHash {
    /// The raw hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_comes_back_has_the_hash_it_was_kept_under() {
        let token = RefreshToken::generate().unwrap();
        let back = RefreshToken::parse(token.secret().clone()).unwrap();
        assert_eq!(back.hash(), token.hash());
        assert_ne!(RefreshToken::generate().unwrap().hash(), token.hash());
    }

    #[test]
    fn what_was_never_given_out_is_refused() {
        let short = format!("{PREFIX}abc");
        let long = format!("{PREFIX}{}", "a".repeat(10_000));
        for text in ["", "secret", "eyJh.eyJh.abc", PREFIX, &short, &long] {
            assert_eq!(RefreshToken::parse(text.into()).unwrap_err(), ParseError::RefreshToken);
        }
    }

    #[test]
    fn debug_hides_the_token() {
        assert!(!format!("{:?}", RefreshToken::generate().unwrap()).contains(PREFIX));
    }
}
