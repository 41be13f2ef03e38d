//! Both databases have the same tables, so that one SQL text fits both.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_storage::testing::{TestClock, options, rows};
use berth_storage::{BufferBudget, LocalBlobStore, NoTelemetry, PostgresOptions, Registry, SharedClock};
use tempfile::TempDir;
use test_servers::PostgresServer;

/// What only one of them has: what migrates them, and the count that other processes follow.
const OWN: [&str; 2] = ["refinery_schema_history", "generation"];

/// Each column and index, with what is said of it in PostgreSQL's words.
async fn described(registry: &Registry<LocalBlobStore>, sql: &'static str) -> BTreeMap<String, String> {
    let found = rows(registry, sql, vec![]).await.unwrap();
    let described = found.iter().filter(|row| !OWN.contains(&row.text(0).unwrap())).map(|row| {
        let name = format!("{}.{}", row.text(0).unwrap(), row.text(1).unwrap());
        (name, row.text(2).unwrap().to_owned())
    });
    described.collect()
}

fn blobs(folder: &TempDir) -> LocalBlobStore {
    LocalBlobStore::open(folder.path(), BufferBudget::new(1 << 20), Arc::new(NoTelemetry)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    let (folder, clock, server) = (tempfile::tempdir().unwrap(), TestClock::new(), PostgresServer::start());
    let database = folder.path().join("berth.db");
    let sqlite = Registry::open_sqlite(&database, blobs(&folder), options(&clock)).await.unwrap();
    let url = server.database().parse().unwrap();
    let database = PostgresOptions { url, connections: 2, clock: SharedClock::default() };
    let postgres = Registry::open_postgres(database, blobs(&folder), options(&clock)).await.unwrap();
    let sqlite = described(
        &sqlite,
        "SELECT tables.name, columns.name,
             CASE columns.type WHEN 'INTEGER' THEN 'bigint' WHEN 'TEXT' THEN 'text C' WHEN 'BLOB' THEN 'bytea'
                               ELSE columns.type END
             || CASE WHEN columns.\"notnull\" = 1 OR columns.pk > 0 THEN ' NOT NULL' ELSE '' END
         FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table'
         UNION ALL
         SELECT tbl_name, name, 'index' FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
    )
    .await;
    let postgres = described(
        &postgres,
        "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT),
             data_type || COALESCE(' ' || collation_name, '')
             || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
         FROM information_schema.columns WHERE table_schema = current_schema()
         UNION ALL
         SELECT CAST(tablename AS TEXT), CAST(indexname AS TEXT), 'index' FROM pg_indexes
         WHERE schemaname = current_schema()
           AND indexname NOT IN (SELECT conname FROM pg_constraint)",
    )
    .await;
    assert!(sqlite.len() > 100, "{}", sqlite.len());
    for (name, column) in &sqlite {
        assert_eq!(postgres.get(name), Some(column), "{name}");
    }
    assert_eq!(sqlite.len(), postgres.len(), "{postgres:#?}");
}
