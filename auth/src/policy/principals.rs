//! The elements `Principal` and `NotPrincipal` of repository policies.

use super::DocumentError;
use super::json::At;
use super::request::{Account, Request};
use crate::UserName;

/// One that may ask.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Principal {
    /// `*`: also who is not known.
    Everyone,
    /// Everyone who is known here.
    Account,
    User(UserName),
    /// Somebody of another account, a role, a service: nobody who ever asks here.
    Elsewhere,
}

/// Whom a statement is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Principals {
    /// `Principal`
    These(Box<[Principal]>),
    /// `NotPrincipal`
    AllBut(Box<[Principal]>),
}

impl Principals {
    pub(super) fn these(at: At<'_>, account: &Account) -> Result<Self, DocumentError> {
        read(at, account).map(Self::These)
    }

    pub(super) fn all_but(at: At<'_>, account: &Account) -> Result<Self, DocumentError> {
        read(at, account).map(Self::AllBut)
    }

    pub(super) fn match_request(&self, request: &Request<'_>) -> bool {
        let is_asking = |principal: &Principal| match (principal, request.identity) {
            (Principal::Everyone, _) | (Principal::Account, Some(_)) => true,
            (Principal::User(name), Some(identity)) => *name == identity.name,
            (Principal::Account | Principal::User(_), None) | (Principal::Elsewhere, _) => false,
        };
        match self {
            Self::These(these) => these.iter().any(is_asking),
            Self::AllBut(those) => !those.iter().any(is_asking),
        }
    }
}

/// `"*"`, or an object of kinds of principals.
fn read(at: At<'_>, account: &Account) -> Result<Box<[Principal]>, DocumentError> {
    const EXPECTED: &str = "\"*\" or an object such as {\"AWS\": \"arn:aws:iam::000000000000:user/alice\"}";
    if at.text(EXPECTED).is_ok_and(|text| text == "*") {
        return Ok(Box::new([Principal::Everyone]));
    }
    let mut principals = Vec::new();
    for (kind, values) in at.entries(EXPECTED)? {
        match kind {
            "AWS" => principals.extend(values.each(|at| one(at, account))?),
            "Service" | "Federated" | "CanonicalUser" => {
                principals.extend(values.each(|at| at.text("a name").map(|_| Principal::Elsewhere))?);
            }
            _ => return Err(values.refuse_as("AWS, Service, Federated or CanonicalUser", "an unknown kind")),
        }
    }
    if principals.is_empty() { Err(at.refuse_as(EXPECTED, "an empty object")) } else { Ok(principals.into()) }
}

/// `*`, an account, or the ARN of a user or of an account's root.
fn one(at: At<'_>, account: &Account) -> Result<Principal, DocumentError> {
    const EXPECTED: &str = "*, an account of twelve digits, or an ARN such as \
                            arn:aws:iam::000000000000:user/alice or arn:aws:iam::000000000000:root";
    let text = at.text(EXPECTED)?;
    if text == "*" {
        return Ok(Principal::Everyone);
    }
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if is_account(text) {
        return Ok(if *text == *account.id { Principal::Account } else { Principal::Elsewhere });
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", "aws", service @ ("iam" | "sts"), "", of, name] = parts.as_slice() else {
        return Err(at.refuse(EXPECTED));
    };
    // Only whole principals can be named: a wildcard would be no part of a name that there is.
    if !is_account(of) || name.is_empty() || name.contains(['*', '?', '$']) {
        return Err(at.refuse(EXPECTED));
    }
    if **of != *account.id {
        return Ok(Principal::Elsewhere);
    }
    match (*service, name.split_once('/')) {
        ("iam", None) if *name == "root" => Ok(Principal::Account),
        ("iam", Some(("user", name))) => {
            name.parse().map(Principal::User).map_err(|error| at.refuse_as(error.to_string(), "another name"))
        }
        ("iam", Some(("role", _))) | ("sts", Some(_)) => Ok(Principal::Elsewhere),
        _ => Err(at.refuse(EXPECTED)),
    }
}
