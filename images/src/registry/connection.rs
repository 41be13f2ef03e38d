//! HTTP clients for registries: which scheme, which certificates, and what a failure means.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use reqwest::{Certificate, Client, Url};

use crate::registry::address::{RegistryAddress, Scheme};

/// Where docker looks for the certificate authorities of single registries.
const DOCKER_CERTIFICATES: &str = "/etc/docker/certs.d";

/// What a person may say about how a registry is reached.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reach {
    /// Encrypted or not.
    pub transport: Transport,
    /// Whose certificates are taken.
    pub certificates: Certificates,
}

/// Whether a registry is spoken to in the clear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// As its address says: plain HTTP on this machine, HTTPS elsewhere.
    #[default]
    ByAddress,
    /// Plain HTTP, wherever it is.
    Plain,
}

/// Which certificates of a registry are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Certificates {
    /// Those that an authority signed that the system, or docker for this registry, trusts.
    #[default]
    Verified,
    /// Any.
    Any,
}

/// How one registry is reached.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    scheme: Scheme,
    authority: String,
}

impl Connection {
    /// Prepares to reach `address`; nothing is sent yet. An answer may take as long as it needs, but no
    /// minute may pass without any of it.
    ///
    /// # Errors
    /// A sentence when the certificates to trust can't be read.
    pub fn new(address: &RegistryAddress, reach: Reach) -> Result<Self, String> {
        let scheme = match reach.transport {
            Transport::Plain => Scheme::Http,
            Transport::ByAddress => address.scheme(),
        };
        let mut certificates = Vec::new();
        for pem in trusted_for(address, scheme)? {
            let found = Certificate::from_pem_bundle(&pem.text)
                .map_err(|error| format!("reading {}: {}", pem.path.display(), root_cause(&error)))?;
            certificates.extend(found);
        }
        let mut builder = Client::builder()
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(20))
            .read_timeout(Duration::from_mins(1))
            .tls_danger_accept_invalid_certs(reach.certificates == Certificates::Any);
        builder = match scheme {
            // Certificates of the system, which may have none, are not needed.
            Scheme::Http => builder.tls_certs_only([]),
            Scheme::Https => builder.tls_certs_merge(certificates),
        };
        if address.is_loopback() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| match root_cause(&error) {
            cause if cause.contains("No CA certificates") => {
                "this system has no certificate authorities; install its package ca-certificates".to_owned()
            }
            cause => cause,
        })?;
        Ok(Self { client, scheme, authority: address.authority().to_owned() })
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The client; requests through it may go to other hosts too, such as a token service.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether what is sent can't be read on the way.
    pub fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The registry's URL of `path`, which begins with a slash.
    ///
    /// # Errors
    /// A sentence when they make no URL.
    pub fn url(&self, path: &str) -> Result<Url, String> {
        let url = format!("{}://{}{path}", self.scheme.as_str(), self.authority);
        url.parse().map_err(|error| format!("{url} is not a URL: {error}"))
    }

    /// What went wrong with a request, and what may help.
    pub fn describe(&self, error: &reqwest::Error) -> String {
        let cause = root_cause(error);
        let host = error.url().and_then(Url::host_str).unwrap_or(&self.authority);
        if error.is_timeout() {
            return format!("{host} did not answer in time");
        }
        let authority = &self.authority;
        if cause.contains("UnknownIssuer") {
            return format!(
                "{cause}; put the authority that signed it into {DOCKER_CERTIFICATES}/{authority}/ca.crt, \
                 or trust anything with --tls-verify=false"
            );
        }
        if cause.contains("CaUsedAsEndEntity") {
            return "the registry's certificate is an authority's own; sign one for the server with it, \
                    or trust anything with --tls-verify=false"
                .to_owned();
        }
        if cause.contains("certificate") {
            return format!("{cause}; to trust it all the same, use --tls-verify=false");
        }
        if cause.contains("InvalidContentType") {
            return format!("{host} does not speak TLS; if plain HTTP will do, use --plain-http");
        }
        if error.is_connect() {
            return format!("{cause}; check that a registry is listening there");
        }
        match self.scheme {
            Scheme::Http => format!("{cause}; if {host} speaks TLS, name it https://{authority}"),
            Scheme::Https => cause,
        }
    }
}

/// The text of a file of certificates.
#[derive(Debug)]
pub(crate) struct Pem {
    path: PathBuf,
    pub(crate) text: Vec<u8>,
}

/// The certificates of authorities that docker trusts for this registry alone.
pub(crate) fn trusted_for(address: &RegistryAddress, scheme: Scheme) -> Result<Vec<Pem>, String> {
    match scheme {
        Scheme::Http => Ok(Vec::new()),
        Scheme::Https => certificates_for(Path::new(DOCKER_CERTIFICATES), address.authority()),
    }
}

/// The authorities in `folder/authority/*.crt`, as docker reads them.
fn certificates_for(folder: &Path, authority: &str) -> Result<Vec<Pem>, String> {
    let folder = folder.join(authority);
    let reading = |error: io::Error| format!("reading {}: {error}", folder.display());
    let entries = match fs::read_dir(&folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries.map_err(reading)?,
    };
    let mut certificates = Vec::new();
    for entry in entries {
        let path = entry.map_err(reading)?.path();
        if path.extension().is_some_and(|extension| extension == "crt") {
            let text = fs::read(&path).map_err(|error| format!("reading {}: {error}", path.display()))?;
            certificates.push(Pem { path, text });
        }
    }
    Ok(certificates)
}

/// The innermost cause: what is around it only says that a request failed.
pub fn root_cause(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else { return error.to_string() };
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_crt_files_of_the_registrys_own_folder_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("r.example:5000");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("client.key"), "not a certificate").unwrap();
        assert_eq!(certificates_for(folder.path(), "r.example:5000").unwrap().len(), 0);
        assert_eq!(certificates_for(folder.path(), "other.example").unwrap().len(), 0);
    }
}
