//! `berth admin policy`

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use berth_auth::{Attachment, GroupName, MAX_DOCUMENT_BYTES, PolicyName, RepositoryPrefix, UserName};
use berth_server::{AttachedPolicy, Directory, Holder, Policy};
use clap::{Args, Subcommand};
use reqwest::Method;

use super::{Format, FormatArgs, Target, table};
use crate::failure::Failure;
use crate::output;

/// What users may do
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep a policy document (IAM's JSON) under a name, in place of the one it had
    #[command(after_help = "Example:\n  berth admin policy put ci-only policy.json")]
    Put {
        name: PolicyName,
        /// The document's file; - is standard input
        file: PathBuf,
    },
    /// Print a policy's document
    #[command(after_help = "Example:\n  berth admin policy show developer")]
    Show {
        name: PolicyName,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Remove a policy that nobody has
    #[command(after_help = "Example:\n  berth admin policy rm ci-only")]
    Rm { name: PolicyName },
    /// List the policies there are
    #[command(after_help = "Example:\n  berth admin policy list")]
    List(FormatArgs),
    /// Attach a policy to a user or a group
    #[command(after_help = "Example:\n  berth admin policy attach developer --user alice --prefix team-a/")]
    Attach(AttachmentArgs),
    /// Detach a policy from a user or a group
    #[command(after_help = "Example:\n  berth admin policy detach developer --user alice --prefix team-a/")]
    Detach(AttachmentArgs),
}

#[derive(Debug, Args)]
struct AttachmentArgs {
    /// reader, developer, admin, or one of your own
    #[arg(value_name = "NAME")]
    policy: PolicyName,
    #[command(flatten)]
    holder: HolderArgs,
    /// Of a shipped policy: which repositories, by the beginning of their names; left out: all
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: RepositoryPrefix,
}

/// Whose policy it is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct HolderArgs {
    /// One user's
    #[arg(long)]
    user: Option<UserName>,
    /// Everyone's in a group
    #[arg(long)]
    group: Option<GroupName>,
}

impl HolderArgs {
    fn holder(&self) -> Result<Holder, Failure> {
        match (&self.user, &self.group) {
            (Some(user), _) => Ok(Holder::User(user.clone())),
            (None, Some(group)) => Ok(Holder::Group(group.clone())),
            (None, None) => Err(Failure::new("reading the arguments", "neither --user nor --group is given")),
        }
    }
}

/// What a policy says, in a few words.
fn says(policy: &Policy) -> String {
    let says = match (policy.shipped, policy.name.as_str()) {
        (true, "reader") => "pull, and list what is there",
        (true, "developer") => "what reader allows, and push",
        (true, _) => "everything; without a prefix also the administration of the server",
        (false, name) => return format!("what 'berth admin policy show {name}' prints"),
    };
    says.to_owned()
}

impl PolicyArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        match &self.command {
            Command::Put { name, file } => put(target, name, file).await,
            Command::Show { name, format } => show(target, name, *format).await,
            Command::Rm { name } => remove(target, name).await,
            Command::List(format) => {
                let policies = target.list("listing the policies", "/policies", Directory::policies).await?;
                table::print(format.format, &policies, ["NAME", "KIND", "SAYS"], |policy| {
                    let kind = if policy.shipped { "shipped" } else { "own" };
                    [policy.name.clone(), kind.to_owned(), says(policy)]
                })
            }
            Command::Attach(args) => {
                let holder = args.holder.holder()?;
                let tried = format!("attaching {} to {}", args.policy, name_of(&holder));
                match target {
                    Target::Remote(remote) => {
                        remote.tell(&tried, Method::POST, &path_of(&holder), Some(&args.body())).await
                    }
                    Target::Offline(offline) => {
                        let (attachment, actor) = (args.attachment(&tried)?, offline.actor());
                        let attached = offline.directory().attach(&holder, &attachment, actor).await;
                        attached.map_err(|error| Failure::new(&tried, error))
                    }
                }
            }
            Command::Detach(args) => {
                let holder = args.holder.holder()?;
                let tried = format!("detaching {} from {}", args.policy, name_of(&holder));
                match target {
                    Target::Remote(remote) => {
                        remote.tell(&tried, Method::DELETE, &path_of(&holder), Some(&args.body())).await
                    }
                    Target::Offline(offline) => {
                        let (attachment, actor) = (args.attachment(&tried)?, offline.actor());
                        let detached = offline.directory().detach(&holder, &attachment, actor).await;
                        detached.map_err(|error| Failure::new(&tried, error))
                    }
                }
            }
        }
    }
}

fn name_of(holder: &Holder) -> String {
    match holder {
        Holder::User(user) => user.to_string(),
        Holder::Group(group) => format!("the group {group}"),
    }
}

fn path_of(holder: &Holder) -> String {
    match holder {
        Holder::User(user) => format!("/users/{user}/policies"),
        Holder::Group(group) => format!("/groups/{group}/policies"),
    }
}

impl AttachmentArgs {
    fn body(&self) -> AttachedPolicy {
        AttachedPolicy { policy: self.policy.to_string(), prefix: self.prefix.to_string() }
    }

    fn attachment(&self, tried: &str) -> Result<Attachment, Failure> {
        let attachment = Attachment::new(self.policy.clone(), self.prefix.clone());
        attachment.map_err(|error| Failure::new(tried, error))
    }
}

async fn put(target: &Target, name: &PolicyName, file: &Path) -> Result<(), Failure> {
    let tried = format!("putting the policy {name}");
    let document =
        read(file).map_err(|error| Failure::new(&tried, format!("reading {}: {error}", file.display())))?;
    match target {
        Target::Remote(remote) => remote.put_text(&tried, &format!("/policies/{name}"), document).await,
        Target::Offline(offline) => {
            let put = offline.directory().put_policy(name, document, offline.actor()).await;
            put.map_err(|error| Failure::new(&tried, error))
        }
    }
}

/// What stands in `file`, or comes on standard input; a little more than can be a document at most.
pub(super) fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let most = MAX_DOCUMENT_BYTES as u64 * 10;
    match file.to_str() {
        Some("-") => io::stdin().lock().take(most).read_to_string(&mut text)?,
        _ => std::fs::File::open(file)?.take(most).read_to_string(&mut text)?,
    };
    Ok(text)
}

/// For people the document alone, so that it can be put again.
async fn show(target: &Target, name: &PolicyName, format: FormatArgs) -> Result<(), Failure> {
    let tried = format!("showing the policy {name}");
    let policy: Policy = match target {
        Target::Remote(remote) => remote.get(&tried, &format!("/policies/{name}")).await?,
        Target::Offline(offline) => {
            offline.directory().policy(name).await.map_err(|error| Failure::new(&tried, error))?
        }
    };
    match format.format {
        Format::Table => output::result(policy.document.trim_end()),
        Format::Json | Format::Jsonl => table::print(format.format, &[policy], [], |_| []),
    }
}

async fn remove(target: &Target, name: &PolicyName) -> Result<(), Failure> {
    let tried = format!("removing the policy {name}");
    match target {
        Target::Remote(remote) => {
            remote.tell(&tried, Method::DELETE, &format!("/policies/{name}"), None::<&()>).await
        }
        Target::Offline(offline) => offline
            .directory()
            .remove_policy(name, offline.actor())
            .await
            .map_err(|error| Failure::new(&tried, error)),
    }
}
