//! The configuration, as this process's environment and flags complete it.

use std::path::Path;

use berth_server::config::{Config, Flags};

use crate::failure::Failure;
use crate::output;

/// Reads the file, if one is named, and says what in the environment was not understood.
pub(crate) fn load(file: Option<&Path>, flags: Flags) -> Result<Config, Failure> {
    let environment = std::env::vars_os().filter_map(|(name, value)| {
        // Only names and values that are text can be meant for this.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    });
    load_with(file, environment, flags)
}

/// Reads the file alone; the environment only says where data is kept by default.
pub(crate) fn load_without_environment(file: &Path, flags: Flags) -> Result<Config, Failure> {
    let homes = ["HOME", "XDG_DATA_HOME"];
    let environment = homes.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    load_with(Some(file), environment, flags)
}

fn load_with(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: Flags,
) -> Result<Config, Failure> {
    let loaded = Config::load(file, environment, flags);
    let (config, warnings) = loaded.map_err(|error| Failure::new("reading the configuration", error))?;
    for warning in warnings {
        output::note(format_args!("berth: warning: {warning}"));
    }
    Ok(config)
}
