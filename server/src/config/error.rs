//! What is wrong with a configuration, in one sentence.

use std::fmt;

use super::settings::Origin;

/// A configuration that can't be used; shows as where, what and what to do. Whoever reads a configuration
/// says so in front.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    /// `what` names the key only if the origin doesn't.
    pub(super) fn at(origin: &Origin, key: &str, what: impl fmt::Display) -> Self {
        let what = what.to_string();
        let what = match origin {
            Origin::Environment(_) | Origin::Flag(_) => {
                what.strip_prefix(&format!("{key}: ")).unwrap_or(&what)
            }
            Origin::Default | Origin::File { .. } => &what,
        };
        Self(match origin {
            Origin::Default => what.to_owned(),
            Origin::File { .. } | Origin::Environment(_) | Origin::Flag(_) => {
                format!("{origin}: {what}")
            }
        })
    }

    pub(super) fn syntax(origin: &Origin, what: &str) -> Self {
        Self(format!("{origin}: not TOML: {}", what.replace('\n', ", ")))
    }

    pub(super) fn unreadable(file: &str, error: &std::io::Error) -> Self {
        Self(format!("{file}: {error}; name an existing file with --config"))
    }
}

/// Something in the environment that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(String);

impl Warning {
    /// `nearest` is the key that was probably meant, `section.key`.
    pub(super) fn unknown_variable(name: &str, nearest: Option<String>) -> Self {
        let hint = nearest.map(|key| format!("; did you mean {}?", variable(name, &key))).unwrap_or_default();
        Self(format!("{name} matches no key and is ignored{hint}"))
    }
}

/// The variable with its first words replaced by those of a key.
fn variable(name: &str, key: &str) -> String {
    let replaced = key.split('.').count();
    let rest = name.strip_prefix("BERTH_").unwrap_or(name).split("__").skip(replaced);
    let words: Vec<String> = key.to_ascii_uppercase().split('.').map(str::to_owned).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).chain(rest).collect();
    format!("BERTH_{}", words.join("__"))
}

impl Warning {
    /// What nobody needs is kept for less than it takes to push something.
    pub(super) fn short_promise(kept: std::time::Duration) -> Self {
        let kept = humantime::format_duration(kept);
        Self(format!(
            "collection.unreferenced_after is {kept}: a push that takes longer may find that layers which were \
             there have gone; keep it at an hour or more"
        ))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
