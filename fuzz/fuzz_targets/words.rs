//! Names, tags, references, digests: what is accepted is written as it was read, and is harmless.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use berth_auth::UserName;
use berth_oci::{Digest, MediaType, Reference, RepositoryName, Tag};
use libfuzzer_sys::fuzz_target;

/// The word that `text` is, if it is one; it is written exactly as it was read.
fn word<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let word = text.parse::<T>().ok()?;
    assert_eq!(word.to_string(), text);
    assert_eq!(text.parse::<T>().ok().as_ref(), Some(&word));
    Some(word)
}

/// Safe as a path below a folder, in a URL and in a shell.
fn is_harmless(text: &str) -> bool {
    let parts = || text.split('/');
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:".contains(&b))
        && parts().all(|part| !part.is_empty() && part != "." && part != "..")
}

fuzz_target!(|text: &str| {
    if word::<RepositoryName>(text).is_some() {
        assert!(is_harmless(text) && text.len() <= RepositoryName::MAX_LEN);
    }
    if let Some(tag) = word::<Tag>(text) {
        assert!(is_harmless(text) && text.len() <= Tag::MAX_LEN);
        assert_eq!(word::<Reference>(text), Some(Reference::Tag(tag)));
    }
    if let Some(digest) = word::<Digest>(text) {
        assert_eq!(text, format!("{}:{}", digest.algorithm(), digest.hex()));
        assert_eq!(digest.hex().len(), digest.algorithm().hex_len());
        assert!(digest.fallback_tag().parse::<Tag>().is_ok());
        assert_eq!(word::<Reference>(text), Some(Reference::Digest(digest)));
    }
    if let Some(user) = word::<UserName>(text) {
        assert!(is_harmless(user.as_str()) && !text.contains('/'));
    }
    // Parameters are dropped, so that only what is left is written as it was read.
    if let Ok(media_type) = text.parse::<MediaType>() {
        assert_eq!(word::<MediaType>(&media_type.to_string()), Some(media_type));
    }
});
