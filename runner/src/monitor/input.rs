//! The input of a container, on its way.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

/// How much may wait, in bytes, before whoever sends it waits.
const MAX_WAITING: usize = 64 << 10;

/// Where input goes, and what is still to go there.
#[derive(Debug, Default)]
pub(super) struct Input {
    to: Option<OwnedFd>,
    /// Whether it is known where it goes: what comes before waits.
    is_known: bool,
    waiting: VecDeque<u8>,
    ends: bool,
}

impl Input {
    /// From here on input goes `to` a process, or nowhere.
    pub(super) fn begin(&mut self, to: Option<OwnedFd>) {
        self.is_known = true;
        if to.is_none() {
            self.waiting.clear();
        }
        self.to = to;
        self.flush();
    }

    /// Takes more; what comes for a container that takes none is dropped.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !self.ends && (self.to.is_some() || !self.is_known) {
            self.waiting.extend(bytes);
            self.flush();
        }
    }

    /// Closes the input once all of it has gone.
    pub(super) fn end(&mut self) {
        self.ends = true;
        self.flush();
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() > MAX_WAITING
    }

    /// Where to wait until more can go.
    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.to.as_ref().filter(|_| !self.waiting.is_empty()).map(AsFd::as_fd)
    }

    pub(super) fn flush(&mut self) {
        while let Some(to) = &self.to {
            let (bytes, _) = self.waiting.as_slices();
            if bytes.is_empty() {
                break;
            }
            match rustix::io::write(to, bytes) {
                Ok(length) => drop(self.waiting.drain(..length)),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                // Nobody reads it any more.
                Err(_) => {
                    self.waiting.clear();
                    self.to = None;
                }
            }
        }
        if self.ends && self.is_known {
            self.to = None;
        }
    }
}
