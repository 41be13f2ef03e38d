//! `berth admin explain`

use std::net::IpAddr;

use berth_auth::{Action, Subject};
use berth_oci::RepositoryName;
use berth_server::Explanation;
use clap::Args;

use super::{Format, FormatArgs, Target, table};
use crate::failure::Failure;
use crate::output;

/// Say whether a user may do something, and which statement of which policy decides
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth admin explain alice ecr:PutImage team-a/app
  berth admin explain anonymous ecr:BatchGetImage team-a/app     # whoever has not logged in")]
pub(super) struct ExplainArgs {
    /// Who: a user, or anonymous for whoever has not logged in
    user: Subject,
    /// What, as ECR names it
    action: Action,
    /// To which repository; left out: to the registry as a whole
    repository: Option<RepositoryName>,
    /// From which address; left out: from where this command asks
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    #[command(flatten)]
    format: FormatArgs,
}

impl ExplainArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        let tried = format!("explaining what {} may do", self.user);
        let explanation: Explanation = match target {
            Target::Remote(remote) => {
                let from = self.from.map(|from| format!("&from={from}")).unwrap_or_default();
                let repository = self.repository.as_ref().map(|name| format!("&repository={name}"));
                let (user, action, repository) = (&self.user, self.action, repository.unwrap_or_default());
                let path = format!("/explain?user={user}&action={action}{repository}{from}");
                remote.get(&tried, &path).await?
            }
            Target::Offline(offline) => offline
                .explain(&self.user, self.action, self.repository.as_ref(), self.from)
                .await
                .map_err(|error| Failure::new(&tried, error))?,
        };
        match self.format.format {
            Format::Table => output::result(&explanation.sentence),
            Format::Json | Format::Jsonl => table::print(self.format.format, &[explanation], [], |_| []),
        }
    }
}
