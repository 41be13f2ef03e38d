//! What a container has written, read back.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use crate::attach::Connection;
use crate::container::Container;
use crate::monitor::log;
use crate::wire::Request;

pub use crate::monitor::log::Entry;

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only so many of the last lines.
    pub tail: Option<usize>,
    /// Only those from this time on, RFC 3339 in UTC with nanoseconds, so that times compare as text.
    pub since: Option<String>,
    /// Only those before this time.
    pub until: Option<String>,
}

/// Gives every entry that is wanted to `take`, from the oldest, until that breaks.
///
/// # Errors
/// When the log can't be read.
pub fn read(
    container: &Container,
    wanted: &Wanted,
    mut take: impl FnMut(&Entry) -> ControlFlow<()>,
) -> io::Result<()> {
    Reading::new(container).past(wanted, &mut take).map(drop)
}

/// As [`read`], and goes on with what is written until the container has ended.
///
/// # Errors
/// When the log can't be read.
pub fn follow(
    container: &Container,
    wanted: &Wanted,
    mut take: impl FnMut(&Entry) -> ControlFlow<()>,
) -> io::Result<()> {
    // Before the first look, so that nothing that comes after it is missed.
    let changes = Changes::of(container)?;
    let mut reading = Reading::new(container);
    if reading.past(wanted, &mut take)?.is_break() {
        return Ok(());
    }
    loop {
        let goes_on = changes.wait();
        if reading.rest(wanted, &mut take)?.is_break() || !goes_on {
            return Ok(());
        }
    }
}

struct Reading {
    folder: PathBuf,
    /// The newest file, read so far, and the start of a line that isn't whole.
    newest: Option<(BufReader<File>, String)>,
}

impl Reading {
    fn new(container: &Container) -> Self {
        Self { folder: container.folder.path().to_owned(), newest: None }
    }

    /// Everything that is there.
    fn past(
        &mut self,
        wanted: &Wanted,
        take: &mut impl FnMut(&Entry) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let skipped = match wanted.tail {
            None => 0,
            Some(tail) => self.count(wanted)?.saturating_sub(tail),
        };
        let mut seen = 0;
        let mut take = |entry: &Entry| {
            seen += 1;
            if seen > skipped { take(entry) } else { ControlFlow::Continue(()) }
        };
        for path in log::files(&self.folder) {
            if !self.open(path)? {
                continue;
            }
            if self.lines(wanted, &mut take)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn count(&self, wanted: &Wanted) -> io::Result<usize> {
        let mut counting = Self { folder: self.folder.clone(), newest: None };
        let mut count = 0;
        for path in log::files(&self.folder) {
            if counting.open(path)? {
                let _ = counting.lines(wanted, &mut |_| {
                    count += 1;
                    ControlFlow::Continue(())
                })?;
            }
        }
        Ok(count)
    }

    fn open(&mut self, path: PathBuf) -> io::Result<bool> {
        match File::open(path) {
            Ok(file) => {
                self.newest = Some((BufReader::new(file), String::new()));
                Ok(true)
            }
            // Nothing was written, or it was moved on at this moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What has come since.
    fn rest(
        &mut self,
        wanted: &Wanted,
        take: &mut impl FnMut(&Entry) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        loop {
            if self.newest.is_some() && self.lines(wanted, take)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let path = log::path(&self.folder);
            let now = match std::fs::metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(ControlFlow::Continue(()));
                }
                result => result?.ino(),
            };
            let open = self.newest.as_ref().map(|(file, _)| file.get_ref().metadata()).transpose()?;
            if open.is_some_and(|open| open.ino() == now) || !self.open(path)? {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    fn lines(
        &mut self,
        wanted: &Wanted,
        take: &mut impl FnMut(&Entry) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let Some((file, line)) = &mut self.newest else { return Ok(ControlFlow::Continue(())) };
        while file.read_line(line)? > 0 && line.ends_with('\n') {
            // A line that a full disk cut off is passed over.
            if let Ok(entry) = serde_json::from_str::<Entry>(line) {
                let is_early = wanted.since.as_ref().is_some_and(|since| entry.time < *since);
                let is_late = wanted.until.as_ref().is_some_and(|until| entry.time >= *until);
                if !is_early && !is_late && take(&entry).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            line.clear();
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// What tells that there may be more.
struct Changes {
    folder: OwnedFd,
    monitor: Option<Connection>,
}

impl Changes {
    fn of(container: &Container) -> io::Result<Self> {
        let folder = inotify::init(CreateFlags::CLOEXEC)?;
        let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::MODIFY;
        inotify::add_watch(&folder, container.folder.path(), flags)?;
        let mut monitor = Connection::open(&container.folder)?;
        if let Some(monitor) = &mut monitor {
            monitor.request(Request::Wait)?;
        }
        Ok(Self { folder, monitor })
    }

    /// Waits until something has changed; whether more may come.
    fn wait(&self) -> bool {
        let Some(monitor) = &self.monitor else { return false };
        let mut watched = [
            PollFd::new(&self.folder, PollFlags::IN),
            PollFd::from_borrowed_fd(monitor.as_fd(), PollFlags::IN),
        ];
        match rustix::event::poll(&mut watched, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return false,
        }
        let has_ended = !watched[1].revents().is_empty();
        if !watched[0].revents().is_empty() {
            let _ = rustix::io::read(&self.folder, &mut [0; 4096]);
        }
        !has_ended
    }
}
