//! A step's layer: a place to write over the layers so far, and what was written packed and kept.

use std::fs::{self, File};
use std::io::BufWriter;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use berth_images::{LocalImages, MadeLayer, Scratch};
use berth_oci::Descriptor;
use berth_runner::container::{Access, RootFs, Upper};
use berth_runner::{Mounted, with_mounted};

use super::settle::{self, Times};
use super::wrong::{At, Wrong};
use crate::layer::{Packing, pack};

/// A layer that is being written.
pub(super) struct Workplace {
    /// What becomes the layer, in its folder `fs`.
    layer: Scratch,
    /// Everything else, which is removed.
    work: Scratch,
    lower: Vec<PathBuf>,
}

impl Workplace {
    pub(super) fn over(local: &LocalImages, lower: Vec<PathBuf>) -> Result<Self, Wrong> {
        let (layer, work) = (local.scratch()?, local.scratch()?);
        let workplace = Self { layer, work, lower };
        let upper = workplace.upper();
        fs::create_dir(&upper).at("making", &upper)?;
        fs::set_permissions(&upper, fs::Permissions::from_mode(0o755)).at("making", &upper)?;
        Ok(workplace)
    }

    fn upper(&self) -> PathBuf {
        self.layer.path().join("fs")
    }

    /// A folder for what is needed meanwhile.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, Wrong> {
        let folder = self.work.path().join(name);
        fs::create_dir(&folder).at("making", &folder)?;
        Ok(folder)
    }

    /// The layers so far with the new one on top.
    pub(super) fn root(&self) -> RootFs {
        RootFs { upper: self.upper(), ..view(self.lower.clone(), self.work.path(), "root") }
    }

    /// Packs and keeps what was written. Where something was mounted only for the step, `stubs`, what is empty
    /// is none of it.
    pub(super) fn keep(
        self,
        local: &LocalImages,
        times: Times,
        stubs: &[PathBuf],
    ) -> Result<MadeLayer, Wrong> {
        let upper = self.upper();
        let settle = |base: Option<&Path>| {
            settle::remove_stubs(&upper, base, stubs)?;
            settle::settle(&upper, base, times)
        };
        let size = match self.lower.is_empty() {
            true => settle(None)?,
            false => {
                let base = view(self.lower.clone(), self.work.path(), "base");
                with_mounted(&[Mounted::Layers(&base)], || settle(Some(&base.merged)))??
            }
        };
        let packed = self.work.path().join("layer.tar.gz");
        let out = BufWriter::with_capacity(1 << 20, File::create(&packed).at("writing", &packed)?);
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let layer = pack(&upper, Packing { newest: u64::MAX, threads }, out)
            .map_err(|error| Wrong::new(error.to_string()))?;
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
        let descriptor = Descriptor {
            media_type: media_type.parse().map_err(|_| Wrong::new("the layer's type is none"))?,
            digest: layer.digest,
            size: layer.size,
            artifact_type: None,
            urls: Vec::new(),
            annotations: Default::default(),
            platform: None,
        };
        Ok(local.keep_made_layer(&self.layer, &packed, descriptor, layer.diff_id, size)?)
    }
}

/// Layers to be looked at, mounted at `name` in `folder`. What is written there is thrown away.
pub(super) fn view(lower: Vec<PathBuf>, folder: &Path, name: &str) -> RootFs {
    let within = |part: &str| folder.join(format!("{name}-{part}"));
    RootFs {
        lower,
        upper: within("upper"),
        work: within("work"),
        merged: within("merged"),
        // With the power goes the step, so nothing waits for the disk.
        upper_is: Upper::ThrownAway,
        access: Access::ReadWrite,
    }
}
