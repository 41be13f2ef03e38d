//! What an archive of a layer may and may not do, with archives written byte by byte where tools refuse.

#![expect(clippy::unwrap_used, reason = "what a test needs and doesn't get fails it")]

mod archives;
mod escapes;
mod limits;
mod overlay;
mod tar;
