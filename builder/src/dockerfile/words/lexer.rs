//! The lexer: one pass over the characters of a word.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use super::{Variables, pattern};
use crate::dockerfile::Refusal;
use crate::go;

/// Substitutions inside each other; more is refused before the stack ends.
const MAX_DEPTH: usize = 100;

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
enum Within {
    Word,
    Pattern,
}

struct Reading<'a> {
    lexer: Lexer,
    chars: Peekable<Chars<'a>>,
    variables: &'a dyn Variables,
    escapes: Escapes,
    depth: usize,
    longest: usize,
    /// Whether a substitution read a text of its own since this was last asked.
    nested: bool,
    unset: BTreeSet<String>,
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

impl<'a> Reading<'a> {
    fn peek(&mut self) -> Option<char> {
        self.chars.peek().copied()
    }

    fn skip(&mut self, letter: char) -> bool {
        self.chars.next_if_eq(&letter).is_some()
    }

    /// Reads until `stop`, or the end where that is none.
    fn until(&mut self, stop: Option<char>, within: Within) -> Result<(String, Vec<String>), Wrong> {
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

    fn dollar(&mut self) -> Result<String, Wrong> {
        self.chars.next();
        if !self.skip('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(self.plain(&name).map_or_else(|| format!("${name}"), str::to_owned));
        }
        match self.peek() {
            None => return Err(missing_brace()),
            Some('{' | '}' | ':') => {
                return Err(wrong(
                    "syntax error: bad substitution",
                    "write ${name}, or \\$ for a dollar sign",
                ));
            }
            Some(_) => {}
        }
        let name = self.name();
        if self.skip('}') {
            return Ok(self.plain(&name).map_or_else(|| format!("${{{name}}}"), str::to_owned));
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let what = format!("more than {MAX_DEPTH} substitutions inside each other");
            return Err(wrong(what, "set a variable for a part of them"));
        }
        let value = if self.skip('/') { self.replaced(&name) } else { self.modified(&name) };
        self.depth -= 1;
        value
    }

    /// The value of a variable; none where it isn't set and its text is to stay.
    fn plain(&mut self, name: &str) -> Option<&'a str> {
        match self.variables.value(name) {
            Some(value) => Some(value),
            None => {
                self.unset.insert(name.to_owned());
                (self.lexer.unset == Unset::Empty).then_some("")
            }
        }
    }

    /// Reads the text behind an operator.
    fn operand(&mut self, stop: char, escapes: Escapes, within: Within) -> Result<String, Wrong> {
        self.nested = true;
        let outer = std::mem::replace(&mut self.escapes, escapes);
        let read = self.until(Some(stop), within);
        self.escapes = outer;
        match read {
            Ok((text, _)) => Ok(text),
            Err(_) if self.peek().is_none() && stop == '/' => {
                Err(wrong("syntax error: missing '/' in ${}", "write ${name/pattern/replacement}"))
            }
            Err(_) if self.peek().is_none() => Err(missing_brace()),
            Err(wrong) => Err(wrong),
        }
    }

    /// `${name` and one of `- + ? # %`, the first three also after a colon.
    fn modified(&mut self, name: &str) -> Result<String, Wrong> {
        let mut operator = self.chars.next().unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut written = String::from(operator);
        let empty_is_unset = operator == ':';
        if empty_is_unset {
            operator = self.chars.next().unwrap_or(char::REPLACEMENT_CHARACTER);
            written.push(operator);
        }
        let unsupported = || {
            let what = format!("unsupported modifier ({written}) in substitution");
            wrong(
                what,
                "close the brace behind the name; the modifiers are :- - :+ + :? ? # ## % %% / and //",
            )
        };
        let trims = matches!(operator, '#' | '%');
        if trims && empty_is_unset || !empty_is_unset && !matches!(operator, '+' | '-' | '?' | '#' | '%') {
            return Err(unsupported());
        }
        let (escapes, within) =
            if trims { (Escapes::Keep, Within::Pattern) } else { (Escapes::Remove, Within::Word) };
        let word = self.operand('}', escapes, within)?;
        let value = self.variables.value(name);
        if value.is_none() {
            self.unset.insert(name.to_owned());
            if self.lexer.unset == Unset::Keep {
                return Ok(format!("${{{name}{written}{word}}}"));
            }
        }
        let given = value.filter(|value| !(empty_is_unset && value.is_empty()));
        match operator {
            '-' => Ok(given.map_or(word, str::to_owned)),
            '+' => Ok(given.map_or_else(String::new, |_| word)),
            '?' => given.map(str::to_owned).ok_or_else(|| {
                let state = if value.is_none() { "unset" } else { "empty" };
                let message =
                    if word.is_empty() { format!("is not allowed to be {state}") } else { word.clone() };
                wrong(format!("{name}: {message}"), "set it with ARG, ENV or --build-arg")
            }),
            '#' => pattern::without_prefix(&word, value.unwrap_or_default()),
            '%' => pattern::without_suffix(&word, value.unwrap_or_default()),
            _ => Err(unsupported()),
        }
    }

    /// `${name/pattern/replacement}`, with two slashes for all matches.
    fn replaced(&mut self, name: &str) -> Result<String, Wrong> {
        let slashes = if self.skip('/') { "//" } else { "/" };
        let pattern = self.operand('/', Escapes::Keep, Within::Pattern)?;
        let replacement = self.operand('}', Escapes::Keep, Within::Word)?;
        let value = self.variables.value(name);
        if value.is_none() {
            self.unset.insert(name.to_owned());
            if self.lexer.unset == Unset::Keep {
                // As BuildKit: with one slash, also where there were two.
                return Ok(format!("${{{name}/{pattern}/{replacement}}}"));
            }
        }
        let value = value.unwrap_or_default();
        match slashes {
            "/" => pattern::replace_first(&pattern, value, &replacement),
            _ => pattern::replace_all(&pattern, value, &replacement, self.longest),
        }
    }

    /// A name: letters, digits and `_`; or a number; or one of the shell's special parameters.
    fn name(&mut self) -> String {
        let mut name = String::new();
        let Some(first) = self.peek() else { return name };
        let of_the_name: fn(&char) -> bool = if first.is_ascii_digit() {
            |c| c.is_ascii_digit()
        } else if matches!(first, '@' | '*' | '#' | '?' | '-' | '$' | '!') {
            self.chars.next();
            return first.to_string();
        } else {
            |c| c.is_alphanumeric() || *c == '_'
        };
        while let Some(letter) = self.chars.next_if(of_the_name) {
            name.push(letter);
        }
        name
    }
}

fn missing_brace() -> Wrong {
    wrong("syntax error: missing '}'", "close the substitution with a brace, or write \\$ for a dollar sign")
}
