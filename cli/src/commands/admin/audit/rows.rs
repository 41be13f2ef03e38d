//! Records of the audit, printed as they come.

use std::ops::ControlFlow;

use berth_server::AuditEntry;

use super::super::{Format, table};
use crate::failure::Failure;
use crate::output;

/// How many characters of a digest tell it from others well enough.
const SHORT_DIGEST: usize = "sha256:".len() + 12;

/// How records are printed.
pub(super) enum Rows {
    /// One JSON object a line.
    Lines,
    /// Columns for people.
    Columns(table::Columns<6>),
}

impl Rows {
    /// For `format`; one JSON document is not printed as it comes.
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::Json | Format::Jsonl => Self::Lines,
            Format::Table => {
                Self::Columns(table::Columns::new(["TIME", "USER", "ADDRESS", "ACTION", "OUTCOME", "WHAT"]))
            }
        }
    }

    /// Prints these; breaks when nobody reads them any more.
    pub(super) fn print(&mut self, entries: &[AuditEntry]) -> Result<ControlFlow<()>, Failure> {
        match self {
            Self::Lines => {
                for entry in entries {
                    if output::stream(table::json(entry)?)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            }
            Self::Columns(columns) => columns.print(entries.iter().map(cells).collect()),
        }
    }
}

fn cells(entry: &AuditEntry) -> [String; 6] {
    // Seconds are enough for people.
    let time = entry.time.split('.').next().unwrap_or_default();
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let user = entry.user.clone().or_else(|| entry.access_key.clone());
    let what = what(entry);
    let (action, outcome) = (entry.action.clone(), entry.outcome.clone());
    [format!("{time}Z"), or_dash(&user), or_dash(&entry.address), action, outcome, what]
}

/// What it was done to, and what else there is to say.
fn what(entry: &AuditEntry) -> String {
    let mut what = entry.repository.clone().unwrap_or_default();
    if !entry.tags.is_empty() {
        what.push_str(&format!(":{}", entry.tags.join(",")));
    }
    if let Some(digest) = &entry.digest {
        what.push_str(&format!("@{}", digest.get(..SHORT_DIGEST).unwrap_or(digest)));
    }
    let times = (entry.times > 1).then(|| format!("({} times)", entry.times));
    let parts = [Some(what), entry.subject.clone(), entry.detail.clone(), times];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
