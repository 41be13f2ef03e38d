//! Credential helpers: programs named `docker-credential-…` that keep secrets for docker.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{Credential, Error};

/// The user name that stands for "the secret is an identity token".
const TOKEN_USER: &str = "<token>";

/// One helper, called once a question.
#[derive(Debug)]
pub(super) struct Helper {
    program: String,
    /// The file that names it, for the sentence when it is missing.
    config: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Got {
    username: String,
    secret: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Stored<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'a str,
    secret: &'a str,
}

impl Helper {
    pub(super) fn new(name: &str, config: &Path) -> Self {
        Self { program: format!("docker-credential-{name}"), config: config.to_owned() }
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Credential>, Error> {
        let Some(answer) = self.ask("get", key.as_bytes())? else { return Ok(None) };
        let Ok(Got { username, secret }) = serde_json::from_slice(&answer) else {
            return Err(self.failed("get", "it did not answer with credentials in JSON"));
        };
        Ok(Some(match username.as_str() {
            TOKEN_USER => Credential::IdentityToken(secret.into()),
            _ => Credential::Password { user: username, password: secret.into() },
        }))
    }

    pub(super) fn store(&self, key: &str, credential: &Credential) -> Result<(), Error> {
        let (username, secret) = match credential {
            Credential::Password { user, password } => (user.as_str(), password),
            Credential::IdentityToken(token) => (TOKEN_USER, token),
        };
        let stored = Stored { server_url: key, username, secret: secret.expose_secret() };
        let Ok(question) = serde_json::to_vec(&stored) else {
            return Err(self.failed("store", "the credential can't be written as JSON"));
        };
        self.ask("store", &question).map(drop)
    }

    /// Whether there was anything to erase.
    pub(super) fn erase(&self, key: &str) -> Result<bool, Error> {
        // Helpers differ in whether they complain of what isn't there, so they are asked first.
        let was_there = self.ask("get", key.as_bytes())?.is_some();
        Ok(was_there && self.ask("erase", key.as_bytes())?.is_some())
    }

    /// What the helper answers; none for a credential that it doesn't have.
    fn ask(&self, verb: &'static str, question: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let output = self.run(verb, question).map_err(|source| Error::HelperMissing {
            program: self.program.clone(),
            config: self.config.clone(),
            source,
        })?;
        if output.status.success() {
            return Ok(Some(output.stdout));
        }
        // Helpers say what failed on stdout; this one sentence is part of their protocol.
        let said = String::from_utf8_lossy(&output.stdout);
        if said.contains("credentials not found in native keychain") {
            return Ok(None);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let line = [said, stderr]
            .iter()
            .find_map(|text| text.lines().find(|line| !line.trim().is_empty()).map(str::to_owned));
        Err(self.failed(verb, &line.unwrap_or_else(|| output.status.to_string())))
    }

    fn run(&self, verb: &str, question: &[u8]) -> std::io::Result<Output> {
        let mut child = Command::new(&self.program)
            .arg(verb)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that ends without reading says why in its own words.
            let _ = stdin.write_all(question);
        }
        child.wait_with_output()
    }

    fn failed(&self, verb: &'static str, wrong: &str) -> Error {
        Error::Helper { program: self.program.clone(), verb, wrong: wrong.to_owned() }
    }
}
