//! Small images.

use std::io::Write;

use berth_oci::{Algorithm, Digest};
use serde_json::{Value, json};

/// A layer: its archive, and the same as a registry has it.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) diff_id: Digest,
    pub(crate) packed: Vec<u8>,
    pub(crate) kind: &'static str,
}

pub(crate) const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

/// An archive of these files.
pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_uid(rustix::process::geteuid().as_raw().into());
        header.set_gid(rustix::process::getegid().as_raw().into());
        tar.append_data(&mut header, path, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

impl Layer {
    pub(crate) fn gzip(archive: &[u8]) -> Self {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(archive).unwrap();
        Self { diff_id: digest(archive), packed: gzip.finish().unwrap(), kind: GZIP }
    }

    pub(crate) fn zstd(archive: &[u8]) -> Self {
        Self { diff_id: digest(archive), packed: zstd::encode_all(archive, 3).unwrap(), kind: ZSTD }
    }

    pub(crate) fn plain(archive: &[u8]) -> Self {
        Self { diff_id: digest(archive), packed: archive.to_vec(), kind: TAR }
    }

    /// A compressed layer with one file of this name and content.
    pub(crate) fn of(path: &str, content: &[u8]) -> Self {
        Self::gzip(&archive(&[(path, content)]))
    }

    pub(crate) fn descriptor(&self) -> Value {
        json!({"mediaType": self.kind, "digest": digest(&self.packed), "size": self.packed.len()})
    }
}

/// The configuration of an image of these layers for this machine.
pub(crate) fn config(layers: &[Layer]) -> Value {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| &layer.diff_id).collect::<Vec<_>>()},
    })
}

/// A manifest over a configuration and layers.
pub(crate) fn manifest(config: &[u8], layers: &[Layer]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": digest(config), "size": config.len()},
        "layers": layers.iter().map(Layer::descriptor).collect::<Vec<_>>(),
    })
}
