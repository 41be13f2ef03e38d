//! How a process that couldn't become its command tells so, and what libcontainer has to say about it.
//!
//! libcontainer's errors lose their causes on the way between its processes; its log has them. So a pipe
//! takes both: what it logs as an error, and what the command's own process says at last.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::failure::Failure;

/// Where what libcontainer logs goes; -1 is nowhere.
static LOG: AtomicI32 = AtomicI32::new(-1);

/// One line of a report.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// What libcontainer logged.
    Logged(String),
    /// What the command's own process says.
    Failed(Failure),
}

/// Everything that was told.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What the command's own process said.
    pub(crate) failure: Option<Failure>,
    /// What libcontainer logged first, which is nearest to the cause.
    pub(crate) logged: Option<String>,
}

/// From here on, in this process and those that it forks, libcontainer's errors go to `report`.
pub(super) fn listen(report: &OwnedFd) {
    LOG.store(report.as_raw_fd(), Ordering::Relaxed);
    // Only the first start of a monitor finds none.
    let _ = tracing::subscriber::set_global_default(Log);
}

/// Writes `failure`, as the process that has nothing else left to do.
pub(super) fn write(report: RawFd, failure: &Failure) {
    write_line(report, &Line::Failed(failure.clone()));
}

fn write_line(report: RawFd, line: &Line) {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    #[expect(
        unsafe_code,
        reason = "libcontainer hands the executor over a fork by value, and with it a number"
    )]
    // SAFETY: the descriptor was made for this, and stays open until the process ends or executes.
    let report = unsafe { BorrowedFd::borrow_raw(report) };
    // Less than a pipe's atomic size; when it fails, the reader sees that the process ended.
    let _ = rustix::io::write(report, &text);
}

/// Waits until the process runs its command, has failed to, or is gone; the writing end must be closed here.
pub(crate) fn read(report: OwnedFd) -> Report {
    LOG.store(-1, Ordering::Relaxed);
    let mut text = String::new();
    // What can't be read is as if nothing had been said.
    let _ = File::from(report).read_to_string(&mut text);
    let mut whole = Report::default();
    for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Logged(text) => drop(whole.logged.get_or_insert(text)),
            Line::Failed(failure) => whole.failure = Some(failure),
        }
    }
    whole
}

/// Takes what is logged as an error; there are no spans.
struct Log;

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn event(&self, event: &Event<'_>) {
        let report = LOG.load(Ordering::Relaxed);
        if report >= 0 {
            let mut text = Text::default();
            event.record(&mut text);
            write_line(report, &Line::Logged([text.message, text.fields.join(", ")].join(": ")));
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: Vec<String>,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            _ => self.fields.push(format!("{value:?}")),
        }
    }
}
