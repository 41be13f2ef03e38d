//! `$name` and `${name…}`: what stands for a variable.

use super::lexer::{Escapes, Reading, Unset, Within, Wrong, wrong};
use super::pattern;

/// Substitutions inside each other; more is refused before the stack ends.
const MAX_DEPTH: usize = 100;

impl<'a> Reading<'a> {
    /// Reads from a dollar sign.
    pub(super) fn dollar(&mut self) -> Result<String, Wrong> {
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
