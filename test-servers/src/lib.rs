//! Real servers that tests start, each in a temporary folder that goes with the test's process, and bad
//! lines to them. One that is not installed fails the test. Nothing of Berth's is in here, so that every
//! crate's tests may use it.

mod bad_line;
mod postgres;

pub use bad_line::{BadLine, Line};
pub use postgres::PostgresServer;
