//! `berth admin gc`

use berth_server::{AcceptedRestore, Collected, Forecast};
use clap::Args;
use reqwest::Method;

use super::{Format, FormatArgs, Target, table};
use crate::failure::Failure;
use crate::output;
use crate::units;

/// Collect what nobody needs any more, which also goes on by itself
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth admin gc --dry-run             # what will be freed, and when
  berth admin gc --wait                # free now what is due, and say what that was
  berth admin gc --accept-restore      # after the database was restored")]
pub(super) struct GcArgs {
    /// Only say what will be freed, and when
    #[arg(long, conflicts_with_all = ["wait", "accept_restore"])]
    dry_run: bool,

    /// Wait until it is done, and say what was freed
    #[arg(long, conflicts_with = "accept_restore")]
    wait: bool,

    /// Collect again with a database that was restored to an older state than its blob store
    #[arg(long)]
    accept_restore: bool,

    #[command(flatten)]
    format: FormatArgs,
}

impl GcArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        match self {
            Self { accept_restore: true, .. } => accept_restore(target).await,
            Self { dry_run: true, .. } => forecast(target, self.format.format).await,
            Self { wait: true, .. } => collect(target, self.format.format).await,
            Self { .. } => begin(target).await,
        }
    }
}

async fn accept_restore(target: &Target) -> Result<(), Failure> {
    let tried = "accepting a restored database";
    let Target::Remote(remote) = target else { return Err(takes_the_blob_store(tried)) };
    let accepted: AcceptedRestore = remote.ask(tried, Method::POST, "/gc/accept-restore", &()).await?;
    output::result(if accepted.was_restored {
        "Accepted; what nobody needs is collected again"
    } else {
        "The database was not restored; there is nothing to accept"
    })
}

fn takes_the_blob_store(tried: &str) -> Failure {
    Failure::new(tried, "that takes the blob store, too; start the server, log in and leave --data out")
}

async fn begin(target: &Target) -> Result<(), Failure> {
    let tried = "collecting what nobody needs";
    let Target::Remote(remote) = target else { return Err(takes_the_blob_store(tried)) };
    remote.tell(tried, Method::POST, "/gc", None::<&()>).await?;
    output::result("Begun; 'berth admin gc --wait' says what it frees")
}

async fn collect(target: &Target, format: Format) -> Result<(), Failure> {
    let tried = "collecting what nobody needs";
    let Target::Remote(remote) = target else { return Err(takes_the_blob_store(tried)) };
    let freed: Collected = remote.ask(tried, Method::POST, "/gc?wait=true", &()).await?;
    if format != Format::Table {
        return table::print_one(&freed);
    }
    output::result(format!(
        "Freed {} in {} manifests and {} blobs",
        units::size(freed.bytes),
        freed.manifests,
        freed.blobs
    ))
}

async fn forecast(target: &Target, format: Format) -> Result<(), Failure> {
    let tried = "asking what will be freed";
    let forecast = match target {
        Target::Remote(remote) => remote.get::<Forecast>(tried, "/gc/forecast").await?,
        Target::Offline(offline) => {
            let forecast = offline.directory().forecast().await;
            forecast.map_err(|error| Failure::new(tried, error))?
        }
    };
    if format != Format::Table {
        return table::print_one(&forecast);
    }
    if forecast.repositories.is_empty() {
        return output::result("Nothing; all that is here is needed");
    }
    let columns = ["REPOSITORY", "MANIFESTS", "BLOBS", "FREES", "FROM"];
    let mut rows: Vec<_> = forecast
        .repositories
        .iter()
        .map(|repository| {
            let name = match repository.removed_at {
                Some(_) => format!("{} (removed)", repository.name),
                None => repository.name.clone(),
            };
            let from = repository.next.as_deref().map_or_else(|| "-".to_owned(), table::to_the_second);
            [
                name,
                repository.manifests.to_string(),
                repository.blobs.to_string(),
                units::size(repository.bytes),
                from,
            ]
        })
        .collect();
    let from = forecast.next.as_deref().map_or_else(|| "-".to_owned(), table::to_the_second);
    rows.push([
        "in all".to_owned(),
        forecast.manifests.to_string(),
        forecast.blobs.to_string(),
        units::size(forecast.bytes),
        from,
    ]);
    table::Columns::new(columns).print(rows).map(drop)
}
