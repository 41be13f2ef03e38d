//! Berth beside its peers: starts each registry, gives each the same work in turn, and prints the ratios.
//!
//! | where | what |
//! |---|---|
//! | `servers/` | how each registry is started, seeded, watched and stopped |
//! | `measures/` | one file a measure: what is done, and the floor Berth has to reach |
//! | `client`, `wrk` | the load: a very cheap HTTP/1.1 client of our own, and wrk |
//! | `generator` | a database of a million tags |
//! | `images` | `berth pull` and `push` beside docker, podman and crane, a run of its own |
//! | `containers` | `berth run` beside docker, podman and crun, another |
//! | `rivals` | what those two share: programs that take turns |
//! | `open_door` | Berth's parts around one route without access, which the benches start themselves as |
//! | `figures`, `report` | samples to medians, ratios, pass marks; the table and the JSON |
//!
//! What is measured is the built binary. Only for what access costs are Berth's crates used: for the open door,
//! and to time a decision of the policies by itself.

mod bench;
mod client;
mod containers;
mod figures;
mod generator;
mod images;
mod measures;
mod open_door;
mod payload;
mod programs;
mod report;
mod rivals;
mod servers;
mod wrk;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};

use crate::bench::Bench;
use crate::measures::Measure;
use crate::programs::Programs;
use crate::servers::Kind;

/// Measures Berth against docker-registry 2.8, distribution v3 and nginx on this machine.
///
/// Example: cargo run --release -p berth-benches -- --only manifest-get --rounds 3
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Measure only this (may be repeated).
    #[arg(long, value_enum)]
    only: Vec<Measure>,

    /// How often each figure is taken from each server; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// The `berth` to measure, instead of a fresh release build of this workspace.
    #[arg(long)]
    berth: Option<PathBuf>,

    /// The servers to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL)]
    servers: Vec<Kind>,

    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What else there is to measure, and what the benches start themselves as.
#[derive(Subcommand)]
enum Command {
    /// Measure `berth pull` and `berth push` against docker, podman and crane
    Images(images::Images),
    /// Measure `berth run` against docker, podman and crun
    Containers(containers::Containers),
    /// Serve the manifests of a data folder to everyone
    #[command(hide = true)]
    OpenDoor(open_door::OpenDoor),
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Exits with 0 when every floor was reached, 1 when one was missed, 2 when it could not be measured.
fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report::progress(&format!("berth-benches: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    match &arguments.command {
        Some(Command::OpenDoor(door)) => return door.run().map(|()| true),
        Some(Command::Images(images)) => return images.run(),
        Some(Command::Containers(containers)) => return containers.run(),
        None => {}
    }
    let only = if arguments.only.is_empty() { Measure::usual() } else { arguments.only.clone() };
    let root =
        tempfile::Builder::new().prefix("berth-benches-").tempdir().context("making a folder for data")?;
    servers::stop_all_when_interrupted(root.path().to_owned())?;
    let programs = Programs::find(&arguments.servers, arguments.berth.as_deref(), root.path())?;
    let mut bench = Bench::new(arguments.servers.clone(), arguments.rounds, programs, root.path().to_owned());

    let mut figures = Vec::new();
    for measure in only {
        report::progress(&format!("{}: {}", measure.name(), measure.description()));
        figures.extend(measure.run(&mut bench).with_context(|| format!("measuring {}", measure.name()))?);
    }
    drop(bench);

    match arguments.format {
        Format::Table => report::table(&arguments.servers, arguments.rounds, &figures),
        Format::Json => report::json(arguments.rounds, &figures),
    }
    Ok(figures.iter().all(|figure| figure.floors_reached()))
}
