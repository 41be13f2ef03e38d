//! Manifests: reading one never panics, and an accepted one says the same when it is read again
//! under the type it was accepted as.
#![no_main]

use berth_oci::{Content, Digest, Manifest, MediaType};
use libfuzzer_sys::fuzz_target;

const ANNOUNCED: [Option<MediaType>; 7] = [
    None,
    Some(MediaType::OCI_MANIFEST),
    Some(MediaType::OCI_INDEX),
    Some(MediaType::OCI_ARTIFACT),
    Some(MediaType::DOCKER_MANIFEST),
    Some(MediaType::DOCKER_LIST),
    Some(MediaType::OCI_CONFIG),
];

fuzz_target!(|bytes: &[u8]| {
    for announced in ANNOUNCED {
        let Ok(manifest) = Manifest::parse(announced.as_ref().map(MediaType::as_str), bytes) else {
            continue;
        };
        if let Some(announced) = announced {
            assert_eq!(manifest.media_type, announced);
        }
        let again = Manifest::parse(Some(manifest.media_type.as_str()), bytes);
        assert_eq!(again.as_ref(), Ok(&manifest));
        let named: Vec<&Digest> = match &manifest.content {
            Content::Blobs { config, layers } => config.iter().chain(layers).map(|it| &it.digest).collect(),
            Content::Children(children) => children.iter().map(|it| &it.digest).collect(),
        };
        assert!(named.into_iter().all(|digest| digest.as_str().parse().as_ref() == Ok(digest)));
    }
});
