//! Where files are copied from: the context without what `.dockerignore` leaves out, or a file system.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::glob;
use super::hashes::Hashes;
use super::inside;
use super::wrong::{At, Wrong};
use crate::ignore::{self, Ignore};

/// Files that can be copied.
#[derive(Debug)]
pub(super) struct Source {
    /// The folder that is taken for a whole file system.
    pub(super) root: PathBuf,
    /// What in it counts as not there.
    pub(super) ignore: Ignore,
    /// Whose files they are.
    pub(super) files: Files,
    /// What it is called in sentences.
    pub(super) name: String,
    /// What is known of its files, if they may be those of an earlier build.
    pub(super) hashes: Option<Hashes>,
}

/// Whose files are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    /// Those of whoever builds: they become root's, and have this time, in seconds since 1970.
    OfContext(i64),
    /// Those of an image, which stay as they are.
    OfImage,
}

/// Which files below a folder are meant.
#[derive(Debug)]
pub(super) struct Selection<'s> {
    pub(super) source: &'s Source,
    /// Those that match, and what is in them; all without any.
    pub(super) include: Option<Ignore>,
    /// But not those that match.
    pub(super) exclude: Ignore,
}

/// What came of the folder that something is in.
#[derive(Debug, Clone, Default)]
pub(super) struct Above {
    include: ignore::Above,
    exclude: ignore::Above,
    ignored: ignore::Above,
}

/// Whether something is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    /// It is.
    Yes,
    /// It isn't, but, in a folder, something in it may be.
    NotItself,
    /// Neither it nor anything in it.
    No,
}

impl Source {
    /// The paths that `written` means, seen from the root: one, or those that match. One that isn't there is
    /// among them.
    pub(super) fn expand(&self, written: &str) -> Result<Vec<PathBuf>, Wrong> {
        let clean = crate::go::clean_path(&format!("/{written}"));
        let parts: Vec<&str> = clean.split('/').filter(|part| !part.is_empty()).collect();
        let plain = parts.iter().position(|part| glob::has_wildcards(part)).unwrap_or(parts.len());
        let start = PathBuf::from_iter(parts[..plain].iter().map(|part| unescaped(part)));
        if plain == parts.len() {
            return Ok(vec![start]);
        }
        let start = inside::resolve(&self.root, &start).at("finding", &start)?;
        let mut found = vec![start];
        for (index, part) in parts.iter().enumerate().skip(plain) {
            let is_last = index + 1 == parts.len();
            let mut next = Vec::new();
            for folder in found {
                for name in self.names(&folder)? {
                    let path = folder.join(&name);
                    let is_folder = || self.root.join(&path).symlink_metadata().is_ok_and(|it| it.is_dir());
                    if glob::matches(part, &name) && (is_last || is_folder()) && self.has(&path)? {
                        next.push(path);
                    }
                }
            }
            found = next;
        }
        Ok(found)
    }

    /// The names in a folder, sorted; those that are no UTF-8 are matched by nothing.
    fn names(&self, folder: &Path) -> Result<Vec<String>, Wrong> {
        let found = inside::look(&self.root.join(folder)).at("reading", folder)?;
        if !found.is_some_and(|found| found.is_dir()) {
            return Ok(Vec::new());
        }
        Ok(self.entries(folder)?.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    /// The names of what is in a folder, in order.
    pub(super) fn entries(&self, folder: &Path) -> Result<Vec<OsString>, Wrong> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(folder)).at("reading", folder)? {
            names.push(entry.at("reading", folder)?.file_name());
        }
        names.sort();
        Ok(names)
    }

    /// What is at `path`, links on the way and at its end followed: its path from the root.
    pub(super) fn find(&self, path: &Path) -> Result<PathBuf, Wrong> {
        let found = inside::resolve(&self.root, path).at("finding", path)?;
        if self.has(&found)? {
            return Ok(found);
        }
        Err(Wrong::new(format!(
            "\"/{}\" is not in {}; is its name right, and does .dockerignore leave it out?",
            path.display(),
            self.name
        )))
    }

    /// Whether something is at `path` itself and isn't left out.
    fn has(&self, path: &Path) -> Result<bool, Wrong> {
        let Some(found) = inside::look(&self.root.join(path)).at("reading", path)? else { return Ok(false) };
        Ok(match self.ignored(path) {
            (false, _) => true,
            (true, _) => found.is_dir() && self.ignore.has_exceptions(),
        })
    }

    fn ignored(&self, path: &Path) -> (bool, ignore::Above) {
        let text = path.to_string_lossy();
        let mut result = (false, ignore::Above::default());
        if text.is_empty() {
            return result;
        }
        for (end, _) in text.match_indices('/').chain([(text.len(), "")]) {
            result = self.ignore.enter(&result.1, &text[..end]);
        }
        result
    }
}

impl Selection<'_> {
    /// What counts for what is in the folder at `path`, where copying begins.
    pub(super) fn begin(&self, path: &Path) -> Above {
        Above { ignored: self.source.ignored(path).1, ..Above::default() }
    }

    /// Whether `path` is meant, which is `components` seen from where copying began.
    pub(super) fn enter(&self, above: &Above, path: &Path, components: &Path) -> (Meant, Above) {
        let components = components.to_string_lossy();
        let (included, include) = match &self.include {
            None => (true, ignore::Above::default()),
            Some(include) => include.enter(&above.include, &components),
        };
        let (excluded, exclude) = self.exclude.enter(&above.exclude, &components);
        let (left_out, ignored) = self.source.ignore.enter(&above.ignored, &path.to_string_lossy());
        let out_for_good =
            excluded && !self.exclude.has_exceptions() || left_out && !self.source.ignore.has_exceptions();
        let meant = match included && !excluded && !left_out {
            true => Meant::Yes,
            false if out_for_good => Meant::No,
            false => Meant::NotItself,
        };
        (meant, Above { include, exclude, ignored })
    }
}

/// A part of a path without wildcards, in which a backslash only says that what follows is none.
fn unescaped(part: &str) -> String {
    let mut letters = part.chars();
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        text.push(if letter == '\\' { letters.next().unwrap_or('\\') } else { letter });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(ignore: &str) -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        for path in ["a.txt", "b.txt", "sub/c.txt", "sub/d.md"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let root = folder.path().to_owned();
        let ignore = Ignore::read(ignore.as_bytes()).unwrap();
        let source =
            Source { root, ignore, files: Files::OfContext(0), name: "the context".to_owned(), hashes: None };
        (folder, source)
    }

    fn expanded(source: &Source, written: &str) -> Vec<String> {
        let paths = source.expand(written).unwrap();
        paths.into_iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn wildcards_are_those_of_names_and_see_nothing_that_is_left_out() {
        let (_folder, source) = context("b.txt\n");
        for (written, expected) in [
            ("*.txt", &["a.txt"] as &[_]),
            ("./s*/*.txt", &["sub/c.txt"]),
            ("../*", &["a.txt", "sub"]),
            ("*/nothing", &[]),
            ("nothing", &["nothing"]),
        ] {
            assert_eq!(expanded(&source, written), expected, "{written}");
        }
    }

    #[test]
    fn what_is_left_out_is_not_there_unless_something_in_it_is_taken_back() {
        let (_folder, source) = context("sub\n!sub/c.txt\nb.txt\n");
        assert!(source.find(Path::new("b.txt")).is_err());
        assert!(source.find(Path::new("../../etc/passwd")).is_err());
        assert_eq!(source.find(Path::new("sub")).unwrap(), Path::new("sub"));
        let selection = Selection { source: &source, include: None, exclude: Ignore::default() };
        let above = selection.begin(Path::new(""));
        let (meant, above) = selection.enter(&above, Path::new("sub"), Path::new("sub"));
        assert_eq!(meant, Meant::NotItself);
        for (path, expected) in [("sub/c.txt", Meant::Yes), ("sub/d.md", Meant::NotItself)] {
            assert_eq!(selection.enter(&above, Path::new(path), Path::new(path)).0, expected, "{path}");
        }
    }
}
