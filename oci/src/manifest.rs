//! Manifests as they were pushed: what they name, never re-serialised
//! (image-spec `manifest.md`, `image-index.md`).

use serde::Deserialize;

use crate::descriptor::null_is_default;
use crate::media_type::ManifestKind;
use crate::{Annotations, Descriptor, MediaType, ParseError};

/// The largest manifest taken, in bytes: 4 MiB, which distribution-spec asks for at least.
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// What a manifest says, read from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The type it was pushed as.
    pub media_type: MediaType,
    /// What it names.
    pub content: Content,
    /// The manifest this one refers to, which need not exist yet.
    pub subject: Option<Descriptor>,
    /// The type of the artifact: `artifactType`, else the type of an image's config.
    pub artifact_type: Option<String>,
    /// Free words about the content.
    pub annotations: Annotations,
}

/// What a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An image or artifact: a config (absent only in old artifact manifests) and layers.
    Blobs {
        /// The configuration.
        config: Option<Descriptor>,
        /// The layers, from the lowest.
        layers: Vec<Descriptor>,
    },
    /// An index or manifest list: other manifests.
    Children(Vec<Descriptor>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    /// Old artifact manifests name their content so.
    blobs: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_is_default")]
    annotations: Annotations,
}

impl Manifest {
    /// Reads `bytes` as a manifest pushed with the `Content-Type` `content_type`.
    ///
    /// # Errors
    /// A sentence for the client when the bytes are no JSON, are of another type than they were
    /// announced as, or are of a type that is no manifest.
    pub fn parse(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, ParseError> {
        let invalid = |sentence: String| Err(ParseError::Manifest(sentence));
        let announced = content_type.map(str::parse::<MediaType>).transpose()?;
        let raw: Raw = match serde_json::from_slice(bytes) {
            Ok(raw) => raw,
            Err(_) if announced.as_ref().is_some_and(MediaType::is_docker_schema_1) => {
                return invalid(SCHEMA_1.to_owned());
            }
            Err(error) => return invalid(error.to_string()),
        };
        let own = raw.media_type.as_deref().map(str::parse::<MediaType>).transpose()?;
        let media_type = match (announced, own) {
            (Some(announced), Some(own)) if announced != own => {
                return invalid(format!("it was sent as {announced} but says of itself that it is {own}"));
            }
            (Some(media_type), _) | (None, Some(media_type)) => media_type,
            (None, None) if raw.manifests.is_some() => MediaType::OCI_INDEX,
            (None, None) => MediaType::OCI_MANIFEST,
        };
        if media_type.is_docker_schema_1() || raw.schema_version == Some(1) {
            return invalid(SCHEMA_1.to_owned());
        }
        if raw.manifests.is_some() && (raw.layers.is_some() || raw.config.is_some()) {
            // CVE-2021-41190: two readers would see two different images.
            return invalid("it has both 'manifests' and 'layers' or 'config'".to_owned());
        }
        let content = match media_type.manifest_kind() {
            Some(ManifestKind::Index) => match raw.manifests {
                Some(children) => Content::Children(children),
                None => return invalid("an index without 'manifests'".to_owned()),
            },
            Some(ManifestKind::Image) => match (&raw.config, raw.layers) {
                (Some(_), layers) => {
                    Content::Blobs { config: raw.config.clone(), layers: layers.unwrap_or_default() }
                }
                (None, _) => return invalid("an image manifest without 'config'".to_owned()),
            },
            Some(ManifestKind::Artifact) => {
                Content::Blobs { config: None, layers: raw.blobs.unwrap_or_default() }
            }
            None => return invalid(format!("{media_type} is not the media type of a manifest")),
        };
        if media_type.manifest_kind() != Some(ManifestKind::Artifact) && raw.schema_version != Some(2) {
            return invalid("'schemaVersion' must be 2".to_owned());
        }
        // Referrers are listed by artifactType, else by the config's type (distribution-spec,
        // *Listing Referrers*); an index without one has none.
        let config_type = || raw.config.as_ref().map(|config| config.media_type.as_str().to_owned());
        let artifact_type = raw.artifact_type.filter(|kind| !kind.is_empty()).or_else(config_type);
        // No media type has any (RFC 6838), and not every database keeps them.
        if artifact_type.as_ref().is_some_and(|kind| kind.contains(char::is_control)) {
            return invalid("'artifactType' holds a control character".to_owned());
        }
        Ok(Self { media_type, content, subject: raw.subject, artifact_type, annotations: raw.annotations })
    }
}

const SCHEMA_1: &str = "docker's schema 1 is not supported; push with a newer client (schema 2 or OCI)";

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = r#"{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#;

    fn refusal(content_type: &str, body: &str) -> String {
        Manifest::parse(Some(content_type), body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_artifact_takes_its_type_from_the_config_unless_it_names_one() {
        let plain = format!(r#"{{"schemaVersion":2,"config":{EMPTY},"layers":[],"annotations":null}}"#);
        let manifest = Manifest::parse(
            Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"),
            plain.as_bytes(),
        )
        .unwrap();
        assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.oci.empty.v1+json"));
        let named = format!(r#"{{"schemaVersion":2,"artifactType":"a/b","config":{EMPTY},"layers":[]}}"#);
        let manifest = Manifest::parse(None, named.as_bytes()).unwrap();
        assert_eq!(manifest.artifact_type.as_deref(), Some("a/b"));
        let wrong =
            format!(r#"{{"schemaVersion":2,"artifactType":"a\u0000b","config":{EMPTY},"layers":[]}}"#);
        assert!(Manifest::parse(Some(MediaType::OCI_MANIFEST.as_str()), wrong.as_bytes()).is_err());
    }

    #[test]
    fn a_manifest_that_is_two_things_is_refused() {
        let both = format!(r#"{{"schemaVersion":2,"config":{EMPTY},"layers":[],"manifests":[]}}"#);
        for media_type in [MediaType::OCI_MANIFEST, MediaType::OCI_INDEX] {
            assert!(refusal(media_type.as_str(), &both).contains("both"));
        }
        let other =
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        assert!(refusal(MediaType::OCI_MANIFEST.as_str(), other).contains("says of itself"));
    }

    #[test]
    fn schema_1_deep_json_and_other_types_are_refused_with_a_sentence() {
        assert!(
            refusal("application/vnd.docker.distribution.manifest.v1+prettyjws", "{}").contains("schema 1")
        );
        assert!(refusal("application/json", r#"{"schemaVersion":2}"#).contains("not the media type"));
        // Fields that nobody reads are skipped without recursion; in those that count depth is an error.
        let deep = format!(r#"{{"schemaVersion":2,"config":{}"#, "[".repeat(200_000));
        assert!(refusal(MediaType::OCI_MANIFEST.as_str(), &deep).contains("invalid type: sequence"));
    }
}
