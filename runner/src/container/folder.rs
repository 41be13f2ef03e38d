//! Where everything of one container is.

use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Config, State};

/// A container's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// The one at `path`, which may not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What the container was asked to be.
    ///
    /// # Errors
    /// When the file can't be read, or isn't whole.
    pub fn config(&self) -> io::Result<Config> {
        self.read("config.json")
    }

    /// Keeps what the container is asked to be.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_config(&self, config: &Config) -> io::Result<()> {
        self.replace("config.json", config)
    }

    /// What became of the container.
    ///
    /// # Errors
    /// When the file can't be read, or isn't whole.
    pub fn state(&self) -> io::Result<State> {
        self.read("state.json")
    }

    pub(crate) fn write_state(&self, state: &State) -> io::Result<()> {
        self.replace("state.json", state)
    }

    /// The specification for libcontainer.
    pub(crate) fn bundle(&self) -> PathBuf {
        self.0.join("bundle")
    }

    /// What libcontainer keeps while the container runs.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.0.join("runtime")
    }

    pub(crate) fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(CWD, &self.0, flags, Mode::empty())?)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<T> {
        Ok(serde_json::from_slice(&fs::read(self.0.join(name))?)?)
    }

    /// Whoever reads it sees all of the old or all of the new.
    fn replace(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        let aside = self.0.join(format!("{name}.new"));
        let mut file = fs::File::create(&aside)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        fs::rename(aside, self.0.join(name))
    }
}
