//! What names an image, as docker reads it: `app` is `docker.io/library/app:latest`.

use std::fmt;
use std::str::FromStr;

use berth_oci::{Digest, RepositoryName, Tag};
use oci_distribution::{ParseError, Reference};

use crate::registry::address::RegistryAddress;

const DOCKER_HUB: &str = "docker.io";

/// A registry, a repository in it, and a tag or digest (or both, of which the digest counts).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageReference(Reference);

/// Why a text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' names no image: {wrong}; write [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]")]
pub struct InvalidReference {
    text: String,
    wrong: String,
}

impl ImageReference {
    /// The registry, as docker writes it: `docker.io` or `host[:port]`.
    pub fn registry(&self) -> &str {
        self.0.registry()
    }

    /// Where that registry is.
    ///
    /// # Errors
    /// A sentence when the name is no address.
    pub fn address(&self) -> Result<RegistryAddress, String> {
        self.0.registry().parse()
    }

    /// The repository in it, such as `library/app`.
    pub fn repository(&self) -> &str {
        self.0.repository()
    }

    /// The tag, if it has one.
    pub fn tag(&self) -> Option<&str> {
        self.0.tag()
    }

    /// The digest, if it has one.
    pub fn digest(&self) -> Option<Digest> {
        // Checked when it was parsed.
        self.0.digest().and_then(|digest| digest.parse().ok())
    }

    /// What is asked of the registry: the digest, else the tag.
    pub fn wanted(&self) -> &str {
        self.0.digest().or(self.0.tag()).unwrap_or("latest")
    }

    /// The registry and the repository without the parts that docker leaves out.
    pub fn familiar_name(&self) -> String {
        let repository = self.repository();
        match self.registry() {
            DOCKER_HUB => repository.strip_prefix("library/").unwrap_or(repository).to_owned(),
            registry => format!("{registry}/{repository}"),
        }
    }

    /// The same repository under another digest, without a tag.
    pub fn at_digest(&self, digest: &Digest) -> Self {
        Self(self.0.clone_with_digest(digest.to_string()))
    }

    /// The same repository under another tag.
    pub fn at_tag(&self, tag: &Tag) -> Self {
        let (registry, repository) = (self.registry().to_owned(), self.repository().to_owned());
        Self(Reference::with_tag(registry, repository, tag.to_string()))
    }

    /// The whole of it, nothing left out.
    pub fn whole(&self) -> String {
        self.0.whole()
    }

    pub(crate) fn as_inner(&self) -> &Reference {
        &self.0
    }
}

impl FromStr for ImageReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let invalid = |wrong: String| {
            let text = text.chars().take(100).flat_map(char::escape_default).collect();
            InvalidReference { text, wrong }
        };
        let reference: Reference = text.parse().map_err(|error| invalid(sentence(&error, text)))?;
        let repository = reference.repository().parse::<RepositoryName>();
        repository.map_err(|error| invalid(error.to_string()))?;
        let digest = reference.digest().map(str::parse::<Digest>).transpose();
        digest.map_err(|error| invalid(error.to_string()))?;
        // Whatever has no host to connect to can't be pulled either.
        reference.registry().parse::<RegistryAddress>().map_err(invalid)?;
        Ok(Self(reference))
    }
}

fn sentence(error: &ParseError, text: &str) -> String {
    match error {
        ParseError::ReferenceInvalidFormat if text.chars().any(|c| c.is_ascii_uppercase()) => {
            "a repository's name has no capital letters".to_owned()
        }
        ParseError::ReferenceInvalidFormat if text.contains("://") => "it is a URL".to_owned(),
        other => other.to_string(),
    }
}

impl fmt::Display for ImageReference {
    /// As docker writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.familiar_name())?;
        if let Some(tag) = self.tag() {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = self.0.digest() {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_as_docker_does() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let at_digest = format!("r.example:5000/a/b@{digest}");
        for (text, whole, familiar) in [
            ("app", "docker.io/library/app:latest", "app:latest"),
            ("team/app:1", "docker.io/team/app:1", "team/app:1"),
            ("index.docker.io/app", "docker.io/library/app:latest", "app:latest"),
            ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
            ("127.0.0.1:5000/team/app", "127.0.0.1:5000/team/app:latest", "127.0.0.1:5000/team/app:latest"),
            (&at_digest, &at_digest, &at_digest),
        ] {
            let reference: ImageReference = text.parse().unwrap();
            assert_eq!(
                (reference.whole().as_str(), reference.to_string().as_str()),
                (whole, familiar),
                "{text}"
            );
        }
    }

    #[test]
    fn what_names_no_image_is_refused_with_a_sentence() {
        let too_long = format!("r.example/{}", "a".repeat(300));
        for (text, word) in [
            ("", "at least one"),
            ("App", "capital"),
            ("https://r.example/app", "URL"),
            ("a b", "format"),
            ("app@sha256:00", "format"),
            ("../app", "format"),
            ("-app", "format"),
            (&too_long, "255"),
        ] {
            let sentence = text.parse::<ImageReference>().unwrap_err().to_string();
            assert!(sentence.contains(word), "{text}: {sentence}");
        }
    }
}
