//! `images.json`: which images there are, and what they are called.

use std::fs;
use std::io::ErrorKind;

use berth_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error, Result};
use crate::store::LocalImages;

/// All images, in the order in which they came.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Catalog {
    pub(crate) images: Vec<Record>,
}

/// One image: a manifest, and what it goes by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The digest of the configuration, which docker calls the image's id.
    pub(crate) id: Digest,
    /// The digest of the manifest.
    pub(crate) manifest: Digest,
    /// Whole references with a tag. Each stands in one record only.
    pub(crate) tags: Vec<String>,
    /// Whole references with a digest, under which it was pulled or pushed.
    pub(crate) digests: Vec<String>,
}

impl Catalog {
    /// Puts an image in, under `tag` and `digest` if given.
    pub(crate) fn insert(&mut self, id: &Digest, manifest: &Digest, tag: Option<&str>, digest: Option<&str>) {
        if let Some(tag) = tag {
            for record in &mut self.images {
                record.tags.retain(|known| known != tag);
            }
        }
        let at = match self.images.iter().position(|record| record.manifest == *manifest) {
            Some(at) => at,
            None => {
                let (id, manifest) = (id.clone(), manifest.clone());
                self.images.push(Record { id, manifest, tags: Vec::new(), digests: Vec::new() });
                self.images.len() - 1
            }
        };
        let record = &mut self.images[at];
        record.tags.extend(tag.map(str::to_owned));
        if let Some(digest) = digest.filter(|digest| !record.digests.iter().any(|known| known == digest)) {
            record.digests.push(digest.to_owned());
        }
    }
}

impl LocalImages {
    pub(crate) fn catalog(&self) -> Result<Catalog> {
        let path = self.path("images.json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                Error::Content(format!(
                    "{} is damaged ({error}); move it away and pull again",
                    path.display()
                ))
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Catalog::default()),
            Err(error) => Err(error).doing(|| format!("reading {}", path.display())),
        }
    }

    /// Names an image whose parts are all here; whether it was here under these names already. Blocks.
    pub(crate) fn name(
        &self,
        id: &Digest,
        manifest: &Digest,
        tag: Option<&str>,
        digest: Option<&str>,
    ) -> Result<bool> {
        let is_known = |catalog: &Catalog| {
            let record = catalog.images.iter().find(|record| record.manifest == *manifest);
            record.is_some_and(|record| {
                let has = |list: &[String], name: Option<&str>| {
                    name.is_none_or(|name| list.iter().any(|known| known == name))
                };
                has(&record.tags, tag) && has(&record.digests, digest)
            })
        };
        if is_known(&self.catalog()?) {
            return Ok(true);
        }
        self.change(|catalog| {
            catalog.insert(id, manifest, tag, digest);
            Ok(false)
        })
    }

    /// Changes which images there are. Nobody else decides meanwhile. Blocks.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Catalog) -> Result<T>) -> Result<T> {
        let deciding = self.decide()?;
        let mut catalog = self.catalog()?;
        let changed = change(&mut catalog)?;
        let text = serde_json::to_vec_pretty(&catalog)
            .map_err(|error| Error::Content(format!("writing images.json: {error}")))?;
        self.replace(&deciding, &self.path("images.json"), &text)?;
        Ok(changed)
    }
}
