//! Layers on the layers below them.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use berth_oci::{Algorithm, Descriptor, Digest};

use crate::error::{Doing, Error, Result};
use crate::store::{LayerFacts, LocalImages, boot};
use crate::unpack::{Limits, LowerLink, Sink, Unpacked, Wrong, link_lower, read_layer};

/// The digest of each layer with those below it (image-spec `config.md`, *Layer ChainID*).
pub(crate) fn ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let id = match chain.last() {
            None => diff_id.clone(),
            Some(below) => Digest::of(Algorithm::Sha256, format!("{below} {diff_id}").as_bytes()),
        };
        chain.push(id);
    }
    chain
}

impl LocalImages {
    /// Unpacks a layer from its packed form, which is here. Blocks.
    pub(crate) fn unpack_again(&self, layer: &Descriptor, diff_id: &Digest) -> Result<LayerFacts> {
        let _lock = self.fetching(&layer.digest)?;
        if let Some(facts) = self.layer_facts(diff_id) {
            return Ok(facts);
        }
        self.unpack_locked(layer, diff_id)
    }

    /// The same for who has the layer's lock. Blocks.
    pub(crate) fn unpack_locked(&self, layer: &Descriptor, diff_id: &Digest) -> Result<LayerFacts> {
        self.unpack_blob(layer, diff_id, &self.layer_path(diff_id), None)
    }

    /// The folder of a layer that links to files of those in `lower`, made if it isn't there. Blocks.
    pub(crate) fn linked_layer(
        &self,
        layer: &Descriptor,
        diff_id: &Digest,
        chain_id: &Digest,
        lower: &[PathBuf],
    ) -> Result<PathBuf> {
        let path = self.chain_path(chain_id);
        if !path.join("layer.json").exists() {
            self.unpack_blob(layer, diff_id, &path, Some(lower))?;
        }
        Ok(path)
    }

    /// Unpacks a packed layer to `path`; with `lower`, also its links to files of those.
    fn unpack_blob(
        &self,
        layer: &Descriptor,
        diff_id: &Digest,
        path: &Path,
        lower: Option<&[PathBuf]>,
    ) -> Result<LayerFacts> {
        self.make_folders(diff_id.algorithm())?;
        let scratch = self.scratch()?;
        let folder = make_fs(scratch.path())?;
        let input = BufReader::with_capacity(1 << 20, self.open_blob(&layer.digest)?);
        let sink = Sink::Folder(&folder, self.privilege());
        let read = read_layer(input, diff_id.algorithm(), Limits::for_layer(layer.size), &sink);
        let read = read.map_err(|wrong| refused(&layer.digest, wrong))?;
        if read.diff_id != *diff_id {
            let wrong = "it is damaged; pull the image again".to_owned();
            return Err(Error::Layer { layer: layer.digest.clone(), wrong });
        }
        if let Some(lower) = lower {
            link_lower(&folder, &read.unpacked.lower_links, lower)
                .map_err(|wrong| refused(&layer.digest, wrong))?;
        }
        let facts = facts_of(&read.unpacked);
        self.keep_layer(&scratch, path, &facts)?;
        Ok(facts)
    }
}

/// The folder in `scratch` that a layer is unpacked into.
pub(crate) fn make_fs(scratch: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch.join("fs");
    let make = || {
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))
    };
    make().doing(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

pub(crate) fn facts_of(unpacked: &Unpacked) -> LayerFacts {
    let links = unpacked.lower_links.iter();
    LayerFacts {
        size: unpacked.bytes,
        boot: boot(),
        lower_links: links.map(|LowerLink { path, target }| (path.clone(), target.clone())).collect(),
    }
}

/// Why a layer can't be used, as a person is told.
pub(crate) fn refused(layer: &Digest, wrong: Wrong) -> Error {
    match wrong {
        Wrong::Machine { doing, source } => Error::Machine { doing, source },
        wrong @ (Wrong::Archive(_) | Wrong::Source(_)) => {
            Error::Layer { layer: layer.clone(), wrong: wrong.to_string() }
        }
    }
}
