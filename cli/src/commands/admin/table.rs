//! Records for people and for programs.

use serde::Serialize;

use super::Format;
use crate::failure::Failure;
use crate::output;

/// Prints `items`; `columns` are the headings, `row` the cells of one item.
pub(super) fn print<T: Serialize, const N: usize>(
    format: Format,
    items: &[T],
    columns: [&str; N],
    row: impl Fn(&T) -> [String; N],
) -> Result<(), Failure> {
    match format {
        Format::Json => output::result(json(&items)?),
        Format::Jsonl => items.iter().try_for_each(|item| output::result(json(item)?)),
        Format::Table => {
            let rows: Vec<[String; N]> =
                std::iter::once(columns.map(str::to_owned)).chain(items.iter().map(row)).collect();
            let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            let widths: [usize; N] = std::array::from_fn(width);
            rows.iter().try_for_each(|row| {
                let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
                output::result(cells.collect::<Vec<_>>().join("   ").trim_end())
            })
        }
    }
}

/// Prints one record as a JSON document.
pub(super) fn print_one(item: &impl Serialize) -> Result<(), Failure> {
    output::result(json(item)?)
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::new("printing", error))
}
