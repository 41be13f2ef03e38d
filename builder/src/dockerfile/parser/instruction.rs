//! One instruction on one line: its name, its flags, and its arguments in the shape that is its own.

use super::json;
use super::tree::{Arguments, Pair, Separator};
use crate::dockerfile::Refusal;
use crate::go;

/// The names of the instructions.
pub(crate) const NAMES: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// The name of the instruction that is written like this, in any case.
pub(crate) fn known(written: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(written))
}

/// An instruction's name as written, its flags and the rest of its line.
pub(super) struct Split<'a> {
    pub(super) name: &'a str,
    pub(super) flags: Vec<String>,
    pub(super) rest: &'a str,
}

/// What stands between words, as in the expression `[\t\v\f\r ]+`.
fn is_space(letter: char) -> bool {
    matches!(letter, '\t' | '\x0b' | '\x0c' | '\r' | ' ')
}

/// Takes the name and the flags off a line.
pub(super) fn split(line: &str, escape: char) -> Split<'_> {
    let Some((name, rest)) = cut(line.trim()) else {
        return Split { name: line.trim(), flags: Vec::new(), rest: "" };
    };
    let (flags, rest) = take_flags(rest, escape);
    Split { name, flags, rest: rest.trim() }
}

/// Cuts at the first space.
fn cut(text: &str) -> Option<(&str, &str)> {
    let (first, rest) = text.split_at(text.find(is_space)?);
    Some((first, rest.trim_start_matches(is_space)))
}

/// Takes the words that begin with `--` off the front, up to one that is only that.
///
/// BuildKit reads flags byte by byte, so that what isn't ASCII changes; here it stays.
fn take_flags(text: &str, escape: char) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if !rest.starts_with("--") {
            return (flags, rest);
        }
        let (flag, after) = take_flag(rest, escape);
        rest = after;
        if flag == "--" {
            return (flags, rest);
        }
        flags.push(flag);
    }
}

/// Takes one flag without its quotes and escapes; in both kinds of quotes the escape works.
fn take_flag(text: &str, escape: char) -> (String, &str) {
    let mut flag = String::new();
    let mut quote = None;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (letter, quote) {
            (space, None) if space.is_whitespace() => return (flag, &text[at..]),
            ('\'' | '"', None) => quote = Some(letter),
            (end, Some(quote_)) if end == quote_ => quote = None,
            (mark, _) if mark == escape => flag.extend(letters.next().map(|(_, escaped)| escaped)),
            _ => flag.push(letter),
        }
    }
    (flag, "")
}

/// Reads what stands behind the flags of every instruction but `ONBUILD`.
pub(super) fn arguments(name: &str, rest: &str, escape: char) -> Result<Arguments, Refusal> {
    let words = |words| Ok(Arguments::Words(words));
    match known(name).unwrap_or_default() {
        "ENV" => pairs("ENV", rest, escape).map(Arguments::Pairs),
        "LABEL" => pairs("LABEL", rest, escape).map(Arguments::Pairs),
        "ARG" => words(assignments(rest, escape)),
        "EXPOSE" | "FROM" => words(by_spaces(rest)),
        "MAINTAINER" | "STOPSIGNAL" | "USER" | "WORKDIR" => words(whole(rest)),
        "CMD" | "ENTRYPOINT" | "RUN" | "SHELL" => {
            Ok(json::strings(rest)?.map_or_else(|| Arguments::Words(whole(rest)), Arguments::Json))
        }
        "ADD" | "COPY" | "VOLUME" => {
            Ok(json::strings(rest)?.map_or_else(|| Arguments::Words(by_spaces(rest)), Arguments::Json))
        }
        "HEALTHCHECK" => healthcheck(rest),
        // Unknown; whoever gives the instructions their meaning says so.
        _ => words(vec![String::new()]),
    }
}

fn whole(rest: &str) -> Vec<String> {
    if rest.is_empty() { Vec::new() } else { vec![rest.to_owned()] }
}

fn by_spaces(rest: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = (!rest.is_empty()).then_some(rest);
    while let Some(text) = rest {
        let (word, after) = match cut(text) {
            Some((word, after)) => (word, Some(after)),
            None => (text, None),
        };
        words.push(word.to_owned());
        rest = after;
    }
    words
}

fn healthcheck(rest: &str) -> Result<Arguments, Refusal> {
    let (kind, command) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
    if kind.is_empty() {
        return Ok(Arguments::Words(Vec::new()));
    }
    let command = command.trim_start();
    let with_kind = |words: Vec<String>| std::iter::once(kind.to_owned()).chain(words).collect();
    Ok(match json::strings(command)? {
        Some(strings) => Arguments::Json(with_kind(strings)),
        None => Arguments::Words(with_kind(whole(command))),
    })
}

/// `NAME=value …`, or the old form `NAME value`, known by the first word having no `=`.
fn pairs(instruction: &str, rest: &str, escape: char) -> Result<Vec<Pair>, Refusal> {
    let words = assignments(rest, escape);
    let Some(first) = words.first() else { return Ok(Vec::new()) };
    if !first.contains('=') {
        let Some((name, value)) = cut(rest) else {
            let what = format!("{instruction} must have two arguments");
            return Err(Refusal::new(what, format!("write {instruction} name=value")));
        };
        let (name, value) = (name.to_owned(), value.to_owned());
        return Ok(vec![Pair { name, value, separator: Separator::Space }]);
    }
    let pair = |word: &String| match word.split_once('=') {
        Some((name, value)) => {
            Ok(Pair { name: name.to_owned(), value: value.to_owned(), separator: Separator::Equals })
        }
        None => {
            let shown = go::quoted(word);
            let what = format!("Syntax error - can't find = in {shown}. Must be of the form: name=value");
            Err(Refusal::new(what, "put a value with spaces into quotes"))
        }
    };
    words.iter().map(pair).collect()
}

/// Cuts at spaces that are neither quoted nor escaped. Quotes and escapes stay.
fn assignments(rest: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    // Whether the word counts even if there is nothing in it.
    let mut quoted = false;
    let mut quote = None;
    let mut letters = rest.chars().peekable();
    while let Some(letter) = letters.next() {
        match quote {
            None if letter.is_whitespace() => {
                if quoted || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                quoted = false;
                continue;
            }
            None if matches!(letter, '\'' | '"') => {
                quote = Some(letter);
                quoted = true;
            }
            Some(open) if letter == open => quote = None,
            _ => {}
        }
        if letter == escape && quote != Some('\'') {
            // One at the end of the line is left out.
            if let Some(escaped) = letters.next() {
                word.extend([letter, escaped]);
            }
        } else {
            word.push(letter);
        }
    }
    if quoted || !word.is_empty() {
        words.push(word);
    }
    words
}
