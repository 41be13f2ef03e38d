//! `berth admin key`

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use berth_auth::{AccessKeyId, AccessKeyName, UserName};
use berth_server::{AccessKey, Directory, NewAccessKey, PageRequest};
use clap::{Args, Subcommand};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{Format, FormatArgs, Target, table};
use crate::failure::Failure;
use crate::output;

/// Access keys: ids and secrets for robots to log in with in place of a user's name and password
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an access key; prints its id and its secret, which is never shown again
    #[command(after_help = "Examples:
  berth admin key create --name laptop                  # one's own
  berth admin key create --user ci --expires 90d")]
    Create(CreateArgs),
    /// List the access keys: one's own, or an administrator's everyone's
    #[command(after_help = "Example:\n  berth admin key list --format json")]
    List(FormatArgs),
    /// Remove an access key; it and every token asked for with it are worthless at once
    #[command(after_help = "Example:\n  berth admin key rm BK23456789ABCDEFGHJK")]
    Rm { id: AccessKeyId },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// Whose it will be; left out: one's own
    #[arg(long)]
    user: Option<UserName>,
    /// What to call it
    #[arg(long)]
    name: Option<AccessKeyName>,
    /// How long it will be good, such as 90d or 12h; left out: until it is removed, or the key
    /// logged in with ends
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    expires: Option<Duration>,
    #[command(flatten)]
    format: FormatArgs,
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.as_secs() == 0 => Err("a key is good for a second or longer".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; a duration looks like 90d or 12h")),
    }
}

/// What making a key gives.
#[derive(Serialize, Deserialize)]
struct Made {
    #[serde(flatten)]
    key: AccessKey,
    secret: String,
}

impl KeyArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        match &self.command {
            Command::Create(args) => args.run(target).await,
            Command::List(format) => {
                let kept =
                    async |directory: &Directory, page: &PageRequest| directory.access_keys(None, page).await;
                print(*format, &target.list("listing the access keys", "/keys", kept).await?)
            }
            Command::Rm { id } => {
                let tried = format!("removing the access key {id}");
                match target {
                    Target::Remote(remote) => {
                        remote.tell(&tried, Method::DELETE, &format!("/keys/{id}"), None::<&()>).await
                    }
                    Target::Offline(offline) => {
                        let removed = offline.directory().remove_access_key(id, None, offline.actor()).await;
                        removed.map_err(|error| Failure::new(&tried, error))
                    }
                }
            }
        }
    }
}

impl CreateArgs {
    async fn run(&self, target: &Target) -> Result<(), Failure> {
        let tried = match &self.user {
            Some(user) => format!("making an access key for {user}"),
            None => "making an access key".to_owned(),
        };
        let made = match target {
            Target::Remote(remote) => {
                let new = NewAccessKey {
                    user: self.user.clone(),
                    name: self.name.clone(),
                    expires_in: self.expires.map(|expires| expires.as_secs()),
                };
                remote.ask(&tried, Method::POST, "/keys", &new).await?
            }
            Target::Offline(offline) => {
                let Some(user) = &self.user else {
                    let wrong = "nobody is logged in to a data folder; say whose it will be with --user";
                    return Err(Failure::new(&tried, wrong));
                };
                let (name, actor) = (self.name.clone(), offline.actor());
                let made = offline.directory().add_access_key(user, name, self.expires, actor).await;
                let made = made.map_err(|error| Failure::new(&tried, error))?;
                Made { key: made.key, secret: made.secret.expose_secret().to_owned() }
            }
        };
        match self.format.format {
            Format::Table => output::result(format_args!("{}\n{}", made.key.id, made.secret))?,
            Format::Json | Format::Jsonl => table::print_one(&made)?,
        }
        output::note("This is the key's id and its secret, to log in with as user name and password.");
        output::note("The secret is not shown again.");
        Ok(())
    }
}

fn print(format: FormatArgs, keys: &[AccessKey]) -> Result<(), Failure> {
    table::print(format.format, keys, ["ID", "NAME", "USER", "CREATED", "EXPIRES", "LAST USED"], |key| {
        let expires = match (key.expires_at, key.expired) {
            (None, _) => "never".to_owned(),
            (Some(end), false) => moment(end),
            (Some(end), true) => format!("{} (over)", moment(end)),
        };
        let used = key.used_at.map_or_else(|| "never".to_owned(), moment);
        let name = key.name.clone().unwrap_or_default();
        [key.id.clone(), name, key.user.clone(), moment(key.created_at), expires, used]
    })
}

/// A moment in UTC, for people.
pub(super) fn moment(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    // Some ten thousand years on, there are no words for it.
    let last = Duration::from_secs(253_402_300_799);
    let time: SystemTime = UNIX_EPOCH + since.min(last);
    humantime::format_rfc3339_seconds(time).to_string()
}
