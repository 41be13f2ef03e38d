//! Where things are in a bucket.
//!
//! ```text
//! <prefix>blobs/<2 of id>/<name>                bytes; <name> begins with the <id> of their upload
//! <prefix>digests/<algorithm>/<hex>/<name>      empty: tells that those were sealed, and what they are
//! <prefix>store/<fact>                          facts about the store itself
//! ```
//! No key is a folder of another: some servers keep keys as files.

use berth_oci::Digest;
use uuid::Uuid;

use super::super::Location;
use crate::error::Fault;

/// Keys below one prefix of a bucket.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// Keys that all begin with `prefix`, which ends with a slash unless it is empty.
    pub(super) fn below(prefix: &str) -> Self {
        let trimmed = prefix.trim_matches('/');
        Self { prefix: if trimmed.is_empty() { String::new() } else { format!("{trimmed}/") } }
    }

    /// The bytes of this name, or with an upload's id: what the keys of all its bytes begin with.
    pub(super) fn blob(&self, name: &str) -> String {
        format!("{}blobs/{}/{name}", self.prefix, name.get(..2).unwrap_or("_"))
    }

    pub(super) fn marker(&self, digest: &Digest, name: &str) -> String {
        format!("{}digests/{}/{}/{name}", self.prefix, digest.algorithm(), digest.hex())
    }

    pub(super) fn fact(&self, name: &str) -> String {
        format!("{}store/{name}", self.prefix)
    }

    /// Something that is written and removed again to see whether that works.
    pub(super) fn trial(&self, id: &str) -> String {
        format!("{}store/trial-{id}", self.prefix)
    }

    /// What all blobs begin with.
    pub(super) fn blobs(&self) -> String {
        format!("{}blobs/", self.prefix)
    }

    /// What all markers begin with.
    pub(super) fn markers(&self) -> String {
        format!("{}digests/", self.prefix)
    }

    /// What a marker's key says: the digest, and the name of the bytes.
    pub(super) fn parse_marker(&self, key: &str) -> Option<(Digest, String)> {
        let rest = key.strip_prefix(&self.markers())?;
        let mut words = rest.split('/');
        let (algorithm, hex, name) = (words.next()?, words.next()?, words.next()?);
        let digest = format!("{algorithm}:{hex}").parse().ok()?;
        words.next().is_none().then(|| (digest, name.to_owned()))
    }
}

/// A name for some bytes of the upload `id` that no others have.
pub(super) fn piece(id: &str) -> String {
    let word = Uuid::new_v4().simple().to_string();
    format!("{id}-{}", &word[..12])
}

/// The place of the bytes of this name, which are `digest`.
pub(super) fn location(digest: &Digest, name: &str) -> Location {
    Location(format!("{}/{}.{name}", digest.algorithm(), digest.hex()))
}

/// What a place of this store says: the digest, and the name of the bytes.
pub(super) fn parse_location(at: &Location) -> Result<(Digest, &str), Fault> {
    let parse = || {
        let (algorithm, rest) = at.as_str().split_once('/')?;
        let (hex, name) = rest.split_once('.')?;
        Some((format!("{algorithm}:{hex}").parse().ok()?, name))
    };
    parse().ok_or_else(|| Fault::because(format!("looking for blob {at}"), "this is no place in a bucket"))
}

#[cfg(test)]
mod tests {
    use berth_oci::Algorithm;

    use super::*;

    #[test]
    fn a_prefix_is_a_folder_however_it_is_written() {
        for prefix in ["team/berth", "/team/berth/", "team/berth/"] {
            assert_eq!(Keys::below(prefix).blob("abcd"), "team/berth/blobs/ab/abcd");
        }
        assert_eq!(Keys::below("").blob("abcd"), "blobs/ab/abcd");
    }

    #[test]
    fn the_bytes_of_an_upload_are_found_by_its_id() {
        let (keys, name) = (Keys::below("p"), piece("abcd"));
        assert!(keys.blob(&name).starts_with(&keys.blob("abcd")), "{name}");
        assert_ne!(name, piece("abcd"));
    }

    #[test]
    fn markers_and_places_say_digest_and_id() {
        let keys = Keys::below("p");
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::of(algorithm, b"content");
            let said = keys.parse_marker(&keys.marker(&digest, "abcd"));
            assert_eq!(said, Some((digest.clone(), "abcd".to_owned())));
            assert_eq!(parse_location(&location(&digest, "abcd")).unwrap(), (digest, "abcd"));
        }
        assert_eq!(keys.parse_marker("p/digests/sha256/abc"), None);
        assert!(parse_location(&Location("sha256/ab/abcd".to_owned())).is_err());
    }
}
