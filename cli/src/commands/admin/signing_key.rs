//! `berth admin signing-key`

use berth_server::SigningKeyInfo;
use clap::{Args, Subcommand};
use reqwest::Method;

use super::key::moment;
use super::{FormatArgs, Target, table};
use crate::failure::Failure;

/// The keys that sign the server's tokens
#[derive(Debug, Args)]
pub(super) struct SigningKeyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the key that signs, and those before it whose tokens may still be alive
    #[command(after_help = "Example:\n  berth admin signing-key list")]
    List(FormatArgs),
    /// Let a new key sign from now on; no client notices, and every 90 days it happens by itself
    #[command(after_help = "Example:\n  berth admin signing-key rotate")]
    Rotate,
}

impl SigningKeyArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        match &self.command {
            Command::List(format) => {
                let tried = "listing the signing keys";
                let keys = match target {
                    Target::Remote(remote) => {
                        remote.get::<Vec<SigningKeyInfo>>(tried, "/signing-keys").await?
                    }
                    Target::Offline(offline) => {
                        let keys = offline.directory().signing_keys().await;
                        keys.map_err(|error| Failure::new(tried, error))?
                    }
                };
                print(*format, &keys)
            }
            Command::Rotate => {
                let tried = "rotating the signing key";
                match target {
                    Target::Remote(remote) => {
                        remote.tell(tried, Method::POST, "/signing-keys", None::<&()>).await
                    }
                    Target::Offline(offline) => {
                        let rotated = offline.directory().rotate_signing_key(offline.actor()).await;
                        rotated.map_err(|error| Failure::new(tried, error))
                    }
                }
            }
        }
    }
}

fn print(format: FormatArgs, keys: &[SigningKeyInfo]) -> Result<(), Failure> {
    table::print(format.format, keys, ["ID", "CREATED", "STATE"], |key| {
        let state = match key.believed_until {
            None => "signs".to_owned(),
            Some(end) => format!("believed until {}", moment(end)),
        };
        [key.kid.clone(), moment(key.created_at), state]
    })
}
