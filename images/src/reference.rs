//! What names an image, as docker reads it: `app` is `docker.io/library/app:latest`.

use std::fmt;
use std::str::FromStr;

use berth_oci::{Digest, ParseError, RepositoryName, Tag};
use oci_distribution::Reference;

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

    /// Reads it by the words' own grammars. The library's way is a regular expression, and making that takes
    /// longer than starting a container.
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let invalid = |wrong: String| {
            let text = text.chars().take(100).flat_map(char::escape_default).collect();
            InvalidReference { text, wrong }
        };
        if text.contains("://") {
            return Err(invalid("it is a URL".to_owned()));
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let digest = digest.map(str::parse::<Digest>).transpose();
        let digest = digest.map_err(|error| invalid(error.to_string()))?;
        // A colon before the last slash is that of a port.
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        let tag = tag.map(str::parse::<Tag>).transpose().map_err(|error| invalid(error.to_string()))?;
        let (registry, repository) = match name.split_once('/') {
            Some((host, repository)) if is_host(host) => (host, repository),
            _ => (DOCKER_HUB, name),
        };
        let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
        let repository = match registry == DOCKER_HUB && !repository.contains('/') && !repository.is_empty() {
            true => format!("library/{repository}"),
            false => repository.to_owned(),
        };
        repository.parse::<RepositoryName>().map_err(|error| invalid(sentence(&error, name)))?;
        if !registry.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[') {
            return Err(invalid("it starts with no host".to_owned()));
        }
        // Whatever has no host to connect to can't be pulled either.
        registry.parse::<RegistryAddress>().map_err(invalid)?;
        let registry = registry.to_owned();
        Ok(Self(match (tag, digest) {
            (None, None) => Reference::with_tag(registry, repository, "latest".to_owned()),
            (Some(tag), None) => Reference::with_tag(registry, repository, tag.to_string()),
            (None, Some(digest)) => Reference::with_digest(registry, repository, digest.to_string()),
            (Some(tag), Some(digest)) => {
                Reference::with_tag_and_digest(registry, repository, tag.to_string(), digest.to_string())
            }
        }))
    }
}

/// Whether the first part of a name is a host, as docker tells it from a repository.
fn is_host(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':']) || part.contains(|letter: char| letter.is_uppercase())
}

fn sentence(error: &ParseError, name: &str) -> String {
    match name {
        "" => "it has no repository".to_owned(),
        name if name.chars().any(|letter| letter.is_ascii_uppercase()) => {
            "a repository's name has no capital letters".to_owned()
        }
        _ => error.to_string(),
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
        let both = format!("r.example:5000/a/b:1@{digest}");
        for (text, whole, familiar) in [
            ("app", "docker.io/library/app:latest", "app:latest"),
            ("team/app:1", "docker.io/team/app:1", "team/app:1"),
            ("index.docker.io/app", "docker.io/library/app:latest", "app:latest"),
            ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
            ("127.0.0.1:5000/team/app", "127.0.0.1:5000/team/app:latest", "127.0.0.1:5000/team/app:latest"),
            (&at_digest, &at_digest, &at_digest),
            (&both, &both, &both),
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
            ("", "no repository"),
            ("App", "capital"),
            ("https://r.example/app", "URL"),
            ("a b", "invalid repository name"),
            ("app@sha256:00", "invalid digest"),
            ("app:", "invalid tag"),
            ("../app", "no host"),
            ("-app", "invalid repository name"),
            ("r.example/", "invalid repository name"),
            (&too_long, "invalid repository name"),
        ] {
            let sentence = text.parse::<ImageReference>().unwrap_err().to_string();
            assert!(sentence.contains(word), "{text}: {sentence}");
        }
    }
}
