//! Text with wildcards and variables, cut into pieces once, when the document is read.

use std::borrow::Cow;

use super::request::{Key, Request, Value};

/// How a document's text is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wildcards {
    /// `*` and `?` stand for other characters.
    Meant,
    /// They stand for themselves.
    Literal,
}

/// Whether `${…}` is a variable: it is since the version 2012-10-17.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Variables {
    Meant,
    Literal,
}

/// Text that others are compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pattern {
    Exactly(Box<str>),
    Prefix(Box<str>),
    Pieces(Box<[Piece]>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Literal(Box<str>),
    /// `*`
    AnyRun,
    /// `?`
    AnyOne,
    /// `${key}`, or `${key, 'otherwise'}`
    Variable(Key, Option<Box<str>>),
}

/// What is wrong with a pattern: what was expected of it.
pub(super) type Expected = &'static str;

const KNOWN_VARIABLE: Expected = "in ${…} a condition key, such as ${aws:username}, or one of * ? $";

impl Pattern {
    pub(super) fn parse(text: &str, wildcards: Wildcards, variables: Variables) -> Result<Self, Expected> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if variables == Variables::Meant
                && let Some(inside) = rest.strip_prefix("${")
            {
                let (name, after) = inside.split_once('}').ok_or("a } for each ${")?;
                push_variable(&mut pieces, name)?;
                rest = after;
                continue;
            }
            match first {
                '*' if wildcards == Wildcards::Meant => {
                    if pieces.last() != Some(&Piece::AnyRun) {
                        pieces.push(Piece::AnyRun);
                    }
                }
                '?' if wildcards == Wildcards::Meant => pieces.push(Piece::AnyOne),
                _ => push_literal(&mut pieces, &rest[..first.len_utf8()]),
            }
            rest = &rest[first.len_utf8()..];
        }
        Ok(match pieces.as_slice() {
            [] => Self::Exactly("".into()),
            [Piece::Literal(text)] => Self::Exactly(text.clone()),
            [Piece::AnyRun] => Self::Prefix("".into()),
            [Piece::Literal(text), Piece::AnyRun] => Self::Prefix(text.clone()),
            _ => Self::Pieces(pieces.into()),
        })
    }

    /// Whether it speaks of `text`. A variable that has no value speaks of nothing.
    pub(super) fn matches(&self, text: &str, request: &Request<'_>) -> bool {
        self.fits(text, Some(request))
    }

    /// Whether it speaks of `text` whoever asks.
    pub(super) fn always_matches(&self, text: &str) -> bool {
        self.fits(text, None)
    }

    fn fits(&self, text: &str, request: Option<&Request<'_>>) -> bool {
        match self {
            Self::Exactly(whole) => **whole == *text,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Pieces(pieces) => pieces_fit(pieces, text, request),
        }
    }

    /// Whether it is `text` but for case. Wildcards are not looked for.
    pub(super) fn equals_ignoring_case(&self, text: &str, request: &Request<'_>) -> bool {
        let same = |whole: &str| whole.to_lowercase() == text.to_lowercase();
        match self {
            Self::Exactly(whole) => same(whole),
            Self::Prefix(_) => false,
            Self::Pieces(pieces) => {
                let whole: Option<String> = pieces.iter().map(|piece| piece.text(Some(request))).collect();
                whole.is_some_and(|whole| same(&whole))
            }
        }
    }

    /// What is left of it behind `beginning`, if all that it speaks of begins so.
    pub(super) fn without_beginning(&self, beginning: &str) -> Option<Self> {
        let rest = |text: &str| text.strip_prefix(beginning).map(Box::<str>::from);
        match self {
            Self::Exactly(text) => rest(text).map(Self::Exactly),
            Self::Prefix(text) => rest(text).map(Self::Prefix),
            Self::Pieces(pieces) => {
                let first = rest(self.literal_beginning())?;
                let first = (!first.is_empty()).then_some(Piece::Literal(first));
                Some(Self::Pieces(first.into_iter().chain(pieces.iter().skip(1).cloned()).collect()))
            }
        }
    }

    /// What every text that it speaks of begins with, as far as that is known beforehand.
    pub(super) fn literal_beginning(&self) -> &str {
        match self {
            Self::Exactly(text) | Self::Prefix(text) => text,
            Self::Pieces(pieces) => match pieces.first() {
                Some(Piece::Literal(text)) => text,
                Some(Piece::AnyRun | Piece::AnyOne | Piece::Variable(..)) | None => "",
            },
        }
    }
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Literal(before)) => *before = format!("{before}{text}").into(),
        Some(Piece::AnyRun | Piece::AnyOne | Piece::Variable(..)) | None => {
            pieces.push(Piece::Literal(text.into()));
        }
    }
}

/// What stands between `${` and `}`.
fn push_variable(pieces: &mut Vec<Piece>, inside: &str) -> Result<(), Expected> {
    if matches!(inside, "*" | "?" | "$") {
        push_literal(pieces, inside);
        return Ok(());
    }
    let (name, otherwise) = match inside.split_once(',') {
        None => (inside, None),
        Some((name, otherwise)) => {
            let quoted = otherwise.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            (name, Some(quoted.ok_or("a default in single quotes, as in ${aws:username, 'nobody'}")?))
        }
    };
    let key = Key::parse(name.trim()).ok_or(KNOWN_VARIABLE)?;
    pieces.push(Piece::Variable(key, otherwise.map(Into::into)));
    Ok(())
}

impl Piece {
    /// The text that it stands for; none for wildcards, and for variables that have no value.
    fn text<'r>(&'r self, request: Option<&Request<'r>>) -> Option<Cow<'r, str>> {
        match self {
            Self::Literal(text) => Some(Cow::Borrowed(text)),
            Self::Variable(key, otherwise) => {
                let value = request.and_then(|request| key.value(request)).map(Value::into_text);
                value.or(otherwise.as_deref().map(Cow::Borrowed))
            }
            Self::AnyRun | Self::AnyOne => None,
        }
    }
}

/// Goes through the text once, coming back to the last `*` whenever what follows it does not fit.
fn pieces_fit(pieces: &[Piece], text: &str, request: Option<&Request<'_>>) -> bool {
    let (mut piece, mut rest) = (0, text);
    // Where to go on, with one more character in the run: the piece after `*`, and what it may begin at.
    let mut again: Option<(usize, &str)> = None;
    loop {
        let after = match pieces.get(piece) {
            None if rest.is_empty() => return true,
            None => None,
            Some(Piece::Literal(literal)) => rest.strip_prefix(&**literal),
            Some(Piece::AnyOne) => without_first(rest),
            Some(variable @ Piece::Variable(..)) => match variable.text(request) {
                None => return false,
                Some(value) => rest.strip_prefix(&*value),
            },
            Some(Piece::AnyRun) if piece + 1 == pieces.len() => return true,
            Some(Piece::AnyRun) => {
                again = Some((piece + 1, rest));
                Some(rest)
            }
        };
        if let Some(after) = after {
            (piece, rest) = (piece + 1, after);
            continue;
        }
        let Some((next, from)) = again else { return false };
        let Some(from) = without_first(from) else { return false };
        again = Some((next, from));
        (piece, rest) = (next, from);
    }
}

fn without_first(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next().map(|_| characters.as_str())
}
