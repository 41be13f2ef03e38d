//! Passwords: argon2id with OWASP's parameters, as PHC strings.

use std::fmt;
use std::sync::LazyLock;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};

use crate::{Fault, ParseError, random};

/// A password that may be set: 1 to 1024 bytes. Debug hides it.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// The longest password, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// Takes a password as somebody chose it.
    pub fn new(text: SecretString) -> Result<Self, ParseError> {
        match text.expose_secret().len() {
            1..=Self::MAX_LEN => Ok(Self(text)),
            actual => Err(ParseError::PasswordLength { actual, max: Self::MAX_LEN }),
        }
    }

    /// A new password of 130 random bits, safe in any shell and URL.
    pub fn generate() -> Result<Self, Fault> {
        Ok(Self(random::word::<26>()?.into()))
    }

    /// The password itself, to be shown or written once.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// Hashes it under a fresh salt: some 20 ms and 19 MiB, so never on an async thread.
    pub fn hash(&self) -> Result<PasswordHash, Fault> {
        let salt = random::bytes::<16>()?;
        let hash = argon2()?.hash_password_with_salt(self.0.expose_secret().as_bytes(), &salt);
        Ok(PasswordHash(hash.map_err(Fault::of("hashing a password"))?))
    }
}

/// The hash under which a password is kept. Debug hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(phc::PasswordHash);

impl PasswordHash {
    /// Takes a hash as it was stored: `$argon2id$v=19$m=…,t=…,p=…$<salt>$<hash>`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let hash = phc::PasswordHash::new(text).map_err(|_| ParseError::PasswordHash)?;
        let complete = hash.salt.is_some() && hash.hash.is_some();
        let is_argon2 = Algorithm::try_from(hash.algorithm.as_str()).is_ok();
        if complete && is_argon2 { Ok(Self(hash)) } else { Err(ParseError::PasswordHash) }
    }

    /// The hash as it is stored.
    pub fn to_phc(&self) -> String {
        self.0.to_string()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Whether `offered` is the password kept as `stored`; none, for an unknown user, is never right
/// and costs the same: some 20 ms and 19 MiB, so never on an async thread.
pub fn verify_password(offered: &SecretString, stored: Option<&PasswordHash>) -> Result<bool, Fault> {
    const VERIFYING: &str = "verifying a password";
    let offered = offered.expose_secret().as_bytes();
    // Such a password can't have been set: hashing a few bytes of it costs what any other would.
    let (offered, stored) = match offered.get(..Password::MAX_LEN + 1) {
        Some(start) => (start, None),
        None => (offered, stored),
    };
    let dummy = match &*DUMMY {
        Ok(dummy) => dummy,
        Err(fault) => return Err(*fault),
    };
    let compared_with = stored.unwrap_or(dummy);
    match argon2()?.verify_password(offered, &compared_with.0) {
        Ok(()) => Ok(stored.is_some()),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(Fault { doing: VERIFYING }),
    }
}

/// A hash of a password that nobody knows, to spend the same time on users that don't exist.
static DUMMY: LazyLock<Result<PasswordHash, Fault>> = LazyLock::new(|| Password::generate()?.hash());

/// OWASP's first recommendation that needs less than 20 MiB.
fn argon2() -> Result<Argon2<'static>, Fault> {
    let params = Params::new(19_456, 2, 1, None).map_err(Fault::of("setting argon2's parameters"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.into()).unwrap()
    }

    #[test]
    fn only_the_password_itself_verifies() {
        let stored = PasswordHash::parse(&password("correct horse").hash().unwrap().to_phc()).unwrap();
        for (offered, right) in [("correct horse", true), ("correct hors", false), ("", false), ("\0", false)]
        {
            assert_eq!(verify_password(&offered.into(), Some(&stored)), Ok(right), "{offered:?}");
        }
    }

    #[test]
    fn the_hash_is_argon2id_with_the_recommended_parameters_and_a_salt_of_its_own() {
        let (a, b) = (password("x").hash().unwrap(), password("x").hash().unwrap());
        assert!(a.to_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", a.to_phc());
        assert_ne!(a, b);
    }

    #[test]
    fn no_password_is_right_for_an_unknown_user() {
        for offered in ["", "admin", "password"] {
            assert_eq!(verify_password(&offered.into(), None), Ok(false));
        }
    }

    #[test]
    fn a_password_longer_than_any_that_could_be_set_is_wrong() {
        let longest = "a".repeat(Password::MAX_LEN);
        let stored = password(&longest).hash().unwrap();
        assert_eq!(verify_password(&longest.clone().into(), Some(&stored)), Ok(true));
        assert_eq!(verify_password(&format!("{longest}a").into(), Some(&stored)), Ok(false));
    }

    #[test]
    fn passwords_of_no_or_too_many_bytes_are_refused() {
        for length in [0, Password::MAX_LEN + 1] {
            let refused = Password::new("a".repeat(length).into()).unwrap_err();
            assert_eq!(refused, ParseError::PasswordLength { actual: length, max: Password::MAX_LEN });
        }
    }

    #[test]
    fn a_stored_text_that_is_no_argon2_hash_is_refused() {
        let texts = [
            "",
            "secret",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
        ];
        for text in texts {
            assert!(PasswordHash::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn generated_passwords_are_shell_safe_and_differ() {
        let (a, b) = (Password::generate().unwrap(), Password::generate().unwrap());
        assert!(a.secret().expose_secret().bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(a.secret().expose_secret(), b.secret().expose_secret());
    }

    #[test]
    fn debug_shows_neither_password_nor_hash() {
        let secret = password("correct horse");
        let shown = format!("{secret:?} {:?}", secret.hash().unwrap());
        assert!(!shown.contains("correct") && !shown.contains("argon2"), "{shown}");
    }
}
