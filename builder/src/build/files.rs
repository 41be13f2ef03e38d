//! `COPY`, `ADD` and `WORKDIR`.

use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use berth_images::unpack::{Limits, Privilege, is_archive, unpack_any};

use super::content::{self, Values};
use super::copy::{Copier, make_folders};
use super::inside;
use super::mode::Chmod;
use super::owner;
use super::source::{Files, Selection, Source};
use super::wrong::{At, Wrong};
use crate::dockerfile::Refusal;
use crate::dockerfile::instructions::{Add, Copy, Paths};
use crate::ignore::Ignore;
use crate::image::is_address;

/// Files to be copied, of either instruction.
#[derive(Debug)]
pub(super) struct Copying {
    paths: Paths,
    destination: String,
    chown: String,
    chmod: Option<Chmod>,
    exclude: Vec<String>,
    parents: Parents,
    archives: Archives,
}

/// Whether the folders on the way are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parents {
    Too,
    No,
}

/// What becomes of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Archives {
    Unpacked,
    Copied,
}

/// One source with what it is copied by.
struct Part<'s> {
    selection: Selection<'s>,
    paths: Vec<PathBuf>,
}

impl Copying {
    pub(super) fn of_copy(copy: Copy, destination: String) -> Result<Self, Refusal> {
        Ok(Self {
            paths: copy.paths,
            destination,
            chown: copy.chown,
            chmod: chmod(&copy.chmod)?,
            exclude: copy.exclude,
            parents: if copy.parents { Parents::Too } else { Parents::No },
            archives: Archives::Copied,
        })
    }

    pub(super) fn of_add(add: Add, destination: String) -> Result<Self, Refusal> {
        if let Some(address) = add.paths.sources.iter().find(|source| is_address(source)) {
            let what = format!("ADD of {address}: nothing is fetched from other machines");
            return Err(Refusal::new(what, "fetch it beforehand, or with a RUN"));
        }
        Ok(Self {
            paths: add.paths,
            destination,
            chown: add.chown,
            chmod: chmod(&add.chmod)?,
            exclude: add.exclude,
            parents: Parents::No,
            archives: if add.unpack.unwrap_or(true) { Archives::Unpacked } else { Archives::Copied },
        })
    }

    /// Adds all that the outcome depends on, but the image that is copied into.
    pub(super) fn add_to(&self, values: &mut Values, source: &Source) -> Result<(), Wrong> {
        values.add(&self.destination);
        values.add(&self.chown);
        values.add(format!("{:?} {:?} {:?}", self.chmod, self.parents, self.archives));
        for part in self.parts(source)? {
            for path in &part.paths {
                content::add(values, &part.selection, path)?;
            }
        }
        for heredoc in &self.paths.contents {
            values.add(&heredoc.name);
            values.add(heredoc.text());
        }
        Ok(())
    }

    /// Copies into the file system at `root`; `work` is an empty folder for what is needed meanwhile.
    pub(super) fn perform(&self, source: &Source, root: &Path, work: &Path, time: i64) -> Result<(), Wrong> {
        let owner = match self.chown.as_str() {
            "" => None,
            chown => Some(owner::find(root, chown)?),
        };
        for part in self.parts(source)? {
            let Part { selection, paths } = part;
            let mut copier = Copier::new(root, selection, owner, self.chmod.as_ref());
            for path in &paths {
                let file = source.root.join(source.find(path)?);
                match self.archives == Archives::Unpacked && is_file(&file) && is_archive(&file) {
                    true => self.unpack(&file, root, work, owner)?,
                    false => copier.copy(path, &self.destination)?,
                }
            }
        }
        if self.paths.contents.is_empty() {
            return Ok(());
        }
        let heredocs = heredocs(&self.paths, work, time)?;
        let all = Selection { source: &heredocs, include: None, exclude: Ignore::default() };
        let mut copier = Copier::new(root, all, owner, self.chmod.as_ref());
        self.paths
            .contents
            .iter()
            .try_for_each(|heredoc| copier.copy(Path::new(&heredoc.name), &self.destination))
    }

    /// What is copied, one after the other.
    fn parts<'s>(&self, source: &'s Source) -> Result<Vec<Part<'s>>, Wrong> {
        let exclude = || Ignore::new(self.exclude.iter().map(String::as_str));
        let mut parts = Vec::new();
        for written in &self.paths.sources {
            if self.parents == Parents::No {
                let selection = Selection { source, include: None, exclude: exclude()? };
                parts.push(Part { selection, paths: source.expand(written)? });
                continue;
            }
            // What is in front of the pivot isn't kept.
            let (start, pattern) = written.split_once("/./").unwrap_or(("/", written));
            let pattern = crate::go::clean_path(&format!("/{pattern}"));
            let pattern = pattern.trim_start_matches('/');
            let starts = source.expand(start)?;
            if !super::glob::has_wildcards(written) {
                source.find(&starts.first().map_or_else(PathBuf::new, |start| start.join(pattern)))?;
            }
            let include = if pattern.is_empty() { None } else { Some(Ignore::new([pattern])?) };
            let selection = Selection { source, include, exclude: exclude()? };
            parts.push(Part { selection, paths: starts });
        }
        Ok(parts)
    }

    /// Unpacks an archive aside, and copies what was in it: so it can't lead out of the image.
    fn unpack(
        &self,
        archive: &Path,
        root: &Path,
        work: &Path,
        owner: Option<owner::Owner>,
    ) -> Result<(), Wrong> {
        let aside = work.join("unpacked");
        fs::create_dir(&aside).at("making", &aside)?;
        let size = fs::metadata(archive).at("reading", archive)?.len();
        let input = BufReader::with_capacity(1 << 20, File::open(archive).at("reading", archive)?);
        let unpacked = unpack_any(input, &aside, Limits::for_layer(size), Privilege::of_this_process());
        let unpacked =
            unpacked.map_err(|wrong| Wrong::new(format!("unpacking {}: {wrong}", archive.display())))?;
        if let Some(link) = unpacked.lower_links.first() {
            let (path, target) = (link.path.display(), link.target.display());
            let sentence =
                format!("unpacking {}: {path} is a link to {target}, which isn't in it", archive.display());
            return Err(Wrong::new(sentence));
        }
        let source = Source {
            root: aside.clone(),
            ignore: Ignore::default(),
            files: Files::OfImage,
            name: "the archive".to_owned(),
            hashes: None,
        };
        make_folders(root, Path::new(&self.destination), 0o755, owner, None)?;
        let all = Selection { source: &source, include: None, exclude: Ignore::default() };
        let destination = format!("{}/", self.destination.trim_end_matches('/'));
        Copier::new(root, all, owner, None).copy(Path::new(""), &destination)?;
        fs::remove_dir_all(&aside).at("removing", &aside)
    }
}

fn chmod(text: &str) -> Result<Option<Chmod>, Refusal> {
    if text.is_empty() { Ok(None) } else { Chmod::parse(text).map(Some) }
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

/// The files whose contents stand in the Dockerfile.
fn heredocs(paths: &Paths, work: &Path, time: i64) -> Result<Source, Wrong> {
    let root = work.join("heredocs");
    fs::create_dir(&root).at("making", &root)?;
    for heredoc in &paths.contents {
        let path = root.join(inside::resolve(&root, Path::new(&heredoc.name)).at("making", &root)?);
        let make = || {
            let mut file = File::create(&path)?;
            file.write_all(heredoc.text().as_bytes())?;
            file.set_permissions(fs::Permissions::from_mode(0o644))
        };
        make().at("writing", Path::new(&heredoc.name))?;
    }
    let ignore = Ignore::default();
    Ok(Source {
        root,
        ignore,
        files: Files::OfContext(time),
        name: "the Dockerfile".to_owned(),
        hashes: None,
    })
}

/// `WORKDIR`: makes the folder for the user.
pub(super) fn make_workdir(root: &Path, path: &str, user: &str, time: i64) -> Result<(), Wrong> {
    let owner = if user.is_empty() { None } else { Some(owner::find(root, user)?) };
    make_folders(root, Path::new(path), 0o755, owner, Some(time))
}
