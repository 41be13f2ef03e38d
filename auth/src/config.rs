//! The `[auth]` section of the server's configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How tokens are made, and where the master key is; parsed means valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// How long a token lives: from 60 s, which docker's clients expect at least, to a day.
    #[serde(serialize_with = "humantime_serde::serialize", deserialize_with = "token_ttl")]
    pub token_ttl: Duration,
    /// What tokens name as their issuer.
    #[serde(deserialize_with = "issuer")]
    pub issuer: String,
    /// The file of the master key; without one, it is in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_key_file: Option<PathBuf>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self { token_ttl: Duration::from_mins(5), issuer: "berth".to_owned(), master_key_file: None }
    }
}

fn token_ttl<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let ttl: Duration = humantime_serde::deserialize(from)?;
    if (Duration::from_mins(1)..=Duration::from_hours(24)).contains(&ttl) {
        return Ok(ttl);
    }
    Err(serde::de::Error::custom("token_ttl must be between 60s and 24h"))
}

fn issuer<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let issuer = String::deserialize(from)?;
    if (1..=255).contains(&issuer.len()) {
        return Ok(issuer);
    }
    Err(serde::de::Error::custom("issuer must have 1 to 255 characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_is_the_default() {
        let config: AuthConfig = toml::from_str("").unwrap();
        assert_eq!(config, AuthConfig::default());
        assert_eq!(config.token_ttl, Duration::from_secs(300));
    }

    #[test]
    fn a_full_section_is_read_and_written_alike() {
        let text = "token_ttl = \"1h\"\nissuer = \"r.example\"\nmaster_key_file = \"/run/key\"\n";
        let config: AuthConfig = toml::from_str(text).unwrap();
        assert_eq!(config.token_ttl, Duration::from_secs(3600));
        assert_eq!(toml::to_string(&config).unwrap(), text);
    }

    #[test]
    fn values_out_of_range_and_unknown_keys_are_refused() {
        for text in [
            "token_ttl = \"59s\"",
            "token_ttl = \"25h\"",
            "token_ttl = \"soon\"",
            "token_ttl = 300",
            "issuer = \"\"",
            "isuer = \"x\"",
        ] {
            assert!(toml::from_str::<AuthConfig>(text).is_err(), "{text}");
        }
    }
}
