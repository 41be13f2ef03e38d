//! What would be copied, as a digest: the same files give the same, wherever they lie and whenever they were
//! written.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::SystemTime;

use berth_oci::{Algorithm, Digest, Hasher};

use super::copy::{open_same, xattrs};
use super::source::{Above, Files, Meant, Selection};
use super::wrong::{At, Wrong};

/// A hasher of values, each with its length, so that none runs into the next.
pub(super) struct Values {
    hasher: Hasher,
    /// The files that have several names, by the order in which they came.
    links: HashMap<(u64, u64), u64>,
}

impl Values {
    pub(super) fn new() -> Self {
        Self { hasher: Hasher::new(Algorithm::Sha256), links: HashMap::new() }
    }

    pub(super) fn add(&mut self, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.hasher.update(&(value.len() as u64).to_le_bytes());
        self.hasher.update(value);
    }

    pub(super) fn finish(self) -> Digest {
        self.hasher.finish()
    }
}

/// Adds what is meant of `path` to `values`.
pub(super) fn add(values: &mut Values, selection: &Selection<'_>, path: &Path) -> Result<(), Wrong> {
    let real = selection.source.find(path)?;
    // Under which name it is copied follows from what is written.
    values.add(path.file_name().unwrap_or_default().as_bytes());
    let above = selection.begin(&real);
    one(values, selection, &real, Path::new(""), Meant::Yes, &above)
}

fn one(
    values: &mut Values,
    selection: &Selection<'_>,
    path: &Path,
    components: &Path,
    meant: Meant,
    above: &Above,
) -> Result<(), Wrong> {
    let from = selection.source.root.join(path);
    let found = fs::symlink_metadata(&from).at("reading", path)?;
    let kind = found.file_type();
    if !kind.is_dir() && meant != Meant::Yes || kind.is_socket() {
        return Ok(());
    }
    values.add(components.as_os_str().as_bytes());
    values.add([u8::from(meant == Meant::Yes)]);
    values.add(found.mode().to_le_bytes());
    if selection.source.files == Files::OfImage {
        values.add(found.uid().to_le_bytes());
        values.add(found.gid().to_le_bytes());
        values.add(found.mtime().to_le_bytes());
        if !kind.is_symlink() {
            for (name, value) in xattrs(&from).at("reading the attributes of", path)? {
                values.add(name);
                values.add(value);
            }
        }
    }
    if kind.is_dir() {
        for name in selection.source.entries(path)? {
            let (path, components) = (path.join(&name), components.join(&name));
            let (meant, above) = selection.enter(above, &path, &components);
            if meant != Meant::No {
                one(values, selection, &path, &components, meant, &above)?;
            }
        }
    } else if kind.is_symlink() {
        values.add(fs::read_link(&from).at("reading", path)?.as_os_str().as_bytes());
    } else if kind.is_file() {
        if found.nlink() > 1 {
            // Which names are of one file shows in what is copied.
            let next = values.links.len() as u64;
            let number = *values.links.entry((found.dev(), found.ino())).or_insert(next);
            values.add(number.to_le_bytes());
        }
        let read = || digest_of(&from, &found);
        let digest = match &selection.source.hashes {
            Some(hashes) => hashes.of(&found, SystemTime::now(), read),
            None => read(),
        };
        values.add(digest.at("reading", path)?.as_str());
    } else {
        values.add(found.rdev().to_le_bytes());
    }
    Ok(())
}

fn digest_of(path: &Path, found: &fs::Metadata) -> std::io::Result<Digest> {
    let mut file = open_same(path, found)?;
    let (mut hasher, mut piece) = (Hasher::new(Algorithm::Sha256), vec![0; 1 << 17]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            length => hasher.update(&piece[..length]),
        }
    }
}
