//! The flags of an instruction: which there are, and what they were given.

use crate::dockerfile::Refusal;
use crate::dockerfile::problem::one_of;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, `true` or `false`.
    Bool,
    /// One value, once.
    Value,
    /// One value each time.
    Values,
}

/// The flags that were given, in order.
pub(super) struct Flags<'a> {
    given: Vec<(&'a str, &'a str)>,
}

impl<'a> Flags<'a> {
    /// Checks the flags of an instruction against those that it has.
    pub(super) fn parse(flags: &'a [String], known: &[(&str, Takes)]) -> Result<Self, Refusal> {
        let mut given: Vec<(&str, &str)> = Vec::new();
        for flag in flags {
            let (written, value) = match flag.split_once('=') {
                Some((written, value)) => (written, Some(value)),
                None => (flag.as_str(), None),
            };
            let name = written.strip_prefix("--").unwrap_or(written);
            let Some((_, takes)) = known.iter().find(|(known, _)| *known == name) else {
                let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                let remedy = if names.is_empty() {
                    "this instruction has no flags".to_owned()
                } else {
                    one_of(name, &names)
                };
                return Err(Refusal::new(format!("unknown flag: {written}"), remedy));
            };
            if *takes != Takes::Values && given.iter().any(|(other, _)| *other == name) {
                return Err(Refusal::new(format!("duplicate flag specified: {written}"), "give it once"));
            }
            let value = match (takes, value) {
                (Takes::Bool, None) => "true",
                (Takes::Bool, Some(value)) if value.eq_ignore_ascii_case("true") => "true",
                (Takes::Bool, Some(value)) if value.eq_ignore_ascii_case("false") => "false",
                (Takes::Bool, Some(value)) if !value.is_empty() => {
                    let what = format!("expecting boolean value for flag {written}, not: {value}");
                    return Err(Refusal::new(what, "it is true or false"));
                }
                (Takes::Value | Takes::Values, Some(value)) => value,
                (Takes::Value | Takes::Values, None) | (Takes::Bool, Some(_)) => {
                    let what = format!("missing a value on flag: {written}");
                    return Err(Refusal::new(what, format!("write {written}=…")));
                }
            };
            given.push((name, value));
        }
        Ok(Self { given })
    }

    /// Checks that there are none.
    pub(super) fn none(flags: &[String]) -> Result<(), Refusal> {
        Flags::parse(flags, &[]).map(|_| ())
    }

    /// The value of a flag that was given.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }

    /// The value of a flag, empty where it wasn't given.
    pub(super) fn text(&self, name: &str) -> String {
        self.value(name).unwrap_or_default().to_owned()
    }

    /// Whether a flag was given as true or false.
    pub(super) fn choice(&self, name: &str) -> Option<bool> {
        self.value(name).map(|value| value == "true")
    }

    /// All values of a flag.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.given.iter().filter(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned()).collect()
    }
}
