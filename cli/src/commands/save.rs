//! `berth save`

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use berth_images::{Image, ImageReference, LocalImages};
use clap::Args;

use crate::failure::Failure;
use crate::local::DataArgs;

/// Write images to an archive that every engine reads
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth save -o app.tar 127.0.0.1:5000/team/app:1.2
  berth save app | docker load")]
pub(crate) struct Save {
    /// The archive; standard output if there is none
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    data: DataArgs,

    /// The images, by name, id or the beginning of one
    #[arg(value_name = "REF", required = true)]
    references: Vec<String>,
}

impl Save {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let local = self.data.images()?;
        let images = self.found(&local)?;
        let failed = |wrong: String| Failure::new(format!("saving {}", self.references.join(", ")), wrong);
        match &self.output {
            None if io::stdout().is_terminal() => {
                Err(failed("standard output is a terminal; use -o FILE, or pipe it somewhere".to_owned()))
            }
            None => {
                let output = BufWriter::with_capacity(1 << 20, io::stdout().lock());
                berth_images::save(&local, &images, output).map_err(|error| failed(error.to_string()))
            }
            Some(path) => {
                let writing = |error: io::Error| failed(format!("writing {}: {error}", path.display()));
                // Whole or not at all; a device or a pipe is written to as it is.
                if path.exists() && !path.is_file() {
                    let output = File::options().write(true).open(path).map_err(writing)?;
                    return berth_images::save(&local, &images, output)
                        .map_err(|error| failed(error.to_string()));
                }
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(std::path::Path::new("."));
                let file =
                    tempfile::Builder::new().permissions(readable()).tempfile_in(folder).map_err(writing)?;
                let mut output = BufWriter::with_capacity(1 << 20, file);
                berth_images::save(&local, &images, &mut output)
                    .map_err(|error| failed(error.to_string()))?;
                output.flush().map_err(writing)?;
                let file = output.into_inner().map_err(|error| writing(error.into_error()))?;
                file.persist(path).map_err(|error| writing(error.error))?;
                Ok(())
            }
        }
    }

    /// Each image once, with the names it is asked for by; an id asks for no name.
    fn found(&self, local: &LocalImages) -> Result<Vec<(Image, Vec<ImageReference>)>, Failure> {
        let mut found: Vec<(Image, Vec<ImageReference>)> = Vec::new();
        for text in &self.references {
            let image = local.get(text).map_err(|error| Failure::new(format!("saving {text}"), error))?;
            let name = text
                .parse::<ImageReference>()
                .ok()
                .filter(|name| name.digest().is_none() && image.tags.contains(&name.to_string()));
            match found.iter_mut().find(|(known, _)| known.manifest_digest == image.manifest_digest) {
                Some((_, names)) => names.extend(name),
                None => found.push((image, name.into_iter().collect())),
            }
        }
        Ok(found)
    }
}

fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o600)
}
