//! An image's configuration (image-spec `config.md`), with docker's additional fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::descriptor::null_is_default;
use crate::{Digest, ParseError};

/// The largest image configuration read, in bytes: that of a manifest.
pub const MAX_IMAGE_CONFIG_BYTES: usize = crate::MAX_MANIFEST_BYTES;

/// What an image is made of and how a container of it starts (image-spec `config.md`, *Properties*).
///
/// Fields stand in the order in which docker writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// The processor, as Go names it.
    pub architecture: String,
    /// How a container starts.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: ContainerConfig,
    /// When it was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// How each layer came to be, from the lowest; some entries made no layer.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// The operating system, as Go names it.
    pub os: String,
    /// The version of the operating system that it needs.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// The layers' contents.
    pub rootfs: RootFs,
    /// The processor's variant, as `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// How a container of an image starts: `config` of image-spec `config.md`, and what docker adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerConfig {
    /// `user`, `uid`, `user:group`, `uid:gid` and mixtures; empty is root.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports such as `80/tcp`; the values are always empty.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Empty>,
    /// `NAME=value`.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// What is always run.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// The arguments of the entrypoint, or the command where there is none, unless others are given.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// How docker finds out whether it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Windows only: whether the command is escaped already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args_escaped: Option<bool>,
    /// Folders that are volumes; the values are always empty.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Empty>,
    /// Where the process starts; empty is `/`.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Instructions for builds that start from this image.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// Free words about the image.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that asks it to end, as `SIGTERM` or a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// How long it may take to end, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// What the shell forms of a Dockerfile are run by.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
}

/// The empty object that image configurations use as a set's value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// A health check, as docker keeps it. Durations are in nanoseconds; 0 is docker's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", argument…]` or `["CMD-SHELL", command]`; empty is inherited.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// From one check to the next.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// How long one check may take.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// How long failures don't count after the start.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// From one check to the next while it starts.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// How many failures in a row make it unhealthy.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i64,
}

/// What the layers unpack to (image-spec `config.md`, `rootfs`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digests of the uncompressed layers, from the lowest.
    #[serde(deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

/// How a layer came to be (image-spec `config.md`, `history`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// By which instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// What its maker had to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether it made no layer.
    #[serde(skip_serializing_if = "is_false")]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Reads `bytes` as an image's configuration.
    ///
    /// # Errors
    /// A sentence when they are no JSON object of that form, or the root file system is of another kind
    /// than `layers`.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let config: Self =
            serde_json::from_slice(bytes).map_err(|error| ParseError::ImageConfig(error.to_string()))?;
        if config.rootfs.kind != "layers" {
            let sentence =
                format!("its root file system is of the type '{}', not 'layers'", config.rootfs.kind);
            return Err(ParseError::ImageConfig(sentence));
        }
        Ok(config)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `docker save` of an image with a health check gives it, shortened.
    const OF_DOCKER: &str = r#"{"architecture":"amd64","config":{"Hostname":"","User":"app","ExposedPorts":{"80/tcp":{}},"Env":["PATH=/bin"],"Cmd":["sh"],"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":5000000000},"Image":"sha256:1","Volumes":null,"WorkingDir":"/srv","Entrypoint":null,"OnBuild":null,"Labels":null},"container":"e6","created":"2026-01-01T00:00:00Z","docker_version":"20.10.24","history":[{"created":"2026-01-01T00:00:00Z","created_by":"/bin/sh -c #(nop) CMD [\"sh\"]","empty_layer":true}],"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"]}}"#;

    #[test]
    fn what_docker_writes_is_read_with_its_own_fields_and_nulls() {
        let image = ImageConfig::parse(OF_DOCKER.as_bytes()).unwrap();
        assert_eq!(image.config.user, "app");
        assert_eq!(image.config.cmd, ["sh"]);
        assert!(image.config.entrypoint.is_empty() && image.config.volumes.is_empty());
        assert!(image.config.exposed_ports.contains_key("80/tcp"));
        let health = image.config.healthcheck.unwrap();
        assert_eq!((health.test.len(), health.interval, health.retries), (2, 5_000_000_000, 0));
        assert!(image.history[0].empty_layer);
        assert_eq!(image.rootfs.diff_ids.len(), 1);
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let image = ImageConfig::parse(OF_DOCKER.as_bytes()).unwrap();
        let written = serde_json::to_vec(&image).unwrap();
        assert_eq!(ImageConfig::parse(&written).unwrap(), image);
    }

    #[test]
    fn what_is_no_image_configuration_is_refused_with_a_sentence() {
        for (text, word) in [
            ("no json", "expected"),
            ("{}", "missing field"),
            (r#"{"architecture":"a","os":"l","rootfs":{"type":"wim","diff_ids":[]}}"#, "'wim'"),
            (r#"{"architecture":"a","os":"l","rootfs":{"type":"layers","diff_ids":["md5:1"]}}"#, "md5"),
        ] {
            let sentence = ImageConfig::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(
                sentence.starts_with("invalid image configuration: ") && sentence.contains(word),
                "{sentence}"
            );
        }
    }
}
