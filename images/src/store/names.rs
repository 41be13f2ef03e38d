//! Images named, and names and images removed.

use std::fs;

use berth_oci::Digest;

use crate::error::{Doing, Error, Result};
use crate::reference::ImageReference;
use crate::store::LocalImages;
use crate::store::catalog::Catalog;
use crate::store::leases::Roots;
use crate::store::lookup::found;

/// What was removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names that are gone, as docker writes them.
    pub untagged: Vec<String>,
    /// Images that are gone, by their ids.
    pub deleted: Vec<Digest>,
}

/// What may stand in the way of removing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Whatever uses the image, or its other names.
    No,
    /// Nothing: names go, and what a container uses goes with the container.
    Yes,
}

impl LocalImages {
    /// Calls the image that `source` means `target`, too. Blocks.
    ///
    /// # Errors
    /// When there is no such image, or `target` is a digest.
    pub fn tag(&self, source: &str, target: &ImageReference) -> Result<()> {
        if target.digest().is_some() {
            return Err(Error::Content(
                "a digest can't be given to an image; write REPOSITORY[:TAG]".to_owned(),
            ));
        }
        self.change(|catalog| {
            let record = found(catalog, source)?.ok_or_else(|| Error::NoSuchImage(source.to_owned()))?;
            let (id, manifest) = (record.id.clone(), record.manifest.clone());
            catalog.insert(&id, &manifest, Some(&target.whole()), None);
            Ok(())
        })
    }

    /// Removes the name that `text` is, and the image with its last; by its id the image with all names.
    /// Blocks.
    ///
    /// # Errors
    /// When there is no such image, or it is used and not forced.
    pub fn remove(&self, text: &str, force: Force) -> Result<Removed> {
        let removed = self.change(|catalog| {
            let record = found(catalog, text)?.ok_or_else(|| Error::NoSuchImage(text.to_owned()))?;
            let id = record.id.clone();
            let named = text.parse::<ImageReference>().ok().map(|reference| match reference.digest() {
                Some(digest) => reference.at_digest(&digest).whole(),
                None => reference.whole(),
            });
            let is_name = |whole: &String| {
                let records = catalog.images.iter();
                records
                    .flat_map(|record| record.tags.iter().chain(&record.digests))
                    .any(|known| known == whole)
            };
            match named.filter(is_name) {
                Some(whole) => self.remove_name(catalog, &id, &whole, force),
                None => self.remove_image(catalog, &id, force),
            }
        })?;
        self.collect()?;
        Ok(removed)
    }

    fn remove_name(&self, catalog: &mut Catalog, id: &Digest, whole: &str, force: Force) -> Result<Removed> {
        let tags: Vec<String> = names(catalog, id).0;
        let is_last = tags.iter().all(|tag| tag == whole);
        if is_last {
            self.refuse_used(catalog, id, force)?;
        }
        let repository = |whole: &str| whole.parse::<ImageReference>().ok().map(|name| name.familiar_name());
        let own = repository(whole);
        let others = tags.iter().any(|tag| tag != whole && repository(tag) == own);
        let mut removed = Removed::default();
        for record in catalog.images.iter_mut().filter(|record| record.id == *id) {
            record.tags.retain(|tag| tag != whole);
            // Digests of a repository go with its last tag.
            record.digests.retain(|digest| {
                let goes = digest == whole || (!others && repository(digest) == own);
                if goes && digest != whole {
                    removed.untagged.push(familiar(digest));
                }
                !goes
            });
        }
        removed.untagged.insert(0, familiar(whole));
        let (tags, digests) = names(catalog, id);
        if tags.is_empty() && digests.is_empty() {
            catalog.images.retain(|record| record.id != *id);
            removed.deleted.push(id.clone());
        }
        Ok(removed)
    }

    fn remove_image(&self, catalog: &mut Catalog, id: &Digest, force: Force) -> Result<Removed> {
        self.refuse_used(catalog, id, force)?;
        let (tags, digests) = names(catalog, id);
        if force == Force::No && tags.len() > 1 {
            let names: Vec<String> = tags.iter().map(|tag| familiar(tag)).collect();
            let sentence =
                format!("it has several names ({}); remove those, or use --force", names.join(", "));
            return Err(Error::InUse(sentence));
        }
        catalog.images.retain(|record| record.id != *id);
        let untagged = tags.iter().chain(&digests).map(|name| familiar(name)).collect();
        Ok(Removed { untagged, deleted: vec![id.clone()] })
    }

    fn refuse_used(&self, catalog: &Catalog, id: &Digest, force: Force) -> Result<()> {
        if force == Force::Yes {
            return Ok(());
        }
        let folder = self.path("held");
        let reading = || format!("reading {}", folder.display());
        for entry in fs::read_dir(&folder).doing(reading)? {
            let entry = entry.doing(reading)?;
            let Ok(text) = fs::read(entry.path()) else { continue };
            let Ok(roots) = serde_json::from_slice::<Roots>(&text) else { continue };
            let is_used = catalog
                .images
                .iter()
                .any(|record| record.id == *id && Some(&record.manifest) == roots.manifest.as_ref());
            if is_used {
                let container: String = entry.file_name().to_string_lossy().chars().take(12).collect();
                let sentence =
                    format!("the container {container} uses it; remove that first, or use --force");
                return Err(Error::InUse(sentence));
            }
        }
        Ok(())
    }
}

/// All tags and digests of an image.
fn names(catalog: &Catalog, id: &Digest) -> (Vec<String>, Vec<String>) {
    let records = || catalog.images.iter().filter(|record| record.id == *id);
    let tags = records().flat_map(|record| record.tags.clone()).collect();
    (tags, records().flat_map(|record| record.digests.clone()).collect())
}

fn familiar(whole: &str) -> String {
    whole.parse::<ImageReference>().map_or_else(|_| whole.to_owned(), |name| name.to_string())
}
