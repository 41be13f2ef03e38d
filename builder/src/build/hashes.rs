//! What the files of contexts hold, as earlier builds found it: one that is as it was isn't read again.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use berth_oci::{Algorithm, Digest};

/// How many files are remembered, those of the last build first.
const MOST: usize = 200_000;
/// A file that changed so shortly before it was looked at may change again without its times showing it.
const UNSURE: Duration = Duration::from_secs(2);

/// The contents of files, by what the file system says of these.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    before: HashMap<File, Known>,
    now: Mutex<HashMap<File, Known>>,
}

/// A file on this machine, by device and inode.
type File = (u64, u64);

/// What a file held when it had this size and these times.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    state: State,
    digest: Digest,
}

/// What changes with the contents: the size, and when they and the inode last changed, in seconds and
/// nanoseconds. Nobody can set the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl State {
    fn of(found: &Metadata) -> Self {
        Self {
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    fn is_sure(&self, at: SystemTime) -> bool {
        let since = at.checked_sub(UNSURE).and_then(|sure| sure.duration_since(UNIX_EPOCH).ok());
        let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
        seconds.is_some_and(|seconds| self.changed.0 < seconds && self.modified.0 < seconds)
    }
}

impl Hashes {
    /// Those that [`Hashes::text`] gave; lines that are none of its are left out.
    pub(super) fn read(text: &str) -> Self {
        Self { before: text.lines().filter_map(known).collect(), now: Mutex::default() }
    }

    /// The digest of a file of which the file system says `found` at the time `at`; `read` reads it, if that
    /// must be.
    pub(super) fn of(
        &self,
        found: &Metadata,
        at: SystemTime,
        read: impl FnOnce() -> io::Result<Digest>,
    ) -> io::Result<Digest> {
        let (file, state) = ((found.dev(), found.ino()), State::of(found));
        let is_it = |known: &&Known| known.state == state;
        if let Some(known) = self.found().get(&file).filter(is_it) {
            return Ok(known.digest.clone());
        }
        let known = match self.before.get(&file).filter(is_it) {
            Some(known) => known.clone(),
            None => Known { state, digest: read()? },
        };
        let digest = known.digest.clone();
        if state.is_sure(at) {
            self.found().insert(file, known);
        }
        Ok(digest)
    }

    fn found(&self) -> MutexGuard<'_, HashMap<File, Known>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that is known, a line a file; none when that is what was known before.
    pub(super) fn text(&self) -> Option<String> {
        let now = self.found();
        if now.iter().all(|(file, known)| self.before.get(file) == Some(known)) {
            return None;
        }
        let earlier = self.before.iter().filter(|(file, _)| !now.contains_key(*file));
        let mut text = String::new();
        for ((device, inode), Known { state, digest }) in now.iter().chain(earlier).take(MOST) {
            let State { size, modified, changed } = state;
            writeln!(
                text,
                "{device} {inode} {size} {} {} {} {} {}",
                modified.0,
                modified.1,
                changed.0,
                changed.1,
                digest.hex()
            )
            .ok()?;
        }
        Some(text)
    }
}

fn known(line: &str) -> Option<(File, Known)> {
    let words: Vec<&str> = line.split(' ').collect();
    let [device, inode, size, modified, modified_nanos, changed, changed_nanos, hex] = words[..] else {
        return None;
    };
    let digest: Digest = format!("{}:{hex}", Algorithm::Sha256).parse().ok()?;
    let state = State {
        size: size.parse().ok()?,
        modified: (modified.parse().ok()?, modified_nanos.parse().ok()?),
        changed: (changed.parse().ok()?, changed_nanos.parse().ok()?),
    };
    Some(((device.parse().ok()?, inode.parse().ok()?), Known { state, digest }))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::{self, File};
    use std::path::Path;

    use super::*;

    /// Long after it was written.
    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(60)
    }

    /// The digest, and whether the file was read for it.
    fn digest(hashes: &Hashes, path: &Path, at: SystemTime) -> (Digest, bool) {
        let was_read = Cell::new(false);
        let found = fs::symlink_metadata(path).unwrap();
        let digest = hashes.of(&found, at, || {
            was_read.set(true);
            Ok(Digest::of(Algorithm::Sha256, &fs::read(path)?))
        });
        (digest.unwrap(), was_read.get())
    }

    #[test]
    fn a_file_that_is_as_it_was_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "content").unwrap();
        let first = Hashes::default();
        let (expected, was_read) = digest(&first, &path, later());
        assert!(was_read);
        assert_eq!(digest(&first, &path, later()), (expected.clone(), false));
        let next = Hashes::read(&first.text().unwrap());
        assert_eq!(digest(&next, &path, later()), (expected, false));
        assert_eq!(next.text(), None);
    }

    #[test]
    fn a_file_is_read_again_whose_size_and_time_were_made_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "before").unwrap();
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let hashes = Hashes::default();
        let (before, _) = digest(&hashes, &path, later());
        let changed = |path: &Path| State::of(&fs::metadata(path).unwrap()).changed;
        let then = changed(&path);
        let deadline = SystemTime::now() + Duration::from_secs(10);
        while changed(&path) == then {
            assert!(SystemTime::now() < deadline, "the clock of the file system goes on");
            fs::write(&path, "after!").unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }
        let (after, was_read) = digest(&hashes, &path, later());
        assert!(was_read && before != after);
    }

    #[test]
    fn a_file_that_has_just_changed_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "content").unwrap();
        let hashes = Hashes::default();
        assert!(digest(&hashes, &path, SystemTime::now()).1);
        assert!(digest(&hashes, &path, SystemTime::now()).1);
        assert_eq!(hashes.text(), None);
    }

    #[test]
    fn lines_that_are_damaged_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "content").unwrap();
        let first = Hashes::default();
        digest(&first, &path, later());
        let text = first.text().unwrap();
        let next = Hashes::read(&format!("\n1 2 3\n{}\n{text}", text.replace(' ', "x")));
        assert!(!digest(&next, &path, later()).1);
    }
}
