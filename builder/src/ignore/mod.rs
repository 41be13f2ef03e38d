//! `.dockerignore`: which files of a context are left out, by the rules of moby's patternmatcher.
//!
//! They aren't git's rules: each pattern begins at the root of the context, `**` is any number of
//! folders, what is in a folder that matches is left out with it, `!` takes back, and the last
//! pattern that has a say counts.

mod pattern;

use crate::dockerfile::{Lines, Problem, Refusal};
use crate::go::clean_path;
use pattern::Pattern;

/// Patterns of what is left out.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

/// Which patterns have matched a folder or one above it: what its contents need not ask again.
#[derive(Debug, Clone, Default)]
pub struct Above(Vec<bool>);

/// The names under which the patterns for a Dockerfile are looked for, both from the folder of the
/// context; the first that exists is the only one that counts.
pub fn file_names(dockerfile: &str) -> [String; 2] {
    [format!("{dockerfile}.dockerignore"), ".dockerignore".to_owned()]
}

impl Ignore {
    /// Reads a file of patterns: one a line, `#` at its front makes it a comment.
    ///
    /// # Errors
    /// The first line that is no pattern or no UTF-8.
    pub fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let mut patterns = Vec::new();
        for (pattern, line) in listed(bytes)? {
            patterns.extend(parse(&pattern).map_err(|refusal| refusal.at(Lines::one(line)))?);
        }
        Ok(Self { patterns })
    }

    /// The matcher for patterns from elsewhere, as those of `COPY --exclude`.
    ///
    /// # Errors
    /// The first that is no pattern.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, Refusal> {
        let mut parsed = Vec::new();
        for pattern in patterns {
            parsed.extend(parse(pattern)?);
        }
        Ok(Self { patterns: parsed })
    }

    /// Whether any pattern takes back what others leave out: then a folder that is left out may
    /// have contents that aren't.
    pub fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.exception)
    }

    /// Whether the file or folder at `path`, slashes between names and none in front, is left out.
    pub fn ignores(&self, path: &str) -> bool {
        let mut above = Above::default();
        let mut ignored = false;
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            (ignored, above) = self.enter(&above, &path[..end]);
        }
        ignored
    }

    /// As [`Self::ignores`], for a walk: `above` is what came of the folder that `path` is in,
    /// the default at the root; what comes of `path` is for its contents.
    pub fn enter(&self, above: &Above, path: &str) -> (bool, Above) {
        let mut ignored = false;
        let mut here = vec![false; self.patterns.len()];
        for (index, pattern) in self.patterns.iter().enumerate() {
            let matched_above = above.0.get(index).copied().unwrap_or_default();
            // A pattern that couldn't change anything isn't asked.
            if matched_above || pattern.exception == ignored && pattern.matches(path) {
                here[index] = true;
                ignored = !pattern.exception;
            }
        }
        (ignored, Above(here))
    }
}

/// The patterns in a file, cleaned, with their line numbers.
pub(crate) fn listed(bytes: &[u8]) -> Result<Vec<(String, usize)>, Problem> {
    let mut patterns = Vec::new();
    let text = crate::dockerfile::text(bytes)?;
    for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).split('\n').enumerate() {
        let pattern = line.trim();
        if line.starts_with('#') || pattern.is_empty() {
            continue;
        }
        let (mark, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => ("!", pattern.trim()),
            None => ("", pattern),
        };
        let cleaned = if pattern.is_empty() { String::new() } else { clean_path(pattern) };
        let relative = if cleaned.len() > 1 { cleaned.trim_start_matches('/') } else { &cleaned };
        patterns.push((format!("{mark}{relative}"), index + 1));
    }
    Ok(patterns)
}

/// A pattern from its text; nothing where there is none.
fn parse(text: &str) -> Result<Option<Pattern>, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let cleaned = clean_path(text);
    match cleaned.strip_prefix('!') {
        Some("") => {
            let remedy = "write the pattern that it takes back behind it";
            Err(Refusal::new("illegal exclusion pattern: \"!\"", remedy))
        }
        Some(taken_back) => Pattern::parse(taken_back, true).map(Some),
        None => Pattern::parse(&cleaned, false).map(Some),
    }
}

#[cfg(test)]
mod tests;
