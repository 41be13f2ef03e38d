//! Documents against requests, in a shorthand: one line a case.

mod properties;
mod refusals;
mod repository;
mod shipped;
mod table;

use super::*;
use crate::{Action, Identity};
use berth_oci::RepositoryName;
use serde_json::{Map, Value, json};

/// An identity that has nothing.
fn identity(name: &str) -> Identity {
    Identity {
        id: format!("id-of-{name}").parse().unwrap(),
        name: name.parse().unwrap(),
        attachments: Vec::new(),
        disabled: false,
        credentials_changed_at: 0,
    }
}

fn account() -> Account {
    Account::default()
}

/// A request from nowhere, unencrypted, at the epoch.
fn nowhere(account: &Account) -> Context<'_> {
    Context { account, address: None, transport: Transport::Plain, now: 0 }
}

/// One value, or several between bars.
fn one_or_several(text: &str, each: impl Fn(&str) -> Value) -> Value {
    match text.split('|').map(each).collect::<Vec<_>>().as_slice() {
        [one] => one.clone(),
        several => json!(several),
    }
}

fn element(name: &str, text: &str, each: impl Fn(&str) -> Value) -> (String, Value) {
    match text.strip_prefix('!') {
        Some(text) => (format!("Not{name}"), one_or_several(text, each)),
        None => (name.to_owned(), one_or_several(text, each)),
    }
}

/// `Allow ecr:PutImage|ecr:Get* on team-a/* if Bool aws:SecureTransport true as Sid`: `on !` is
/// NotResource, `!` before the actions NotAction, `for` and `for !` the principals.
fn statement(text: &str) -> Value {
    let mut words = text.split_whitespace();
    let mut statement = Map::new();
    statement.insert("Effect".to_owned(), words.next().unwrap().into());
    statement.extend([element("Action", words.next().unwrap(), |action| json!(action))]);
    let mut conditions = Map::new();
    while let Some(word) = words.next() {
        let value = words.next().unwrap();
        match word {
            "on" => statement.extend([element("Resource", value, |name| match name {
                name if name == "*" || name.starts_with("arn:") => json!(name),
                name => json!(format!("arn:aws:ecr:us-east-1:000000000000:repository/{name}")),
            })]),
            "for" => statement.extend([element("Principal", value, |name| match name {
                name if name.starts_with("arn:") || name == "*" => json!(name),
                name if name.bytes().all(|b| b.is_ascii_digit()) => json!(name),
                name => json!(format!("arn:aws:iam::000000000000:user/{name}")),
            })]),
            "as" => drop(statement.insert("Sid".to_owned(), value.into())),
            "if" => {
                let (key, values) = (words.next().unwrap(), words.next().unwrap());
                let values = one_or_several(values, |value| json!(value.replace("␣", " ")));
                let keys = conditions.entry(value).or_insert_with(|| json!({}));
                keys.as_object_mut().unwrap().insert(key.to_owned(), values);
            }
            word => panic!("'{word}' in '{text}'"),
        }
    }
    for name in ["Principal", "NotPrincipal"] {
        if let Some(principal) = statement.get_mut(name) {
            *principal = json!({ "AWS": principal.take() });
        }
    }
    if !conditions.is_empty() {
        statement.insert("Condition".to_owned(), conditions.into());
    }
    statement.into()
}

/// A document of statements between semicolons, in the newer version unless it begins with `2008:`.
fn document(text: &str) -> String {
    let (version, text) = match text.strip_prefix("2008:") {
        Some(text) => ("2008-10-17", text),
        None => ("2012-10-17", text),
    };
    let statements: Vec<Value> = text.split(';').map(statement).collect();
    json!({ "Version": version, "Statement": statements }).to_string()
}

/// A document of either kind.
enum Either {
    Identity(IdentityPolicy),
    Repository(RepositoryPolicy),
}

fn parse(text: &str) -> Either {
    let (json, account) = (document(text), account());
    if text.contains(" for ") {
        Either::Repository(
            RepositoryPolicy::parse(&json, &account).unwrap_or_else(|error| panic!("{text}: {error}")),
        )
    } else {
        Either::Identity(
            IdentityPolicy::parse(&json, &account).unwrap_or_else(|error| panic!("{text}: {error}")),
        )
    }
}

/// What `documents` say, named `a`, `b`, … in their order.
fn verdict(documents: &[Either], request: &Request<'_>) -> String {
    let named = || documents.iter().zip("abcdefgh".chars());
    let of_identity = named().filter_map(|(document, name)| match document {
        Either::Identity(policy) => Some((name, policy)),
        Either::Repository(_) => None,
    });
    let of_repository = named().filter_map(|(document, name)| match document {
        Either::Identity(_) => None,
        Either::Repository(policy) => Some((name, policy)),
    });
    match evaluate(of_identity, of_repository, request) {
        Verdict::Allowed(name, statement) => format!("allowed by {name} {statement}"),
        Verdict::Denied(name, statement) => format!("denied by {name} {statement}"),
        Verdict::Silent => "no".to_owned(),
    }
}

/// `alice ecr:PutImage team-a/app from 10.0.0.1 over tls at 2026-01-31`; `-` is nobody, and the
/// registry as a whole.
fn ask(text: &str, then: impl FnOnce(&Request<'_>) -> String) -> String {
    let mut words = text.split_whitespace();
    let mut word = || words.next();
    let (who, action, repository) = (word().unwrap(), word().unwrap(), word().unwrap());
    let identity = (who != "-").then(|| identity(who));
    let repository: Option<RepositoryName> = (repository != "-").then(|| repository.parse().unwrap());
    let account = account();
    let mut context = nowhere(&account);
    while let (Some(what), Some(value)) = (word(), word()) {
        match what {
            "from" => context.address = Some(value.parse().unwrap()),
            "over" => context.transport = Transport::Tls,
            "at" => context.now = super::condition::date::read(value).unwrap(),
            what => panic!("'{what}' in '{text}'"),
        }
    }
    let action: Action = action.parse().unwrap();
    then(&Request { identity: identity.as_ref(), action, repository: repository.as_ref(), context })
}

/// Documents between `||`, a request, and what comes of it.
#[track_caller]
fn check(rows: &[(&str, &str, &str)]) {
    for (documents, request, expected) in rows {
        let documents_parsed: Vec<Either> = documents.split("||").map(str::trim).map(parse).collect();
        let found = ask(request, |request| verdict(&documents_parsed, request));
        assert_eq!(found, *expected, "{documents}: {request}");
    }
}
