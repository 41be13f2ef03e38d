//! What the commands about containers share.

pub(crate) mod config;
pub(crate) mod create;
pub(crate) mod flags;
mod image;
pub(crate) mod inspect;
mod mounts;
mod ports;
mod values;

use std::process::ExitCode;

use berth_runner::container::{Container, Containers, Network, NetworkMode, State};

use crate::failure::Failure;
use crate::local::DataArgs;

/// The exit code of `run`, `create`, `start` and `exec` when berth couldn't do its part.
pub(crate) const OWN_FAILURE: u8 = 125;

/// This machine's containers.
pub(crate) fn open(data: &DataArgs) -> Result<Containers, Failure> {
    let local = data.local_folder()?;
    // Monitors have another working folder.
    std::path::absolute(&local)
        .and_then(|local| Containers::open(&local))
        .map_err(|error| Failure::new(format!("opening {}", local.display()), error))
}

/// Tells what is otherwise than asked.
pub(crate) fn note(sentence: &str) {
    crate::output::note(format_args!("berth: warning: {sentence}"));
}

/// A container's exit code as that of this process.
pub(crate) fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code & 0xFF).unwrap_or(u8::MAX))
}

/// Reads a signal's name or number.
pub(crate) fn signal(text: &str) -> Result<i32, String> {
    berth_runner::signals::parse(text).ok_or_else(|| "signals are named as TERM, or have numbers".to_owned())
}

/// What docker calls a container's network.
pub(crate) fn network_word(network: &Network) -> &str {
    match network.mode {
        NetworkMode::None => "none",
        NetworkMode::Host => "host",
        NetworkMode::Bridge => &network.name,
    }
}

/// A container's published ports, as docker's lists write them.
pub(crate) fn ports(state: &State) -> String {
    let ports = state.place.iter().flat_map(|place| &place.ports);
    ports.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Does something to each of the containers named; what fails is told, and doesn't keep the others.
pub(crate) fn each(
    verb: &str,
    data: &DataArgs,
    words: &[String],
    mut act: impl FnMut(&Container) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let containers = open(data)?;
    let mut last = None;
    for word in words {
        let result = containers
            .find(word)
            .map_err(|failure| Failure::new(format!("{verb} {word}"), failure))
            .and_then(|container| act(&container));
        if let Err(failure) = result
            && let Some(before) = last.replace(failure)
        {
            crate::output::note(format_args!("berth: {before}"));
        }
    }
    last.map_or(Ok(()), Err)
}
