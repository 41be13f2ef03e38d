//! Unpacked layers.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use berth_oci::Digest;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::error::{Doing, Result};
use crate::store::LocalImages;

/// What `layer.json` says of an unpacked layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerFacts {
    /// The files' lengths together, in bytes.
    pub(crate) size: u64,
    /// Since which start of the machine it is here: what no image names is only whole on disk if that is
    /// still the same.
    pub(crate) boot: String,
    /// Hard links to files of the layers below: where, and to what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lower_links: Vec<(PathBuf, PathBuf)>,
}

/// A folder to make something in, removed with all that is in it unless it is kept.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It isn't there any more if it was kept; what can't be removed is tried again by the next call.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl LocalImages {
    /// A new empty folder on the file system of the layers. What a process leaves that is killed is removed by
    /// a later one.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn scratch(&self) -> Result<Scratch> {
        let _deciding = self.decide()?;
        let path = self.path("tmp").join(format!("{:016x}", fastrand::u64(..)));
        let making = || format!("making {}", path.display());
        fs::DirBuilder::new().mode(0o700).create(&path).doing(making)?;
        let lock = File::open(&path).doing(making)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).doing(making)?;
        Ok(Scratch { path, _lock: lock })
    }

    /// Where the layer is, or would be.
    pub(crate) fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.path("layers").join(diff_id.algorithm().as_str()).join(diff_id.hex())
    }

    /// Where the layer is that stands on others, or would be.
    pub(crate) fn chain_path(&self, chain_id: &Digest) -> PathBuf {
        self.path("chains").join(chain_id.algorithm().as_str()).join(chain_id.hex())
    }

    /// What is known of an unpacked layer; none if it isn't here.
    pub(crate) fn layer_facts(&self, diff_id: &Digest) -> Option<LayerFacts> {
        facts(&self.layer_path(diff_id))
    }

    /// Puts what was unpacked in `scratch/fs` where layers are. One that is there already is as good.
    pub(crate) fn keep_layer(&self, scratch: &Scratch, at: &Path, facts: &LayerFacts) -> Result<()> {
        let keeping = || format!("keeping {}", at.display());
        let text = serde_json::to_vec(facts).map_err(std::io::Error::from).doing(keeping)?;
        fs::write(scratch.path().join("layer.json"), text).doing(keeping)?;
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).doing(keeping)?;
        match fs::rename(scratch.path(), at) {
            Err(_) if at.join("layer.json").exists() => Ok(()),
            renamed => renamed.doing(keeping),
        }
    }
}

pub(crate) fn facts(layer: &Path) -> Option<LayerFacts> {
    serde_json::from_slice(&fs::read(layer.join("layer.json")).ok()?).ok()
}

/// Which start of the machine this is.
pub(crate) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
