//! The context: the files that whoever builds gives to the build.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use berth_images::unpack::{Limits, Privilege, unpack_any};
use berth_images::{LocalImages, Scratch};

use super::inside;
use crate::ignore::Ignore;

/// Files that may be copied into the image.
#[derive(Debug)]
pub struct Context {
    pub(super) root: PathBuf,
    pub(super) ignore: Ignore,
    /// What it is called in sentences.
    pub(super) name: String,
    _unpacked: Option<Scratch>,
}

impl Context {
    /// A folder of this machine, without what is left out.
    pub fn of_folder(root: PathBuf, ignore: Ignore) -> Self {
        let name = format!("the context {}", root.display());
        Self { root, ignore, name, _unpacked: None }
    }

    /// The files of an archive, which may be compressed; `ignore` says what is left out once they are there.
    ///
    /// # Errors
    /// A sentence when it can't be unpacked.
    pub fn of_archive(local: &LocalImages, archive: impl BufRead) -> Result<Self, String> {
        let scratch = local.scratch().map_err(|error| error.to_string())?;
        let limits = Limits { bytes: 256 << 30, entries: 4_000_000 };
        let root = scratch.path().join("context");
        std::fs::create_dir(&root).map_err(|error| format!("making {}: {error}", root.display()))?;
        let unpacked = unpack_any(archive, &root, limits, Privilege::of_this_process());
        let unpacked = unpacked.map_err(|wrong| format!("the archive of the context: {wrong}"))?;
        if let Some(link) = unpacked.lower_links.first() {
            let (path, target) = (link.path.display(), link.target.display());
            return Err(format!(
                "the archive of the context: {path} is a link to {target}, which isn't in it"
            ));
        }
        let name = "the context on standard input".to_owned();
        Ok(Self { root, ignore: Ignore::default(), name, _unpacked: Some(scratch) })
    }

    /// No file at all.
    ///
    /// # Errors
    /// A sentence when the machine fails.
    pub fn empty(local: &LocalImages) -> Result<Self, String> {
        let scratch = local.scratch().map_err(|error| error.to_string())?;
        let root = scratch.path().to_owned();
        Ok(Self {
            root,
            ignore: Ignore::default(),
            name: "the empty context".to_owned(),
            _unpacked: Some(scratch),
        })
    }

    /// The same without what `ignore` leaves out.
    #[must_use]
    pub fn without(self, ignore: Ignore) -> Self {
        Self { ignore, ..self }
    }

    /// Where the file `path` of the context is on this machine; no link leads out of the context.
    ///
    /// # Errors
    /// A sentence when it isn't there.
    pub fn find(&self, path: &Path) -> Result<PathBuf, String> {
        let found = inside::resolve(&self.root, path).map_err(|error| error.to_string())?;
        let file = self.root.join(found);
        let is_there = inside::look(&file).is_ok_and(|found| found.is_some());
        if is_there { Ok(file) } else { Err(format!("there is no {} in {}", path.display(), self.name)) }
    }

    /// The folder that it is in.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
