//! Where things are in a bucket.
//!
//! ```text
//! <prefix>blobs/<2 of id>/<id>                  bytes that were sealed
//! <prefix>digests/<algorithm>/<hex>/<id>        empty: tells what the bytes of <id> are
//! <prefix>uploads/<id>/<generation>             the end of an upload that is no part yet
//! <prefix>store/<fact>                          facts about the store itself
//! ```
//! No key is a folder of another: some servers keep keys as files.

use berth_oci::Digest;

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

    pub(super) fn blob(&self, id: &str) -> String {
        format!("{}blobs/{}/{id}", self.prefix, id.get(..2).unwrap_or("_"))
    }

    pub(super) fn marker(&self, digest: &Digest, id: &str) -> String {
        format!("{}digests/{}/{}/{id}", self.prefix, digest.algorithm(), digest.hex())
    }

    pub(super) fn tail(&self, id: &str, generation: u64) -> String {
        format!("{}uploads/{id}/{generation}", self.prefix)
    }

    /// What the keys of all tails of an upload begin with.
    pub(super) fn tails(&self, id: &str) -> String {
        format!("{}uploads/{id}/", self.prefix)
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

    /// What a marker's key says: the digest, and the id of the bytes.
    pub(super) fn parse_marker(&self, key: &str) -> Option<(Digest, String)> {
        let rest = key.strip_prefix(&self.markers())?;
        let mut words = rest.split('/');
        let (algorithm, hex, id) = (words.next()?, words.next()?, words.next()?);
        let digest = format!("{algorithm}:{hex}").parse().ok()?;
        words.next().is_none().then(|| (digest, id.to_owned()))
    }
}

/// The place of the bytes of `id`, which are `digest`.
pub(super) fn location(digest: &Digest, id: &str) -> Location {
    Location(format!("{}/{}.{id}", digest.algorithm(), digest.hex()))
}

/// What a place of this store says: the digest, and the id of the bytes.
pub(super) fn parse_location(at: &Location) -> Result<(Digest, &str), Fault> {
    let parse = || {
        let (algorithm, rest) = at.as_str().split_once('/')?;
        let (hex, id) = rest.split_once('.')?;
        Some((format!("{algorithm}:{hex}").parse().ok()?, id))
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
        assert_eq!(Keys::below("").tail("abcd", 3), "uploads/abcd/3");
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
