//! `berth fsck`

use std::fmt::Write as _;
use std::path::PathBuf;

use berth_server::config::Flags;
use berth_server::{Depth, Finding, Inspection, Remedies};
use clap::Args;
use serde_json::{Value, json};

use crate::args::{Format, FormatArgs};
use crate::failure::Failure;
use crate::{configuration, output};

/// Inspect a stopped server's stores
#[derive(Debug, Args)]
#[command(
    after_help = "Everything that a row names is looked for in the blob store, and everything in the blob \
store for a row. One line for each thing that is not as it should be; exit 1 if there is any.

Examples:
  berth fsck --data /var/lib/berth
  berth fsck --config berth.toml --deep       # hashes every byte
  berth fsck --config berth.toml --repair     # removes what nobody names, and marks what is lost: push it again"
)]
pub(crate) struct Fsck {
    /// The configuration, a TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The folder that holds everything [default: /var/lib/berth, or ~/.local/share/berth]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Hash every blob and manifest
    #[arg(long)]
    deep: bool,

    /// Remove what nobody names, and mark what is lost, so that the next push brings it back
    #[arg(long)]
    repair: bool,

    #[command(flatten)]
    format: FormatArgs,
}

impl Fsck {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let flags = Flags { listen: None, data: self.data.clone() };
        let config = configuration::load(self.config.as_deref(), flags)?;
        let depth = if self.deep { Depth::Digests } else { Depth::Sizes };
        let remedies = if self.repair { Remedies::Applied } else { Remedies::None };
        let tried = "inspecting the stores";
        let inspection = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new("starting", error))?
            .block_on(berth_server::fsck(&config, depth, remedies))
            .map_err(|error| Failure::new(tried, error))?;
        output::result(shown(&inspection, self.format.format))?;
        if inspection.findings.is_empty() {
            return Ok(());
        }
        Err(Failure::new(tried, advice(&inspection.findings, remedies)))
    }
}

fn shown(inspection: &Inspection, format: Format) -> String {
    let Inspection { blobs, bytes, waiting, findings } = inspection;
    match format {
        Format::Table => {
            let mut lines: String = findings.iter().fold(String::new(), |mut lines, finding| {
                let _ = writeln!(lines, "{}", line(finding));
                lines
            });
            let _ = write!(
                lines,
                "{blobs} blobs ({bytes} bytes) inspected, {waiting} places wait to be cleared, {} findings",
                findings.len()
            );
            lines
        }
        Format::Json => json!({
            "blobs": blobs, "bytes": bytes, "waiting": waiting,
            "findings": findings.iter().map(object).collect::<Vec<_>>(),
        })
        .to_string(),
        Format::Jsonl => {
            let lines: Vec<String> = findings.iter().map(|finding| object(finding).to_string()).collect();
            lines.join("\n")
        }
    }
}

fn line(finding: &Finding) -> String {
    let (mut line, done) = match finding {
        Finding::Lost { digest, location, missing, how, holders, done } => {
            let kind = if *missing { "missing" } else { "damaged" };
            let mut line = format!("{kind:8} {digest} at {location}: {how}");
            if !holders.is_empty() {
                let holders: Vec<_> = holders.iter().map(ToString::to_string).collect();
                let _ = write!(line, "; held by {}", holders.join(", "));
            }
            (line, done)
        }
        Finding::Sound { digest, done } => {
            (format!("{:8} {digest}: it was marked as damaged and is sound", "sound"), done)
        }
        Finding::Unknown { name, size, done } => {
            (format!("{:8} {name} ({size} bytes): nothing names it", "unknown"), done)
        }
        Finding::Untold { digest, location, done } => {
            (format!("{:8} {digest} at {location}: the bucket lacks its marker", "untold"), done)
        }
        Finding::Manifest { repository, digest, how } => {
            (format!("{:8} manifest {digest} of {repository}: {how}", "damaged"), &None)
        }
        Finding::Database(how) => (format!("{:8} the database: {how}", "damaged"), &None),
    };
    if let Some(done) = done {
        let _ = write!(line, "; {done}");
    }
    line
}

fn object(finding: &Finding) -> Value {
    match finding {
        Finding::Lost { digest, location, missing, how, holders, done } => json!({
            "kind": if *missing { "missing" } else { "damaged" }, "digest": digest.as_str(),
            "location": location.as_str(), "how": how, "done": done,
            "repositories": holders.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Finding::Sound { digest, done } => json!({"kind": "sound", "digest": digest.as_str(), "done": done}),
        Finding::Unknown { name, size, done } => {
            json!({"kind": "unknown", "name": name, "size": size, "done": done})
        }
        Finding::Untold { digest, location, done } => json!({
            "kind": "untold", "digest": digest.as_str(), "location": location.as_str(), "done": done,
        }),
        Finding::Manifest { repository, digest, how } => json!({
            "kind": "manifest", "repository": repository.to_string(), "digest": digest.as_str(), "how": how,
        }),
        Finding::Database(how) => json!({"kind": "database", "how": how}),
    }
}

/// What to do about it.
fn advice(findings: &[Finding], remedies: Remedies) -> String {
    let count = findings.len();
    let is_lost = |finding: &&Finding| matches!(finding, Finding::Lost { .. });
    match (remedies, findings.iter().any(|finding| is_lost(&finding))) {
        (Remedies::None, _) => format!("{count} findings; --repair does what can be done"),
        (Remedies::Applied, true) => format!("{count} findings; push again what is marked"),
        (Remedies::Applied, false) => format!("{count} findings, treated as each line says"),
    }
}
