//! Where a server under test keeps what it is given.
//!
//! `BERTH_TEST_BLOBS=s3` and `BERTH_TEST_METADATA=postgres` run any test that names no store of its own
//! over S3, over PostgreSQL, or over both.

use std::env::{VarError, var};
use std::path::Path;
use std::sync::LazyLock;

use test_servers::PostgresServer;

/// One server for all tests of a program; each berth has a database of its own.
static POSTGRES: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

/// Which stores a server is started on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stores {
    /// Where bytes are kept.
    pub blobs: Blobs,
    /// Where names and relations are kept.
    pub metadata: Metadata,
}

/// Where bytes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blobs {
    /// In the data folder.
    Local,
    /// In a bucket of an S3 server of the test's own.
    S3,
}

/// Where names and relations are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metadata {
    /// In the data folder.
    Sqlite,
    /// In a database of a PostgreSQL of the test's own.
    Postgres,
}

impl Stores {
    /// What the environment asks for; without a word, everything is in the data folder.
    pub fn of_environment() -> Self {
        let blobs = match word("BERTH_TEST_BLOBS").as_str() {
            "" | "local" => Blobs::Local,
            "s3" => Blobs::S3,
            other => panic!("BERTH_TEST_BLOBS is local or s3, not {other}"),
        };
        let metadata = match word("BERTH_TEST_METADATA").as_str() {
            "" | "sqlite" => Metadata::Sqlite,
            "postgres" => Metadata::Postgres,
            other => panic!("BERTH_TEST_METADATA is sqlite or postgres, not {other}"),
        };
        Self { blobs, metadata }
    }
}

fn word(variable: &str) -> String {
    match var(variable) {
        Ok(word) => word,
        Err(VarError::NotPresent) => String::new(),
        Err(VarError::NotUnicode(word)) => panic!("{variable} is {}", word.display()),
    }
}

impl Metadata {
    /// The `[metadata]` section of a server with this data folder: the same for each that is started on it.
    pub(crate) fn config(self, data: &Path) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!("[metadata]\nurl = \"{}\"\n", database_of(data)),
        }
    }
}

fn database_of(data: &Path) -> String {
    let note = data.with_extension("database");
    std::fs::read_to_string(&note).unwrap_or_else(|_| {
        let url = POSTGRES.database();
        std::fs::write(&note, &url).expect("noting the database beside the data folder");
        url
    })
}
