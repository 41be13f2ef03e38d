//! The key opens the door: [`Allowed`] is the only way for a handler to a repository's name and to
//! whoever asks, so that authorisation stands in the handler's signature.

mod allowed;
mod asker;
mod challenge;
mod credentials;
pub(crate) mod ecr;
mod even_refusal;
mod logged_in;

pub(crate) use allowed::{Allowed, AllowedHere};
pub(crate) use asker::Asker;
pub(crate) use challenge::{Origin, READ};
pub(crate) use even_refusal::refuse_evenly;
pub(crate) use logged_in::{Known, LoggedIn};
