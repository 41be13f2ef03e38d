//! Where a server under test keeps what it is given, and the servers that this takes.
//!
//! `BERTH_TEST_METADATA=postgres` runs any test that names no store of its own over PostgreSQL. Another
//! kind of blob store is another field here, and combines with it.

use std::path::Path;
use std::sync::LazyLock;

use test_servers::PostgresServer;

/// One server for all tests of a program; each berth has a database of its own.
static POSTGRES: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

/// Which stores a server is started on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stores {
    /// Where names and relations are kept.
    pub metadata: Metadata,
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
        let metadata = match std::env::var("BERTH_TEST_METADATA").as_deref() {
            Err(_) | Ok("" | "sqlite") => Metadata::Sqlite,
            Ok("postgres") => Metadata::Postgres,
            Ok(other) => panic!("BERTH_TEST_METADATA is sqlite or postgres, not {other}"),
        };
        Self { metadata }
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
