//! One pattern: `*` and `?` are anything but a slash, `**` is any folders, `[a-z]` is one of these.

use regex::Regex;

use crate::dockerfile::Refusal;

/// A pattern and what follows from it.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// Whether it takes back what others leave out.
    pub(super) exception: bool,
    rule: Rule,
}

/// How a path is compared. As moby's matcher does, patterns that need no expression have none: what
/// `**` means at an end of these isn't what it means elsewhere.
#[derive(Debug, Clone)]
enum Rule {
    Exactly(String),
    /// `text**`.
    Prefix(String),
    /// `**text`.
    Suffix(String),
    Expression(Regex),
}

/// What a pattern has been so far.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Exact,
    Prefix,
    Suffix,
    Expression,
}

impl Pattern {
    pub(super) fn parse(pattern: &str, exception: bool) -> Result<Self, Refusal> {
        let mut shape = Shape::Exact;
        let mut expression = String::from("^");
        let mut letters = Letters { rest: pattern };
        let mut first = true;
        while let Some(letter) = letters.next() {
            match letter {
                '*' if letters.skip('*') => {
                    letters.skip('/');
                    shape = if !letters.rest.is_empty() {
                        expression.push_str("(.*/)?");
                        Shape::Expression
                    } else if shape == Shape::Exact {
                        Shape::Prefix
                    } else {
                        expression.push_str(".*");
                        Shape::Expression
                    };
                    if first {
                        shape = Shape::Suffix;
                    }
                }
                '*' => {
                    expression.push_str("[^/]*");
                    shape = Shape::Expression;
                }
                '?' => {
                    expression.push_str("[^/]");
                    shape = Shape::Expression;
                }
                '[' => {
                    class(&mut letters, &mut expression).ok_or_else(|| malformed(pattern))?;
                    shape = Shape::Expression;
                }
                '\\' => {
                    let escaped = letters.next().ok_or_else(|| malformed(pattern))?;
                    expression.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4])));
                    shape = Shape::Expression;
                }
                _ => expression.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4]))),
            }
            first = false;
        }
        let rule = match shape {
            Shape::Exact => Rule::Exactly(pattern.to_owned()),
            Shape::Prefix => Rule::Prefix(pattern[..pattern.len() - 2].to_owned()),
            Shape::Suffix => Rule::Suffix(pattern[2..].to_owned()),
            Shape::Expression => {
                expression.push('$');
                Rule::Expression(Regex::new(&expression).map_err(|_| malformed(pattern))?)
            }
        };
        Ok(Self { exception, rule })
    }

    /// Whether the whole path matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        match &self.rule {
            Rule::Exactly(text) => path == text,
            Rule::Prefix(text) => path.starts_with(text.as_str()),
            // `**/name` is also the name at the root.
            Rule::Suffix(text) => path.ends_with(text.as_str()) || text.strip_prefix('/') == Some(path),
            Rule::Expression(expression) => expression.is_match(path),
        }
    }
}

/// Classes of ASCII characters, within a class: `[[:digit:]]`. As in moby's matcher, whose expressions
/// have them.
const NAMED_CLASSES: [&str; 14] = [
    "[:alnum:]",
    "[:alpha:]",
    "[:ascii:]",
    "[:blank:]",
    "[:cntrl:]",
    "[:digit:]",
    "[:graph:]",
    "[:lower:]",
    "[:print:]",
    "[:punct:]",
    "[:space:]",
    "[:upper:]",
    "[:word:]",
    "[:xdigit:]",
];

struct Letters<'a> {
    rest: &'a str,
}

impl Letters<'_> {
    fn next(&mut self) -> Option<char> {
        let mut letters = self.rest.chars();
        let letter = letters.next();
        self.rest = letters.as_str();
        letter
    }

    fn skip(&mut self, letter: char) -> bool {
        let rest = self.rest.strip_prefix(letter);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// One character of a class, escaped where it would mean something else.
    fn of_a_class(&mut self) -> Option<char> {
        match self.next()? {
            '-' | ']' => None,
            '\\' => self.next(),
            letter => Some(letter),
        }
    }
}

/// Reads a class behind its `[`, which is one of its characters and ranges, or none of them behind `^`.
fn class(letters: &mut Letters<'_>, expression: &mut String) -> Option<()> {
    expression.push('[');
    if letters.skip('^') {
        expression.push('^');
    }
    let mut empty = true;
    while empty || !letters.skip(']') {
        empty = false;
        if let Some(named) = NAMED_CLASSES.iter().find(|named| letters.rest.starts_with(**named)) {
            letters.rest = &letters.rest[named.len()..];
            expression.push_str(named);
            continue;
        }
        let low = letters.of_a_class()?;
        let high = if letters.skip('-') { letters.of_a_class()? } else { low };
        if low > high {
            return None;
        }
        for (end, mark) in [(low, "-"), (high, "")] {
            expression.push_str(&format!("\\u{{{:x}}}{mark}", u32::from(end)));
        }
    }
    expression.push(']');
    Some(())
}

fn malformed(pattern: &str) -> Refusal {
    let what = format!("syntax error in pattern: {pattern:.100}");
    Refusal::new(what, "close every [ with a ], and put a \\ in front of * ? [ \\ that are part of a name")
}
