//! `berth version`

use clap::Args;

use crate::failure::Failure;
use crate::output;

/// Print the version
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth version")]
pub(crate) struct Version {}

impl Version {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        output::result(concat!("berth ", env!("CARGO_PKG_VERSION")))
    }
}
