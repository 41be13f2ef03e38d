//! What was written, and where: the merged tree before it is given its types.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::error::{ConfigError, Warning};
use super::reader::{Reader, Refusal};

/// Where a value was written, for sentences about it.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    Default,
    File { file: Arc<str>, line: usize },
    Environment(String),
    Flag(&'static str),
}

impl Origin {
    /// Whether the value is text whatever its key's type is.
    pub(super) fn is_untyped(&self) -> bool {
        matches!(self, Self::Environment(_) | Self::Flag(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { file, line } => write!(f, "{file}, line {line}"),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Values by key, the later word over the earlier one; keys are written `section.key`.
#[derive(Debug, Default)]
pub(super) struct Settings {
    table: Table,
    origins: HashMap<String, Origin>,
}

impl Settings {
    pub(super) fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let file: Arc<str> = path.display().to_string().into();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::unreadable(&file, &error))?;
        let origin = |offset: usize| {
            let before = text.as_bytes().get(..offset).unwrap_or_default();
            let line = 1 + before.iter().filter(|b| **b == b'\n').count();
            Origin::File { file: file.clone(), line }
        };
        let syntax = |error: &toml::de::Error| {
            ConfigError::syntax(&origin(error.span().map_or(0, |span| span.start)), error.message())
        };
        let mut origins = HashMap::new();
        let spanned = DeTable::parse(&text).map_err(|error| syntax(&error))?;
        locate(spanned.get_ref(), "", &mut |key, offset| {
            origins.insert(key, origin(offset));
        });
        let table = text.parse::<Table>().map_err(|error| syntax(&error))?;
        Ok(Self { table, origins })
    }

    /// Sets a key, making its section if need be; `false` if a section would become a value or a
    /// value a section.
    pub(super) fn set(&mut self, key: &str, value: impl Into<String>, origin: Origin) -> bool {
        let (sections, last) = match key.rsplit_once('.') {
            Some((sections, last)) => (sections, last),
            None => ("", key),
        };
        let mut table = &mut self.table;
        for section in sections.split('.').filter(|section| !section.is_empty()) {
            let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = entry else { return false };
            table = inner;
        }
        if matches!(table.get(last), Some(Value::Table(_))) {
            return false;
        }
        table.insert(last.to_owned(), Value::String(value.into()));
        self.origins.insert(key.to_owned(), origin);
        true
    }

    /// `BERTH_SECTION__KEY` sets `section.key`.
    pub(super) fn set_from_environment(&mut self, name: &str, value: &str) -> bool {
        let key = name.strip_prefix("BERTH_").unwrap_or(name).to_ascii_lowercase().replace("__", ".");
        self.set(&key, value, Origin::Environment(name.to_owned()))
    }

    pub(super) fn set_default(&mut self, key: &str, value: &str) {
        if self.find(key).is_none() {
            self.set(key, value, Origin::Default);
        }
    }

    /// Sets a secret to what is in the file that `<key>_file` names, if it does.
    pub(super) fn read_secret_file(&mut self, key: &str) -> Result<(), ConfigError> {
        let file_key = format!("{key}_file");
        let Some(file) = self.text(&file_key).map(str::to_owned) else { return Ok(()) };
        let origin = self.origin(&file_key).clone();
        let refuse = |what: String| Err(ConfigError::at(&origin, &file_key, format!("{file_key}: {what}")));
        if self.find(key).is_some() {
            return refuse(format!("{key} is set too; keep one of them"));
        }
        let secret = match std::fs::read_to_string(&file) {
            Ok(text) => text.lines().next().unwrap_or_default().trim().to_owned(),
            Err(error) => return refuse(format!("reading {file}: {error}")),
        };
        if secret.is_empty() {
            return refuse(format!("{file} is empty"));
        }
        self.remove(&file_key);
        self.set(key, secret, origin);
        Ok(())
    }

    /// The text of a key, if it is text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.find(key).and_then(Value::as_str)
    }

    fn find(&self, key: &str) -> Option<&Value> {
        let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
        let value = self.table.get(first)?;
        rest.map_or(Some(value), |rest| value.get(rest))
    }

    fn remove(&mut self, key: &str) {
        let (section, last) = key.rsplit_once('.').unwrap_or(("", key));
        let table = section
            .split('.')
            .filter(|section| !section.is_empty())
            .try_fold(&mut self.table, |table, section| table.get_mut(section).and_then(Value::as_table_mut));
        if let Some(table) = table {
            table.remove(last);
        }
        self.origins.retain(|known, _| known != key && !known.starts_with(&format!("{key}.")));
    }

    /// Where a key, or else the section around it, or else anything inside it, was written.
    pub(super) fn origin(&self, key: &str) -> &Origin {
        let mut known = key;
        loop {
            if let Some(origin) = self.origins.get(known) {
                return origin;
            }
            let Some((section, _)) = known.rsplit_once('.') else { break };
            known = section;
        }
        let inside = format!("{key}.");
        let mut below = self.origins.iter().filter(|(known, _)| known.starts_with(&inside));
        below.next().map_or(&Origin::Default, |(_, origin)| origin)
    }

    /// Gives every value its type. A name of the environment that matches no key is a warning and
    /// left out; the same in the file is an error.
    pub(super) fn read<T: DeserializeOwned>(mut self, warnings: &mut Vec<Warning>) -> Result<T, ConfigError> {
        loop {
            let refusal = match T::deserialize(Reader::new(&Value::Table(self.table.clone()), &self)) {
                Ok(value) => return Ok(value),
                Err(refusal) => refusal,
            };
            let key = refusal.key().to_owned();
            let names = self.environment_names(&key);
            if names.is_empty() || !refusal.is_unknown_key() {
                return Err(refusal.into_error(self.origin(&key)));
            }
            warnings.extend(names.iter().map(|name| Warning::unknown_variable(name, refusal.nearest())));
            self.remove(&key);
        }
    }

    /// The variables that set this key or something inside it, if nothing else did.
    fn environment_names(&self, key: &str) -> Vec<String> {
        let inside = format!("{key}.");
        let concerned = self.origins.iter().filter(|(known, _)| *known == key || known.starts_with(&inside));
        let names: Option<Vec<_>> = concerned
            .map(|(_, origin)| match origin {
                Origin::Environment(name) => Some(name.clone()),
                Origin::Default | Origin::File { .. } | Origin::Flag(_) => None,
            })
            .collect();
        let mut names = names.unwrap_or_default();
        names.sort();
        names
    }
}

fn locate(table: &DeTable<'_>, prefix: &str, found: &mut impl FnMut(String, usize)) {
    for (key, value) in table.iter() {
        let path =
            if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        found(path.clone(), key.span().start);
        if let DeValue::Table(inner) = value.get_ref() {
            locate(inner, &path, found);
        }
    }
}

impl Refusal {
    fn into_error(self, origin: &Origin) -> ConfigError {
        let key = self.key().to_owned();
        ConfigError::at(origin, &key, self)
    }
}
