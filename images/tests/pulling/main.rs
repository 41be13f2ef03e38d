//! Pulling from registries that are slow, broken or hostile, and pushing to them.

#![expect(clippy::unwrap_used, reason = "what a test needs and doesn't get fails it")]

mod checked;
mod credentials;
mod image;
mod names;
mod pushes;
mod registry;
mod resumed;
mod shared;
mod stacked;
mod transfers;

use berth_images::{Error, Event, ImageReference, LocalImages, Pulled, Reach, Registry, pull};
use tempfile::TempDir;

use crate::registry::Fake;

/// A machine without images, and a registry.
pub(crate) struct Table {
    pub(crate) folder: TempDir,
    pub(crate) images: LocalImages,
    pub(crate) fake: Fake,
}

impl Table {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let images = LocalImages::open(&folder.path().join("local")).unwrap();
        Self { folder, images, fake: Fake::start().await }
    }

    pub(crate) fn reference(&self, rest: &str) -> ImageReference {
        format!("{}/{rest}", self.fake.host).parse().unwrap()
    }

    pub(crate) fn registry(&self, reference: &ImageReference) -> Registry {
        Registry::new(reference, None, Reach::default()).unwrap()
    }

    pub(crate) async fn pull(&self, rest: &str) -> Result<Pulled, Error> {
        let reference = self.reference(rest);
        pull(&self.images, &self.registry(&reference), &reference, None, &ignored).await
    }

    /// The sentence with which a pull is refused, after which nothing is left that could be used.
    #[track_caller]
    pub(crate) fn assert_refused(&self, pulled: Result<Pulled, Error>, words: &str) {
        let said = pulled.expect_err("a pull that is refused").to_string();
        assert!(said.contains(words), "{said}");
        assert!(self.images.list().unwrap().is_empty(), "an image, in spite of: {said}");
        let left: Vec<_> = self.folder.path().join("local/tmp").read_dir().unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

pub(crate) fn ignored(_: Event<'_>) {}
