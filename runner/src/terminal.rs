//! Terminals: their size, and raw mode for as long as somebody is attached.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, Winsize};

/// A terminal whose keys are passed on as they are; it is as before once this is dropped.
#[derive(Debug)]
pub(crate) struct Raw {
    before: Termios,
}

impl Raw {
    /// Standard input in raw mode, when it is a terminal.
    pub(crate) fn standard_input() -> Result<Option<Self>, Errno> {
        let stdin = rustix::stdio::stdin();
        if !rustix::termios::isatty(stdin) {
            return Ok(None);
        }
        let before = rustix::termios::tcgetattr(stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(stdin, OptionalActions::Now, &raw)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Rows and columns of the terminal that standard output or input is.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = |descriptor: rustix::fd::BorrowedFd<'_>| rustix::termios::tcgetwinsize(descriptor).ok();
    let size = size(rustix::stdio::stdout()).or_else(|| size(rustix::stdio::stdin()))?;
    Some((size.ws_row, size.ws_col))
}

/// Gives a terminal its size.
pub(crate) fn set_size(terminal: impl AsFd, rows: u16, columns: u16) -> Result<(), Errno> {
    rustix::termios::tcsetwinsize(
        terminal,
        Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 },
    )
}

/// Makes the calling process group the one that the terminal's keys speak to, if there is a terminal.
pub(crate) fn take_foreground() {
    let _ = rustix::termios::tcsetpgrp(rustix::stdio::stdin(), rustix::process::getpgrp());
}
