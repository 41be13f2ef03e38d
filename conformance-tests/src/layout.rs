//! An OCI image layout on disk: what crane, skopeo, oras and regctl push from.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
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

    /// Adds an image of these layers, which are tars, for `architecture`, and returns its descriptor.
    pub fn image(&self, architecture: &str, layers: &[PathBuf]) -> Value {
        let config = json!({"Cmd": ["/bin/sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]});
        self.image_with(architecture, layers, &config)
    }

    /// The same, whose containers start as `config` says.
    pub fn image_with(&self, architecture: &str, layers: &[PathBuf], config: &Value) -> Value {
        let diff_ids: Vec<String> = layers.iter().map(|tar| digest_of(tar)).collect();
        let layers: Vec<Value> = layers.iter().map(|tar| self.layer(tar)).collect();
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
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
        let mut input = File::open(compressed(tar)).expect("opening a layer");
        self.blob(media_type::LAYER_GZIP, &mut input)
    }

    fn json(&self, media_type: &str, content: &Value) -> Value {
        self.blob(media_type, &mut content.to_string().as_bytes())
    }

    fn blob(&self, media_type: &str, input: &mut impl Read) -> Value {
        let blobs = self.folder.join("blobs/sha256");
        let mut file = tempfile::NamedTempFile::new_in(&blobs).expect("making a blob");
        let (hex, size) = copy_and_hash(input, &mut file);
        file.persist(blobs.join(&hex)).expect("naming a blob");
        json!({"mediaType": media_type, "digest": format!("sha256:{hex}"), "size": size})
    }
}

/// The SHA-256 of what `input` holds, in hexadecimal, and its size in bytes.
fn copy_and_hash(input: &mut impl Read, output: &mut impl Write) -> (String, usize) {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        let read = input.read(&mut buffer).expect("reading a blob");
        if read == 0 {
            return (hex::encode(hash.finalize()), size);
        }
        hash.update(&buffer[..read]);
        output.write_all(&buffer[..read]).expect("writing a blob");
        size += read;
    }
}

fn digest_of(file: &Path) -> String {
    let mut input = File::open(file).expect("opening a layer");
    format!("sha256:{}", copy_and_hash(&mut input, &mut std::io::sink()).0)
}

/// The same tar, compressed with gzip as clients do: skopeo compresses what isn't, and changes its digest.
/// Kept beside the tar.
fn compressed(tar: &Path) -> PathBuf {
    let path = tar.with_extension("tar.gz");
    if !path.exists() {
        let folder = tar.parent().expect("a tar lies in a folder");
        let file = tempfile::NamedTempFile::new_in(folder).expect("making a file");
        let mut encoder = GzEncoder::new(file, Compression::fast());
        std::io::copy(&mut File::open(tar).expect("opening a layer"), &mut encoder)
            .expect("compressing a layer");
        encoder.finish().expect("compressing a layer").persist(&path).expect("naming a layer");
    }
    path
}
