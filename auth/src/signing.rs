//! The Ed25519 keys that sign tokens, and the JSON in which others learn the public ones.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde::Serialize;

use crate::{Fault, ParseError};

/// A key's id: its thumbprint (RFC 7638), so that the key alone decides it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct KeyId(String);

impl KeyId {
    /// The thumbprint, in unpadded base64url.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The half of a signing key that checks signatures; it is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    bytes: [u8; 32],
}

impl PublicKey {
    /// Takes the 32 bytes of RFC 8032.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParseError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| ParseError::PublicKey)?;
        // RFC 7638: the required members only, in alphabetical order, without white space.
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(bytes));
        let id = KeyId(URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes())));
        Ok(Self { id, bytes })
    }

    /// The key's id.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The 32 bytes of RFC 8032.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The key as JSON (RFC 8037).
    pub fn to_jwk(&self) -> Jwk {
        Jwk {
            kty: "OKP",
            crv: "Ed25519",
            x: URL_SAFE_NO_PAD.encode(self.bytes),
            kid: self.id.clone(),
            alg: "EdDSA",
            key_use: "sig",
        }
    }
}

impl FromStr for PublicKey {
    type Err = ParseError;

    /// Takes the 32 bytes in unpadded base64url, as `x` of a JWK has them.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::from_bytes(&URL_SAFE_NO_PAD.decode(text).map_err(|_| ParseError::PublicKey)?)
    }
}

/// A key that signs tokens. Debug hides its secret.
#[derive(Debug, Clone)]
pub struct SigningKey {
    public: PublicKey,
    /// PKCS#8; zeroed when dropped.
    private: EncodingKey,
}

impl SigningKey {
    /// A new random key.
    pub fn generate() -> Result<Self, Fault> {
        let generating = || Fault { doing: "generating a signing key" };
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| generating())?;
        Self::from_pkcs8(pkcs8.as_ref()).map_err(|_| generating())
    }

    /// Takes a key as [`as_pkcs8`](Self::as_pkcs8) gave it out.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, ParseError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| ParseError::SigningKey)?;
        let public = PublicKey::from_bytes(pair.public_key().as_ref())?;
        Ok(Self { public, private: EncodingKey::from_ed_der(pkcs8) })
    }

    /// The secret, in PKCS#8 (RFC 8410): to be sealed before it is stored.
    pub fn as_pkcs8(&self) -> &[u8] {
        self.private.as_bytes()
    }

    /// The key's id.
    pub fn id(&self) -> &KeyId {
        self.public.id()
    }

    /// The half that checks signatures.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn encoding_key(&self) -> &EncodingKey {
        &self.private
    }
}

/// A public key as JSON (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    kid: KeyId,
    alg: &'static str,
    #[serde(rename = "use")]
    key_use: &'static str,
}

/// The body of `/.well-known/jwks.json` (RFC 7517): every key whose tokens may still be alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The keys, in no order that matters.
    pub keys: Vec<Jwk>,
}

impl<'a> FromIterator<&'a PublicKey> for Jwks {
    fn from_iter<I: IntoIterator<Item = &'a PublicKey>>(keys: I) -> Self {
        Self { keys: keys.into_iter().map(PublicKey::to_jwk).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_thumbprint_of_rfc_8037() {
        let key: PublicKey = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".parse().unwrap();
        assert_eq!(key.id().as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_key_survives_its_storage() {
        let key = SigningKey::generate().unwrap();
        let read = SigningKey::from_pkcs8(key.as_pkcs8()).unwrap();
        assert_eq!(read.public_key(), key.public_key());
        assert_eq!(PublicKey::from_bytes(key.public_key().as_bytes()).unwrap(), *key.public_key());
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        assert_eq!(SigningKey::from_pkcs8(b"").unwrap_err(), ParseError::SigningKey);
        assert_eq!(PublicKey::from_bytes(&[0; 31]).unwrap_err(), ParseError::PublicKey);
        assert_eq!("!".parse::<PublicKey>().unwrap_err(), ParseError::PublicKey);
    }

    #[test]
    fn the_key_set_has_what_a_verifier_needs_and_no_secret() {
        let key: PublicKey = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".parse().unwrap();
        let json = serde_json::to_value(Jwks::from_iter([&key])).unwrap();
        let expected = serde_json::json!({"keys": [{
            "kty": "OKP",
            "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            "alg": "EdDSA",
            "use": "sig",
        }]});
        assert_eq!(json, expected);
    }

    #[test]
    fn debug_hides_the_secret() {
        let shown = format!("{:?}", SigningKey::generate().unwrap());
        assert!(shown.contains("[redacted]"), "{shown}");
    }
}
