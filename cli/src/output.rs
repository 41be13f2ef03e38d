//! The only places that write to the terminal.

use std::fmt;
use std::io::{self, Write};
use std::ops::ControlFlow;

use crate::failure::Failure;

/// Writes a result to stdout. A reader that has gone away (`| head`) is no failure.
pub(crate) fn result(text: impl fmt::Display) -> Result<(), Failure> {
    raw_result(format!("{text}\n").as_bytes())
}

/// Writes bytes to stdout as they are.
pub(crate) fn raw_result(bytes: &[u8]) -> Result<(), Failure> {
    write(bytes).map(drop)
}

/// Writes a line of a result that may never end; breaks when its reader has gone away.
pub(crate) fn stream(line: impl fmt::Display) -> Result<ControlFlow<()>, Failure> {
    write(format!("{line}\n").as_bytes())
}

fn write(bytes: &[u8]) -> Result<ControlFlow<()>, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(Failure::new("writing to standard output", error)),
    }
}

/// Writes what is not the result, such as a warning, to stderr.
pub(crate) fn note(text: impl fmt::Display) {
    // Nothing is left to do, and nobody to tell, when even stderr can't be written to.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes a question to stderr, and stays on its line.
pub(crate) fn prompt(text: impl fmt::Display) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}
