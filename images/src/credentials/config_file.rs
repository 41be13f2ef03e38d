//! docker's `config.json`: only what is about logins is understood, and everything else kept.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use super::{Credential, Error};

/// The file as it was read, and what is to be written back.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    root: Map<String, Value>,
}

impl ConfigFile {
    /// Reads the file; one that is missing or empty counts as `{}`.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        let malformed = |wrong| Error::Malformed { path: path.to_owned(), wrong };
        let root = if text.trim_ascii().is_empty() {
            Map::new()
        } else {
            serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?
        };
        match root.get("auths") {
            None | Some(Value::Null | Value::Object(_)) => Ok(Self { path: path.to_owned(), root }),
            Some(_) => Err(malformed("'auths' is not an object".to_owned())),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the helper that keeps the credential of `key`, if any does.
    pub(super) fn helper_of(&self, key: &str) -> Option<&str> {
        let own = self.root.get("credHelpers").and_then(|helpers| helpers.get(key));
        [own, self.root.get("credsStore")]
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .find(|name| !name.is_empty())
    }

    /// The credential that stands in the file itself under `key`.
    pub(super) fn find(&self, key: &str) -> Result<Option<Credential>, Error> {
        let entry = self.entries().find(|(name, _)| *name == key).or_else(|| {
            // As docker does for files of older versions, which have whole URLs for keys.
            self.entries().find(|(name, _)| host_of(name) == key)
        });
        let Some((_, entry)) = entry else { return Ok(None) };
        let text = |field: &str| entry.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(token) = text("identitytoken") {
            return Ok(Some(Credential::IdentityToken(token.into())));
        }
        if let Some(encoded) = text("auth") {
            return decode(encoded).map(Some).ok_or_else(|| Error::Malformed {
                path: self.path.clone(),
                wrong: format!("the 'auth' of {key} is not user:password in base64"),
            });
        }
        let (Some(user), Some(password)) = (text("username"), text("password")) else { return Ok(None) };
        Ok(Some(Credential::Password { user: user.to_owned(), password: password.into() }))
    }

    /// The keys of all entries.
    pub(super) fn keys(&self) -> Vec<String> {
        self.entries().map(|(key, _)| key.to_owned()).collect()
    }

    /// Puts an entry under `key`: the credential, or an empty one for what a helper keeps.
    pub(super) fn insert(&mut self, key: &str, credential: Option<&Credential>) {
        let entry = match credential {
            None => json!({}),
            Some(Credential::IdentityToken(token)) => {
                json!({"auth": STANDARD.encode(":"), "identitytoken": token.expose_secret()})
            }
            Some(Credential::Password { user, password }) => {
                json!({"auth": STANDARD.encode(format!("{user}:{}", password.expose_secret()))})
            }
        };
        let auths = self.root.entry("auths").or_insert_with(|| json!({}));
        if !auths.is_object() {
            *auths = json!({});
        }
        if let Some(auths) = auths.as_object_mut() {
            auths.insert(key.to_owned(), entry);
            // docker writes them in this order.
            auths.sort_keys();
        }
    }

    /// Takes away the entries of `key`, also those under its URL; whether there were any.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        let Some(auths) = self.root.get_mut("auths").and_then(Value::as_object_mut) else { return false };
        let before = auths.len();
        let urls = [format!("http://{key}"), format!("https://{key}")];
        auths.retain(|name, _| name != key && !urls.contains(name));
        auths.len() != before
    }

    /// Writes the file as docker does: tabs, all of it or nothing, readable to its owner only
    /// unless it was to others before; through a symbolic link, to what the link names.
    pub(super) fn write(&self) -> Result<(), Error> {
        self.try_write().map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    fn try_write(&self) -> io::Result<()> {
        let target = followed(&self.path)?;
        let folder = target.parent().ok_or(ErrorKind::NotADirectory)?;
        create_private_folder(folder)?;
        let mut text = Vec::new();
        let tabs = PrettyFormatter::with_indent(b"\t");
        self.root.serialize(&mut serde_json::Serializer::with_formatter(&mut text, tabs))?;
        let mut temporary = NamedTempFile::new_in(folder)?;
        if let Ok(before) = fs::metadata(&target) {
            temporary.as_file().set_permissions(Permissions::from_mode(before.mode() & 0o777))?;
            // Only root may give a file away; anyone else's file is their own anyway.
            let _ = chown(temporary.path(), Some(before.uid()), Some(before.gid()));
        }
        temporary.write_all(&text)?;
        temporary.as_file().sync_all()?;
        temporary.persist(&target)?;
        Ok(())
    }

    fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        let auths = self.root.get("auths").and_then(Value::as_object);
        auths.into_iter().flatten().map(|(key, entry)| (key.as_str(), entry))
    }
}

/// The host and port of a key that may be a URL.
fn host_of(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn decode(encoded: &str) -> Option<Credential> {
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    // Older versions of docker padded with zero bytes.
    let password = password.trim_end_matches('\0').into();
    (!user.is_empty()).then(|| Credential::Password { user: user.to_owned(), password })
}

/// Where symbolic links lead from `path`, also if there is nothing there yet.
fn followed(path: &Path) -> io::Result<PathBuf> {
    const MAX_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => {
                return Ok(path);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Makes the folder, and those above it, for its owner only, if it isn't there.
fn create_private_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests;
