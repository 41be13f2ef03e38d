//! `berth serve` as it comes: authentication on; SQLite and local disk, or PostgreSQL and S3.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::stores::{ACCESS_KEY, Delivery, Place, SECRET_KEY};
use crate::client::{Body, Client};

const PASSWORD: &str = "only-for-benches";

pub(super) fn command(
    program: &Path,
    folder: &Path,
    address: SocketAddr,
    place: Option<&Place>,
) -> Result<Command> {
    let mut command = Command::new(program);
    command.args(["serve", "--listen", &address.to_string(), "--data"]).arg(folder.join("data"));
    if let Some(place) = place {
        let path = folder.join("berth.toml");
        std::fs::write(&path, config(place))?;
        command.arg("--config").arg(path);
    }
    command.env("BERTH_ADMIN_PASSWORD", PASSWORD);
    Ok(command)
}

fn config(place: &Place) -> String {
    let Place { s3, bucket, database, delivery, .. } = place;
    // By another name than the registry's: clients would present their token there.
    let delivered = match delivery {
        Delivery::Streamed => String::new(),
        Delivery::Redirected => {
            format!("redirect = true\npublic_endpoint = \"http://localhost:{}\"\n", s3.port())
        }
    };
    format!(
        "[metadata]
url = \"{database}\"
[blobs]
kind = \"s3\"
bucket = \"{bucket}\"
endpoint = \"http://{s3}\"
access_key_id = \"{ACCESS_KEY}\"
secret_access_key = \"{SECRET_KEY}\"
{delivered}"
    )
}

/// The administrator's name and password, as the value of `Authorization`.
pub(crate) fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("admin:{PASSWORD}")))
}

/// Does what docker does: is refused, reads where to get a token, gets one with the password.
pub(super) fn bearer(address: SocketAddr, repository: &str) -> Result<String> {
    let refusal = Client::connect(address, None)?.send("GET", "/v2/", None, Body::Empty)?;
    let challenge = refusal.header("www-authenticate").context("berth asked for no token")?;
    let service = parameter(challenge, "service").with_context(|| format!("no service in {challenge}"))?;
    let realm = parameter(challenge, "realm").with_context(|| format!("no realm in {challenge}"))?;
    let path = realm.rfind('/').map_or("/token", |slash| &realm[slash..]);

    let url = format!("{path}?service={service}&scope=repository:{repository}:pull,push");
    let answer = Client::connect(address, Some(basic()))?.get(&url)?;
    let answer: serde_json::Value = serde_json::from_slice(&answer).context("reading the token's answer")?;
    let token = answer["token"].as_str().context("the token's answer has no token")?;
    Ok(format!("Bearer {token}"))
}

fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}
