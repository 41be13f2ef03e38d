//! Policy documents (IAM's *JSON policy element reference*), parsed once into what is evaluated.

use std::fmt;

use super::actions::{ActionSet, Services};
use super::condition::{self, Condition};
use super::json::{At, Node};
use super::pattern::Variables;
use super::principals::Principals;
use super::request::{Account, Request};
use super::resources::{Resource, Resources};

/// The longest document that is taken, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 10_240;

/// What is wrong with a document, and where; a sentence that a person may be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: expected {expected}, found {found}")]
pub struct DocumentError {
    /// Where, such as `Statement[1].Condition.IpAddress.aws:SourceIp`.
    pub place: String,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

/// A policy that is attached to identities: it says on which resources.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityPolicy {
    statements: Box<[Statement<Resources>]>,
}

/// A policy of one repository: it says for whom.
#[derive(Debug, Clone, PartialEq)]
pub struct RepositoryPolicy {
    statements: Box<[Statement<Principals>]>,
}

/// What a statement says of whatever it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It may be done, if no other statement forbids it.
    Allow,
    /// It may not be done.
    Deny,
}

/// What a statement is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StatementName {
    /// Its `Sid`.
    Sid(Box<str>),
    /// Its place in the document, from 0.
    Index(usize),
}

impl fmt::Display for StatementName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sid(sid) => f.write_str(sid),
            Self::Index(index) => write!(f, "Statement[{index}]"),
        }
    }
}

/// What a document says of a request: its first Deny that matches, else its first Allow.
pub(super) type Opinion<'d> = Option<(Effect, &'d StatementName)>;

#[derive(Debug, Clone, PartialEq)]
struct Statement<L> {
    name: StatementName,
    effect: Effect,
    actions: ActionSet,
    limit: L,
    conditions: Box<[Condition]>,
}

impl IdentityPolicy {
    /// Reads a document whose ARNs are those of `account`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str, account: &Account) -> Result<Self, DocumentError> {
        const RESOURCES: &str = "either Resource or NotResource";
        let statements = statements(text, |statement, variables| {
            statement
                .has_no("Principal", "no principal: an identity policy speaks of whom it is attached to")?;
            statement.has_no(
                "NotPrincipal",
                "no principal: an identity policy speaks of whom it is attached to",
            )?;
            let read = |at: At<'_>| at.each(|at| Resource::read(at, account, variables));
            let limit = match statement.either("Resource", "NotResource", RESOURCES)? {
                Either::First(at) => Resources::These(read(at)?),
                Either::Second(at) => Resources::AllBut(read(at)?),
            };
            Ok((limit, Services::Any))
        })?;
        Ok(Self { statements })
    }

    pub(super) fn opinion(&self, request: &Request<'_>) -> Opinion<'_> {
        opinion(&self.statements, request, |resources| resources.match_request(request))
    }
}

impl RepositoryPolicy {
    /// Reads a document whose principals are those of `account`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str, account: &Account) -> Result<Self, DocumentError> {
        const PRINCIPALS: &str = "either Principal or NotPrincipal";
        let statements = statements(text, |statement, _| {
            statement.has_no("Resource", "no resource: a repository's policy speaks of its repository")?;
            statement.has_no("NotResource", "no resource: a repository's policy speaks of its repository")?;
            let limit = match statement.either("Principal", "NotPrincipal", PRINCIPALS)? {
                Either::First(at) => Principals::these(at, account)?,
                Either::Second(at) => Principals::all_but(at, account)?,
            };
            Ok((limit, Services::EcrOnly))
        })?;
        Ok(Self { statements })
    }

    pub(super) fn opinion(&self, request: &Request<'_>) -> Opinion<'_> {
        opinion(&self.statements, request, |principals| principals.match_request(request))
    }
}

fn opinion<'d, L>(
    statements: &'d [Statement<L>],
    request: &Request<'_>,
    reaches: impl Fn(&L) -> bool,
) -> Opinion<'d> {
    let mut allowing = None;
    for statement in statements {
        let matches = statement.actions.contains(request.action)
            && reaches(&statement.limit)
            && statement.conditions.iter().all(|condition| condition.holds(request));
        match (matches, statement.effect) {
            (true, Effect::Deny) => return Some((Effect::Deny, &statement.name)),
            (true, Effect::Allow) => allowing = allowing.or(Some((Effect::Allow, &statement.name))),
            (false, _) => {}
        }
    }
    allowing
}

/// One of two elements.
enum Either<'p> {
    First(At<'p>),
    Second(At<'p>),
}

/// An object whose elements are all known.
struct Elements<'p> {
    of: At<'p>,
    entries: Vec<(&'p str, At<'p>)>,
}

impl<'p> Elements<'p> {
    fn read(of: &'p At<'p>, known: &[&str]) -> Result<Self, DocumentError> {
        let entries: Vec<_> = of.entries("an object")?.collect();
        match entries.iter().find(|(name, _)| !known.contains(name)) {
            Some((_, at)) => {
                Err(at.refuse_as(format!("only the elements {}", known.join(", ")), "an unknown element"))
            }
            None => Ok(Self { of: *of, entries }),
        }
    }

    fn get(&self, name: &str) -> Option<At<'p>> {
        self.entries.iter().find(|(known, _)| *known == name).map(|(_, at)| *at)
    }

    fn has_no(&self, name: &str, expected: &str) -> Result<(), DocumentError> {
        self.get(name).map_or(Ok(()), |at| Err(at.refuse_as(expected, "one")))
    }

    fn need(&self, name: &str) -> Result<At<'p>, DocumentError> {
        self.get(name).ok_or_else(|| self.of.refuse_as(format!("the element {name}"), "none"))
    }

    fn either(&self, first: &str, second: &str, expected: &str) -> Result<Either<'p>, DocumentError> {
        match (self.get(first), self.get(second)) {
            (Some(at), None) => Ok(Either::First(at)),
            (None, Some(at)) => Ok(Either::Second(at)),
            (Some(_), Some(_)) => Err(self.of.refuse_as(expected, "both")),
            (None, None) => Err(self.of.refuse_as(expected, "neither")),
        }
    }
}

const STATEMENT_ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Reads what both kinds of documents have; `limit` reads what only one has.
fn statements<L>(
    text: &str,
    limit: impl Fn(&Elements<'_>, Variables) -> Result<(L, Services), DocumentError>,
) -> Result<Box<[Statement<L>]>, DocumentError> {
    let node = tree(text)?;
    let root = At::document(&node);
    let document = Elements::read(&root, &["Version", "Id", "Statement"])?;
    let variables = match document.get("Version") {
        // The version that IAM assumes knows no variables.
        None => Variables::Literal,
        Some(at) => match at.text(VERSION)? {
            "2012-10-17" => Variables::Meant,
            "2008-10-17" => Variables::Literal,
            _ => return Err(at.refuse(VERSION)),
        },
    };
    if let Some(id) = document.get("Id") {
        id.text("text")?;
    }
    let mut index = 0;
    let mut sids: Vec<Box<str>> = Vec::new();
    document.need("Statement")?.each(|at| {
        let elements = Elements::read(&at, &STATEMENT_ELEMENTS)?;
        let name = name(&elements, index, &mut sids)?;
        index += 1;
        let effect = elements.need("Effect")?;
        let effect = match effect.text(EFFECT)? {
            "Allow" => Effect::Allow,
            "Deny" => Effect::Deny,
            _ => return Err(effect.refuse(EFFECT)),
        };
        let (limit, services) = limit(&elements, variables)?;
        let actions = match elements.either("Action", "NotAction", "either Action or NotAction")? {
            Either::First(at) => ActionSet::read(at, services)?,
            Either::Second(at) => ActionSet::read(at, services)?.others(),
        };
        let conditions = elements.get("Condition").map(|at| condition::read(at, variables)).transpose()?;
        Ok(Statement { name, effect, actions, limit, conditions: conditions.unwrap_or_default() })
    })
}

const VERSION: &str = "\"2012-10-17\" or \"2008-10-17\"";
const EFFECT: &str = "\"Allow\" or \"Deny\"";

fn name(
    statement: &Elements<'_>,
    index: usize,
    sids: &mut Vec<Box<str>>,
) -> Result<StatementName, DocumentError> {
    const SID: &str = "1 to 128 letters, digits, spaces, '-' and '_'";
    let Some(at) = statement.get("Sid") else { return Ok(StatementName::Index(index)) };
    let sid = at.text(SID)?;
    if sid.is_empty() {
        return Ok(StatementName::Index(index));
    }
    if sid.len() > 128 || !sid.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_".contains(&b)) {
        return Err(at.refuse(SID));
    }
    if sids.iter().any(|known| **known == *sid) {
        return Err(at.refuse("a Sid that no other statement of the document has"));
    }
    sids.push(sid.into());
    Ok(StatementName::Sid(sid.into()))
}

fn tree(text: &str) -> Result<Node, DocumentError> {
    let refuse =
        |expected: String, found: String| DocumentError { place: "the document".to_owned(), expected, found };
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(refuse(format!("at most {MAX_DOCUMENT_BYTES} bytes"), text.len().to_string()));
    }
    serde_json::from_str(text).map_err(|error| refuse("JSON".to_owned(), error.to_string()))
}
