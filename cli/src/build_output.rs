//! `-o`: where else a built image goes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use berth_images::{Image, ImageReference, LocalImages};

/// An archive of the image: an OCI layout with docker's list in it, which is both that one may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archive {
    /// `-` is standard output.
    destination: PathBuf,
}

impl FromStr for Archive {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut kind, mut destination) = (None, None);
        for field in text.split(',') {
            match field.split_once('=') {
                Some(("type", value)) => kind = Some(value),
                Some(("dest", value)) => destination = Some(value),
                _ => return Err(format!("'{field}' is neither type= nor dest=")),
            }
        }
        match kind {
            Some("oci" | "docker") => {}
            Some(other) => return Err(format!("'{other}' is no type of archives; there are oci and docker")),
            None => return Err("it has no type; write type=oci,dest=FILE".to_owned()),
        }
        let destination = destination.filter(|destination| !destination.is_empty());
        let destination =
            destination.ok_or("it has no destination; write dest=FILE, or dest=- for standard output")?;
        Ok(Self { destination: destination.into() })
    }
}

impl Archive {
    /// Whether the image goes to standard output, so that nothing else may.
    pub(crate) fn is_stdout(&self) -> bool {
        self.destination == Path::new("-")
    }

    /// Writes the image there, whole or not at all.
    pub(crate) fn write(
        &self,
        images: &LocalImages,
        image: &Image,
        names: &[ImageReference],
    ) -> Result<(), String> {
        let content = [(image.clone(), names.to_vec())];
        if self.is_stdout() {
            return berth_images::save(images, &content, io::stdout().lock())
                .map_err(|error| error.to_string());
        }
        let folder = self.destination.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
        let mut file = file.map_err(|error| error.to_string())?;
        let mut out = BufWriter::with_capacity(
            1 << 20,
            File::try_clone(file.as_file()).map_err(|error| error.to_string())?,
        );
        berth_images::save(images, &content, &mut out).map_err(|error| error.to_string())?;
        out.flush().map_err(|error| error.to_string())?;
        file.flush().and_then(|()| readable(file.as_file())).map_err(|error| error.to_string())?;
        file.persist(&self.destination).map(drop).map_err(|error| error.error.to_string())
    }
}

/// As other files that a command writes.
fn readable(file: &File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_have_a_type_and_a_destination() {
        for text in ["type=oci,dest=x.tar", "dest=x.tar,type=docker"] {
            assert_eq!(text.parse(), Ok(Archive { destination: "x.tar".into() }), "{text}");
        }
        for text in ["", "type=oci", "dest=x", "type=tar,dest=x", "type=oci,dest=x,compression=zstd"] {
            assert!(text.parse::<Archive>().is_err(), "{text}");
        }
    }
}
