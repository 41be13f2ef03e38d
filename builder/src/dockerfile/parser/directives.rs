//! Directives: comments on top of the file that say how it is read.

use crate::dockerfile::{Lines, Problem, Refusal};

/// The directives met so far, while there may be more.
pub(super) struct Directives {
    pub(super) escape: char,
    pub(super) syntax: Option<String>,
    pub(super) check: Option<String>,
    seen: Vec<String>,
    done: bool,
}

/// Whether a line is a directive.
#[derive(PartialEq, Eq)]
pub(super) enum Line {
    Directive,
    Other,
}

impl Directives {
    pub(super) fn new() -> Self {
        Self { escape: '\\', syntax: None, check: None, seen: Vec::new(), done: false }
    }

    /// Takes the directive that `line` is. The first line that is none ends them all.
    pub(super) fn take(&mut self, line: &str, number: usize) -> Result<Line, Problem> {
        if self.done {
            return Ok(Line::Other);
        }
        let Some((name, value)) = parse(line) else {
            self.done = true;
            return Ok(Line::Other);
        };
        let refuse = |what: String, remedy: &str| Err(Refusal::new(what, remedy).at(Lines::one(number)));
        if self.seen.contains(&name) {
            return refuse(format!("only one {name} parser directive can be used"), "remove this one");
        }
        match (name.as_str(), value) {
            ("escape", "\\") => self.escape = '\\',
            ("escape", "`") => self.escape = '`',
            ("escape", _) => {
                let what = format!("invalid escape token '{value}' does not match ` or \\");
                return refuse(what, "write # escape=\\ or # escape=`");
            }
            ("syntax", _) => self.syntax = Some(value.to_owned()),
            _ => self.check = Some(value.to_owned()),
        }
        self.seen.push(name);
        Ok(Line::Directive)
    }
}

/// `# name = value` with one of the known names.
fn parse(line: &str) -> Option<(String, &str)> {
    const SPACES: [char; 5] = ['\t', '\n', '\x0c', '\r', ' '];
    let (name, value) = line.strip_prefix('#')?.trim_start().split_once('=')?;
    let name = name.trim_end_matches(SPACES).to_ascii_lowercase();
    if !["syntax", "escape", "check"].contains(&name.as_str()) {
        return None;
    }
    // A value has a character: of nothing but spaces, the last.
    let last = value.chars().next_back()?.len_utf8();
    let trimmed = value.trim_matches(SPACES);
    Some((name, if trimmed.is_empty() { &value[value.len() - last..] } else { trimmed }))
}
