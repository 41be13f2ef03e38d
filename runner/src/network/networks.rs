//! The networks of this machine's containers: a folder each, with what it was asked to be and who is in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ports::Publish;
use super::subnet::Subnet;
use crate::container::{Folder, Id, is_looked_after, is_valid_name};

/// The network that is there without being made.
pub const DEFAULT: &str = "bridge";

/// The names of what is no network of ours.
const OTHERS: [&str; 3] = ["host", "none", "default"];

/// All networks.
#[derive(Debug, Clone)]
pub struct Networks {
    folder: PathBuf,
}

/// What a network was asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Id,
    /// When it was made, RFC 3339.
    pub created: String,
    /// The addresses that were asked for; without, they are looked for when the first container comes.
    pub subnet: Option<Subnet>,
    /// Whether its containers reach what is outside.
    pub outside: Outside,
    /// Free words about it.
    pub labels: BTreeMap<String, String>,
}

/// Whether containers of a network reach what is outside of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outside {
    /// They do, with the host's address.
    #[default]
    Reachable,
    /// They reach each other and the host alone.
    Closed,
}

/// A container's place in a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which container.
    pub container: Id,
    /// Where everything of it is.
    pub folder: PathBuf,
    /// The names under which others reach it.
    pub names: Vec<String>,
    /// Which network.
    pub network: String,
    /// The network's id.
    pub network_id: Id,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub hardware: [u8; 6],
    /// Those of the network.
    pub subnet: Subnet,
    /// Ports of the host that lead to it.
    pub ports: Vec<Publish>,
}

/// Nobody else changes networks on this machine as long as this is held.
#[derive(Debug)]
pub(super) struct Turn {
    _devices: File,
}

impl Networks {
    /// Those that are kept in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Makes a network.
    ///
    /// # Errors
    /// A sentence: the name is no name, or another's; or its record can't be written.
    pub fn create(
        &self,
        name: &str,
        subnet: Option<Subnet>,
        outside: Outside,
        labels: BTreeMap<String, String>,
        now: String,
    ) -> Result<NetworkRecord, String> {
        if !is_valid_name(name) || OTHERS.contains(&name) {
            return Err(format!("'{name}' can't be a network's name"));
        }
        let _turn = self.turn()?;
        if name == DEFAULT || self.path(name).exists() {
            return Err(format!("there is a network '{name}' already"));
        }
        self.keep(name, subnet, outside, labels, now)
    }

    fn keep(
        &self,
        name: &str,
        subnet: Option<Subnet>,
        outside: Outside,
        labels: BTreeMap<String, String>,
        created: String,
    ) -> Result<NetworkRecord, String> {
        let failed = |error: io::Error| format!("keeping the network '{name}': {error}");
        let id = Id::random().map_err(|error| format!("making up an id: {error}"))?;
        let record = NetworkRecord { name: name.to_owned(), id, created, subnet, outside, labels };
        fs::create_dir_all(self.path(name).join("members")).map_err(failed)?;
        write(&self.path(name).join("config.json"), &record).map_err(failed)?;
        Ok(record)
    }

    /// The network of that name, or with an id that starts so; the default one is there always.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn find(&self, word: &str) -> Result<Option<NetworkRecord>, String> {
        let listed = self.list()?;
        let by_name = listed.iter().find(|record| record.name == word);
        let by_id = || listed.iter().find(|record| !word.is_empty() && record.id.as_str().starts_with(word));
        Ok(by_name.or_else(by_id).cloned())
    }

    /// All that are there, by name.
    ///
    /// # Errors
    /// When they can't be read, or the default one can't be made.
    pub fn list(&self) -> Result<Vec<NetworkRecord>, String> {
        self.ensure_default()?;
        let reading = |error: io::Error| format!("reading the networks: {error}");
        let mut listed = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(reading)?.filter_map(Result::ok) {
            // One that is removed at this moment isn't there.
            listed.extend(read::<NetworkRecord>(&entry.path().join("config.json")).map_err(reading)?);
        }
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }

    fn ensure_default(&self) -> Result<(), String> {
        if self.path(DEFAULT).join("config.json").exists() {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(|error| format!("making the networks' folder: {error}"))?;
        let _turn = self.turn()?;
        if self.path(DEFAULT).join("config.json").exists() {
            return Ok(());
        }
        let now = humantime::format_rfc3339_nanos(std::time::SystemTime::now()).to_string();
        self.keep(DEFAULT, None, Outside::Reachable, BTreeMap::new(), now).map(drop)
    }

    /// Removes a network in which there is no container.
    ///
    /// # Errors
    /// A sentence when there is one, or it isn't there.
    pub fn remove(&self, name: &str) -> Result<(), String> {
        if name == DEFAULT || OTHERS.contains(&name) {
            return Err("it is there always".to_owned());
        }
        let record = self.find(name)?.ok_or_else(|| format!("there is no network '{name}'"))?;
        let turn = self.turn()?;
        if let Some(member) = self.members(&record.name, &turn)?.first() {
            let short = member.container.short();
            return Err(format!("the container {short} is in it; stop that first"));
        }
        fs::remove_dir_all(self.path(&record.name)).map_err(|error| error.to_string())
    }

    /// Who is in a network now.
    ///
    /// # Errors
    /// When that can't be read.
    pub fn inhabitants(&self, name: &str) -> Result<Vec<Member>, String> {
        let turn = self.turn()?;
        self.members(name, &turn)
    }

    /// The same, for who holds the turn.
    pub(super) fn members(&self, name: &str, _: &Turn) -> Result<Vec<Member>, String> {
        let reading = |error: io::Error| format!("reading who is in the network '{name}': {error}");
        let mut members = Vec::new();
        for entry in fs::read_dir(self.path(name).join("members")).map_err(reading)? {
            members.extend(read::<Member>(&entry.map_err(reading)?.path()).map_err(reading)?);
        }
        members.sort_by_key(|member| member.address);
        Ok(members)
    }

    pub(super) fn add(&self, member: &Member, _: &Turn) -> Result<(), String> {
        let path = self.path(&member.network).join("members").join(member.container.as_str());
        write(&path, member).map_err(|error| format!("writing {}: {error}", path.display()))
    }

    pub(super) fn forget(&self, member: &Member, _: &Turn) -> Result<(), String> {
        let path = self.path(&member.network).join("members").join(member.container.as_str());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(format!("removing {}: {error}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Waits until nobody else changes networks, whatever their data folder: devices and rules are the machine's.
    pub(super) fn turn(&self) -> Result<Turn, String> {
        let waiting = |error: io::Error| format!("waiting for the turn to change networks: {error}");
        let devices = File::open("/sys/class/net").map_err(waiting)?;
        rustix::fs::flock(&devices, FlockOperation::LockExclusive).map_err(|error| waiting(error.into()))?;
        Ok(Turn { _devices: devices })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl NetworkRecord {
    /// What its bridge is called, and its table of nftables.
    #[must_use]
    pub fn device(&self) -> String {
        device(&self.id)
    }
}

impl Member {
    pub(super) fn device(&self) -> String {
        device(&self.network_id)
    }

    /// The end of its wire that is on the host; the kernel takes fifteen letters.
    pub(super) fn wire(&self) -> String {
        format!("bw-{}", &self.container.short())
    }

    /// Whether somebody looks after the container still.
    pub(super) fn is_alive(&self) -> bool {
        is_looked_after(&Folder::new(self.folder.clone()))
    }
}

fn device(id: &Id) -> String {
    format!("berth-{}", &id.short()[..9])
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => Ok(None),
        bytes => Ok(Some(serde_json::from_slice(&bytes?)?)),
    }
}

/// Whoever reads it sees all or nothing.
fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    // Beside the folder that is listed.
    let name = path.file_name().unwrap_or_default().display().to_string();
    let aside = path.parent().and_then(Path::parent).unwrap_or(path).join(format!(".new-{name}"));
    let mut file = File::create(&aside)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    fs::rename(aside, path)
}
