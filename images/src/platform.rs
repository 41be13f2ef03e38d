//! What an image is to run on, and which of an index's images that is.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use berth_oci::{Descriptor, ImageConfig, Platform};

/// A platform as it is asked for: `os/architecture[/variant]`, or the architecture alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedPlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl WantedPlatform {
    /// This machine's.
    pub fn of_this_machine() -> Self {
        let (architecture, variant) = known(std::env::consts::ARCH);
        Self { os: "linux".to_owned(), architecture, variant }
    }

    /// The same in the words of the specification.
    pub fn to_platform(&self) -> Platform {
        Platform {
            architecture: self.architecture.clone(),
            os: self.os.clone(),
            variant: self.variant.clone(),
        }
    }

    /// The child of an index that fits best, if any does.
    pub(crate) fn choose<'c>(&self, children: &'c [Descriptor]) -> Option<&'c Descriptor> {
        let fits = |child: &&Descriptor| {
            child.platform.as_ref().is_some_and(|platform| {
                platform.os == self.os && known(&platform.architecture).0 == self.architecture
            })
        };
        // Images that say no variant, or the one that is the architecture's first, run on all.
        let distance = |own: &Option<String>| match (own, &self.variant) {
            (own, wanted) if own == wanted => Some(0),
            (Some(own), Some(wanted)) if own < wanted => Some(1),
            (None, _) => Some(2),
            (Some(own), None) if self.architecture == "arm64" && own == "v8" => Some(0),
            (Some(_), None) => Some(3),
            (Some(_), Some(_)) => None,
        };
        let ranked = |child: &'c Descriptor| {
            let platform = child.platform.as_ref();
            let own = platform.and_then(|platform| platform.variant.clone());
            let own = own.or_else(|| platform.and_then(|platform| known(&platform.architecture).1));
            // Of several lower variants the highest is the nearest.
            Some(((distance(&own)?, Reverse(own)), child))
        };
        let mut fitting: Vec<_> = children.iter().filter(fits).filter_map(ranked).collect();
        fitting.sort_by(|(one, _), (other, _)| one.cmp(other));
        fitting.first().map(|(_, child)| *child)
    }

    /// Whether an image's configuration says that it runs there.
    pub fn is_of(&self, config: &ImageConfig) -> bool {
        config.os == self.os && known(&config.architecture).0 == self.architecture
    }
}

/// An architecture as Go names it, and the variant that is in its name.
fn known(name: &str) -> (String, Option<String>) {
    let (name, variant) = match name {
        "x86_64" | "x86-64" => ("amd64", None),
        "aarch64" => ("arm64", None),
        "i386" | "x86" | "i686" => ("386", None),
        "armhf" | "armv7" | "armv7l" => ("arm", Some("v7")),
        "armel" | "armv6" => ("arm", Some("v6")),
        other => (other, None),
    };
    (name.to_owned(), variant.map(str::to_owned))
}

impl FromStr for WantedPlatform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_word = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let (os, architecture, variant) = match parts.as_slice() {
            [architecture] => ("linux", *architecture, None),
            [os, architecture] => (*os, *architecture, None),
            [os, architecture, variant] => (*os, *architecture, Some((*variant).to_owned())),
            _ => return Err(format!("'{text}' is not OS/ARCHITECTURE[/VARIANT], as linux/amd64")),
        };
        if !parts.iter().all(is_word) {
            return Err(format!("'{text}' is not OS/ARCHITECTURE[/VARIANT], as linux/amd64"));
        }
        let (architecture, named) = known(&architecture.to_lowercase());
        Ok(Self { os: os.to_lowercase(), architecture, variant: variant.or(named) })
    }
}

impl fmt::Display for WantedPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::{Digest, MediaType, Platform};

    use super::*;

    fn child(os: &str, architecture: &str, variant: Option<&str>) -> Descriptor {
        let text = format!("{os}/{architecture}/{variant:?}");
        Descriptor {
            media_type: MediaType::OCI_MANIFEST,
            digest: Digest::of(berth_oci::Algorithm::Sha256, text.as_bytes()),
            size: 1,
            artifact_type: None,
            urls: Vec::new(),
            annotations: Default::default(),
            platform: Some(Platform {
                architecture: architecture.to_owned(),
                os: os.to_owned(),
                variant: variant.map(str::to_owned),
            }),
        }
    }

    #[test]
    fn the_best_fitting_child_is_chosen_wherever_it_stands() {
        let children = [
            child("unknown", "unknown", None),
            child("windows", "amd64", None),
            child("linux", "arm", Some("v6")),
            child("linux", "arm", Some("v7")),
            child("linux", "arm64", Some("v8")),
            child("linux", "amd64", None),
        ];
        for (wanted, at) in [
            ("linux/amd64", Some(5)),
            ("x86_64", Some(5)),
            ("linux/arm64", Some(4)),
            ("linux/arm/v7", Some(3)),
            ("armhf", Some(3)),
            ("linux/arm/v6", Some(2)),
            ("linux/arm/v8", Some(3)),
            ("linux/arm/v5", None),
            ("linux/s390x", None),
            ("windows/amd64", Some(1)),
        ] {
            let wanted: WantedPlatform = wanted.parse().unwrap();
            assert_eq!(wanted.choose(&children), at.map(|at: usize| &children[at]), "{wanted}");
        }
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for text in ["", "linux/", "a/b/c/d", "linux/amd 64"] {
            assert!(text.parse::<WantedPlatform>().is_err(), "{text:?}");
        }
    }
}
