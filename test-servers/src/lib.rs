//! Real servers that tests start, each in a temporary folder that goes with the test's process. One that
//! is not installed fails the test. Nothing of Berth's is in here, so that every crate's tests may use it.

mod postgres;

pub use postgres::PostgresServer;
