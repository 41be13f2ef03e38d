//! Policies: IAM's documents, where they are attached, and the one function that decides.
//!
//! A document is parsed once, when it comes in, and refused with the place and what was expected
//! there unless every word of it is understood: a policy that says less than its author believes is
//! worse than none. What is parsed is only evaluated: no text of it is read again.

mod actions;
mod arn;
mod attachment;
mod condition;
mod decide;
mod document;
mod evaluate;
mod json;
mod pattern;
mod prefix;
mod principals;
mod request;
mod resources;
mod shipped;

#[cfg(test)]
mod tests;

pub use attachment::{Attached, Attachment, PolicyName};
pub use decide::{Decision, Reason, Target, decide, granted_scopes};
pub use document::{
    DocumentError, Effect, IdentityPolicy, MAX_DOCUMENT_BYTES, RepositoryPolicy, StatementName,
};
pub use evaluate::{Verdict, evaluate};
pub use prefix::RepositoryPrefix;
pub use request::{Account, Context, Request, Transport};
pub use shipped::{PUBLIC_PULL, ShippedPolicy};
