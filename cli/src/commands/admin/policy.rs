//! `berth admin policy`

use berth_auth::{Attachment, RepositoryPrefix, ShippedPolicy, UserName};
use berth_server::AttachedPolicy;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Serialize;

use super::{FormatArgs, Target, table};
use crate::failure::Failure;

/// What users may do
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the policies there are
    #[command(after_help = "Example:\n  berth admin policy list")]
    List(FormatArgs),
    /// Attach a policy to a user
    #[command(after_help = "Example:\n  berth admin policy attach developer --user alice --prefix team-a/")]
    Attach(AttachmentArgs),
    /// Detach a policy from a user
    #[command(after_help = "Example:\n  berth admin policy detach developer --user alice --prefix team-a/")]
    Detach(AttachmentArgs),
}

#[derive(Debug, Args)]
struct AttachmentArgs {
    /// reader, developer or admin
    #[arg(value_name = "NAME")]
    policy: ShippedPolicy,
    /// Whose
    #[arg(long)]
    user: UserName,
    /// Which repositories, by the beginning of their names; left out: all
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: RepositoryPrefix,
}

#[derive(Serialize)]
struct Policy {
    name: &'static str,
    allows: &'static str,
}

const POLICIES: [Policy; 3] = [
    Policy { name: "reader", allows: "pull, and list what is there" },
    Policy { name: "developer", allows: "what reader allows, and push" },
    Policy { name: "admin", allows: "everything; without a prefix also the administration of the server" },
];

impl PolicyArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        match &self.command {
            Command::List(format) => table::print(format.format, &POLICIES, ["NAME", "ALLOWS"], |policy| {
                [policy.name.to_owned(), policy.allows.to_owned()]
            }),
            Command::Attach(args) => {
                let tried = format!("attaching {} to {}", args.policy, args.user);
                match target {
                    Target::Remote(remote) => {
                        remote.tell(&tried, Method::POST, &args.path(), Some(&args.body())).await
                    }
                    Target::Offline(offline) => {
                        let attached = offline.directory().attach(&args.user, &args.attachment()).await;
                        attached.map_err(|error| Failure::new(&tried, error))
                    }
                }
            }
            Command::Detach(args) => {
                let tried = format!("detaching {} from {}", args.policy, args.user);
                match target {
                    Target::Remote(remote) => {
                        remote.tell(&tried, Method::DELETE, &args.path(), Some(&args.body())).await
                    }
                    Target::Offline(offline) => {
                        let detached = offline.directory().detach(&args.user, &args.attachment()).await;
                        detached.map_err(|error| Failure::new(&tried, error))
                    }
                }
            }
        }
    }
}

impl AttachmentArgs {
    fn path(&self) -> String {
        format!("/users/{}/policies", self.user)
    }

    fn body(&self) -> AttachedPolicy {
        AttachedPolicy { policy: self.policy.to_string(), prefix: self.prefix.to_string() }
    }

    fn attachment(&self) -> Attachment {
        Attachment { policy: self.policy.into(), prefix: self.prefix.clone() }
    }
}
