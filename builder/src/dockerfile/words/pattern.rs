//! The patterns of `${name#pattern}`: `*` is any text, `?` any character, neither matches a new line.

use regex::{NoExpand, Regex};

use super::lexer::{Wrong, wrong};

/// How much a `*` takes when it may choose.
#[derive(Clone, Copy)]
enum Star {
    Shortest,
    Longest,
}

/// Where a match may begin.
#[derive(Clone, Copy)]
enum Begin {
    Front,
    Anywhere,
}

/// `value` without the text at its front that `pattern` matches: the shortest one, or the longest
/// where the pattern begins with another `#`.
pub(super) fn without_prefix(pattern: &str, value: &str) -> Result<String, Wrong> {
    let (pattern, star) = match pattern.strip_prefix('#') {
        Some(pattern) => (pattern, Star::Longest),
        None => (pattern, Star::Shortest),
    };
    trimmed(pattern, value, star)
}

/// `value` without the text at its end that `pattern` matches: the shortest one, or the longest
/// where the pattern begins with another `%`.
pub(super) fn without_suffix(pattern: &str, value: &str) -> Result<String, Wrong> {
    let (pattern, star) = match pattern.strip_prefix('%') {
        Some(pattern) => (pattern, Star::Longest),
        None => (pattern, Star::Shortest),
    };
    // A search goes from left to right: the shortest match at the end is one at the front of the mirror.
    let mirrored: String = value.chars().rev().collect();
    Ok(trimmed(&mirror(pattern), &mirrored, star)?.chars().rev().collect())
}

fn trimmed(pattern: &str, value: &str, star: Star) -> Result<String, Wrong> {
    let found = compiled(pattern, star, Begin::Front)?.find(value).map_or(0, |found| found.end());
    Ok(value[found..].to_owned())
}

/// `value` with the first match replaced by exactly `replacement`.
pub(super) fn replace_first(pattern: &str, value: &str, replacement: &str) -> Result<String, Wrong> {
    Ok(compiled(pattern, Star::Longest, Begin::Anywhere)?.replace(value, NoExpand(replacement)).into_owned())
}

/// `value` with all matches replaced, which is at most `longest` bytes long. As in BuildKit, the
/// replacement is a template of Go's `regexp`.
pub(super) fn replace_all(
    pattern: &str,
    value: &str,
    replacement: &str,
    longest: usize,
) -> Result<String, Wrong> {
    let pattern = compiled(pattern, Star::Longest, Begin::Anywhere)?;
    let template = template(replacement);
    let mut replaced = String::new();
    let mut rest = 0;
    for found in pattern.find_iter(value) {
        replaced.push_str(&value[rest..found.start()]);
        rest = found.end();
        for part in &template {
            replaced.push_str(match part {
                Part::Text(text) => text,
                Part::Match => found.as_str(),
            });
        }
        if replaced.len() > longest {
            return Err(wrong(format!("the outcome is larger than {longest} bytes"), "use shorter values"));
        }
    }
    replaced.push_str(&value[rest..]);
    Ok(replaced)
}

/// A part of a template.
enum Part<'a> {
    Text(&'a str),
    /// All that the pattern matched: `$0`.
    Match,
}

/// The parts of a template: `$$` is a dollar sign, `$name` and `${name}` a group, of which a pattern
/// has none but the whole. Read once, however often it is used.
fn template(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        parts.push(Part::Text(before));
        rest = after;
        if let Some(after) = after.strip_prefix('$') {
            parts.push(Part::Text("$"));
            rest = after;
            continue;
        }
        let (braced, name) = match after.strip_prefix('{') {
            Some(name) => (true, name),
            None => (false, after),
        };
        let of_a_name = |c: char| c.is_alphanumeric() || c == '_';
        let (name, behind) = name.split_at(name.find(|c| !of_a_name(c)).unwrap_or(name.len()));
        let behind = if braced { behind.strip_prefix('}') } else { Some(behind) };
        match behind {
            Some(behind) if !name.is_empty() => {
                rest = behind;
                if name == "0" {
                    parts.push(Part::Match);
                }
            }
            // It is no group: the dollar sign is text.
            _ => parts.push(Part::Text("$")),
        }
    }
    parts.push(Part::Text(rest));
    parts
}

fn compiled(pattern: &str, star: Star, begin: Begin) -> Result<Regex, Wrong> {
    let invalid = |why: String| {
        let what = format!("invalid pattern ({pattern}) in substitution: {why}");
        wrong(what, "escape only * ? and \\ in a pattern")
    };
    let mut expression = String::with_capacity(pattern.len() + 4);
    if let Begin::Front = begin {
        expression.push('^');
    }
    let mut letters = pattern.strip_prefix('\u{feff}').unwrap_or(pattern).chars().peekable();
    while let Some(letter) = letters.next() {
        let literal = match letter {
            '*' => {
                expression.push_str(if let Star::Longest = star { ".*" } else { ".*?" });
                continue;
            }
            '?' => {
                expression.push('.');
                continue;
            }
            // The escape of what would end the pattern isn't a part of it.
            '\\' if matches!(letters.peek(), Some('}' | '/')) => continue,
            '\\' => match letters.next() {
                Some(escaped @ ('*' | '?' | '\\')) => escaped,
                Some(escaped) => return Err(invalid(format!("invalid escape '\\{escaped}'"))),
                None => return Err(invalid(format!("invalid escape '\\{}'", char::REPLACEMENT_CHARACTER))),
            },
            letter => letter,
        };
        expression.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
    }
    Regex::new(&expression).map_err(|_| invalid("it is too long".to_owned()))
}

/// The pattern that matches what `pattern` matches, read from right to left: escapes stay in front
/// of what they escape.
fn mirror(pattern: &str) -> String {
    let mut pieces = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                // Front of the mirror last: what is escaped, then its escape, are turned round below.
                pieces.extend(letters.next());
                pieces.push('\\');
            }
            letter => pieces.push(letter),
        }
    }
    pieces.into_iter().rev().collect()
}
