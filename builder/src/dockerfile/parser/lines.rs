//! The lines of a Dockerfile, numbered from 1.

use crate::dockerfile::{Lines, Problem, Refusal};

/// The longest line that BuildKit reads, in bytes.
const MAX_LINE: usize = 65_535;

/// Checks that `bytes` are text.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let line = good.iter().filter(|b| **b == b'\n').count() + 1;
        let what = format!("the byte 0x{:02X} is not UTF-8", bad[0]);
        Refusal::new(what, "save the file as UTF-8").at(Lines::one(line))
    })
}

/// Reads one line after the other.
pub(super) struct LineReader<'a> {
    rest: &'a str,
    /// The number of the line that was read last.
    pub(super) number: usize,
}

impl<'a> LineReader<'a> {
    /// A byte order mark at the front is none of the first line.
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text.strip_prefix('\u{feff}').unwrap_or(text), number: 0 }
    }

    /// The next line with its end, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<&'a str>, Problem> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let end = self.rest.find('\n');
        if end.unwrap_or(self.rest.len()) > MAX_LINE {
            let what = format!("dockerfile line greater than max allowed size of {MAX_LINE}");
            let remedy = "continue it on further lines, or COPY a file";
            return Err(Refusal::new(what, remedy).at(Lines::one(self.number)));
        }
        let (line, rest) = self.rest.split_at(end.map_or(self.rest.len(), |end| end + 1));
        self.rest = rest;
        Ok(Some(line))
    }
}

/// The line without its end: all line feeds and carriage returns there.
pub(super) fn without_end(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

pub(super) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// The line without the escape that continues it on the next one, if it does.
pub(super) fn continued(line: &str, escape: char) -> Option<&str> {
    let line = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    // An escaped escape continues nothing.
    (!line.ends_with(escape)).then_some(line)
}
