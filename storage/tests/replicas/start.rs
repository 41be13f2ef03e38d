//! The start on a database: several at once, one that is somebody else's, and one that is not there.

use std::sync::Arc;

use berth_storage::testing::TestClock;
use berth_storage::{Error, FaultKind};

use super::{Fleet, SERVER, number, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_at_once_on_an_empty_database_all_start() {
    let fleet = Fleet::of(4).await;
    let applied = number(&fleet.replicas[0], "SELECT COUNT(*) FROM refinery_schema_history").await;
    let versions =
        number(&fleet.replicas[3], "SELECT COUNT(DISTINCT version) FROM refinery_schema_history").await;
    assert_eq!(applied, versions);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_with_somebody_elses_tables_is_refused_and_left_alone() {
    let url = SERVER.database();
    let database = url.rsplit('/').next().unwrap().to_owned();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("CREATE TABLE customers (id BIGINT)").await.unwrap();
    let (folder, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
    let refused = open(&url, &folder, &clock, Arc::default()).await.unwrap_err().to_string();
    let why = "it holds tables that are not berth's (customers); give berth a database of its own";
    assert!(refused.contains(&database) && refused.ends_with(why), "{refused}");
    let sql = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'";
    let tables: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(tables, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_is_not_there_is_one_sentence() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
    // Port 1 of loopback: nobody listens there.
    let url = "postgres://berth:s3cret@127.0.0.1:1/berth";
    let Err(Error::Fault(refused)) = open(url, &folder, &clock, Arc::default()).await else { panic!() };
    assert_eq!(refused.kind(), FaultKind::Unavailable);
    let sentence = refused.to_string();
    assert!(sentence.contains("reaching the database postgres://berth:…@127.0.0.1:1/berth"), "{sentence}");
    assert!(
        sentence.contains("refused") && !sentence.contains("s3cret") && !sentence.contains('\n'),
        "{sentence}"
    );
}
