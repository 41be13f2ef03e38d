//! `berth logs`

use std::io::{self, Write};
use std::ops::ControlFlow;

use berth_runner::Stream;
use berth_runner::logs::{self, Entry, Wanted};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;

use crate::containers;
use crate::failure::Failure;
use crate::local::DataArgs;
use crate::units;

/// Print what a container has written
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth logs -f web
  berth logs --since 10m -t web
  berth logs --tail 20 web")]
pub(crate) struct Logs {
    /// Go on with what it writes
    #[arg(short, long)]
    follow: bool,

    /// Only so many of the last lines, or 'all'
    #[arg(short = 'n', long, value_name = "N", default_value = "all", hide_default_value = true)]
    tail: String,

    /// Only what was written since then, as 10m or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Only what was written before that
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Print when each line was written
    #[arg(short, long)]
    timestamps: bool,

    #[command(flatten)]
    data: DataArgs,

    /// The container, by name or id
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Logs {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let failed = |wrong: &dyn std::fmt::Display| {
            Failure::new(format!("printing the log of {}", self.container), wrong)
        };
        let container =
            containers::open(&self.data)?.find(&self.container).map_err(|failure| failed(&failure))?;
        let wanted = self.wanted(Utc::now()).map_err(|wrong| failed(&wrong))?;
        let take = |entry: &Entry| self.print(entry);
        let result = match self.follow {
            true => logs::follow(&container, &wanted, take),
            false => logs::read(&container, &wanted, take),
        };
        result.map_err(|error| failed(&error))
    }

    fn wanted(&self, now: DateTime<Utc>) -> Result<Wanted, String> {
        let tail = match self.tail.as_str() {
            "all" | "-1" => None,
            text => Some(text.parse().map_err(|_| format!("'{text}' is no number of lines"))?),
        };
        let time = |text: &Option<String>| text.as_deref().map(|text| moment(text, now)).transpose();
        Ok(Wanted { tail, since: time(&self.since)?, until: time(&self.until)? })
    }

    /// Breaks when nobody reads any more.
    fn print(&self, entry: &Entry) -> ControlFlow<()> {
        let line = match self.timestamps {
            true => format!("{} {}", entry.time, entry.log),
            false => entry.log.clone(),
        };
        let written = match entry.stream {
            Stream::Stdout => io::stdout().lock().write_all(line.as_bytes()),
            Stream::Stderr => io::stderr().lock().write_all(line.as_bytes()),
        };
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// A time, or how long ago it was, as log entries have theirs.
fn moment(text: &str, now: DateTime<Utc>) -> Result<String, String> {
    let wrong = || format!("'{text}' is no time; times are written as 10m or 2026-01-31T12:00:00Z");
    let ago = |duration| now.checked_sub_signed(chrono::Duration::from_std(duration).ok()?);
    let seconds = |seconds: f64| DateTime::from_timestamp_micros((seconds * 1e6) as i64);
    let time = humantime::parse_duration(text)
        .ok()
        .and_then(ago)
        .or_else(|| units::time(text))
        .or_else(|| text.parse().ok().and_then(seconds));
    Ok(time.ok_or_else(wrong)?.to_rfc3339_opts(SecondsFormat::Nanos, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moments_or_spans() {
        let now = units::time("2026-01-31T12:00:00Z").unwrap();
        assert_eq!(moment("10m", now).unwrap(), "2026-01-31T11:50:00.000000000Z");
        assert_eq!(moment("2026-01-31T13:00:00+01:00", now).unwrap(), "2026-01-31T12:00:00.000000000Z");
        assert_eq!(moment("0.5", now).unwrap(), "1970-01-01T00:00:00.500000000Z");
        assert!(moment("yesterday", now).is_err());
    }
}
