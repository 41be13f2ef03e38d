//! The real binary dies while clients push and delete and it collects, at random moments, at every place
//! between bytes and rows, and with the power of its disk: whatever was acknowledged is there and whole,
//! and `berth fsck` finds nothing that a sweep would not clear.
//!
//! `BERTH_KILLS` says how often it is killed at random, on each kind of store, and `BERTH_CUTS` how often
//! the power fails.

mod points;
mod power;
mod random;
mod user;

use std::time::Duration;

use conformance_tests::Berth;
use conformance_tests::stores::{Blobs, Metadata, Stores};
use serde_json::Value;

const ONE_MACHINE: Stores = Stores { blobs: Blobs::Local, metadata: Metadata::Sqlite };
const SHARED: Stores = Stores { blobs: Blobs::S3, metadata: Metadata::Postgres };
const PATIENCE: Duration = Duration::from_secs(120);

/// So short that everything is collected again and again; the server warns of it.
const CONFIG: &str = "[collection]\nunreferenced_after = \"3s\"\nuntagged_after = \"1s\"\n\
                      [uploads]\nexpire_after = \"2s\"\n\
                      [scrub]\nbytes_per_second = \"1GiB\"\nevery = \"1s\"";

/// How often, if the variable says nothing else.
fn times(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number of times"))
}

/// What `berth fsck --deep` finds on the stores of a server that does not run.
fn found(berth: &Berth) -> Vec<Value> {
    let outcome = berth.fsck(&["--deep", "--format", "json"]).deadline(PATIENCE).run();
    let said: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome}"));
    said["findings"].as_array().expect("findings").clone()
}
