//! Bearer tokens: JWTs as docker's token specification has them, signed with Ed25519.
//!
//! A token says who asked and what for; whether it may be done is decided anew at each request.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_oci::RepositoryName;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::error::shortened;
use crate::scope::read_access;
use crate::{
    AccessKeyId, Action, Fault, Identity, IdentityId, PublicKey, Resource, Scope, SigningKey, Word, random,
};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// How far two clocks may be apart, in seconds.
pub const LEEWAY_SECONDS: i64 = 5;

/// What a token says (distribution's *Token Authentication Implementation*).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// `iss`: who made it.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// `sub`: the identity's id, or empty for an anonymous caller.
    #[serde(rename = "sub")]
    pub subject: String,
    /// `aud`: the service that it is good for.
    #[serde(rename = "aud")]
    pub audience: String,
    /// `exp`: when it ends, in seconds since the epoch.
    #[serde(rename = "exp")]
    pub expires_at: i64,
    /// `nbf`: when it begins, in seconds since the epoch.
    #[serde(rename = "nbf")]
    pub not_before: i64,
    /// `iat`: when it was made, in seconds since the epoch.
    #[serde(rename = "iat")]
    pub issued_at: i64,
    /// `jti`: no two tokens have the same.
    #[serde(rename = "jti")]
    pub id: String,
    /// Berth's own `cred`: the identity's `credentials_changed_at` when the token was made.
    #[serde(rename = "cred")]
    pub credentials_changed_at: i64,
    /// Berth's own `key`: the access key that it was asked for with, if it was one.
    #[serde(rename = "key", skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
    /// What it is good for.
    pub access: Vec<Scope>,
}

impl Claims {
    /// The claims of a token made at `now_seconds` for `subject` (none: an anonymous caller).
    pub fn new(
        issuer: &str,
        audience: &str,
        subject: Option<&Identity>,
        access: Vec<Scope>,
        now_seconds: i64,
        ttl: Duration,
    ) -> Result<Self, Fault> {
        let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        Ok(Self {
            issuer: issuer.to_owned(),
            subject: subject.map(|identity| identity.id.to_string()).unwrap_or_default(),
            audience: audience.to_owned(),
            expires_at: now_seconds.saturating_add(ttl),
            not_before: now_seconds,
            issued_at: now_seconds,
            id: random::word::<26>()?,
            credentials_changed_at: subject.map_or(0, |identity| identity.credentials_changed_at),
            access_key: None,
            access,
        })
    }

    /// The same of a token that is good for no longer than `key` is.
    #[must_use]
    pub fn through(self, key: Option<&AccessKeyId>) -> Self {
        Self { access_key: key.map(AccessKeyId::to_string), ..self }
    }
}

/// The token that says `claims`, signed with `key`.
pub fn sign(claims: &Claims, key: &SigningKey) -> Result<String, Fault> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(key.id().to_string());
    jsonwebtoken::encode(&header, claims, key.encoding_key()).map_err(Fault::of("signing a token"))
}

/// Why a token is refused; a sentence that a client may be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has more than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// It is not a JWT, or a claim has the wrong type.
    #[error("the token is malformed")]
    Malformed,
    /// It was not signed with EdDSA.
    #[error("the token is signed with {0}; only EdDSA is accepted")]
    Algorithm(String),
    /// It names a key that is not among the verifier's, or none.
    #[error("the token is signed with a key that this registry does not know")]
    UnknownKey,
    /// The signature is not the named key's.
    #[error("the token's signature is wrong")]
    Signature,
    /// It says too little.
    #[error("the token has no claim '{0}'")]
    MissingClaim(&'static str),
    /// Somebody else made it.
    #[error("the token was issued by somebody else")]
    Issuer,
    /// It is good for another service.
    #[error("the token is meant for another service")]
    Audience,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not begun.
    #[error("the token is not valid yet")]
    NotYetValid,
}

/// Checks tokens; made anew when a key comes or goes.
#[derive(Debug, Clone)]
pub struct Verifier {
    issuer: String,
    audience: String,
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
}

/// The parts of the header that decide.
#[derive(Deserialize)]
struct HeaderRead {
    alg: Option<String>,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

/// The claims as they come, so that each missing one can be named.
#[derive(Deserialize)]
struct ClaimsRead {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<String>,
    exp: Option<i64>,
    nbf: Option<i64>,
    iat: Option<i64>,
    cred: Option<i64>,
    key: Option<String>,
    #[serde(default, deserialize_with = "read_access")]
    access: Option<Vec<Scope>>,
}

impl Verifier {
    /// Takes tokens of `issuer` for `audience`, signed with one of `keys`.
    pub fn new<'a>(issuer: &str, audience: &str, keys: impl IntoIterator<Item = &'a PublicKey>) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The library would ask the system's clock; all claims are checked below instead.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        let keys = keys
            .into_iter()
            .map(|key| (key.id().to_string(), DecodingKey::from_ed_der(key.as_bytes())))
            .collect();
        Self { issuer: issuer.to_owned(), audience: audience.to_owned(), keys, validation }
    }

    /// What `token` says, if it is to be believed at `now_seconds` since the epoch.
    pub fn verify(&self, token: &str, now_seconds: i64) -> Result<Verified, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let key = self.key_of(token)?;
        let claims =
            jsonwebtoken::decode(token, key, &self.validation).map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature => TokenError::Signature,
                _ => TokenError::Malformed,
            })?;
        self.check(claims.claims, now_seconds)
    }

    /// The key that the header names; nothing of the header is believed but for this look-up.
    fn key_of(&self, token: &str) -> Result<&DecodingKey, TokenError> {
        let (header, _) = token.split_once('.').ok_or(TokenError::Malformed)?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenError::Malformed)?;
        let header: HeaderRead = serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
        let algorithm = header.alg.ok_or(TokenError::Malformed)?;
        if algorithm != "EdDSA" {
            return Err(TokenError::Algorithm(shortened(&algorithm)));
        }
        // RFC 7515, 4.1.11: an extension that is critical and not understood.
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        header.kid.and_then(|id| self.keys.get(&id)).ok_or(TokenError::UnknownKey)
    }

    fn check(&self, claims: ClaimsRead, now_seconds: i64) -> Result<Verified, TokenError> {
        let missing = TokenError::MissingClaim;
        if claims.iss.ok_or(missing("iss"))? != self.issuer {
            return Err(TokenError::Issuer);
        }
        if claims.aud.ok_or(missing("aud"))? != self.audience {
            return Err(TokenError::Audience);
        }
        let expires_at = claims.exp.ok_or(missing("exp"))?;
        let not_before = claims.nbf.ok_or(missing("nbf"))?;
        let issued_at = claims.iat.ok_or(missing("iat"))?;
        if now_seconds >= expires_at.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenError::Expired);
        }
        if now_seconds < not_before.max(issued_at).saturating_sub(LEEWAY_SECONDS) {
            return Err(TokenError::NotYetValid);
        }
        let subject = match claims.sub.ok_or(missing("sub"))?.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| TokenError::Malformed)?),
        };
        let access_key = claims.key.map(|id| id.parse()).transpose().map_err(|_| TokenError::Malformed)?;
        Ok(Verified {
            subject,
            access_key,
            issued_at,
            expires_at,
            credentials_changed_at: claims.cred.ok_or(missing("cred"))?,
            access: claims.access.ok_or(missing("access"))?,
        })
    }
}

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whose it is; none for an anonymous caller's.
    pub subject: Option<IdentityId>,
    /// The access key that it was asked for with, if it was one; without that it is worthless.
    pub access_key: Option<AccessKeyId>,
    /// When it was made, in seconds since the epoch.
    pub issued_at: i64,
    /// When it ends, in seconds since the epoch.
    pub expires_at: i64,
    /// The identity's `credentials_changed_at` when it was made.
    pub credentials_changed_at: i64,
    /// What it is good for.
    pub access: Vec<Scope>,
}

impl Verified {
    /// Whether its scopes have `word` for `repository`.
    pub fn allows(&self, word: Word, repository: &RepositoryName) -> bool {
        let names =
            |scope: &&Scope| matches!(&scope.resource, Resource::Repository(name) if name == repository);
        self.access.iter().filter(names).any(|scope| scope.words.contains(word))
    }

    /// Whether its scopes have any word that carries `action` on `repository`; without one, whether
    /// they have the catalog for [`Action::DescribeRepositories`].
    ///
    /// Actions for which docker's tokens have no word are never covered: they need Basic.
    pub fn covers(&self, action: Action, repository: Option<&RepositoryName>) -> bool {
        match repository {
            Some(repository) => action.words().iter().any(|word| self.allows(word, repository)),
            None => {
                action == Action::DescribeRepositories
                    && self.access.iter().any(|scope| scope.resource == Resource::Catalog)
            }
        }
    }

    /// Whether it is this identity's, made since its credentials last changed.
    pub fn is_current(&self, identity: &Identity) -> bool {
        self.subject.as_ref() == Some(&identity.id)
            && self.credentials_changed_at == identity.credentials_changed_at
    }
}

#[cfg(test)]
mod tests;
