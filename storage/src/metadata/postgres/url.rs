//! Where a PostgreSQL is, as people write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::{Host, SslMode};

/// Where PostgreSQL listens unless it is told otherwise.
const USUAL_PORT: u16 = 5432;

/// Whether the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certificate {
    /// Encrypted, but to whoever answers.
    Any,
    /// Its certificate must be good for its name.
    Checked,
}

/// `postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?KEY=VALUE…]`, with the keys that psql knows.
/// Shows without its password.
///
/// `sslmode` is as psql's: `disable`, `prefer` (left out), `require`, `verify-full`; with
/// `sslrootcert` (a PEM file) the certificate is always checked.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    config: tokio_postgres::Config,
    certificate: Certificate,
    authorities: Option<PathBuf>,
}

impl PostgresUrl {
    /// The same with this password.
    #[must_use]
    pub fn with_password(mut self, password: &SecretString) -> Self {
        self.config.password(password.expose_secret());
        self
    }

    pub(super) const fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    pub(super) const fn certificate(&self) -> Certificate {
        self.certificate
    }

    /// Those who may vouch for the server; none: the system's.
    pub(super) const fn authorities(&self) -> Option<&PathBuf> {
        self.authorities.as_ref()
    }
}

/// What is wrong with a [`PostgresUrl`]; never repeats it, as it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write it like postgres://user@host/database")]
pub struct NotAPostgresUrl(String);

impl FromStr for PostgresUrl {
    type Err = NotAPostgresUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |what: String| NotAPostgresUrl(what);
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(wrong("not a PostgreSQL URL".to_owned()));
        }
        // What the driver knows nothing of is taken out first.
        let (before, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut authorities, mut rest) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => {
                    authorities = Some(PathBuf::from(percent_decode_str(value).decode_utf8_lossy().as_ref()));
                }
                _ => rest.push(pair),
            }
        }
        let (ssl, mut certificate) = match mode {
            Some("disable") => (SslMode::Disable, Certificate::Any),
            None | Some("prefer") => (SslMode::Prefer, Certificate::Any),
            Some("require") => (SslMode::Require, Certificate::Any),
            Some("verify-full") => (SslMode::Require, Certificate::Checked),
            Some(_) => {
                let known = "disable, prefer, require and verify-full";
                return Err(wrong(format!("its sslmode is none of {known}")));
            }
        };
        if authorities.is_some() {
            certificate = Certificate::Checked;
        }
        let mut config: tokio_postgres::Config = format!("{before}?{}", rest.join("&"))
            .parse()
            .map_err(|error: tokio_postgres::Error| wrong(reason(&error)))?;
        let unnamed = |name: Option<&str>| name.is_none_or(str::is_empty);
        if config.get_hosts().is_empty() || unnamed(config.get_user()) || unnamed(config.get_dbname()) {
            return Err(wrong("a PostgreSQL URL needs a user, a host and a database".to_owned()));
        }
        config.ssl_mode(ssl);
        Ok(Self { config, certificate, authorities })
    }
}

/// The driver's own words name the key and never its value.
fn reason(error: &tokio_postgres::Error) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    if source.is_empty() {
        "not a PostgreSQL URL".to_owned()
    } else {
        format!("not a PostgreSQL URL: {source}")
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = if self.config.get_password().is_some() { ":…" } else { "" };
        write!(f, "postgres://{}{password}@", self.config.get_user().unwrap_or_default())?;
        let ports = self.config.get_ports();
        for (number, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                Host::Unix(path) => write!(f, "{comma}{}", path.display().to_string().replace('/', "%2F"))?,
            }
            match ports.get(number).or_else(|| ports.first()) {
                None | Some(&USUAL_PORT) => {}
                Some(port) => write!(f, ":{port}")?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_without_its_password() {
        let url: PostgresUrl = "postgres://berth:s3cret@db:5433/berth".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://berth:…@db:5433/berth");
        assert_eq!(format!("{url:?}"), "PostgresUrl(postgres://berth:…@db:5433/berth)");
        let url: PostgresUrl = "postgres://berth@%2Frun%2Fpg/berth".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://berth@%2Frun%2Fpg/berth");
    }

    #[test]
    fn a_password_of_its_own_takes_the_place_of_the_one_in_the_url() {
        let url: PostgresUrl = "postgres://berth:old@db/berth".parse().unwrap();
        let url = url.with_password(&"new".to_owned().into());
        assert_eq!(url.config().get_password(), Some(&b"new"[..]));
    }

    #[test]
    fn sslmode_and_sslrootcert_are_as_psql_has_them() {
        let of = |query: &str| {
            let url: PostgresUrl = format!("postgres://b@db/b{query}").parse().unwrap();
            (url.config().get_ssl_mode(), url.certificate())
        };
        assert_eq!(of(""), (SslMode::Prefer, Certificate::Any));
        assert_eq!(of("?sslmode=disable"), (SslMode::Disable, Certificate::Any));
        assert_eq!(of("?sslmode=require&connect_timeout=3"), (SslMode::Require, Certificate::Any));
        assert_eq!(of("?sslmode=verify-full"), (SslMode::Require, Certificate::Checked));
        assert_eq!(of("?sslmode=require&sslrootcert=%2Fca"), (SslMode::Require, Certificate::Checked));
    }

    #[test]
    fn what_is_no_url_is_refused_and_never_repeated() {
        for text in [
            "postgres://user:s3cret@/db",
            "postgres://:s3cret@host/db",
            "postgres://user:s3cret@host",
            "postgres://user:s3cret@host/db?sslmode=s3cret",
            "postgres://user:s3cret@host/db?port=s3cret",
            "postgres://user:s3cret@host:s3cret/db",
            "mysql://user:s3cret@host/db",
        ] {
            let refused = text.parse::<PostgresUrl>().unwrap_err().to_string();
            assert!(!refused.contains("s3cret"), "{text}: {refused}");
        }
    }
}
