//! The distribution specification, clause by clause, and what clients send that follows none of it.

mod audit;
mod bad_input;
mod blobs;
mod collection;
mod creation;
mod deletes;
mod keys;
mod lists;
mod manifests;
mod mounts;
mod openapi;
mod paging;
mod public;
mod pulls;
mod referrers;
mod security_headers;
mod sessions;
mod settings;
mod strangers;
mod support;
mod tokens;
