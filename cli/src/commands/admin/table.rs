//! Records for people and for programs.

use std::ops::ControlFlow;

use serde::Serialize;

use super::Format;
use crate::failure::Failure;
use crate::output;

/// Prints `items`; `columns` are the headings, `row` the cells of one item.
pub(super) fn print<T: Serialize, const N: usize>(
    format: Format,
    items: &[T],
    columns: [&'static str; N],
    row: impl Fn(&T) -> [String; N],
) -> Result<(), Failure> {
    match format {
        Format::Json => output::result(json(&items)?),
        Format::Jsonl => items.iter().try_for_each(|item| output::result(json(item)?)),
        Format::Table => Columns::new(columns).print(items.iter().map(row).collect()).map(drop),
    }
}

/// A table whose rows may come in several parts; its columns grow when they must.
pub(super) struct Columns<const N: usize> {
    headings: Option<[&'static str; N]>,
    widths: [usize; N],
}

impl<const N: usize> Columns<N> {
    /// A table with these headings, of which nothing is printed yet.
    pub(super) const fn new(headings: [&'static str; N]) -> Self {
        Self { headings: Some(headings), widths: [0; N] }
    }

    /// Prints these rows; breaks when nobody reads them any more.
    pub(super) fn print(&mut self, rows: Vec<[String; N]>) -> Result<ControlFlow<()>, Failure> {
        let headings = self.headings.take().map(|headings| headings.map(str::to_owned));
        let rows: Vec<_> = headings.into_iter().chain(rows).collect();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &rows {
            let cells = row.iter().zip(self.widths).map(|(cell, width)| format!("{cell:width$}"));
            if output::stream(cells.collect::<Vec<_>>().join("   ").trim_end())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// A moment (RFC 3339) without what is shorter than a second.
pub(super) fn to_the_second(moment: &str) -> String {
    match moment.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => moment.to_owned(),
    }
}

/// Prints one record as a JSON document.
pub(super) fn print_one(item: &impl Serialize) -> Result<(), Failure> {
    output::result(json(item)?)
}

pub(super) fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::new("printing", error))
}
