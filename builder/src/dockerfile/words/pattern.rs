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

/// `value` with all matches replaced, which is at most `longest` bytes long. As in BuildKit, `$` in
/// the replacement asks for a group of the pattern, and a pattern has none.
pub(super) fn replace_all(
    pattern: &str,
    value: &str,
    replacement: &str,
    longest: usize,
) -> Result<String, Wrong> {
    let pattern = compiled(pattern, Star::Longest, Begin::Anywhere)?;
    if replacement.len().saturating_mul(pattern.find_iter(value).count()) > longest {
        return Err(wrong(format!("the outcome is larger than {longest} bytes"), "use shorter values"));
    }
    Ok(pattern.replace_all(value, replacement).into_owned())
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
