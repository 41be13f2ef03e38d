//! What is pushed: a few blobs and a few manifests over them, so that everything meets everything.

use std::sync::LazyLock;

use berth_oci::{Digest, RepositoryName, Tag};
use berth_storage::testing::{Image, OCI_EMPTY, artifact, digest_of, image, index};

pub(crate) const REPOSITORIES: [&str; 3] = ["a", "a/b", "c"];
pub(crate) const TAGS: [&str; 2] = ["latest", "v1"];
pub(crate) const BLOBS: [&[u8]; 5] = [b"zero", b"one", b"two", b"three", OCI_EMPTY];

/// A manifest, and what it needs.
pub(crate) struct Known {
    pub(crate) image: Image,
    pub(crate) blobs: &'static [usize],
    pub(crate) children: &'static [usize],
}

/// Each names only those before it.
pub(crate) static MANIFESTS: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let image_of = |blobs: &'static [usize]| {
        let digests: Vec<Digest> = blobs.iter().map(|&blob| digest_of(BLOBS[blob])).collect();
        Known { image: image(&digests), blobs, children: &[] }
    };
    let mut known = vec![image_of(&[0, 1]), image_of(&[0, 2]), image_of(&[3, 1, 2])];
    let index_of = |known: &[Known], children: &'static [usize]| {
        let descriptors: Vec<_> = children.iter().map(|&child| known[child].image.descriptor()).collect();
        Known { image: index(&descriptors), blobs: &[], children }
    };
    known.push(index_of(&known, &[0, 1]));
    known.push(index_of(&known, &[1, 2]));
    known.push(index_of(&known, &[3]));
    for subject in [0, 3] {
        let about = artifact(&known[subject].image.descriptor(), "a/b", "about it");
        known.push(Known { image: about, blobs: &[4], children: &[] });
    }
    known
});

pub(crate) fn repository(number: usize) -> RepositoryName {
    REPOSITORIES[number].parse().unwrap()
}

pub(crate) fn tag(number: usize) -> Tag {
    TAGS[number].parse().unwrap()
}

pub(crate) fn manifest(number: usize) -> &'static Known {
    &MANIFESTS[number]
}
