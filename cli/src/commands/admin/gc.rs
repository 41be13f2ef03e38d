//! `berth admin gc`

use berth_server::AcceptedRestore;
use clap::Args;
use reqwest::Method;

use super::Target;
use crate::failure::Failure;
use crate::output;

/// The collection of what nobody needs any more, which goes on by itself
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth admin gc --accept-restore      # after the database was restored")]
pub(super) struct GcArgs {
    /// Collect again with a database that was restored to an older state than its blob store
    #[arg(long, required = true)]
    accept_restore: bool,
}

impl GcArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        if self.accept_restore { accept_restore(target).await } else { Ok(()) }
    }
}

async fn accept_restore(target: &Target) -> Result<(), Failure> {
    let tried = "accepting a restored database";
    let Target::Remote(remote) = target else {
        let why = "that takes the blob store, too; start the server, log in and leave --data out";
        return Err(Failure::new(tried, why));
    };
    let accepted: AcceptedRestore = remote.ask(tried, Method::POST, "/gc/accept-restore", &()).await?;
    output::result(if accepted.was_restored {
        "Accepted; what nobody needs is collected again"
    } else {
        "The database was not restored; there is nothing to accept"
    })
}
