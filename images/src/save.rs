//! Images written to one archive, as `docker save` writes them: an OCI layout (image-spec `image-layout.md`)
//! with docker's `manifest.json` beside it, so that every engine reads it.

use std::collections::HashSet;
use std::io::{self, Write};

use berth_oci::{Content, Digest};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::error::{Doing, Result};
use crate::reference::ImageReference;
use crate::store::{Image, LocalImages};

/// What docker, containerd and others look for a whole name under.
pub(crate) const NAME_OF_CONTAINERD: &str = "io.containerd.image.name";
/// The name, or the tag alone (image-spec `annotations.md`).
pub(crate) const NAME_OF_OCI: &str = "org.opencontainers.image.ref.name";

/// Writes `images`, each under the names it is asked for by. The same images give the same bytes. Blocks.
///
/// # Errors
/// When a part of an image can't be read, or `output` can't be written to.
pub fn save(local: &LocalImages, images: &[(Image, Vec<ImageReference>)], output: impl Write) -> Result<()> {
    let mut archive = Builder::new(output);
    let (mut written, mut index, mut docker) = (HashSet::new(), Vec::new(), Vec::new());
    for folder in ["blobs/", "blobs/sha256/"] {
        folder_entry(&mut archive, folder).doing(writing)?;
    }
    for (image, names) in images {
        let (manifest, size) = local.kept_manifest(&image.manifest_digest)?;
        let mut blobs = vec![image.manifest_digest.clone(), image.id.clone()];
        if let Content::Blobs { layers, .. } = &manifest.content {
            blobs.extend(layers.iter().map(|layer| layer.digest.clone()));
        }
        for digest in blobs {
            if written.insert(digest.clone()) {
                let mut file = local.open_blob(&digest)?;
                let length = file.metadata().doing(writing)?.len();
                entry(&mut archive, &path(&digest), length, &mut file).doing(writing)?;
            }
        }
        let descriptor = json!({
            "mediaType": manifest.media_type,
            "digest": image.manifest_digest,
            "size": size,
            "platform": {"architecture": image.config.architecture, "os": image.config.os},
        });
        let named = |name: &ImageReference| {
            let mut descriptor = descriptor.clone();
            descriptor["annotations"] = json!({NAME_OF_CONTAINERD: name.whole(), NAME_OF_OCI: name.wanted()});
            descriptor
        };
        match names.is_empty() {
            true => index.push(descriptor.clone()),
            false => index.extend(names.iter().map(named)),
        }
        docker.push(json!({
            "Config": path(&image.id),
            "RepoTags": names.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "Layers": image.layers.iter().map(|layer| path(&layer.digest)).collect::<Vec<_>>(),
        }));
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": index,
    });
    for (name, document) in [
        ("index.json", index),
        ("manifest.json", Value::Array(docker)),
        ("oci-layout", json!({"imageLayoutVersion": "1.0.0"})),
    ] {
        let text = document.to_string();
        entry(&mut archive, name, text.len() as u64, &mut text.as_bytes()).doing(writing)?;
    }
    archive.into_inner().and_then(|mut output| output.flush()).doing(writing)
}

fn writing() -> &'static str {
    "writing the archive"
}

fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

fn entry(
    archive: &mut Builder<impl Write>,
    path: &str,
    size: u64,
    content: &mut impl io::Read,
) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(0o644);
    header.set_mtime(0);
    archive.append_data(&mut header, path, content)
}

fn folder_entry(archive: &mut Builder<impl Write>, path: &str) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Directory);
    header.set_size(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(0o755);
    header.set_mtime(0);
    archive.append_data(&mut header, path, io::empty())
}
