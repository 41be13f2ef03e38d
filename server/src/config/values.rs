//! Values as people write them: addresses, durations, byte sizes, URLs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// How clients reach this registry: `http://` or `https://` and a host, no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(http::Uri);

impl PublicUrl {
    /// Scheme and host without a final slash, such as `https://registry.example.com`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority())
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &str {
        self.0.scheme_str().unwrap_or("https")
    }

    /// The host, and the port if one is written.
    pub fn authority(&self) -> &str {
        self.0.authority().map_or("", http::uri::Authority::as_str)
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Not repeated: someone may have put a password into it.
        let wrong = |what: &str| format!("{what}; write it like https://registry.example.com");
        let url: http::Uri = text.parse().map_err(|_| wrong("not a URL"))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(wrong("a URL must start with http:// or https://"));
        }
        if url.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(wrong("a public URL has no user or password"));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            return Err(wrong("clients look for /v2/ at the root of a host, so a path can't be part of it"));
        }
        Ok(Self(url))
    }
}

impl Serialize for PublicUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.origin())
    }
}

impl<'de> Deserialize<'de> for PublicUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

/// From which level on events are logged: a level, or levels by module (`info,berth_server=debug`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLevel(String);

impl LogLevel {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The filter that it stands for. A bare level is for this program: of libraries only what
    /// goes wrong is worth a line.
    pub(crate) fn targets(&self) -> Targets {
        match self.0.parse::<LevelFilter>() {
            Ok(level) => {
                Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("berth", level)
            }
            Err(_) => self.0.parse().unwrap_or_default(),
        }
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        let level = |part: &str| levels.contains(&part.rsplit('=').next().unwrap_or(part));
        if text.split(',').all(level) && text.parse::<Targets>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("'{text}' is not a log level; use one of {}", levels.join(", ")))
    }
}

impl<'de> Deserialize<'de> for LogLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// `127.0.0.1:5000`, `[::1]:5000`, `:5000` (every address) or `localhost:5000`.
pub(super) fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse_listen(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// As [`listen`], for a key without a default.
pub(super) fn some_listen<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    listen(deserializer).map(Some)
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("'{text}' is not an address with a port; write it like 127.0.0.1:5000 or :5000");
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host: IpAddr = match host {
        "" => Ipv4Addr::UNSPECIFIED.into(),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        _ => return Err(wrong()),
    };
    Ok(SocketAddr::new(host, port.parse().map_err(|_| wrong())?))
}

/// A list of addresses and networks (`10.0.0.0/8`).
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: String| {
        let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        parsed.map_err(|_| format!("'{text}' is not an address or network; write it like 10.0.0.0/8"))
    };
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.into_iter().map(network).collect::<Result<_, _>>().map_err(D::Error::custom)
}

/// A secret that is shown by nothing but that there is one.
pub(super) fn hidden<S: Serializer>(_: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("(hidden)")
}

/// A path that is not empty.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    if path.as_os_str().is_empty() { Err(D::Error::custom("the path is empty")) } else { Ok(path) }
}

/// A whole number of at least one.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let number = i64::deserialize(deserializer)?;
    let count = usize::try_from(number).ok().filter(|count| *count > 0);
    count.ok_or_else(|| D::Error::custom(format_args!("{number} is too small; the least is 1")))
}

/// A duration such as `30d`, or `never`.
pub(super) mod never {
    use super::*;

    const NEVER: &str = "never";

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == NEVER {
            return Ok(None);
        }
        let wrong = |error| D::Error::custom(format_args!("{error}; write it like 30d, or never"));
        match humantime::parse_duration(&text).map_err(wrong)? {
            Duration::ZERO => Err(D::Error::custom("must be longer than zero")),
            duration => Ok(Some(duration)),
        }
    }

    pub(in super::super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => humantime_serde::serialize(duration, serializer),
            None => serializer.serialize_str(NEVER),
        }
    }
}

/// A duration such as `30s`, longer than zero.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let duration: Duration = humantime_serde::deserialize(deserializer)?;
    if duration.is_zero() { Err(D::Error::custom("must be longer than zero")) } else { Ok(duration) }
}

/// An AWS account: twelve digits.
pub(super) fn account<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let valid = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if valid {
        Ok(text)
    } else {
        Err(D::Error::custom(format_args!("'{text}' is not an account of twelve digits")))
    }
}

/// A region's name: small letters, digits and dashes, since it becomes part of ARNs.
pub(super) fn region<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let valid = !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if valid {
        Ok(text)
    } else {
        Err(D::Error::custom(format_args!("'{text}' is not a region; write it like us-east-1")))
    }
}

/// Byte sizes: a whole number, alone or with `KiB`, `MiB`, `GiB`, `KB`, `MB` or `GB`.
pub(super) mod bytes {
    use super::{Deserialize, Deserializer, Serializer};
    use serde::de::Error as _;

    const UNITS: [(&str, u64); 8] = [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("KB", 1000),
        ("B", 1),
        ("", 1),
    ];

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a size in bytes, such as 4MiB")]
    enum Written {
        Number(u64),
        Text(String),
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Number(bytes) => Ok(bytes),
            Written::Text(text) => parse(&text).map_err(D::Error::custom),
        }
    }

    pub(crate) fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(*bytes))
    }

    pub(crate) fn parse(text: &str) -> Result<u64, String> {
        let wrong = || format!("'{text}' is not a size; write it like 64KiB or 4MiB");
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let (_, bytes) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        number.checked_mul(bytes).ok_or_else(wrong)
    }

    pub(crate) fn format(bytes: u64) -> String {
        let fits = |(_, unit): &(&str, u64)| bytes >= *unit && bytes.is_multiple_of(*unit);
        let (name, unit) = UNITS.into_iter().find(fits).unwrap_or(("", 1));
        format!("{}{name}", bytes / unit)
    }
}

/// Byte sizes that fit a request's headers: large enough for tokens, small enough for memory.
pub(super) mod header_bytes {
    use super::{Deserializer, Serializer, bytes};
    use serde::de::Error as _;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let bytes = bytes::deserialize(deserializer)?;
        match u32::try_from(bytes) {
            Ok(bytes @ 0x2000..=0x4_0000) => Ok(bytes),
            _ => Err(D::Error::custom("a limit of headers lies between 8KiB and 256KiB")),
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(crate) fn serialize<S: Serializer>(bytes: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(&u64::from(*bytes), serializer)
    }
}
