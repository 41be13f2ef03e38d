//! What is in the servers before they are measured: pushed to registries, written as files for nginx.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use super::{Kind, Server};
use crate::client::{Body, Client};
use crate::payload::{Slice, digest};

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const PUSHERS: usize = 16;

impl Server {
    /// Makes sure that `repository` holds an image of three small layers; gives its manifest's bytes.
    pub(crate) fn seed_image(&mut self, repository: &str) -> Result<Vec<u8>> {
        let layers: Vec<Vec<u8>> =
            (0..3).map(|layer| format!("layer {layer}\n").repeat(64).into_bytes()).collect();
        let config = br#"{"architecture":"amd64","os":"linux"}"#.to_vec();
        let manifest = manifest(&config, &layers);
        if self.first_time(format!("image {repository}")) {
            let mut client = self.client(repository)?;
            for blob in layers.iter().chain([&config]) {
                self.put_blob(&mut client, repository, &digest(blob), Body::Bytes(blob))?;
            }
            self.put_manifest(&mut client, repository, "latest", &manifest)?;
        }
        Ok(manifest)
    }

    /// Makes sure that `repository` holds `count` tags, `tag-00000` and so on, of one manifest.
    pub(crate) fn seed_tags(&mut self, repository: &str, count: usize) -> Result<()> {
        let manifest = self.seed_image(repository)?;
        if !self.first_time(format!("{count} tags {repository}")) {
            return Ok(());
        }
        let next = AtomicUsize::new(0);
        let push = || -> Result<()> {
            let mut client = self.client(repository)?;
            loop {
                let tag = next.fetch_add(1, Ordering::Relaxed);
                if tag >= count {
                    return Ok(());
                }
                self.put_manifest(&mut client, repository, &format!("tag-{tag:05}"), &manifest)?;
            }
        };
        std::thread::scope(|scope| {
            let pushers: Vec<_> = (0..PUSHERS).map(|_| scope.spawn(push)).collect();
            pushers.into_iter().try_for_each(|pusher| pusher.join().expect("a pusher panicked"))
        })
    }

    /// Makes sure that `repository` holds the blob.
    pub(crate) fn seed_blob(&mut self, repository: &str, slice: &Slice) -> Result<()> {
        if !self.first_time(format!("blob {repository} {}", slice.digest)) {
            return Ok(());
        }
        let mut client = self.client(repository)?;
        self.put_blob(&mut client, repository, &slice.digest, Body::Blob(slice))
    }

    fn first_time(&mut self, what: String) -> bool {
        let first = !self.seeded.contains(&what);
        if first {
            self.seeded.push(what);
        }
        first
    }

    fn put_blob(&self, client: &mut Client, repository: &str, digest: &str, body: Body<'_>) -> Result<()> {
        if self.kind == Kind::Nginx {
            let folder = self.folder.join("data/v2").join(repository).join("blobs");
            std::fs::create_dir_all(&folder)?;
            let mut file = std::fs::File::create(folder.join(digest))?;
            match body {
                Body::Empty => {}
                Body::Bytes(mut bytes) => drop(std::io::copy(&mut bytes, &mut file)?),
                Body::Blob(slice) => slice.copy_to(&mut file)?,
                Body::Repeated(slice, times) => (0..times).try_for_each(|_| slice.copy_to(&mut file))?,
            }
            return Ok(());
        }
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        let session = client.expect(202, "POST", &uploads, None, Body::Empty)?;
        let finish = with_digest(session.location()?, digest);
        client.expect(201, "PUT", &finish, Some("application/octet-stream"), body)?;
        Ok(())
    }

    fn put_manifest(&self, client: &mut Client, repository: &str, tag: &str, manifest: &[u8]) -> Result<()> {
        if self.kind == Kind::Nginx {
            let folder = self.folder.join("data/v2").join(repository).join("manifests");
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join(tag), manifest)?;
            return Ok(());
        }
        let path = format!("/v2/{repository}/manifests/{tag}");
        client.expect(201, "PUT", &path, Some(MANIFEST_TYPE), Body::Bytes(manifest))?;
        Ok(())
    }
}

/// The upload's address with the digest that finishes it.
pub(crate) fn with_digest(location: &str, digest: &str) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={digest}")
}

fn manifest(config: &[u8], layers: &[Vec<u8>]) -> Vec<u8> {
    let descriptor = |media_type: &str, bytes: &[u8]| serde_json::json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()});
    let layers: Vec<_> =
        layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer)).collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers,
    });
    manifest.to_string().into_bytes()
}
