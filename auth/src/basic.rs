//! The `Authorization` header: Basic (RFC 7617) and Bearer (RFC 6750).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::ParseError;

/// What a request's `Authorization` header offers. Debug hides it.
pub enum Credentials<'h> {
    /// A user's name, not yet known to follow any grammar, and a password.
    Basic {
        /// Everything before the first colon; may be empty.
        user: String,
        /// Everything after it; may be empty.
        password: SecretString,
    },
    /// A token, not yet looked at.
    Bearer(&'h str),
}

/// Room for the longest token, and for the longest token given as a password.
const MAX_HEADER_BYTES: usize = 24 * 1024;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl<'h> Credentials<'h> {
    /// Parses the header's value.
    ///
    /// Whoever sends no header is anonymous; whoever sends a malformed one is not, and is refused.
    pub fn parse(header: &'h str) -> Result<Self, ParseError> {
        let malformed = |why| Err(ParseError::Authorization(why));
        if header.len() > MAX_HEADER_BYTES {
            return malformed("it is too long");
        }
        let Some((scheme, rest)) = header.trim().split_once(' ') else {
            return malformed("it has no credentials");
        };
        let rest = rest.trim_start();
        if scheme.eq_ignore_ascii_case("bearer") {
            let is_token = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
            return if is_token { Ok(Self::Bearer(rest)) } else { malformed("the token is not one word") };
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return parse_basic(rest);
        }
        malformed("its scheme is neither Basic nor Bearer")
    }
}

fn parse_basic<'h>(encoded: &str) -> Result<Credentials<'h>, ParseError> {
    let Ok(decoded) = BASE64.decode(encoded).map(Zeroizing::new) else {
        return Err(ParseError::Authorization("user and password are not base64"));
    };
    let Ok(text) = std::str::from_utf8(&decoded) else {
        return Err(ParseError::Authorization("user and password are not UTF-8"));
    };
    let Some((user, password)) = text.split_once(':') else {
        return Err(ParseError::Authorization("there is no colon between user and password"));
    };
    if user.chars().any(char::is_control) {
        return Err(ParseError::Authorization("the user's name has control characters"));
    }
    Ok(Credentials::Basic { user: user.to_owned(), password: password.into() })
}

impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use secrecy::ExposeSecret;

    use super::*;

    fn basic(text: impl AsRef<[u8]>) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn user_and_password_part_at_the_first_colon() {
        for (text, expected_user, expected_password) in [
            ("alice:secret", "alice", "secret"),
            ("alice:a:b:c", "alice", "a:b:c"),
            ("alice:", "alice", ""),
            (":", "", ""),
            ("ä:ö", "ä", "ö"),
        ] {
            let header = basic(text);
            let Credentials::Basic { user, password } = Credentials::parse(&header).unwrap() else {
                panic!("{text} is Basic");
            };
            assert_eq!((user.as_str(), password.expose_secret()), (expected_user, expected_password));
        }
    }

    #[test]
    fn schemes_are_known_in_any_case_and_padding_may_be_missing() {
        for header in ["Basic YTpi", "basic YTpi", "BASIC  YTpi ", "Basic YTpiYg", "Basic YTpiYg=="] {
            assert!(matches!(Credentials::parse(header), Ok(Credentials::Basic { .. })), "{header}");
        }
        for header in ["Bearer a.b-c_d~e+f/g=", "bearer a.b-c_d~e+f/g="] {
            assert!(matches!(Credentials::parse(header), Ok(Credentials::Bearer("a.b-c_d~e+f/g="))));
        }
    }

    #[test]
    fn malformed_headers_are_refused_without_repeating_them() {
        let (no_colon, not_utf8, control) = (basic("alice"), basic(b"a:\xff"), basic("a\n:b"));
        let long = format!("Bearer {}", "a".repeat(MAX_HEADER_BYTES));
        for header in [
            "",
            "Basic",
            "Bearer",
            "Bearer a b",
            "Basic ***",
            "Negotiate YTpi",
            "AWS4-HMAC-SHA256 Credential=x",
            "Basic YTpi,Bearer x",
            &no_colon,
            &not_utf8,
            &control,
            &long,
        ] {
            let refused = Credentials::parse(header).unwrap_err();
            assert!(matches!(refused, ParseError::Authorization(_)), "{header}");
        }
    }
}
