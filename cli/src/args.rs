//! The arguments of `berth`, as far as commands share them.

use berth_images::{Certificates, Reach, Transport};
use clap::{ArgAction, Parser, ValueEnum};

use crate::commands::Command;

/// A private OCI image registry, and the tools around it.
#[derive(Debug, Parser)]
#[command(name = "berth", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How a registry is reached, for one command.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ConnectionArgs {
    /// Speak plain HTTP to registries that are not on this machine, too
    #[arg(long)]
    pub(crate) plain_http: bool,

    /// Verify the registry's certificate
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub(crate) tls_verify: bool,
}

impl ConnectionArgs {
    /// The same in the words of what reaches registries.
    pub(crate) fn reach(&self) -> Reach {
        Reach {
            transport: if self.plain_http { Transport::Plain } else { Transport::ByAddress },
            certificates: if self.tls_verify { Certificates::Verified } else { Certificates::Any },
        }
    }
}

/// How lists and records are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
}

/// The flag `--format`.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct FormatArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}
