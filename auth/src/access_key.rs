//! Access keys: an id and a secret that stand for a user, for robots and for signed requests.

use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use secrecy::{ExposeSecret, SecretString};

use crate::error::shortened;
use crate::text::text_type;
use crate::{Fault, ParseError, random};

/// Says what it is, to people and to scanners for leaked secrets; no user's name has such letters.
const PREFIX: &str = "BK";
const RANDOM_LEN: usize = 18;
const SECRET_LEN: usize = 40;

/// An access key's id, in the manner of AWS: `BK` and 18 upper-case letters and digits; cheap to
/// clone. It is no secret.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessKeyId(Arc<str>);

impl AccessKeyId {
    /// A new id of 90 random bits.
    pub fn generate() -> Result<Self, Fault> {
        let random = random::word::<RANDOM_LEN>()?.to_ascii_uppercase();
        Ok(Self(format!("{PREFIX}{random}").into()))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessKeyId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let random = text.strip_prefix(PREFIX);
        let valid = random.is_some_and(|random| {
            random.len() == RANDOM_LEN && random.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        });
        if valid { Ok(Self(text.into())) } else { Err(ParseError::AccessKeyId(shortened(text))) }
    }
}

text_type!(AccessKeyId);

/// An access key's secret: 200 random bits, given out once. Debug hides it.
#[derive(Debug, Clone)]
pub struct AccessKeySecret(SecretString);

impl AccessKeySecret {
    /// A new random secret, safe in any shell and URL.
    pub fn generate() -> Result<Self, Fault> {
        Ok(Self(random::word::<SECRET_LEN>()?.into()))
    }

    /// Takes a secret as it was sealed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParseError> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty());
        text.map(|text| Self(text.into())).ok_or(ParseError::AccessKeySecret)
    }

    /// The secret itself, to be sealed, or shown once.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// Whether `offered` is this secret; how long that takes tells nothing but the length.
    ///
    /// A plain comparison is enough for 200 random bits: nobody guesses them, however fast.
    pub fn is(&self, offered: &SecretString) -> bool {
        let (own, offered) = (self.0.expose_secret().as_bytes(), offered.expose_secret().as_bytes());
        verify_slices_are_equal(own, offered).is_ok()
    }
}

/// What people call an access key: 1 to 64 characters, none of them a control character. Need not
/// be unique; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessKeyName(Arc<str>);

impl AccessKeyName {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 64;

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessKeyName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let valid =
            (1..=Self::MAX_LEN).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if valid { Ok(Self(text.into())) } else { Err(ParseError::AccessKeyName(shortened(text))) }
    }
}

text_type!(AccessKeyName);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UserName;

    #[test]
    fn ids_follow_their_own_grammar_differ_and_are_no_users_names() {
        let (a, b) = (AccessKeyId::generate().unwrap(), AccessKeyId::generate().unwrap());
        assert_eq!(a.as_str().len(), 20);
        assert_eq!(a.as_str().parse(), Ok(a.clone()));
        assert!(a.as_str().parse::<UserName>().is_err());
        assert_ne!(a, b);
    }

    #[test]
    fn ids_outside_the_grammar_are_refused() {
        for id in [
            "",
            "BK",
            "BK23456789ABCDEFGHJ",
            "BK23456789ABCDEFGHJKL",
            "bk23456789abcdefghjk",
            "AK23456789ABCDEFGHJK",
            "BK23456789ABCDEFGH:K",
            "BK23456789ABCDEFGHÄ",
        ] {
            assert!(id.parse::<AccessKeyId>().is_err(), "{id:?}");
        }
    }

    #[test]
    fn only_the_secret_itself_is_right() {
        let secret = AccessKeySecret::generate().unwrap();
        let text = secret.secret().expose_secret().to_owned();
        let kept = AccessKeySecret::from_bytes(text.as_bytes()).unwrap();
        assert!(kept.is(&text.clone().into()));
        for wrong in ["", &text[1..], &format!("{text}a"), &text.to_uppercase()] {
            assert!(!kept.is(&wrong.into()), "{wrong}");
        }
        assert!(!AccessKeySecret::generate().unwrap().is(&text.into()));
    }

    #[test]
    fn bytes_that_were_never_a_secret_are_refused() {
        for bytes in [&b""[..], b"\xff"] {
            assert_eq!(AccessKeySecret::from_bytes(bytes).unwrap_err(), ParseError::AccessKeySecret);
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let secret = AccessKeySecret::generate().unwrap();
        assert!(!format!("{secret:?}").contains(secret.secret().expose_secret()));
    }

    #[test]
    fn a_name_is_a_line_of_some_characters() {
        for (name, valid) in [("ci", true), ("CI of team A – ä", true), ("", false), ("a\nb", false)] {
            assert_eq!(name.parse::<AccessKeyName>().is_ok(), valid, "{name:?}");
        }
        assert!("a".repeat(AccessKeyName::MAX_LEN + 1).parse::<AccessKeyName>().is_err());
    }
}
