//! Docker's token scopes (distribution's *Token Scope Documentation*): `repository:a/b:pull,push`.

use std::fmt;
use std::str::FromStr;

use berth_oci::RepositoryName;
use serde::{Deserialize, Serialize};

use crate::error::shortened;
use crate::{Action, ParseError};

/// What a token may be good for: a bundle of actions under docker's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Word {
    /// Read.
    Pull,
    /// Write.
    Push,
    /// Delete.
    Delete,
}

impl Word {
    /// Every word, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::Delete];

    /// The word as it stands in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }

    /// The actions in the bundle.
    pub const fn actions(self) -> &'static [Action] {
        match self {
            Self::Pull => &[
                Action::BatchGetImage,
                Action::GetDownloadUrlForLayer,
                Action::BatchCheckLayerAvailability,
                Action::ListImages,
                Action::ListImageReferrers,
            ],
            Self::Push => &[
                Action::BatchCheckLayerAvailability,
                Action::InitiateLayerUpload,
                Action::UploadLayerPart,
                Action::CompleteLayerUpload,
                Action::PutImage,
                Action::CreateRepository,
            ],
            Self::Delete => &[Action::BatchDeleteImage],
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of [`Word`]s.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Words(u8);

impl Words {
    /// No word.
    pub const NONE: Self = Self(0);
    /// All words: `*`.
    pub const ALL: Self = Self(Word::Pull.bit() | Word::Push.bit() | Word::Delete.bit());

    /// Whether `word` is among them.
    pub fn contains(self, word: Word) -> bool {
        self.0 & word.bit() != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The words of either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The words of both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The words in the order of [`Word::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Word> {
        Word::ALL.into_iter().filter(move |&word| self.contains(word))
    }

    /// The words that `text` names; one that is unknown counts for nothing.
    fn of(text: &str) -> Self {
        match text {
            "*" => Self::ALL,
            text => Word::ALL.into_iter().filter(|word| word.as_str() == text).collect(),
        }
    }
}

impl FromIterator<Word> for Words {
    fn from_iter<I: IntoIterator<Item = Word>>(words: I) -> Self {
        Self(words.into_iter().fold(0, |bits, word| bits | word.bit()))
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What a scope speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Resource {
    /// One repository, whether it is there or not.
    Repository(RepositoryName),
    /// The list of repositories: `registry:catalog`.
    Catalog,
}

impl Resource {
    fn parse(kind: &str, name: &str) -> Option<Self> {
        // A class in parentheses, as in `repository(plugin)`, makes no difference here.
        let kind = match kind.split_once('(') {
            Some((kind, class)) if class.ends_with(')') => kind,
            Some(_) => return None,
            None => kind,
        };
        match (kind, name) {
            ("repository", name) => name.parse().ok().map(Self::Repository),
            ("registry", "catalog") => Some(Self::Catalog),
            _ => None,
        }
    }

    fn kind_and_name(&self) -> (&'static str, &str) {
        match self {
            Self::Repository(name) => ("repository", name.as_str()),
            Self::Catalog => ("registry", "catalog"),
        }
    }
}

/// One scope of a token: what, and which words on it. Its JSON is an entry of a token's `access`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// What it speaks of.
    pub resource: Resource,
    /// Which words; those of a parsed scope are never empty.
    pub words: Words,
}

impl Scope {
    /// The scope to ask for, in a challenge, when `action` on `repository` needs one.
    ///
    /// A push asks for `pull,push`, as clients look before they push. None: no scope would help.
    pub fn needed(action: Action, repository: Option<&RepositoryName>) -> Option<Self> {
        let Some(repository) = repository else {
            let is_catalog = action == Action::DescribeRepositories;
            return is_catalog.then_some(Self { resource: Resource::Catalog, words: Words::ALL });
        };
        let words = match action.word()? {
            Word::Push => Words::from_iter([Word::Pull, Word::Push]),
            word => Words::from_iter([word]),
        };
        Some(Self { resource: Resource::Repository(repository.clone()), words })
    }
}

impl FromStr for Scope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let unknown = || ParseError::Scope(shortened(text));
        let (kind, rest) = text.split_once(':').ok_or_else(unknown)?;
        let (name, words) = rest.rsplit_once(':').ok_or_else(unknown)?;
        let resource = Resource::parse(kind, name).ok_or_else(unknown)?;
        let words = words.split(',').map(Words::of).fold(Words::NONE, Words::union);
        if words.is_empty() { Err(unknown()) } else { Ok(Self { resource, words }) }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.resource.kind_and_name();
        write!(f, "{kind}:{name}:{}", self.words_written().join(","))
    }
}

impl Scope {
    /// Clients know the catalog's scope only as `*`, and a repository's only word by word.
    fn words_written(&self) -> Vec<&'static str> {
        match self.resource {
            Resource::Catalog if self.words == Words::ALL => vec!["*"],
            Resource::Catalog | Resource::Repository(_) => self.words.iter().map(Word::as_str).collect(),
        }
    }
}

/// How many scopes one token carries at most, so that it stays under [`crate::MAX_TOKEN_BYTES`].
const MAX_SCOPES: usize = 32;

/// The scopes in the values of a request's `scope` parameters, each of which may hold several.
///
/// What does not parse is ignored, as is what comes after the first 32; the same resource twice
/// becomes one scope.
pub fn parse_scopes<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = Vec::new();
    for text in texts.into_iter().flat_map(str::split_ascii_whitespace) {
        let Ok(scope) = text.parse::<Scope>() else { continue };
        let known = scopes.iter().position(|known| known.resource == scope.resource);
        match known {
            Some(at) => scopes[at].words = scopes[at].words.union(scope.words),
            None if scopes.len() < MAX_SCOPES => scopes.push(scope),
            None => {}
        }
    }
    scopes
}

/// An entry of a token's `access` (distribution's *Token Authentication Implementation*).
#[derive(Serialize, Deserialize)]
struct Access {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    actions: Vec<String>,
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, name) = self.resource.kind_and_name();
        let actions = self.words_written().into_iter().map(str::to_owned).collect();
        Access { kind: kind.to_owned(), name: name.to_owned(), actions }.serialize(serializer)
    }
}

/// Reads `access`, ignoring entries that this registry does not know.
pub(crate) fn read_access<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<Scope>>, D::Error> {
    let known = |entry: Access| {
        let resource = Resource::parse(&entry.kind, &entry.name)?;
        let words = entry.actions.iter().map(|word| Words::of(word)).fold(Words::NONE, Words::union);
        (!words.is_empty()).then_some(Scope { resource, words })
    };
    let access = Option::<Vec<Access>>::deserialize(from)?;
    Ok(access.map(|entries| entries.into_iter().filter_map(known).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_parsed_and_written_canonically() {
        for (text, canonical) in [
            ("repository:a/b:pull", "repository:a/b:pull"),
            ("repository:a/b:push,pull,pull", "repository:a/b:pull,push"),
            ("repository:a:*", "repository:a:pull,push,delete"),
            ("repository:a:pull,fly", "repository:a:pull"),
            ("repository(plugin):a:pull", "repository:a:pull"),
            ("registry:catalog:*", "registry:catalog:*"),
            ("registry:catalog:pull", "registry:catalog:pull"),
        ] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn scopes_outside_the_grammar_are_refused() {
        for text in [
            "",
            "repository",
            "repository:a",
            "repository:a:",
            "repository:a:fly",
            "repository::pull",
            "repository:A:pull",
            "repository:localhost:5000/a:pull",
            "repository(plugin:a:pull",
            "registry:other:*",
            "blob:a:pull",
            "repository:a/../b:pull",
        ] {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn several_scopes_are_merged_and_bad_ones_ignored() {
        let scopes =
            parse_scopes(["repository:a:pull nonsense repository:b:pull,push", "repository:a:delete", ""]);
        let written: Vec<_> = scopes.iter().map(Scope::to_string).collect();
        assert_eq!(written, ["repository:a:pull,delete", "repository:b:pull,push"]);
    }

    #[test]
    fn scopes_past_the_bound_are_ignored() {
        let many: String = (0..100).map(|i| format!("repository:a{i}:pull ")).collect();
        assert_eq!(parse_scopes([many.as_str()]).len(), MAX_SCOPES);
    }

    #[test]
    fn a_challenge_asks_for_what_the_action_needs() {
        let app: RepositoryName = "app".parse().unwrap();
        for (action, repository, expected) in [
            (Action::BatchGetImage, Some(&app), Some("repository:app:pull")),
            (Action::PutImage, Some(&app), Some("repository:app:pull,push")),
            (Action::BatchDeleteImage, Some(&app), Some("repository:app:delete")),
            (Action::DescribeRepositories, None, Some("registry:catalog:*")),
            (Action::GetAuthorizationToken, None, None),
            (Action::ManageUsers, None, None),
        ] {
            let scope = Scope::needed(action, repository).map(|scope| scope.to_string());
            assert_eq!(scope.as_deref(), expected, "{action}");
        }
    }
}
