//! `berth admin user`

use std::io::{self, BufRead, IsTerminal};

use berth_auth::{GroupName, Password, UserName};
use berth_server::{AttachedPolicy, Directory, NewUser, User};
use clap::{Args, Subcommand};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{FormatArgs, Target, table};
use crate::failure::Failure;
use crate::output;

/// Who may log in
#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user; give it policies with 'berth admin policy attach'
    #[command(after_help = "Example:\n  berth admin user add alice --password-stdin < password.txt")]
    Add {
        name: UserName,
        #[command(flatten)]
        password: PasswordArgs,
        /// Put the user into this group; may be given several times
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<GroupName>,
    },
    /// List the users
    #[command(after_help = "Example:\n  berth admin user list --format json")]
    List(FormatArgs),
    /// Show a user and what it may do
    #[command(after_help = "Example:\n  berth admin user show alice")]
    Show {
        name: UserName,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Change a user's password; tokens issued before are worthless at once
    #[command(after_help = "Example:\n  berth admin user passwd alice")]
    Passwd {
        name: UserName,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Let a user do nothing for now; tokens issued before are worthless at once
    #[command(after_help = "Example:\n  berth admin user disable alice")]
    Disable { name: UserName },
    /// Let a disabled user log in again
    #[command(after_help = "Example:\n  berth admin user enable alice")]
    Enable { name: UserName },
    /// Remove a user
    #[command(after_help = "Example:\n  berth admin user rm alice")]
    Rm { name: UserName },
}

#[derive(Debug, Args)]
struct PasswordArgs {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

impl UserArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        match &self.command {
            Command::Add { name, password, groups } => add(target, name, password, groups).await,
            Command::List(format) => {
                print(*format, &target.list("listing the users", "/users", Directory::users).await?)
            }
            Command::Show { name, format } => print(*format, &[show(target, name).await?]),
            Command::Passwd { name, password } => change_password(target, name, password).await,
            Command::Disable { name } => disable(target, name).await,
            Command::Enable { name } => enable(target, name).await,
            Command::Rm { name } => remove(target, name).await,
        }
    }
}

fn print(format: FormatArgs, users: &[User]) -> Result<(), Failure> {
    table::print(format.format, users, ["NAME", "STATE", "GROUPS", "POLICIES"], |user| {
        let state = if user.disabled { "disabled" } else { "active" };
        [user.name.clone(), state.to_owned(), user.groups.join(", "), policies(&user.policies)]
    })
}

/// Policies and where, in one cell.
pub(super) fn policies(policies: &[AttachedPolicy]) -> String {
    let policy = |at: &AttachedPolicy| match at.prefix.as_str() {
        "" => at.policy.clone(),
        prefix => format!("{} on {prefix}", at.policy),
    };
    policies.iter().map(policy).collect::<Vec<_>>().join(", ")
}

async fn add(
    target: &Target,
    name: &UserName,
    args: &PasswordArgs,
    groups: &[GroupName],
) -> Result<(), Failure> {
    let tried = format!("adding the user {name}");
    let (password, origin) = args.read(&tried)?;
    match target {
        Target::Remote(remote) => {
            let password = password.secret().expose_secret();
            let body = json!({ "name": name.as_str(), "password": password, "groups": groups });
            remote.tell(&tried, Method::POST, "/users", Some(&body)).await?;
        }
        Target::Offline(offline) => {
            let (name, password, groups) = (name.clone(), password.clone(), groups.to_vec());
            let new = NewUser { name, password, groups, policies: Vec::new() };
            let added = offline.directory().add_user(new, offline.actor()).await;
            added.map_err(|error| Failure::new(&tried, error))?;
        }
    }
    origin.tell(&password)
}

async fn show(target: &Target, name: &UserName) -> Result<User, Failure> {
    let tried = format!("showing the user {name}");
    match target {
        Target::Remote(remote) => remote.get(&tried, &format!("/users/{name}")).await,
        Target::Offline(offline) => {
            offline.directory().user(name).await.map_err(|error| Failure::new(&tried, error))
        }
    }
}

async fn change_password(target: &Target, name: &UserName, args: &PasswordArgs) -> Result<(), Failure> {
    let tried = format!("changing the password of {name}");
    let (password, origin) = args.read(&tried)?;
    match target {
        Target::Remote(remote) => {
            let body = json!({ "password": password.secret().expose_secret() });
            remote.tell(&tried, Method::PUT, &format!("/users/{name}/password"), Some(&body)).await?;
        }
        Target::Offline(offline) => {
            let changed = offline.directory().set_password(name, password.clone(), offline.actor()).await;
            changed.map_err(|error| Failure::new(&tried, error))?;
        }
    }
    origin.tell(&password)
}

async fn disable(target: &Target, name: &UserName) -> Result<(), Failure> {
    let tried = format!("disabling the user {name}");
    match target {
        Target::Remote(remote) => {
            remote.tell(&tried, Method::PUT, &format!("/users/{name}/disabled"), None::<&()>).await
        }
        Target::Offline(offline) => offline
            .directory()
            .disable_user(name, offline.actor())
            .await
            .map_err(|error| Failure::new(&tried, error)),
    }
}

async fn enable(target: &Target, name: &UserName) -> Result<(), Failure> {
    let tried = format!("enabling the user {name}");
    match target {
        Target::Remote(remote) => {
            remote.tell(&tried, Method::DELETE, &format!("/users/{name}/disabled"), None::<&()>).await
        }
        Target::Offline(offline) => offline
            .directory()
            .enable_user(name, offline.actor())
            .await
            .map_err(|error| Failure::new(&tried, error)),
    }
}

async fn remove(target: &Target, name: &UserName) -> Result<(), Failure> {
    let tried = format!("removing the user {name}");
    match target {
        Target::Remote(remote) => {
            remote.tell(&tried, Method::DELETE, &format!("/users/{name}"), None::<&()>).await
        }
        Target::Offline(offline) => offline
            .directory()
            .remove_user(name, offline.actor())
            .await
            .map_err(|error| Failure::new(&tried, error)),
    }
}

/// Where a password came from.
#[derive(PartialEq, Eq)]
enum Origin {
    /// A person or a program gave it, and knows it.
    Given,
    /// It was made here, and nobody knows it yet.
    Made,
}

impl Origin {
    /// Prints a password that nobody knows yet, once.
    fn tell(&self, password: &Password) -> Result<(), Failure> {
        match self {
            Self::Given => Ok(()),
            Self::Made => output::result(password.secret().expose_secret()),
        }
    }
}

impl PasswordArgs {
    /// From standard input, or asked for twice on a terminal, or made.
    fn read(&self, tried: &str) -> Result<(Password, Origin), Failure> {
        let failed = |wrong: &dyn std::fmt::Display| Failure::new(tried, wrong);
        if !self.password_stdin && !io::stdin().is_terminal() {
            let made = Password::generate().map_err(|error| failed(&error))?;
            return Ok((made, Origin::Made));
        }
        let text = if self.password_stdin {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map_err(|error| failed(&error))?;
            SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned())
        } else {
            let ask = |prompt: &str| rpassword::prompt_password(prompt).map_err(|error| failed(&error));
            let (once, twice) = (ask("Password: ")?, ask("Once more: ")?);
            if once != twice {
                return Err(failed(&"the two passwords differ"));
            }
            SecretString::from(once)
        };
        Ok((Password::new(text).map_err(|error| failed(&error))?, Origin::Given))
    }
}
