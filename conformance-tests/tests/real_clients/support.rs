//! What the tests of several clients share.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use conformance_tests::layout::Layout;
use conformance_tests::{ADMIN_PASSWORD, Berth, rootfs};
use serde_json::json;
use tempfile::TempDir;

/// A server, and a home in which the administrator is logged in to it, as `docker login` would leave it.
pub(crate) struct Table {
    pub(crate) berth: Berth,
    pub(crate) home: TempDir,
}

impl Table {
    pub(crate) fn new() -> Self {
        let table = Self { berth: Berth::start(), home: tempfile::tempdir().expect("a temporary folder") };
        keep_login(table.home(), &table.berth.host(), "admin", ADMIN_PASSWORD);
        table
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn reference(&self, rest: &str) -> String {
        self.berth.reference(rest)
    }

    /// How many bytes of bodies the server has received.
    pub(crate) fn received(&self) -> u64 {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let received = runtime.block_on(self.berth.metric("berth_http_received_bytes_total"));
        format!("{received:.0}").parse().expect("a count")
    }
}

/// A server whose administrator nobody is logged in as, and an empty home.
pub(crate) fn stranger() -> (Berth, TempDir) {
    (Berth::start(), tempfile::tempdir().expect("a temporary folder"))
}

/// Writes a login to where docker, podman, skopeo, crane, oras and regctl all look.
pub(crate) fn keep_login(home: &Path, registry: &str, user: &str, password: &str) {
    let login =
        json!({"auths": {registry: {"auth": BASE64.encode(format!("{user}:{password}"))}}}).to_string();
    std::fs::create_dir_all(home.join(".docker")).expect("making a folder");
    std::fs::write(home.join(".docker/config.json"), &login).expect("writing a login");
    std::fs::write(home.join("auth.json"), &login).expect("writing a login");
}

/// A layout that holds one image of busybox under the tag `1`, and that image's digest.
pub(crate) fn busybox_layout(folder: &Path) -> (Layout, String) {
    let mut layout = Layout::new(folder);
    let image = layout.image("amd64", &[rootfs::busybox()]);
    layout.tag("1", &image);
    (layout, digest(&image))
}

/// A layout that holds one image of a Debian system in three layers under the tag `1`, and its digest.
pub(crate) fn debian_layout(folder: &Path) -> (Layout, String) {
    let mut layout = Layout::new(folder);
    let image = layout.image("amd64", &rootfs::debian());
    layout.tag("1", &image);
    (layout, digest(&image))
}

/// A layout that holds an index for two platforms under the tag `1`, and the digests of it and its children.
pub(crate) fn two_platform_layout(folder: &Path) -> (Layout, String, [String; 2]) {
    let mut layout = Layout::new(folder);
    let images = ["amd64", "arm64"].map(|architecture| layout.image(architecture, &[rootfs::busybox()]));
    let index = layout.index(&images);
    layout.tag("1", &index);
    (layout, digest(&index), images.map(|image| digest(&image)))
}

pub(crate) fn digest(descriptor: &serde_json::Value) -> String {
    descriptor["digest"].as_str().expect("a digest").to_owned()
}
