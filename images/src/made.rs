//! Layers and images made on this machine, and which layer came of which step of a build.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use berth_oci::{Algorithm, Descriptor, Digest};
use serde::{Deserialize, Serialize};

use crate::error::{Doing, Result};
use crate::load::made_manifest;
use crate::reference::ImageReference;
use crate::store::{Image, LayerFacts, Lease, LocalImages, Roots, Scratch, boot};

/// A layer made here, which nobody removes as long as this is held.
#[derive(Debug, Clone)]
pub struct MadeLayer {
    /// The packed layer.
    pub descriptor: Descriptor,
    /// The digest of its archive.
    pub diff_id: Digest,
    /// Its folder, a lower directory for overlayfs.
    pub folder: PathBuf,
    _lease: Arc<Lease>,
}

/// What is remembered of a step: the layer that came of it, which is needed for as long as this is kept.
#[derive(Serialize, Deserialize)]
struct Recipe {
    #[serde(flatten)]
    roots: Roots,
    made: Made,
}

#[derive(Serialize, Deserialize)]
struct Made {
    descriptor: Descriptor,
    diff_id: Digest,
}

impl LocalImages {
    /// Keeps a layer: `scratch/fs` is what it unpacks to, whose files have `size` bytes together, and `packed`
    /// the file that `descriptor` describes, on the same file system. Blocks.
    ///
    /// # Errors
    /// When the files can't be moved.
    pub fn keep_made_layer(
        &self,
        scratch: &Scratch,
        packed: &Path,
        descriptor: Descriptor,
        diff_id: Digest,
        size: u64,
    ) -> Result<MadeLayer> {
        let lease = self.lease(&roots(&descriptor, &diff_id))?;
        self.keep_blob(&descriptor.digest, packed)?;
        let facts = LayerFacts { size, boot: boot(), lower_links: Vec::new() };
        self.keep_layer(scratch, &self.layer_path(&diff_id), &facts)?;
        Ok(self.made(descriptor, diff_id, lease))
    }

    fn made(&self, descriptor: Descriptor, diff_id: Digest, lease: Lease) -> MadeLayer {
        let folder = self.layer_path(&diff_id).join("fs");
        MadeLayer { descriptor, diff_id, folder, _lease: Arc::new(lease) }
    }

    /// Keeps and names an image made of layers that are here. Blocks until it would survive a loss of power.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn keep_made_image(
        &self,
        config: &[u8],
        layers: &[Descriptor],
        names: &[ImageReference],
    ) -> Result<Image> {
        let id = Digest::of(Algorithm::Sha256, config);
        let manifest = made_manifest(&id, config.len(), layers);
        let digest = Digest::of(Algorithm::Sha256, &manifest);
        let blobs = layers.iter().map(|layer| layer.digest.clone()).chain([id.clone(), digest.clone()]);
        let _lease = self.lease(&Roots { blobs: blobs.collect(), ..Roots::default() })?;
        self.put_blob(&id, config)?;
        self.put_blob(&digest, &manifest)?;
        self.flush()?;
        if names.is_empty() {
            self.name(&id, &digest, None, None)?;
        }
        for name in names {
            self.name(&id, &digest, Some(&name.whole()), None)?;
        }
        self.get(digest.as_str())
    }

    /// The layer that came of the step with this key, if it is still here. Blocks.
    ///
    /// # Errors
    /// When the machine fails.
    pub fn made_before(&self, key: &Digest) -> Result<Option<MadeLayer>> {
        let path = self.recipe_path(key);
        let read = || -> Option<Recipe> { serde_json::from_slice(&fs::read(&path).ok()?).ok() };
        let Some(Recipe { made: Made { descriptor, diff_id }, .. }) = read() else { return Ok(None) };
        let lease = self.lease(&roots(&descriptor, &diff_id))?;
        if !self.has_blob(&descriptor.digest, descriptor.size) || self.layer_facts(&diff_id).is_none() {
            return Ok(None);
        }
        // When it was used last decides how long it is kept.
        let touched = File::options().write(true).open(&path);
        touched
            .and_then(|file| file.set_modified(SystemTime::now()))
            .doing(|| format!("touching {}", path.display()))?;
        Ok(Some(self.made(descriptor, diff_id, lease)))
    }

    /// Remembers of which steps these layers came, once they would survive a loss of power. Blocks.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn remember_made(&self, layers: &[(Digest, MadeLayer)]) -> Result<()> {
        if layers.is_empty() {
            return Ok(());
        }
        self.flush()?;
        for (key, layer) in layers {
            let recipe = Recipe {
                roots: roots(&layer.descriptor, &layer.diff_id),
                made: Made { descriptor: layer.descriptor.clone(), diff_id: layer.diff_id.clone() },
            };
            let path = self.recipe_path(key);
            let writing = || format!("writing {}", path.display());
            let text = serde_json::to_vec(&recipe).map_err(std::io::Error::from).doing(writing)?;
            self.replace(&self.decide()?, &path, &text)?;
        }
        Ok(())
    }

    /// What builds noted of the files they read; nothing when there is none, or none that can be read.
    pub fn file_hashes(&self) -> String {
        fs::read_to_string(self.path("hashes")).unwrap_or_default()
    }

    /// Notes `text` of the files that a build read, for [`LocalImages::file_hashes`]. Blocks.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn remember_file_hashes(&self, text: &str) -> Result<()> {
        self.replace(&self.decide()?, &self.path("hashes"), text.as_bytes())
    }

    /// Forgets the steps used longest ago whose layers, beyond `most` bytes together, only builds could need.
    /// Blocks.
    ///
    /// # Errors
    /// When the machine fails.
    pub fn forget_made(&self, most: u64) -> Result<()> {
        let folder = self.path("recipes");
        let reading = || format!("reading {}", folder.display());
        let mut recipes = Vec::new();
        for entry in fs::read_dir(&folder).doing(reading)? {
            let path = entry.doing(reading)?.path();
            let used = match fs::metadata(&path).and_then(|found| found.modified()) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                used => used.doing(reading)?,
            };
            let recipe = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Recipe>(&text).ok());
            recipes.push((used, path, recipe));
        }
        recipes.sort_by(|(one, ..), (other, ..)| other.cmp(one));
        let (mut total, mut forgotten) = (0_u64, false);
        for (_, path, recipe) in recipes {
            // One that can't be read keeps no layer: it goes, and takes no other's place.
            let is_readable = recipe.is_some();
            let size = recipe.map_or(0, |recipe| {
                let unpacked = self.layer_facts(&recipe.made.diff_id).map_or(0, |facts| facts.size);
                unpacked.saturating_add(recipe.made.descriptor.size)
            });
            total = total.saturating_add(size);
            if total > most || !is_readable {
                forgotten = true;
                match fs::remove_file(&path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    removed => removed.doing(|| format!("removing {}", path.display()))?,
                }
            }
        }
        if forgotten {
            self.collect()?;
        }
        Ok(())
    }

    fn recipe_path(&self, key: &Digest) -> PathBuf {
        self.path("recipes").join(key.hex())
    }
}

fn roots(descriptor: &Descriptor, diff_id: &Digest) -> Roots {
    Roots { blobs: vec![descriptor.digest.clone()], layers: vec![diff_id.clone()], ..Roots::default() }
}
