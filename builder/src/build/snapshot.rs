//! The files of a stage so far: layers, and a name for how they came to be.

use std::path::PathBuf;
use std::sync::Arc;

use berth_images::{Image, LayersInUse, MadeLayer};
use berth_oci::{Descriptor, Digest};

use super::content::Values;

/// Layers, from the lowest.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) layers: Vec<Layer>,
    /// What they are made of: the same key, the same layers.
    pub(super) key: Digest,
}

/// A layer, which nobody removes as long as this is held.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) descriptor: Descriptor,
    pub(super) diff_id: Digest,
    pub(super) folder: PathBuf,
    _kept: Kept,
}

#[derive(Debug, Clone)]
#[expect(dead_code, reason = "they are held, never looked at")]
enum Kept {
    OfImage(Arc<LayersInUse>),
    Made(Box<MadeLayer>),
}

impl Snapshot {
    /// No layer at all.
    pub(super) fn scratch() -> Self {
        let mut values = Values::new();
        values.add("scratch");
        Self { layers: Vec::new(), key: values.finish() }
    }

    /// The layers of an image. Its key is their contents: images that differ share nothing.
    pub(super) fn of_image(image: &Image, folders: &Arc<LayersInUse>) -> Self {
        let mut values = Values::new();
        values.add("image");
        let diff_ids = &image.config.rootfs.diff_ids;
        diff_ids.iter().for_each(|diff_id| values.add(diff_id.as_str()));
        let layers = image.layers.iter().zip(diff_ids).zip(folders.lower_to_top());
        let layers = layers.map(|((descriptor, diff_id), folder)| Layer {
            descriptor: as_oci(descriptor),
            diff_id: diff_id.clone(),
            folder: folder.clone(),
            _kept: Kept::OfImage(Arc::clone(folders)),
        });
        Self { layers: layers.collect(), key: values.finish() }
    }

    /// The same with one layer more, which came of what `key` says.
    pub(super) fn push(&mut self, key: Digest, made: MadeLayer) {
        self.key = key;
        self.layers.push(Layer {
            descriptor: made.descriptor.clone(),
            diff_id: made.diff_id.clone(),
            folder: made.folder.clone(),
            _kept: Kept::Made(Box::new(made)),
        });
    }

    pub(super) fn folders(&self) -> Vec<PathBuf> {
        self.layers.iter().map(|layer| layer.folder.clone()).collect()
    }
}

/// A layer of an image as that of another, in the words of OCI.
fn as_oci(descriptor: &Descriptor) -> Descriptor {
    let media_type = match descriptor.media_type.as_str() {
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar" => "application/vnd.oci.image.layer.v1.tar",
        other => other,
    };
    let media_type = media_type.parse().unwrap_or_else(|_| descriptor.media_type.clone());
    Descriptor {
        media_type,
        digest: descriptor.digest.clone(),
        size: descriptor.size,
        artifact_type: None,
        urls: Vec::new(),
        annotations: Default::default(),
        platform: None,
    }
}
