//! `berth rmi`

use berth_images::Force;
use clap::Args;

use crate::failure::Failure;
use crate::local::DataArgs;
use crate::output;

/// Remove images, or names of them
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth rmi 127.0.0.1:5000/team/app:1.2
  berth rmi -f 4f06b3e9d2a1")]
pub(crate) struct Rmi {
    /// Remove an image with all its names, and under stopped containers
    #[arg(short, long)]
    force: bool,

    #[command(flatten)]
    data: DataArgs,

    /// The images, by name, id or the beginning of one
    #[arg(value_name = "REF", required = true)]
    references: Vec<String>,
}

impl Rmi {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let images = self.data.images()?;
        let force = if self.force { Force::Yes } else { Force::No };
        let mut first = None;
        for reference in &self.references {
            match images.remove(reference, force) {
                Ok(removed) => {
                    removed
                        .untagged
                        .iter()
                        .try_for_each(|name| output::result(format_args!("Untagged: {name}")))?;
                    removed
                        .deleted
                        .iter()
                        .try_for_each(|id| output::result(format_args!("Deleted: {id}")))?;
                }
                Err(error) => {
                    let failure = Failure::new(format!("removing {reference}"), error);
                    match first {
                        None => first = Some(failure),
                        Some(_) => output::note(format_args!("berth: {failure}")),
                    }
                }
            }
        }
        first.map_or(Ok(()), Err)
    }
}
