//! `berth admin audit`

mod follow;
mod rows;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use berth_server::{AuditEntry, AuditPage, Timestamp};
use clap::Args;
use clap::error::ErrorKind;

use super::remote::Unheard;
use super::{Format, FormatArgs, Target, table};
use crate::failure::Failure;
use rows::Rows;

/// How many records are asked for at once.
const PAGE: u64 = 1000;
const TRIED: &str = "reading the audit";

/// Show who did what, and what was refused to whom, the oldest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth admin audit --since 2h
  berth admin audit --since 2026-01-31T12:00:00Z --format jsonl > audit.jsonl
  berth admin audit --follow")]
pub(super) struct AuditArgs {
    /// Go on with what happens from now on, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Only what is no older than this, such as 2h or 3d, or no earlier than 2026-01-31T12:00:00Z
    #[arg(long, value_name = "T", value_parser = since)]
    since: Option<Since>,
    #[command(flatten)]
    format: FormatArgs,
}

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    /// So long ago.
    Ago(Duration),
    /// At this moment.
    At(SystemTime),
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(moment) = humantime::parse_rfc3339_weak(text) {
        return Ok(Since::At(moment));
    }
    let wrong = |error| format!("{error}; write it like 2h, 3d or 2026-01-31T12:00:00Z");
    humantime::parse_duration(text).map(Since::Ago).map_err(wrong)
}

impl AuditArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        let first = match self.since {
            None => UNIX_EPOCH,
            Some(Since::At(moment)) => moment,
            Some(Since::Ago(age)) => SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH),
        };
        let page = AuditPage { since: Timestamp::from_system(first), after: 0, limit: PAGE };
        match (self.follow, self.format.format) {
            (false, Format::Json) => whole(target, page).await,
            (false, Format::Jsonl | Format::Table) => {
                pages(target, page, Rows::new(self.format.format)).await
            }
            (true, Format::Json) => {
                let sentence =
                    "--follow never ends, so it can't print one JSON document; use --format jsonl\n";
                clap::Error::raw(ErrorKind::ArgumentConflict, sentence).exit()
            }
            (true, Format::Jsonl | Format::Table) => {
                follow::until_interrupted(target, page, Rows::new(self.format.format)).await
            }
        }
    }
}

/// All records as one JSON document.
async fn whole(target: &Target, mut page: AuditPage) -> Result<(), Failure> {
    let mut all = Vec::new();
    loop {
        let found = ask(target, page).await?;
        let is_last = (found.len() as u64) < PAGE;
        page.after = found.last().map_or(page.after, |last| last.id);
        all.extend(found);
        if is_last {
            return table::print(Format::Json, &all, [], |_| []);
        }
    }
}

/// All records, as they come.
async fn pages(target: &Target, mut page: AuditPage, mut rows: Rows) -> Result<(), Failure> {
    loop {
        let found = ask(target, page).await?;
        if rows.print(&found)?.is_break() || (found.len() as u64) < PAGE {
            return Ok(());
        }
        page.after = found.last().map_or(page.after, |last| last.id);
    }
}

/// One page of records.
async fn ask(target: &Target, page: AuditPage) -> Result<Vec<AuditEntry>, Unheard> {
    match target {
        Target::Remote(remote) => {
            let since = Duration::from_micros(u64::try_from(page.since.0).unwrap_or(0));
            let since = humantime::format_rfc3339_micros(UNIX_EPOCH + since);
            let AuditPage { after, limit, .. } = page;
            remote.hear(TRIED, &format!("/audit?since={since}&after={after}&limit={limit}")).await
        }
        Target::Offline(offline) => {
            let found = offline.directory().audit(page).await;
            found.map_err(|error| Unheard::Refused(Failure::new(TRIED, error)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_duration_or_a_moment() {
        assert_eq!(since("2h"), Ok(Since::Ago(Duration::from_secs(7200))));
        assert_eq!(since("3d"), Ok(Since::Ago(Duration::from_secs(3 * 24 * 3600))));
        let moment = UNIX_EPOCH + Duration::from_secs(86_400);
        assert_eq!(since("1970-01-02T00:00:00Z"), Ok(Since::At(moment)));
        for wrong in ["", "yesterday", "-2h", "2026-13-01T00:00:00Z"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
