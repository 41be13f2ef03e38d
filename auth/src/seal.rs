//! Secrets at rest: sealed under the master key, so that a stolen database alone opens nothing.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use secrecy::SecretString;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{Fault, ParseError, random};

/// The key under which signing keys and the secrets of access keys are stored. Debug hides it.
///
/// Its text is 32 bytes in base64 or hexadecimal; white space around it is ignored.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

/// The first byte of what [`MasterKey::seal`] returns: AES-256-GCM, nonce, ciphertext, tag.
const AES_256_GCM_V1: u8 = 1;

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Result<Self, Fault> {
        random::bytes().map(Self)
    }

    /// The text to keep in a file: base64, without a newline.
    pub fn to_text(&self) -> SecretString {
        STANDARD.encode(self.0).into()
    }

    /// Seals `plain` so that only this key opens it, and only for the same `context`.
    ///
    /// The context says what it is and whose (`signing-key/<kid>`), so that one sealed value can't
    /// be put in another's place.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut ciphertext = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
        ciphertext.extend_from_slice(plain);
        let nonce = self
            .sealing_key()?
            .seal_in_place_append_tag(Aad::from(context), &mut ciphertext)
            .map_err(Fault::of("sealing a secret"))?;
        Ok([&[AES_256_GCM_V1], nonce.as_ref().as_slice(), &ciphertext].concat())
    }

    /// Opens what [`seal`](Self::seal) sealed for the same `context`.
    ///
    /// Fails when the key or the context is another, or a bit was changed.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let opening = || Fault { doing: "opening a sealed secret" };
        let Some((&AES_256_GCM_V1, rest)) = sealed.split_first() else {
            return Err(opening());
        };
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or_else(opening)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| opening())?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let length = self
            .sealing_key()?
            .open_in_place(nonce, Aad::from(context), &mut buffer)
            .map_err(|_| opening())?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// A text by which a store recognises the key that its secrets are sealed under; it tells
    /// nothing about the key.
    pub fn fingerprint(&self) -> Result<String, Fault> {
        Ok(hex::encode(&self.derive("fingerprint")?[..16]))
    }

    fn sealing_key(&self) -> Result<RandomizedNonceKey, Fault> {
        let derived = self.derive("seal")?;
        RandomizedNonceKey::new(&AES_256_GCM, &*derived).map_err(Fault::of("preparing the sealing key"))
    }

    /// A key for one purpose, from which neither this key nor another purpose's can be told.
    fn derive(&self, purpose: &str) -> Result<Zeroizing<[u8; 32]>, Fault> {
        let deriving = || Fault { doing: "deriving a key from the master key" };
        let mut derived = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, b"berth master key")
            .extract(&self.0)
            .expand(&[purpose.as_bytes()], HKDF_SHA256)
            .and_then(|key| key.fill(&mut *derived))
            .map_err(|_| deriving())?;
        Ok(derived)
    }
}

impl FromStr for MasterKey {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let text = text.trim();
        let mut key = Self([0; 32]);
        // 64 characters are hexadecimal: in base64 they would be 48 bytes.
        if text.len() == 64 {
            hex::decode_to_slice(text, &mut key.0).map_err(|_| ParseError::MasterKey)?;
            return Ok(key);
        }
        let decoded = STANDARD_NO_PAD.decode(text.strip_suffix('=').unwrap_or(text)).map(Zeroizing::new);
        let decoded = decoded.map_err(|_| ParseError::MasterKey)?;
        if decoded.len() != key.0.len() {
            return Err(ParseError::MasterKey);
        }
        key.0.copy_from_slice(&decoded);
        Ok(key)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn key() -> MasterKey {
        MasterKey([7; 32])
    }

    #[test]
    fn what_was_sealed_is_opened_by_the_same_key_and_context() {
        for plain in [&b""[..], b"secret", &[0; 5000]] {
            let sealed = key().seal("signing-key/1", plain).unwrap();
            assert_eq!(**key().open("signing-key/1", &sealed).unwrap(), *plain);
        }
    }

    #[test]
    fn another_key_or_context_opens_nothing() {
        let sealed = key().seal("signing-key/1", b"secret").unwrap();
        assert!(MasterKey([8; 32]).open("signing-key/1", &sealed).is_err());
        assert!(key().open("signing-key/2", &sealed).is_err());
    }

    #[test]
    fn a_changed_bit_or_a_missing_byte_is_noticed() {
        let sealed = key().seal("c", b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key().open("c", &changed).is_err(), "bit at {at}");
            assert!(key().open("c", &sealed[..at]).is_err(), "first {at} bytes");
        }
    }

    #[test]
    fn the_same_secret_is_never_sealed_to_the_same_bytes() {
        assert_ne!(key().seal("c", b"secret").unwrap(), key().seal("c", b"secret").unwrap());
    }

    #[test]
    fn a_key_is_read_from_base64_and_hexadecimal_with_a_newline() {
        let base64 = key().to_text().expose_secret().to_owned();
        let texts = [
            base64.clone(),
            format!("{base64}\n"),
            base64.replace('=', ""),
            format!("{}\r\n", "07".repeat(32)),
        ];
        for text in texts {
            assert_eq!(text.parse::<MasterKey>().unwrap().0, key().0, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_key_is_refused_and_not_repeated() {
        for text in [
            "",
            "secret",
            &"07".repeat(31),
            &"0g".repeat(32),
            &STANDARD.encode([7; 31]),
            &STANDARD.encode([7; 33]),
        ] {
            let sentence = text.parse::<MasterKey>().unwrap_err().to_string();
            assert!(text.is_empty() || !sentence.contains(text), "{sentence}");
        }
    }

    #[test]
    fn fingerprints_tell_keys_apart_and_not_the_key() {
        assert_eq!(key().fingerprint(), key().fingerprint());
        assert_eq!(key().fingerprint().unwrap().len(), 32);
        assert_ne!(key().fingerprint(), MasterKey([8; 32]).fingerprint());
        assert!(!key().fingerprint().unwrap().contains("0707"));
        assert_eq!(format!("{:?}", key()), "MasterKey(…)");
    }
}
