//! `berth serve` as it comes: SQLite, local disk, authentication on.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::client::{Body, Client};

const PASSWORD: &str = "only-for-benches";

pub(super) fn command(program: &Path, folder: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command.args(["serve", "--listen", &address.to_string(), "--data"]).arg(folder.join("data"));
    command.env("BERTH_ADMIN_PASSWORD", PASSWORD);
    command
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
