//! `berth history`

use chrono::Utc;
use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::format::{self, Column, Row};
use crate::local::DataArgs;
use crate::output;
use crate::units;

const MISSING: &str = "<missing>";
const COLUMNS: [Column; 5] = [
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
];
const CREATED_AT: Column = ("CreatedAt", "CREATED AT");

/// Show how an image was made, the last step first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth history --no-trunc 127.0.0.1:5000/team/app")]
pub(crate) struct History {
    /// Print what is long whole
    #[arg(long)]
    no_trunc: bool,

    /// Print ids only
    #[arg(short, long)]
    quiet: bool,

    /// Print sizes and times for people
    #[arg(
        short = 'H',
        long,
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    human: bool,

    /// A template of Go's, 'table TEMPLATE', 'json' or 'jsonl'
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,

    #[command(flatten)]
    data: DataArgs,

    /// The image, by name, id or the beginning of one
    #[arg(value_name = "REF")]
    reference: String,
}

impl History {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let failed = |error| Failure::new(format!("showing the history of {}", self.reference), error);
        let images = self.data.images()?;
        let image = images.get(&self.reference).map_err(failed)?;
        let mut sizes = images.layer_sizes(&image).into_iter();
        let mut rows: Vec<Row> = Vec::new();
        for step in &image.config.history {
            let size = if step.empty_layer { 0 } else { sizes.next().unwrap_or(0) };
            let created = step.created.as_deref().and_then(units::time);
            let since = created.map_or("N/A".to_owned(), |created| units::ago(created, Utc::now()));
            let at = step.created.clone().unwrap_or_default();
            let by = step.created_by.clone().unwrap_or_default();
            let fields = [
                ("ID", json!(MISSING)),
                ("CreatedSince", json!(if self.human { since } else { at.clone() })),
                ("CreatedAt", json!(at)),
                ("CreatedBy", json!(self.shortened(&by, 45))),
                ("Size", json!(if self.human { units::size(size) } else { size.to_string() })),
                ("Comment", json!(self.shortened(step.comment.as_deref().unwrap_or_default(), 45))),
            ];
            rows.push(fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect());
        }
        rows.reverse();
        if let Some(last) = rows.first_mut() {
            let hex = image.id.hex();
            let id = if self.no_trunc { image.id.to_string() } else { hex.chars().take(12).collect() };
            last.insert("ID".to_owned(), json!(id));
        }
        if self.quiet && self.format.is_none() {
            return rows.iter().filter_map(|row| row["ID"].as_str()).try_for_each(output::result);
        }
        format::list(self.format.as_deref(), &COLUMNS, &[COLUMNS.as_slice(), &[CREATED_AT]].concat(), rows)
    }

    /// At most so many characters, the last of them an ellipsis.
    fn shortened(&self, text: &str, most: usize) -> String {
        let text = text.replace('\t', " ");
        if self.no_trunc || text.chars().count() <= most {
            return text;
        }
        text.chars().take(most - 1).chain(['…']).collect()
    }
}
