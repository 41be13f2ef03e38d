//! Who may do what: identities, passwords, tokens, and the one decision function.
//!
//! Pure values in, pure values out. This crate never does I/O, knows neither HTTP nor SQL, and
//! has no clock: times are arguments. Records are kept elsewhere; here they are only understood.

mod action;
mod error;
mod identity;
mod policy;
mod random;
mod scope;
mod text;

pub use action::Action;
pub use error::{Fault, ParseError};
pub use identity::{Caller, Identity, IdentityId, UserName};
pub use policy::{Attachment, Decision, Reason, RepositoryPrefix, ShippedPolicy, decide, granted_scopes};
pub use scope::{Resource, Scope, Word, Words, parse_scopes};
