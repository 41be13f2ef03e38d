//! Who may do what: identities, passwords, tokens, and the one decision function.
//!
//! Pure values in, pure values out. This crate never does I/O, knows neither HTTP nor SQL, and
//! has no clock: times are arguments. Records are kept elsewhere; here they are only understood.

mod access_key;
mod action;
mod basic;
mod config;
mod error;
mod identity;
mod password;
mod policy;
mod random;
mod refresh;
mod scope;
mod seal;
mod signing;
mod text;
mod token;

pub use access_key::{AccessKeyId, AccessKeyName, AccessKeySecret};
pub use action::Action;
pub use basic::Credentials;
pub use config::AuthConfig;
pub use error::{Fault, ParseError};
pub use identity::{Caller, GroupName, Identity, IdentityId, Subject, UserName};
pub use password::{Password, PasswordHash, verify_password};
pub use policy::{
    Account, Attached, Attachment, Context, Decision, DocumentError, Effect, IdentityPolicy,
    MAX_DOCUMENT_BYTES, PUBLIC_PULL, PolicyName, Reason, RepositoryPolicy, RepositoryPrefix, Request,
    ShippedPolicy, StatementName, Target, Transport, Verdict, decide, evaluate, granted_scopes,
};
pub use refresh::{RefreshToken, RefreshTokenHash};
pub use scope::{Resource, Scope, Word, Words, parse_scopes};
pub use seal::MasterKey;
pub use signing::{Jwk, Jwks, KeyId, PublicKey, SigningKey};
pub use token::{Claims, LEEWAY_SECONDS, MAX_TOKEN_BYTES, TokenError, Verified, Verifier, sign};
