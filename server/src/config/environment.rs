//! The `BERTH_` part of the environment, sorted into settings, secrets and what is not ours.

use std::path::Path;

use secrecy::SecretString;

use super::error::ConfigError;
use super::settings::Origin;

const PASSWORD: &str = "BERTH_ADMIN_PASSWORD";
const PASSWORD_FILE: &str = "BERTH_ADMIN_PASSWORD_FILE";

/// What the environment says to a server.
#[derive(Default)]
pub(super) struct Environment {
    /// `BERTH_SECTION__KEY` and its value, in order of names.
    pub(super) settings: Vec<(String, String)>,
    password: Option<String>,
    password_file: Option<String>,
    home: Option<String>,
    xdg_data_home: Option<String>,
}

impl Environment {
    /// An empty value means that the variable is not set, as compose files write it.
    pub(super) fn sort(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut sorted = Self::default();
        for (name, value) in variables.into_iter().filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                PASSWORD => sorted.password = Some(value),
                PASSWORD_FILE => sorted.password_file = Some(value),
                "HOME" => sorted.home = Some(value),
                "XDG_DATA_HOME" => sorted.xdg_data_home = Some(value),
                ours if ours.starts_with("BERTH_") && !is_from_kubernetes(ours) => {
                    sorted.settings.push((name, value));
                }
                _ => {}
            }
        }
        sorted.settings.sort();
        sorted
    }

    /// Where data is kept when nobody said: a system's folder for root, the user's own otherwise.
    /// `None` for a user without a home.
    pub(super) fn data_folder(&self, is_root: bool) -> Option<String> {
        if is_root {
            return Some("/var/lib/berth".to_owned());
        }
        let absolute = |path: &&String| Path::new(path).is_absolute();
        match (self.xdg_data_home.as_ref().filter(absolute), &self.home) {
            (Some(data), _) => Some(format!("{data}/berth")),
            (None, home) => home.as_ref().map(|home| format!("{home}/.local/share/berth")),
        }
    }

    /// The first administrator's password, from the variable or from the file it names.
    pub(super) fn admin_password(self) -> Result<Option<SecretString>, ConfigError> {
        let origin = || Origin::Environment(PASSWORD_FILE.to_owned());
        match (self.password, self.password_file) {
            (Some(_), Some(_)) => {
                Err(ConfigError::at(&origin(), PASSWORD, format!("{PASSWORD} is set too; keep one of them")))
            }
            (Some(password), None) => Ok(Some(password.into())),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(&file).map_err(|error| {
                    ConfigError::at(&origin(), PASSWORD, format!("reading {file}: {error}"))
                })?;
                let password = text.lines().next().unwrap_or_default();
                if password.is_empty() {
                    return Err(ConfigError::at(&origin(), PASSWORD, format!("{file} holds no password")));
                }
                Ok(Some(password.to_owned().into()))
            }
            (None, None) => Ok(None),
        }
    }
}

/// Kubernetes tells every container about Services: for one called `berth` (or `berth-db`), names
/// such as `BERTH_PORT_5000_TCP_ADDR` and `BERTH_DB_SERVICE_HOST`.
fn is_from_kubernetes(name: &str) -> bool {
    let words = || name.strip_prefix("BERTH_").unwrap_or(name).split('_');
    !name.contains("__") && (words().any(|word| word == "PORT") || words().any(|word| word == "SERVICE"))
}
