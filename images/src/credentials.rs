//! Logins to registries, kept where docker keeps them: its `config.json` and credential helpers.
//!
//! A `docker login` counts for `berth`, and the other way round.

mod config_file;
mod helper;

use std::env;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use config_file::ConfigFile;
use helper::Helper;

/// What a registry is told to prove who asks. Debug hides the secrets.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A user's name and password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A refresh token, exchanged for tokens by OAuth2.
    IdentityToken(SecretString),
}

/// Why credentials could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing says where the file is.
    #[error("there is no home folder to find .docker/config.json in; set DOCKER_CONFIG or HOME")]
    NoHome,
    /// The file can't be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not of docker's form.
    #[error("{} is not what docker writes: {wrong}; repair it or move it away", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: String,
    },
    /// The file can't be written.
    #[error("writing {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The helper that the file names can't be run.
    #[error("running {program}: {source}; install it, or change credsStore or credHelpers in {}", config.display())]
    HelperMissing {
        /// Its name.
        program: String,
        /// The file that names it.
        config: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The helper failed.
    #[error("{program} {verb}: {wrong}")]
    Helper {
        /// Its name.
        program: String,
        /// What it was asked for.
        verb: &'static str,
        /// What it said.
        wrong: String,
    },
}

/// Where a credential went.
#[derive(Debug, PartialEq, Eq)]
pub enum Kept {
    /// Into the file itself, readable to whoever reads the file.
    Unencrypted(PathBuf),
    /// To the helper that the file names.
    ByHelper,
}

/// All logins of one user.
#[derive(Debug)]
pub struct Credentials {
    file: ConfigFile,
}

impl Credentials {
    /// Those of whoever runs this process: `$DOCKER_CONFIG`, else `~/.docker`.
    pub fn of_this_user() -> Result<Self, Error> {
        let folder = match env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()) {
            Some(folder) => PathBuf::from(folder),
            None => env::home_dir()
                .filter(|home| !home.as_os_str().is_empty())
                .ok_or(Error::NoHome)?
                .join(".docker"),
        };
        Self::in_file(&folder.join("config.json"))
    }

    /// Those of the file at `path`; none if it isn't there.
    pub fn in_file(path: &Path) -> Result<Self, Error> {
        Ok(Self { file: ConfigFile::read(path)? })
    }

    /// The credential for the registry kept under `key`.
    pub fn find(&self, key: &str) -> Result<Option<Credential>, Error> {
        match self.helper(key) {
            Some(helper) => helper.get(key),
            None => self.file.find(key),
        }
    }

    /// Keeps `credential` under `key`, by the helper that is configured for it, else in the file.
    pub fn store(&mut self, key: &str, credential: &Credential) -> Result<Kept, Error> {
        let Some(helper) = self.helper(key) else {
            self.file.insert(key, Some(credential));
            self.file.write()?;
            return Ok(Kept::Unencrypted(self.file.path().to_owned()));
        };
        helper.store(key, credential)?;
        // docker leaves an empty entry, by which it lists where one is logged in.
        self.file.insert(key, None);
        self.file.write()?;
        Ok(Kept::ByHelper)
    }

    /// Forgets what is kept under `key`; whether there was anything.
    pub fn erase(&mut self, key: &str) -> Result<bool, Error> {
        let by_helper = match self.helper(key) {
            Some(helper) => helper.erase(key)?,
            None => false,
        };
        let in_file = self.file.remove(key);
        if in_file {
            self.file.write()?;
        }
        Ok(by_helper || in_file)
    }

    /// The registries that one is logged in to, as the file lists them.
    pub fn servers(&self) -> Vec<String> {
        self.file.keys()
    }

    fn helper(&self, key: &str) -> Option<Helper> {
        self.file.helper_of(key).map(|name| Helper::new(name, self.file.path()))
    }
}
