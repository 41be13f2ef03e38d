//! `table.txt`, parsed.

use std::sync::LazyLock;

use crate::callers::Caller;

/// The kinds of repositories, as the table calls them.
pub(crate) const REPOSITORIES: [&str; 5] = ["own", "other", "public", "absent", "elsewhere"];

/// What is expected.
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

/// One route, for one kind of what it is about.
pub(crate) struct Row {
    pub(crate) method: String,
    /// As the router has it, with its parameters in braces.
    pub(crate) path: String,
    pub(crate) of: String,
    expected: Vec<u16>,
}

impl Row {
    /// The status that this caller is to get.
    pub(crate) fn expected(&self, caller: Caller) -> u16 {
        self.expected[caller as usize]
    }

    /// Whether asking changes nothing.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(&*self.method, "GET" | "HEAD")
    }
}

/// Whether a path speaks of one repository.
pub(crate) fn names_a_repository(path: &str) -> bool {
    path.contains("{repository}") || path.starts_with("/api/v1/repositories/{name}")
}

/// The table, parsed once.
pub(crate) fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| parse(include_str!("table.txt")));
    &TABLE
}

/// The columns are those of [`Caller::ALL`], by name and in that order.
fn parse(text: &str) -> Table {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let head: Vec<&str> = lines.next().expect("a head").split_whitespace().collect();
    let callers: Vec<&str> = Caller::ALL.iter().map(|caller| caller.name()).collect();
    assert_eq!(head[..3], ["method", "path", "of"], "the first columns");
    assert_eq!(head[3..], callers, "a column for each caller");
    Table { rows: lines.map(row).collect() }
}

fn row(line: &str) -> Row {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [method, path, of, expected @ ..] = words.as_slice() else { panic!("no row: {line}") };
    let expected: Vec<u16> =
        expected.iter().map(|word| word.parse().unwrap_or_else(|error| panic!("{line}: {error}"))).collect();
    assert_eq!(expected.len(), Caller::ALL.len(), "a status for each caller: {line}");
    Row { method: (*method).to_owned(), path: (*path).to_owned(), of: (*of).to_owned(), expected }
}
