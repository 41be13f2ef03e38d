//! Which image is meant, and what it is.

use std::path::PathBuf;

use berth_oci::{Content, Descriptor, Digest, ImageConfig, Manifest};

use crate::chain;
use crate::error::{Error, Result};
use crate::reference::ImageReference;
use crate::store::catalog::{Catalog, Record};
use crate::store::{LayerFacts, LocalImages};

/// An image of this machine.
#[derive(Debug, Clone)]
pub struct Image {
    /// The digest of its configuration, which docker calls its id.
    pub id: Digest,
    /// The digest of its manifest.
    pub manifest_digest: Digest,
    /// The manifest's length in bytes.
    pub manifest_size: u64,
    /// Its tags, as docker writes them.
    pub tags: Vec<String>,
    /// Its references with a digest, as docker writes them.
    pub digests: Vec<String>,
    /// How containers of it start, and what it is made of.
    pub config: ImageConfig,
    /// The configuration as it is written.
    pub config_bytes: Vec<u8>,
    /// Its packed layers, from the lowest.
    pub layers: Vec<Descriptor>,
}

/// An image in a list.
#[derive(Debug, Clone)]
pub struct ImageSummary {
    /// The image.
    pub image: Image,
    /// The lengths of all files of its layers together, in bytes.
    pub size: u64,
}

impl LocalImages {
    /// The image that `text` means: a reference, an id, or the beginning of one.
    ///
    /// # Errors
    /// When several ids begin so, or what is kept of it is damaged.
    pub fn find(&self, text: &str) -> Result<Option<Image>> {
        let catalog = self.catalog()?;
        found(&catalog, text)?.map(|record| self.image(record, &catalog)).transpose()
    }

    /// The same, where it is an error that there is none.
    ///
    /// # Errors
    /// Also when there is none.
    pub fn get(&self, text: &str) -> Result<Image> {
        self.find(text)?.ok_or_else(|| Error::NoSuchImage(text.to_owned()))
    }

    /// All images, the newest first, one whose id several manifests share once.
    ///
    /// # Errors
    /// When what is kept of them can't be read.
    pub fn list(&self) -> Result<Vec<ImageSummary>> {
        let catalog = self.catalog()?;
        let mut seen = Vec::new();
        let mut images = Vec::new();
        for record in &catalog.images {
            if seen.contains(&&record.id) {
                continue;
            }
            seen.push(&record.id);
            let image = self.image(record, &catalog)?;
            images.push(ImageSummary { size: self.size(&image), image });
        }
        images.sort_by(|a, b| b.image.config.created.cmp(&a.image.config.created));
        Ok(images)
    }

    /// The lengths of all files of an image's layers together, in bytes.
    pub fn size(&self, image: &Image) -> u64 {
        self.layer_sizes(image).into_iter().sum()
    }

    /// The lengths of the files of each layer, from the lowest.
    pub fn layer_sizes(&self, image: &Image) -> Vec<u64> {
        let size = |diff_id| self.layer_facts(diff_id).map_or(0, |facts: LayerFacts| facts.size);
        image.config.rootfs.diff_ids.iter().map(size).collect()
    }

    /// Where the layers are, from the lowest, as far as they are unpacked. Only to be shown: nothing keeps
    /// them from being removed, as [`use_layers`](Self::use_layers) does.
    pub fn layer_folders(&self, image: &Image) -> Vec<PathBuf> {
        let diff_ids = &image.config.rootfs.diff_ids;
        let folder = |(diff_id, chain_id): (&Digest, &Digest)| {
            let chain = self.chain_path(chain_id);
            if chain.exists() { chain.join("fs") } else { self.layer_path(diff_id).join("fs") }
        };
        diff_ids.iter().zip(&chain::ids(diff_ids)).map(folder).collect()
    }

    /// The image of a record, under all its names.
    pub(crate) fn image(&self, record: &Record, catalog: &Catalog) -> Result<Image> {
        let (manifest, manifest_size) = self.kept_manifest(&record.manifest)?;
        let Content::Blobs { config: Some(config), layers } = manifest.content else {
            return Err(Error::Content(format!("{} is no image", record.manifest)));
        };
        let config_bytes = self.small_blob(&config.digest)?;
        let parsed = ImageConfig::parse(&config_bytes).map_err(|error| Error::Content(error.to_string()))?;
        let same = || catalog.images.iter().filter(|other| other.id == record.id);
        Ok(Image {
            id: record.id.clone(),
            manifest_digest: record.manifest.clone(),
            manifest_size,
            tags: same().flat_map(|record| familiar(&record.tags)).collect(),
            digests: same().flat_map(|record| familiar(&record.digests)).collect(),
            config: parsed,
            config_bytes,
            layers,
        })
    }

    pub(crate) fn kept_manifest(&self, digest: &Digest) -> Result<(Manifest, u64)> {
        let bytes = self.small_blob(digest)?;
        let manifest = Manifest::parse(None, &bytes).map_err(|error| Error::Content(error.to_string()))?;
        Ok((manifest, bytes.len() as u64))
    }

    /// The layers' folders, from the lowest; those that link to files below are made if they aren't there.
    pub(crate) fn lower_folders(&self, image: &Image) -> Result<Vec<PathBuf>> {
        let mut lower = Vec::new();
        let chains = chain::ids(&image.config.rootfs.diff_ids);
        for ((diff_id, chain_id), layer) in
            image.config.rootfs.diff_ids.iter().zip(&chains).zip(&image.layers)
        {
            let facts = match self.layer_facts(diff_id) {
                Some(facts) => facts,
                None => self.unpack_again(layer, diff_id)?,
            };
            let folder = match facts.lower_links.is_empty() {
                true => self.layer_path(diff_id),
                false => self.linked_layer(layer, diff_id, chain_id, &lower)?,
            };
            lower.push(folder.join("fs"));
        }
        Ok(lower)
    }
}

/// Which record `text` means, in docker's order: a whole id, a reference, the beginning of an id.
pub(crate) fn found<'c>(catalog: &'c Catalog, text: &str) -> Result<Option<&'c Record>> {
    if let Ok(id) = text.parse::<Digest>() {
        return Ok(catalog.images.iter().find(|record| record.id == id || record.manifest == id));
    }
    if let Ok(reference) = text.parse::<ImageReference>()
        && let Some(record) = by_reference(catalog, &reference)
    {
        return Ok(Some(record));
    }
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    if hex.is_empty() || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(None);
    }
    let mut found: Vec<&Record> =
        catalog.images.iter().filter(|record| record.id.hex().starts_with(hex)).collect();
    found.dedup_by(|a, b| a.id == b.id);
    match found.as_slice() {
        [] => Ok(None),
        [record, rest @ ..] if rest.iter().all(|other| other.id == record.id) => Ok(Some(record)),
        _ => Err(Error::Ambiguous(text.to_owned())),
    }
}

fn by_reference<'c>(catalog: &'c Catalog, reference: &ImageReference) -> Option<&'c Record> {
    // With a digest the tag says nothing.
    let whole = match reference.digest() {
        Some(digest) => reference.at_digest(&digest).whole(),
        None => reference.whole(),
    };
    catalog.images.iter().find(|record| record.tags.contains(&whole) || record.digests.contains(&whole))
}

fn familiar(whole: &[String]) -> impl Iterator<Item = String> {
    whole.iter().filter_map(|whole| Some(whole.parse::<ImageReference>().ok()?.to_string()))
}
