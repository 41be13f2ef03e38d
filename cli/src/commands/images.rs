//! `berth images`

use berth_images::{ImageReference, ImageSummary};
use chrono::Utc;
use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::format::{self, Column, Row};
use crate::local::DataArgs;
use crate::output;
use crate::units;

const NONE: &str = "<none>";
const COLUMNS: [Column; 5] = [
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("Size", "SIZE"),
];
const DIGEST: Column = ("Digest", "DIGEST");
const CREATED_AT: Column = ("CreatedAt", "CREATED AT");

/// List the images on this machine
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth images
  berth images --digests 127.0.0.1:5000/team/app
  berth images --format '{{.Repository}}:{{.Tag}} {{.Size}}'")]
pub(crate) struct Images {
    /// Show digests
    #[arg(long)]
    digests: bool,

    /// Print ids only
    #[arg(short, long)]
    quiet: bool,

    /// Print ids whole
    #[arg(long)]
    no_trunc: bool,

    /// A template of Go's, 'table TEMPLATE', 'json' or 'jsonl'
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,

    #[command(flatten)]
    data: DataArgs,

    /// Only images of this repository, or under this tag of it
    #[arg(value_name = "REPOSITORY[:TAG]")]
    only: Option<String>,
}

impl Images {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let failed = |wrong: String| Failure::new("listing the images", wrong);
        let listed = self.data.images()?.list().map_err(|error| failed(error.to_string()))?;
        let only = self.only.as_ref().map(|only| only.parse::<ImageReference>()).transpose();
        let only = only.map_err(|error| failed(error.to_string()))?;
        let mut rows: Vec<Row> = listed.iter().flat_map(|summary| self.rows(summary)).collect();
        if let Some(only) = only {
            let with_tag =
                self.only.as_ref().is_some_and(|text| text.ends_with(&format!(":{}", only.wanted())));
            rows.retain(|row| {
                row["Repository"] == only.familiar_name().as_str()
                    && (!with_tag || row["Tag"] == only.wanted())
            });
        }
        if self.quiet && self.format.is_none() {
            let mut printed: Vec<&str> = Vec::new();
            for id in rows.iter().filter_map(|row| row["ID"].as_str()) {
                if !printed.contains(&id) {
                    printed.push(id);
                    output::result(id)?;
                }
            }
            return Ok(());
        }
        let mut columns = COLUMNS.to_vec();
        if self.digests {
            columns.insert(2, DIGEST);
        }
        let all = [COLUMNS.as_slice(), &[DIGEST, CREATED_AT]].concat();
        format::list(self.format.as_deref(), &columns, &all, rows)
    }

    /// A row for each tag; one for what was pulled by its digest alone.
    fn rows(&self, summary: &ImageSummary) -> Vec<Row> {
        let image = &summary.image;
        let parsed = |name: &String| name.parse::<ImageReference>().ok();
        let digests: Vec<ImageReference> = image.digests.iter().filter_map(parsed).collect();
        let digest_of = |repository: &str| {
            let found = digests.iter().find(|digest| digest.familiar_name() == repository);
            found.and_then(ImageReference::digest).map(|digest| digest.to_string())
        };
        let mut names: Vec<(String, String, Option<String>)> = image
            .tags
            .iter()
            .filter_map(parsed)
            .map(|tag| {
                let repository = tag.familiar_name();
                let digest = digest_of(&repository);
                (repository, tag.wanted().to_owned(), digest)
            })
            .collect();
        for digest in &digests {
            let repository = digest.familiar_name();
            if !names.iter().any(|(known, ..)| *known == repository) {
                let digest = digest.digest().map(|digest| digest.to_string());
                names.push((repository, NONE.to_owned(), digest));
            }
        }
        if names.is_empty() {
            names.push((NONE.to_owned(), NONE.to_owned(), None));
        }
        let id = if self.no_trunc { image.id.to_string() } else { image.id.hex().chars().take(12).collect() };
        let created = image.config.created.as_deref().and_then(units::time);
        let since = created.map_or("N/A".to_owned(), |created| units::ago(created, Utc::now()));
        let at = created.map_or("N/A".to_owned(), units::moment);
        let row = |(repository, tag, digest): (String, String, Option<String>)| {
            let fields = [
                ("Repository", json!(repository)),
                ("Tag", json!(tag)),
                ("ID", json!(id)),
                ("Digest", json!(digest.unwrap_or_else(|| NONE.to_owned()))),
                ("CreatedSince", json!(since)),
                ("CreatedAt", json!(at)),
                ("Size", json!(units::size(summary.size))),
            ];
            fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
        };
        names.into_iter().map(row).collect()
    }
}
