//! `berth admin group`

use berth_auth::{GroupName, UserName};
use berth_server::{Directory, Group};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::{FormatArgs, Target, table, user};
use crate::failure::Failure;

/// Users who may do the same
#[derive(Debug, Args)]
pub(super) struct GroupArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a group; give it policies with 'berth admin policy attach --group'
    #[command(after_help = "Example:\n  berth admin group add team-a")]
    Add { name: GroupName },
    /// Remove a group; its users stay
    #[command(after_help = "Example:\n  berth admin group rm team-a")]
    Rm { name: GroupName },
    /// List the groups, who is in them and what they may do
    #[command(after_help = "Example:\n  berth admin group list --format json")]
    List(FormatArgs),
    /// Put a user into a group
    #[command(after_help = "Example:\n  berth admin group join team-a alice")]
    Join { group: GroupName, user: UserName },
    /// Take a user out of a group
    #[command(after_help = "Example:\n  berth admin group leave team-a alice")]
    Leave { group: GroupName, user: UserName },
}

impl GroupArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        let tried = self.tried();
        let failed = |error| Failure::new(&tried, error);
        match (target, &self.command) {
            (Target::Remote(remote), Command::Add { name }) => {
                remote.tell(&tried, Method::POST, "/groups", Some(&json!({ "name": name }))).await
            }
            (Target::Offline(offline), Command::Add { name }) => {
                offline.directory().add_group(name, offline.actor()).await.map_err(failed)
            }
            (Target::Remote(remote), Command::Rm { name }) => {
                remote.tell(&tried, Method::DELETE, &format!("/groups/{name}"), None::<&()>).await
            }
            (Target::Offline(offline), Command::Rm { name }) => {
                offline.directory().remove_group(name, offline.actor()).await.map_err(failed)
            }
            (target, Command::List(format)) => {
                print(*format, &target.list(&tried, "/groups", Directory::groups).await?)
            }
            (target, Command::Join { group, user }) => join(target, group, user).await,
            (Target::Remote(remote), Command::Leave { group, user }) => {
                let path = format!("/groups/{group}/members/{user}");
                remote.tell(&tried, Method::DELETE, &path, None::<&()>).await
            }
            (Target::Offline(offline), Command::Leave { group, user }) => {
                offline.directory().leave_group(group, user, offline.actor()).await.map_err(failed)
            }
        }
    }

    fn tried(&self) -> String {
        match &self.command {
            Command::Add { name } => format!("adding the group {name}"),
            Command::Rm { name } => format!("removing the group {name}"),
            Command::List(_) => "listing the groups".to_owned(),
            Command::Join { group, user } => joining(group, user),
            Command::Leave { group, user } => format!("taking {user} out of the group {group}"),
        }
    }
}

fn joining(group: &GroupName, user: &UserName) -> String {
    format!("putting {user} into the group {group}")
}

async fn join(target: &Target, group: &GroupName, user: &UserName) -> Result<(), Failure> {
    let tried = joining(group, user);
    match target {
        Target::Remote(remote) => {
            let path = format!("/groups/{group}/members/{user}");
            remote.tell(&tried, Method::PUT, &path, None::<&()>).await
        }
        Target::Offline(offline) => {
            let joined = offline.directory().join_group(group, user, offline.actor()).await;
            joined.map_err(|error| Failure::new(&tried, error))
        }
    }
}

fn print(format: FormatArgs, groups: &[Group]) -> Result<(), Failure> {
    table::print(format.format, groups, ["NAME", "MEMBERS", "POLICIES"], |group| {
        [group.name.clone(), group.members.join(", "), user::policies(&group.policies)]
    })
}
