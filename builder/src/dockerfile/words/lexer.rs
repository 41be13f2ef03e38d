//! The lexer: one pass over the characters of a word.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use super::Variables;
use crate::dockerfile::Refusal;
use crate::go;

/// By how many bytes a text may grow when its variables are replaced: `a=$a$a` thirty times is no gigabyte.
const MAX_GROWTH: usize = 1 << 20;

/// How a word is read: BuildKit has one lexer for several tasks.
#[derive(Debug, Clone, Copy)]
pub struct Lexer {
    /// `\`, or the one that the directive `escape` sets.
    pub escape: char,
    /// What becomes of quotes.
    pub quotes: Quotes,
    /// What becomes of escapes.
    pub escapes: Escapes,
    /// What stands for a variable that isn't set.
    pub unset: Unset,
}

/// What becomes of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// They do their work and disappear.
    Remove,
    /// They do their work and stay.
    Keep,
    /// They are characters like others.
    Ignore,
}

/// What becomes of escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escapes {
    /// They do their work and disappear.
    Remove,
    /// They do their work and stay.
    Keep,
}

/// What stands for a variable that isn't set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unset {
    /// Nothing.
    Empty,
    /// The text as it was written.
    Keep,
}

/// What a word became.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The whole, spaces included.
    pub text: String,
    /// The whole cut at spaces that are neither quoted nor escaped, also at those within values.
    pub words: Vec<String>,
    /// The variables that it asks for and that aren't set.
    pub unset: BTreeSet<String>,
}

impl Lexer {
    /// The lexer for the words of instructions.
    pub fn words(escape: char) -> Self {
        Self { escape, quotes: Quotes::Remove, escapes: Escapes::Remove, unset: Unset::Empty }
    }

    /// The lexer for the contents of a heredoc, where quotes are text and the escape is always `\`.
    pub fn contents() -> Self {
        Self { quotes: Quotes::Ignore, ..Self::words('\\') }
    }

    /// The lexer that shows an instruction to people: quotes, escapes and unknown variables stay.
    pub fn display(escape: char) -> Self {
        Self { escape, quotes: Quotes::Keep, escapes: Escapes::Keep, unset: Unset::Keep }
    }

    /// Replaces the variables of `word`.
    ///
    /// # Errors
    /// When a quote or a brace has no end, a substitution is none or asks for an error itself
    /// (`${name:?message}`), or the outcome grows beyond bounds.
    pub fn expand(&self, word: &str, variables: &dyn Variables) -> Result<Expanded, Refusal> {
        let mut reading = Reading {
            lexer: *self,
            // As Go's scanner: a byte order mark at the front is none of the text.
            chars: word.strip_prefix('\u{feff}').unwrap_or(word).chars().peekable(),
            variables,
            escapes: self.escapes,
            depth: 0,
            longest: word.len() + MAX_GROWTH,
            nested: false,
            unset: BTreeSet::new(),
        };
        match reading.until(None, Within::Word) {
            Ok((text, words)) => Ok(Expanded { text, words, unset: reading.unset }),
            Err(Wrong { what, remedy }) => {
                let shown: String = word.chars().take(200).collect();
                let what = format!("failed to process {}: {what}", go::quoted(&shown));
                Err(Refusal::new(what, remedy))
            }
        }
    }
}

/// What is wrong, as in [`Refusal`], before the whole word is named.
pub(super) struct Wrong {
    what: String,
    remedy: &'static str,
}

pub(super) fn wrong(what: impl Into<String>, remedy: &'static str) -> Wrong {
    Wrong { what: what.into(), remedy }
}

/// Whether escapes are doubled within quotes, because what is read becomes a pattern.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Within {
    Word,
    Pattern,
}

/// A word that is being read.
pub(super) struct Reading<'a> {
    pub(super) lexer: Lexer,
    pub(super) chars: Peekable<Chars<'a>>,
    pub(super) variables: &'a dyn Variables,
    /// What becomes of escapes here, which may be in a substitution.
    pub(super) escapes: Escapes,
    /// In how many substitutions this is.
    pub(super) depth: usize,
    /// How long the outcome may become, in bytes.
    pub(super) longest: usize,
    /// Whether a substitution read a text of its own since this was last asked.
    pub(super) nested: bool,
    pub(super) unset: BTreeSet<String>,
}

#[derive(Default)]
struct Words {
    done: Vec<String>,
    current: String,
}

impl Words {
    fn add(&mut self, text: &str) {
        for letter in text.chars() {
            if !letter.is_whitespace() {
                self.current.push(letter);
            } else if !self.current.is_empty() {
                self.done.push(std::mem::take(&mut self.current));
            }
        }
    }

    fn finish(mut self) -> Vec<String> {
        if !self.current.is_empty() {
            self.done.push(self.current);
        }
        self.done
    }
}

impl Reading<'_> {
    pub(super) fn peek(&mut self) -> Option<char> {
        self.chars.peek().copied()
    }

    pub(super) fn skip(&mut self, letter: char) -> bool {
        self.chars.next_if_eq(&letter).is_some()
    }

    /// Reads until `stop`, or the end where that is none.
    pub(super) fn until(
        &mut self,
        stop: Option<char>,
        within: Within,
    ) -> Result<(String, Vec<String>), Wrong> {
        let mut text = String::new();
        let mut words = Words::default();
        let quotes = self.lexer.quotes != Quotes::Ignore;
        while let Some(letter) = self.peek() {
            match letter {
                _ if Some(letter) == stop => {
                    self.chars.next();
                    return Ok((text, words.finish()));
                }
                '$' => {
                    let value = self.dollar()?;
                    self.forget_begun(&mut words);
                    words.add(&value);
                    text.push_str(&value);
                }
                '\'' | '"' if quotes => {
                    let quoted =
                        if letter == '"' { self.double_quoted(within)? } else { self.single_quoted(within)? };
                    self.forget_begun(&mut words);
                    words.current.push_str(&quoted);
                    text.push_str(&quoted);
                }
                '<' => {
                    let mark = self.heredoc_mark();
                    words.current.push_str(&mark);
                    text.push_str(&mark);
                }
                _ => {
                    self.chars.next();
                    if letter != self.lexer.escape {
                        words.add(letter.encode_utf8(&mut [0; 4]));
                        text.push(letter);
                    } else {
                        if self.escapes == Escapes::Keep {
                            words.current.push(letter);
                            text.push(letter);
                        }
                        let Some(escaped) = self.chars.next() else { break };
                        words.current.push(escaped);
                        text.push(escaped);
                    }
                }
            }
            self.bound(text.len())?;
        }
        match stop {
            Some(stop) => Err(wrong(
                format!("unexpected end of statement while looking for matching {stop}"),
                "close the substitution with a brace",
            )),
            None => Ok((text, words.finish())),
        }
    }

    /// As BuildKit: a substitution that holds a text of its own forgets the word begun before it.
    /// Only `EXPOSE` shows it: `80${unset:-81}` is the port 81.
    fn forget_begun(&mut self, words: &mut Words) {
        if std::mem::take(&mut self.nested) {
            words.current.clear();
        }
    }

    fn bound(&self, length: usize) -> Result<(), Wrong> {
        if length <= self.longest {
            return Ok(());
        }
        let what = format!("the outcome is larger than {} bytes", self.longest);
        Err(wrong(what, "use shorter values, or a file"))
    }

    fn single_quoted(&mut self, within: Within) -> Result<String, Wrong> {
        let mut text = String::new();
        let keep = self.lexer.quotes == Quotes::Keep;
        self.chars.next();
        if keep {
            text.push('\'');
        }
        loop {
            match self.chars.next() {
                None => {
                    return Err(wrong(
                        "unexpected end of statement while looking for matching single-quote",
                        "close the quote, or escape it",
                    ));
                }
                Some('\'') => {
                    if keep {
                        text.push('\'');
                    }
                    return Ok(text);
                }
                Some(letter) => {
                    if within == Within::Pattern && letter == self.lexer.escape {
                        text.push(letter);
                    }
                    text.push(letter);
                }
            }
        }
    }

    fn double_quoted(&mut self, within: Within) -> Result<String, Wrong> {
        let mut text = String::new();
        let keep = self.lexer.quotes == Quotes::Keep;
        self.chars.next();
        if keep {
            text.push('"');
        }
        loop {
            match self.peek() {
                None => {
                    return Err(wrong(
                        "unexpected end of statement while looking for matching double-quote",
                        "close the quote, or escape it",
                    ));
                }
                Some('"') => {
                    self.chars.next();
                    if keep {
                        text.push('"');
                    }
                    return Ok(text);
                }
                Some('$') => {
                    text.push_str(&self.dollar()?);
                    self.bound(text.len())?;
                }
                Some(letter) => {
                    self.chars.next();
                    if letter != self.lexer.escape {
                        text.push(letter);
                        continue;
                    }
                    let kept = self.escapes == Escapes::Keep;
                    match self.peek() {
                        None => {}
                        Some(escaped) if escaped == '"' || escaped == '$' || escaped == letter => {
                            if kept {
                                text.push(letter);
                            }
                            self.chars.next();
                            text.push(escaped);
                        }
                        Some(_) => {
                            if kept && (!keep || within == Within::Pattern) {
                                text.push(letter);
                            }
                            text.push(letter);
                        }
                    }
                }
            }
        }
    }

    /// `<`, or `<<` with the space behind it, so that the name of a heredoc stays in its word.
    fn heredoc_mark(&mut self) -> String {
        let mut mark = String::from("<");
        self.chars.next();
        if self.skip('<') {
            mark.push('<');
            while let Some(space) = self.chars.next_if(|c| matches!(c, '\t' | '\r' | ' ')) {
                mark.push(space);
            }
        }
        mark
    }
}
