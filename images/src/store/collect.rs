//! What nothing needs any more is removed, and what killed processes left.

use std::collections::HashSet;
use std::fs::{self, DirEntry, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use berth_oci::{Content, Digest, ImageConfig};

use crate::chain;
use crate::error::{Doing, Result};
use crate::store::catalog::Catalog;
use crate::store::leases::Roots;
use crate::store::locks::{is_abandoned, is_at};
use crate::store::{LocalImages, boot, layers};

/// Everything that is needed, by digest.
#[derive(Default)]
struct Needed {
    blobs: HashSet<Digest>,
    layers: HashSet<Digest>,
    chains: HashSet<Digest>,
}

impl LocalImages {
    /// Removes what processes left that ended in the middle: folders that nobody makes anything in any more,
    /// and layers and blobs of before the machine's last start that no image names, which may not be whole on
    /// disk.
    /// Blocks, and not long unless there is something.
    ///
    /// # Errors
    /// When the machine fails.
    pub fn repair(&self) -> Result<()> {
        let abandoned = {
            let _deciding = self.decide()?;
            let mut abandoned = abandoned(&self.path("tmp"))?;
            self.remove_unlocked()?;
            let now = boot();
            let is_older = |path: &Path| layers::facts(path).is_none_or(|facts| facts.boot != now);
            let mut old = Vec::new();
            for parent in ["layers", "chains"] {
                old.extend(self.digests_in(parent)?.into_iter().filter(|(_, path)| is_older(path)));
            }
            let started = started();
            let is_before = |path: &Path| fs::metadata(path).is_ok_and(|found| found.mtime() < started);
            old.extend(self.digests_in("blobs")?.into_iter().filter(|(_, path)| is_before(path)));
            if !old.is_empty() {
                let needed = self.needed(&self.catalog()?)?;
                let all = [&needed.layers, &needed.chains, &needed.blobs];
                old.retain(|(digest, _)| !all.iter().any(|needed| needed.contains(digest)));
                for (_, path) in old {
                    abandoned.push(self.set_aside(&path)?);
                }
            }
            abandoned
        };
        remove_all(&abandoned)
    }

    /// Removes every blob and layer that nothing needs. What is wanted is decided at once; removing the bytes
    /// takes longer, and holds nobody up.
    pub(crate) fn collect(&self) -> Result<u64> {
        let mut bytes = 0;
        let aside = {
            let _deciding = self.decide()?;
            self.remove_unlocked()?;
            let needed = self.needed(&self.catalog()?)?;
            let mut aside = abandoned(&self.path("tmp"))?;
            for entry in entries(&self.path("partial"))? {
                let name = entry.file_name();
                if !needed.blobs.iter().any(|digest| name == digest.hex()) {
                    aside.push(entry.path());
                }
            }
            for (parent, needed) in
                [("blobs", &needed.blobs), ("layers", &needed.layers), ("chains", &needed.chains)]
            {
                for (digest, path) in self.digests_in(parent)? {
                    if !needed.contains(&digest) {
                        bytes += match layers::facts(&path) {
                            Some(facts) => facts.size,
                            None => fs::metadata(&path).map_or(0, |found| found.len()),
                        };
                        aside.push(self.set_aside(&path)?);
                    }
                }
            }
            aside
        };
        remove_all(&aside)?;
        Ok(bytes)
    }

    /// Removes locks and leases whose owners have ended. Who waits for a lock finds it gone, and makes another.
    fn remove_unlocked(&self) -> Result<()> {
        for entry in entries(&self.path("locks"))?.into_iter().chain(entries(&self.path("leases"))?) {
            let path = entry.path();
            if File::open(&path).is_ok_and(|file| is_abandoned(&file) && is_at(&file, &path).unwrap_or(false))
            {
                remove_all(&[path])?;
            }
        }
        Ok(())
    }

    /// Moves something to where what is abandoned is removed.
    fn set_aside(&self, path: &Path) -> Result<PathBuf> {
        let aside = self.path("tmp").join(format!("{:016x}", fastrand::u64(..)));
        fs::rename(path, &aside).doing(|| format!("removing {}", path.display()))?;
        Ok(aside)
    }

    /// Whatever lies in a folder of digests.
    fn digests_in(&self, parent: &str) -> Result<Vec<(Digest, PathBuf)>> {
        let mut found = Vec::new();
        for algorithm in entries(&self.path(parent))? {
            for entry in entries(&algorithm.path())? {
                let text = format!("{}:{}", algorithm.file_name().display(), entry.file_name().display());
                // What is written aside has no digest for a name.
                if let Ok(digest) = text.parse() {
                    found.push((digest, entry.path()));
                }
            }
        }
        Ok(found)
    }

    /// What images, containers and processes need; leases of those that have ended are gone already.
    fn needed(&self, catalog: &Catalog) -> Result<Needed> {
        let mut needed = Needed::default();
        for record in &catalog.images {
            self.need_image(&record.manifest, &mut needed);
        }
        for folder in ["leases", "held", "recipes"] {
            for entry in entries(&self.path(folder))? {
                let path = entry.path();
                let reading = || format!("reading {}", path.display());
                let file = match File::open(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    file => file.doing(reading)?,
                };
                // One that isn't whole was being written when the machine lost its power.
                let Ok(roots) = serde_json::from_reader::<_, Roots>(file) else { continue };
                if let Some(manifest) = roots.manifest {
                    self.need_image(&manifest, &mut needed);
                }
                needed.blobs.extend(roots.blobs);
                needed.layers.extend(roots.layers);
                needed.chains.extend(roots.chains);
            }
        }
        Ok(needed)
    }

    /// All that belongs to the image of this manifest. One that can't be read needs itself alone.
    fn need_image(&self, manifest: &Digest, needed: &mut Needed) {
        needed.blobs.insert(manifest.clone());
        let Ok((parsed, _)) = self.kept_manifest(manifest) else { return };
        let Content::Blobs { config: Some(config), layers } = parsed.content else { return };
        needed.blobs.extend(layers.into_iter().map(|layer| layer.digest));
        needed.blobs.insert(config.digest.clone());
        let Ok(bytes) = self.small_blob(&config.digest) else { return };
        let Ok(config) = ImageConfig::parse(&bytes) else { return };
        needed.chains.extend(chain::ids(&config.rootfs.diff_ids));
        needed.layers.extend(config.rootfs.diff_ids);
    }
}

/// When this machine started, in seconds since the epoch.
fn started() -> i64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok()).unwrap_or(0)
}

/// Folders below `tmp` that nobody has locked.
fn abandoned(tmp: &Path) -> Result<Vec<PathBuf>> {
    let mut abandoned = Vec::new();
    for entry in entries(tmp)? {
        let path = entry.path();
        match File::open(&path) {
            Ok(folder) if is_abandoned(&folder) => abandoned.push(path),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).doing(|| format!("opening {}", path.display())),
        }
    }
    Ok(abandoned)
}

/// Removes files and folders; another process may be at it too.
fn remove_all(paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        let removed = match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.doing(|| format!("removing {}", path.display()))?,
        }
    }
    Ok(())
}

/// What is in a folder; nothing if it isn't there.
fn entries(folder: &Path) -> Result<Vec<DirEntry>> {
    let reading = || format!("reading {}", folder.display());
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries.doing(reading)?.collect::<io::Result<_>>().doing(reading),
    }
}
