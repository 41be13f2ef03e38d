//! Where a registry is, as a person names it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What docker calls Docker Hub in its config.json.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// Where Docker Hub speaks the distribution API.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// A registry's host and port. A path is dropped, as docker drops it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryAddress {
    /// `host[:port]`, as it was named.
    name: String,
    /// What the name was preceded by, if anything.
    scheme: Option<Scheme>,
}

/// How a registry is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Readable on the way.
    Http,
    /// Encrypted.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl RegistryAddress {
    /// The key under which docker keeps its credentials.
    pub fn credentials_key(&self) -> &str {
        if self.is_docker_hub() { DOCKER_HUB_KEY } else { &self.name }
    }

    /// The `host[:port]` to connect to.
    pub fn authority(&self) -> &str {
        if self.is_docker_hub() { DOCKER_HUB_HOST } else { &self.name }
    }

    /// The scheme that it was named with, else plain HTTP on this machine and HTTPS elsewhere.
    pub fn scheme(&self) -> Scheme {
        let default = if self.is_loopback() { Scheme::Http } else { Scheme::Https };
        self.scheme.unwrap_or(default)
    }

    /// Whether it is this machine: 127.0.0.0/8, `::1` or `localhost`.
    pub fn is_loopback(&self) -> bool {
        let host = match self.name.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((ipv6, _)) => ipv6,
            None => self.name.split(':').next().unwrap_or_default(),
        };
        host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    fn is_docker_hub(&self) -> bool {
        ["docker.io", "index.docker.io", DOCKER_HUB_HOST].contains(&self.name.as_str())
    }
}

impl FromStr for RegistryAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Some(Scheme::Http), rest),
            Some(("https", rest)) => (Some(Scheme::Https), rest),
            Some(_) => return Err(format!("'{text}' is neither http:// nor https://")),
            None => (None, text),
        };
        let name = rest.split('/').next().unwrap_or_default();
        let url = format!("http://{name}/").parse::<reqwest::Url>();
        let is_plain = |url: &reqwest::Url| url.username().is_empty() && url.password().is_none();
        let has_only_a_host = !name.contains(['?', '#', '@', ' ']) && url.is_ok_and(|url| is_plain(&url));
        if !has_only_a_host {
            return Err(format!("'{name}' is not a registry's host[:port]"));
        }
        Ok(Self { name: name.to_owned(), scheme })
    }
}

impl fmt::Display for RegistryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> RegistryAddress {
        text.parse().unwrap()
    }

    #[test]
    fn a_registry_is_kept_under_its_host_and_port_and_docker_hub_under_its_old_url() {
        for (text, key, authority) in [
            ("localhost:5000", "localhost:5000", "localhost:5000"),
            ("https://r.example/", "r.example", "r.example"),
            ("http://r.example:80/v2/", "r.example:80", "r.example:80"),
            ("r.example/team/app", "r.example", "r.example"),
            ("[::1]:5000", "[::1]:5000", "[::1]:5000"),
            ("docker.io", DOCKER_HUB_KEY, DOCKER_HUB_HOST),
            ("index.docker.io", DOCKER_HUB_KEY, DOCKER_HUB_HOST),
            ("https://index.docker.io/v1/", DOCKER_HUB_KEY, DOCKER_HUB_HOST),
        ] {
            let address = address(text);
            assert_eq!((address.credentials_key(), address.authority()), (key, authority), "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_unless_said_otherwise() {
        for (text, scheme) in [
            ("localhost", Scheme::Http),
            ("LOCALHOST:5000", Scheme::Http),
            ("127.0.0.1:5000", Scheme::Http),
            ("127.9.9.9", Scheme::Http),
            ("[::1]:5000", Scheme::Http),
            ("https://localhost:5000", Scheme::Https),
            ("r.example", Scheme::Https),
            ("http://r.example", Scheme::Http),
            ("10.0.0.1:5000", Scheme::Https),
            ("localhost.r.example", Scheme::Https),
            ("127.0.0.1.r.example", Scheme::Https),
            ("[::2]", Scheme::Https),
        ] {
            assert_eq!(address(text).scheme(), scheme, "{text}");
        }
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for text in
            ["", "https://", "ftp://r.example", "a b", "r.example:port", "user@r.example", "r?x", "[::1"]
        {
            assert!(text.parse::<RegistryAddress>().is_err(), "{text:?}");
        }
    }
}
