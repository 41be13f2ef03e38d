//! The seam to SQL: one text, whatever engine runs it.
//!
//! Rules that keep it one text: parameters are `$1`, `$2` …; columns in `DO UPDATE` are qualified;
//! times are microseconds, ids text, booleans 0 or 1; prefixes are ranges, never `LIKE`.

use berth_oci::{Digest, MediaType, RepositoryName, Tag};
use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::postgres::{Failure, Session};
use crate::error::{Fault, OrFault};
use crate::{Change, Timestamp};

/// One unit of work's view of the database: everything it does becomes visible together, or not.
#[derive(Debug)]
pub struct Tx<'c> {
    driver: Driver<'c>,
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Driver<'c> {
    Sqlite(&'c mut rusqlite::Connection),
    Postgres(Session<'c>),
}

impl<'c> Tx<'c> {
    pub(super) const fn sqlite(connection: &'c mut rusqlite::Connection) -> Self {
        Self { driver: Driver::Sqlite(connection), changes: Vec::new() }
    }

    pub(super) const fn postgres(session: Session<'c>) -> Self {
        Self { driver: Driver::Postgres(session), changes: Vec::new() }
    }

    /// Runs one statement and gives all its rows.
    ///
    /// # Errors
    /// When the database refuses the statement; the fault carries the statement's text.
    pub async fn rows(&mut self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, Fault> {
        match &mut self.driver {
            Driver::Sqlite(connection) => rows_sqlite(connection, sql, args).or_fault(|| doing(sql)),
            Driver::Postgres(session) => session.rows(sql, args).await.or_fault(|| doing(sql)),
        }
    }

    /// Runs one statement and gives its first row, if it has one.
    ///
    /// # Errors
    /// As [`Tx::rows`].
    pub async fn row(&mut self, sql: &'static str, args: &[Value]) -> Result<Option<Row>, Fault> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// Runs one statement whose rows, if any, don't matter.
    ///
    /// # Errors
    /// As [`Tx::rows`].
    pub async fn run(&mut self, sql: &'static str, args: &[Value]) -> Result<(), Fault> {
        self.rows(sql, args).await.map(drop)
    }

    /// Waits for every unit that has an id of the audit already but is not committed yet. Where all write
    /// in turns there is none.
    pub(super) async fn await_writers_of_audit(&mut self) -> Result<(), Fault> {
        match &self.driver {
            Driver::Sqlite(_) => Ok(()),
            // Each of them shares this lock until its end; see next_audit_id in the schema.
            Driver::Postgres(_) => self.run("SELECT COUNT(*) FROM pg_advisory_xact_lock(1)", args![]).await,
        }
    }

    /// Notes what this unit of work changed, for whoever keeps copies; told only after COMMIT.
    pub fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// Commits where the driver's transaction is this unit's own; gives what it changed.
    pub(super) async fn commit(self) -> Result<Vec<Change>, Failure> {
        match self.driver {
            Driver::Sqlite(_) => {}
            Driver::Postgres(session) => session.commit().await?,
        }
        Ok(self.changes)
    }
}

fn doing(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    format!("asking the database: {}", words.join(" "))
}

/// SQLite numbers `$1`-like names by their first appearance, so they are bound by name.
fn rows_sqlite(
    connection: &rusqlite::Connection,
    sql: &'static str,
    args: &[Value],
) -> Result<Vec<Row>, rusqlite::Error> {
    const NAMES: [&str; 16] = [
        "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$16",
    ];
    let mut statement = connection.prepare_cached(sql)?;
    for (name, value) in NAMES.iter().zip(args) {
        if let Some(index) = statement.parameter_index(name)? {
            statement.raw_bind_parameter(index, value)?;
        }
    }
    let width = statement.column_count();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let values = (0..width).map(|column| row.get_ref(column).map(Value::from));
        found.push(Row(values.collect::<Result<_, _>>()?));
    }
    Ok(found)
}

/// A value that goes into or comes out of the database.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Bytes),
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Int(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Self::Blob(Bytes::copy_from_slice(bytes)),
        }
    }
}

macro_rules! value_from_text {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                Self::Text(value.to_string())
            }
        }
    )*};
}

value_from_text!(
    &str,
    &String,
    &Digest,
    &RepositoryName,
    &Tag,
    &MediaType,
    &crate::UploadId,
    &crate::Location
);

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Value {
    /// Sizes and offsets: no blob comes near 2^63 bytes.
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.0)
    }
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        Self::Blob(value)
    }
}

impl<T> From<Option<T>> for Value
where
    Self: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

/// The arguments of a statement: `args![&repository, &digest, now]`.
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        &[$($crate::metadata::Value::from($value)),*]
    };
}
pub(crate) use args;

/// One row of an answer; columns are asked for by position.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(Vec<Value>);

impl Row {
    /// Every column.
    pub(crate) fn into_values(self) -> Vec<Value> {
        self.0
    }

    pub(super) const fn of(values: Vec<Value>) -> Self {
        Self(values)
    }

    fn unexpected(&self, column: usize, wanted: &str) -> Fault {
        let found = self.0.get(column);
        Fault::because("reading the database", format!("column {column} is {found:?}, not {wanted}"))
    }

    /// The whole number in `column`.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn int(&self, column: usize) -> Result<i64, Fault> {
        self.int_or_null(column)?.ok_or_else(|| self.unexpected(column, "a number"))
    }

    /// The whole number in `column`, unless it is NULL.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn int_or_null(&self, column: usize) -> Result<Option<i64>, Fault> {
        match self.0.get(column) {
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.unexpected(column, "a number or NULL")),
        }
    }

    /// The size or offset in `column`.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn size(&self, column: usize) -> Result<u64, Fault> {
        u64::try_from(self.int(column)?).map_err(|_| self.unexpected(column, "a size"))
    }

    /// The text in `column`.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn text(&self, column: usize) -> Result<&str, Fault> {
        self.text_or_null(column)?.ok_or_else(|| self.unexpected(column, "text"))
    }

    /// The text in `column`, unless it is NULL.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn text_or_null(&self, column: usize) -> Result<Option<&str>, Fault> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.unexpected(column, "text or NULL")),
        }
    }

    /// The bytes in `column`, unless it is NULL.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn bytes_or_null(&self, column: usize) -> Result<Option<Bytes>, Fault> {
        match self.0.get(column) {
            Some(Value::Blob(bytes)) => Ok(Some(bytes.clone())),
            Some(Value::Null) => Ok(None),
            _ => Err(self.unexpected(column, "bytes or NULL")),
        }
    }

    /// The bytes in `column`.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn bytes(&self, column: usize) -> Result<Bytes, Fault> {
        self.bytes_or_null(column)?.ok_or_else(|| self.unexpected(column, "bytes"))
    }

    /// The word in `column`, parsed.
    ///
    /// # Errors
    /// When something else stands there, or it does not follow its grammar.
    pub fn parsed<T: std::str::FromStr>(&self, column: usize) -> Result<T, Fault> {
        self.parsed_or_null(column)?.ok_or_else(|| self.unexpected(column, "a word"))
    }

    /// The word in `column`, parsed, unless it is NULL.
    ///
    /// # Errors
    /// When something else stands there, or it does not follow its grammar.
    pub fn parsed_or_null<T: std::str::FromStr>(&self, column: usize) -> Result<Option<T>, Fault> {
        let Some(text) = self.text_or_null(column)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.unexpected(column, std::any::type_name::<T>()))
    }
}
