//! The start on a PostgreSQL: whether it is one for berth, and its schema brought up to date.

use deadpool_postgres::{Object, Pool};
use tokio_postgres::Client;

use super::failure::Failure;
use super::url::PostgresUrl;
use crate::error::{Fault, OrFault};
use crate::metadata::not_up_to_date;

mod embedded {
    refinery::embed_migrations!("migrations/postgres");
}

/// The oldest PostgreSQL that is served, as `server_version_num` has it.
const OLDEST: i32 = 140_000;
/// The advisory lock of whoever changes the schema: "berth" in ASCII.
const LOCK: i64 = 0x62_65_72_74_68;

/// Looks at the database, and migrates it; of several processes one does, and the others wait.
pub(super) async fn bring_up_to_date(pool: &Pool, url: &PostgresUrl) -> Result<(), Fault> {
    let reaching = || format!("reaching the database {url}");
    let client = pool.get().await.map_err(Failure::from).or_fault(reaching)?;
    // Never used again: its end also ends the lock and what is set here.
    let mut client = Object::take(client);
    let doing = || format!("bringing the database {url} up to date");
    check(&client).await.map_err(|why| Fault::because(reaching(), why))?;
    let waiting =
        format!("SET statement_timeout = 0; SET lock_timeout = '120s'; SELECT pg_advisory_lock({LOCK})");
    client.batch_execute(&waiting).await.map_err(Failure::from).or_fault(doing)?;
    let foreign = foreign_tables(&client).await.map_err(Failure::from).or_fault(doing)?;
    if !foreign.is_empty() {
        let tables = foreign.join(", ");
        let why =
            format!("it holds tables that are not berth's ({tables}); give berth a database of its own");
        return Err(Fault::because(doing(), why));
    }
    let migrated = embedded::migrations::runner().run_async(&mut *client).await;
    migrated.map(drop).map_err(|error| not_up_to_date(&url.to_string(), error))
}

/// Whether this is a PostgreSQL that berth can use; else why not.
async fn check(client: &Client) -> Result<(), String> {
    let sql =
        "SELECT CAST(current_setting('server_version_num') AS INTEGER), current_setting('server_version'),
                      current_setting('server_encoding')";
    let row = client.query_one(sql, &[]).await.map_err(|error| Failure::from(error).to_string())?;
    suits(row.get(0), row.get(1), row.get(2))
}

fn suits(version: i32, shown: &str, encoding: &str) -> Result<(), String> {
    if version < OLDEST {
        return Err(format!(
            "it is PostgreSQL {shown}, which is too old; berth needs {} or newer",
            OLDEST / 10_000
        ));
    }
    if encoding != "UTF8" {
        return Err(format!("its encoding is {encoding}; make a database with ENCODING 'UTF8'"));
    }
    Ok(())
}

/// Some tables of a database that somebody else uses; none when it is empty or berth's own.
async fn foreign_tables(client: &Client) -> Result<Vec<String>, tokio_postgres::Error> {
    let sql = "SELECT CAST(relname AS TEXT) FROM pg_class
               WHERE relkind IN ('r', 'p') AND relnamespace = CAST(current_schema() AS regnamespace)
                 AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
               ORDER BY relname";
    let tables: Vec<String> = client.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect();
    let is_ours = ["refinery_schema_history", "store", "repository_blobs", "generation"]
        .iter()
        .all(|own| tables.iter().any(|table| table == own));
    Ok(if is_ours { Vec::new() } else { tables.into_iter().take(5).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_postgresql_and_another_encoding_are_refused_with_what_is_needed() {
        assert_eq!(suits(140_000, "14.0", "UTF8"), Ok(()));
        assert_eq!(suits(180_001, "18.1", "UTF8"), Ok(()));
        let refused = suits(130_014, "13.14 (Debian)", "UTF8").unwrap_err();
        assert_eq!(refused, "it is PostgreSQL 13.14 (Debian), which is too old; berth needs 14 or newer");
        let refused = suits(150_001, "15.1", "SQL_ASCII").unwrap_err();
        assert_eq!(refused, "its encoding is SQL_ASCII; make a database with ENCODING 'UTF8'");
    }
}
