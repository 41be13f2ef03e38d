//! The rows of a store, on their way into another: table by table, those that are referred to first.

use std::sync::LazyLock;

use futures_util::future::BoxFuture;

use super::{Progress, Registry};
use crate::BlobStore;
use crate::error::Error;
use crate::metadata::{Row, Tx, Value, args};

/// A table, and the statements that read, write and empty it.
struct Table {
    /// What stands before every key.
    start: Vec<Value>,
    /// How many rows are moved at a time.
    page: u64,
    /// Gives the columns, then those of the key.
    select: String,
    /// Takes the columns.
    insert: String,
    clear: String,
}

/// What rows are read in the order of.
#[derive(Clone, Copy)]
enum Key {
    /// The first so many columns, which are texts.
    Texts(usize),
    /// A number that is none of the columns: the target gives it anew, in the same order.
    Number(&'static str),
}

/// In the order of their foreign keys. Blobs are moved with their bytes; what belongs to running
/// processes (leases, upload sessions) and to the old bytes (what is condemned) stays.
static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    use Key::{Number, Texts};
    vec![
        // But for the facts that are about one pair of database and blob store.
        table("store", Texts(1), "name, value", "name NOT IN ('id', 'epoch', 'moving_from')"),
        table(
            "repositories",
            Texts(1),
            "id, name, created_at, created_by, deleted_at, policy, description, tag_mutability, tag_exclusions, \
             untagged_after",
            "1 = 1",
        ),
        table("repository_blobs", Texts(2), "repository_id, digest, created_at", "1 = 1"),
        Table {
            // Up to 4 MiB each.
            page: 16,
            ..table(
                "manifests",
                Texts(2),
                "repository_id, digest, media_type, artifact_type, annotations, subject, size, pushed_at, \
                 pushed_by, pulled_at, untagged_at, deleted_at, content",
                "1 = 1",
            )
        },
        Table {
            // Their subjects, once all are there.
            insert: "UPDATE manifests SET subject_ref = $3 WHERE repository_id = $1 AND digest = $2"
                .to_owned(),
            clear: "UPDATE manifests SET subject_ref = NULL WHERE subject_ref IS NOT NULL".to_owned(),
            ..table("manifests", Texts(2), "repository_id, digest, subject_ref", "subject_ref IS NOT NULL")
        },
        Table {
            start: vec![Value::from(""), Value::from(-1i64), Value::from("")],
            ..table("reviews", Texts(3), "repository_id, kind, digest, cause, review_after", "1 = 1")
        },
        table("tags", Texts(2), "repository_id, name, digest, updated_at", "1 = 1"),
        table("tag_history", Number("id"), "repository_id, name, digest, changed_at, changed_by", "1 = 1"),
        table("manifest_blobs", Texts(3), "repository_id, manifest, wanted, blob", "1 = 1"),
        table("manifest_children", Texts(3), "repository_id, manifest, wanted, child", "1 = 1"),
        table(
            "identities",
            Texts(1),
            "id, name, password, created_at, disabled_at, credentials_changed_at",
            "1 = 1",
        ),
        table("retention", Texts(1), "scope, document", "1 = 1"),
        table("policies", Texts(1), "name, document, created_at, updated_at", "1 = 1"),
        table("attachments", Texts(3), "identity_id, policy, prefix", "1 = 1"),
        table("user_groups", Texts(1), "name, created_at", "1 = 1"),
        table("group_members", Texts(2), "group_name, identity_id", "1 = 1"),
        table("group_attachments", Texts(3), "group_name, policy, prefix", "1 = 1"),
        table(
            "access_keys",
            Texts(1),
            "id, identity_id, name, sealed_secret, created_at, expires_at, used_at",
            "1 = 1",
        ),
        table(
            "refresh_tokens",
            Texts(1),
            "hash, identity_id, access_key, service, created_at, expires_at",
            "1 = 1",
        ),
        table("signing_keys", Texts(1), "kid, sealed_private, created_at, retired_at", "1 = 1"),
        table(
            "audit",
            Number("id"),
            "at, action, outcome, identity_id, user_name, access_key, address, request_id, repository, digest, \
             tags, subject, detail, times",
            "1 = 1",
        ),
    ]
});

fn table(name: &str, key: Key, columns: &str, condition: &str) -> Table {
    let (key, start) = match key {
        Key::Texts(count) => {
            let key: Vec<&str> = columns.split(", ").take(count).collect();
            (key.join(", "), vec![Value::from(""); count])
        }
        Key::Number(id) => (id.to_owned(), vec![Value::from(-1i64)]),
    };
    let numbers = |count: usize| (1..=count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    let (after, limit, values) =
        (numbers(start.len()), start.len() + 1, numbers(columns.split(", ").count()));
    Table {
        start,
        page: 500,
        select: format!(
            "SELECT {columns}, {key} FROM {name} WHERE ({key}) > ({after}) AND {condition} ORDER BY {key} LIMIT ${limit}"
        ),
        insert: format!("INSERT INTO {name} ({columns}) VALUES ({values})"),
        clear: format!("DELETE FROM {name} WHERE {condition}"),
    }
}

impl<B: BlobStore> Registry<B> {
    /// Empties a store of all rows but those of blobs: what an interrupted run had copied.
    pub(super) async fn clear_rows(&self) -> Result<(), Error> {
        for index in (0..TABLES.len()).rev() {
            self.metadata().write(index, clear).await?;
        }
        Ok(())
    }

    /// Copies all rows but those of blobs into a store that has none.
    pub(super) async fn move_rows(
        &self,
        target: &Self,
        progress: &mut Progress,
        told: &(impl Fn(Progress) + Sync),
    ) -> Result<(), Error> {
        for (index, table) in TABLES.iter().enumerate() {
            let mut after = table.start.clone();
            loop {
                let rows = self.metadata().scan((index, after.clone()), page).await?;
                let Some(last) = rows.last() else { break };
                after = last[last.len() - after.len()..].to_vec();
                progress.rows += rows.len() as u64;
                target.metadata().write((index, rows), put).await?;
                told(*progress);
            }
        }
        Ok(())
    }
}

/// Whether the store holds anything: a user, a repository, a blob.
pub(super) fn any<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM identities) OR EXISTS (SELECT 1 FROM repositories)
                   OR EXISTS (SELECT 1 FROM blobs)";
        Ok(tx.row(sql, args![]).await?.is_some())
    })
}

/// Rows of a table after a key: the columns, then the key.
fn page<'t>(
    tx: &'t mut Tx<'_>,
    (index, after): &'t (usize, Vec<Value>),
) -> BoxFuture<'t, Result<Vec<Vec<Value>>, Error>> {
    Box::pin(async move {
        let table = &TABLES[*index];
        let mut args = after.clone();
        args.push(Value::from(table.page));
        let rows = tx.rows(&table.select, &args).await?;
        Ok(rows.into_iter().map(Row::into_values).collect())
    })
}

fn put<'t>(
    tx: &'t mut Tx<'_>,
    (index, rows): &'t (usize, Vec<Vec<Value>>),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let table = &TABLES[*index];
        for row in rows {
            tx.run(&table.insert, &row[..row.len() - table.start.len()]).await?;
        }
        Ok(())
    })
}

fn clear<'t>(tx: &'t mut Tx<'_>, index: &'t usize) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move { Ok(tx.run(&TABLES[*index].clear, args![]).await?) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What belongs to running processes, to the old bytes, or is moved with its bytes.
    const STAYS: [&str; 3] = ["uploads", "condemned", "leases"];
    const WITH_BYTES: &str = "blobs";

    #[test]
    fn every_column_of_every_table_is_moved() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files {
            database.execute_batch(&std::fs::read_to_string(file).unwrap()).unwrap();
        }
        let sql = "SELECT tables.name, columns.name FROM sqlite_schema AS tables
                   JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'";
        let mut statement = database.prepare(sql).unwrap();
        let columns = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        let mut missing = BTreeSet::new();
        for (table, column) in columns.unwrap().map(Result::unwrap) {
            let is_moved = TABLES.iter().any(|moved| {
                let (columns, rest) = moved.select["SELECT ".len()..].split_once(" FROM ").unwrap();
                rest.starts_with(&format!("{table} ")) && columns.split(", ").any(|known| known == column)
            });
            if !is_moved && !STAYS.contains(&table.as_str()) && table != WITH_BYTES {
                missing.insert(format!("{table}.{column}"));
            }
        }
        assert_eq!(missing, BTreeSet::new());
    }
}
