//! An OCI image layout on disk: what crane, skopeo, oras and regctl push from.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::content::media_type;

/// A layout being filled.
pub struct Layout {
    folder: PathBuf,
    manifests: Vec<Value>,
}

impl Layout {
    /// An empty layout in `folder`.
    pub fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("blobs/sha256")).expect("making a layout");
        let layout = Self { folder: folder.to_owned(), manifests: Vec::new() };
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("writing a layout");
        layout.write_index();
        layout
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds an image of these uncompressed layers for `architecture`, and returns its descriptor.
    pub fn image(&self, architecture: &str, layers: &[PathBuf]) -> Value {
        let layers: Vec<Value> = layers.iter().map(|tar| self.layer(tar)).collect();
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| &layer["digest"]).collect::<Vec<_>>()},
        });
        let mut descriptor = self.json(
            media_type::IMAGE,
            &json!({
                "schemaVersion": 2,
                "mediaType": media_type::IMAGE,
                "config": self.json(media_type::CONFIG, &config),
                "layers": layers,
            }),
        );
        descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
        descriptor
    }

    /// Adds an index over these manifests, and returns its descriptor.
    pub fn index(&self, manifests: &[Value]) -> Value {
        let index = json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": manifests});
        self.json(media_type::INDEX, &index)
    }

    /// Names one of its manifests.
    pub fn tag(&mut self, tag: &str, descriptor: &Value) {
        let mut descriptor = descriptor.clone();
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        self.manifests.push(descriptor);
        self.write_index();
    }

    fn write_index(&self) {
        let index = json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": self.manifests});
        fs::write(self.folder.join("index.json"), index.to_string()).expect("writing a layout");
    }

    fn layer(&self, tar: &Path) -> Value {
        let mut input = File::open(tar).expect("opening a layer");
        self.blob(media_type::LAYER, &mut input)
    }

    fn json(&self, media_type: &str, content: &Value) -> Value {
        self.blob(media_type, &mut content.to_string().as_bytes())
    }

    fn blob(&self, media_type: &str, input: &mut impl Read) -> Value {
        let blobs = self.folder.join("blobs/sha256");
        let mut file = tempfile::NamedTempFile::new_in(&blobs).expect("making a blob");
        let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            let read = input.read(&mut buffer).expect("reading a blob");
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            file.write_all(&buffer[..read]).expect("writing a blob");
            size += read;
        }
        let hex = hex::encode(hash.finalize());
        file.persist(blobs.join(&hex)).expect("naming a blob");
        json!({"mediaType": media_type, "digest": format!("sha256:{hex}"), "size": size})
    }
}
