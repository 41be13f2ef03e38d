//! The names of the operators (IAM's *Condition operators*), taken apart.

use crate::policy::request::Kind;

/// What is compared, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparing {
    Text(Match),
    Arn,
    Number(Order),
    Moment(Order),
    Truth,
    Address,
    Presence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    Exactly,
    IgnoringCase,
    WithWildcards,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    pub(super) fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// Whether a value must be among the document's, or must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    Among,
    NotAmong,
}

/// How many of a request's values must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    /// There is one at most.
    One,
    /// `ForAnyValue:`
    Any,
    /// `ForAllValues:`
    All,
}

/// What a condition says when the request has nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// As the operator has it.
    Ordinary,
    /// `…IfExists`: the condition holds.
    Holds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) quantifier: Quantifier,
    pub(super) comparing: Comparing,
    pub(super) sense: Sense,
    pub(super) absent: Absent,
}

impl Operator {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (quantifier, name) = match name.split_once(':') {
            None => (Quantifier::One, name),
            Some(("ForAnyValue", name)) => (Quantifier::Any, name),
            Some(("ForAllValues", name)) => (Quantifier::All, name),
            Some(_) => return None,
        };
        let (name, absent) = match name.strip_suffix("IfExists") {
            Some(name) => (name, Absent::Holds),
            None => (name, Absent::Ordinary),
        };
        let (comparing, sense) = comparing(name)?;
        // It asks for presence: there is nothing to count, and nothing to be lenient about.
        if comparing == Comparing::Presence && (quantifier != Quantifier::One || absent == Absent::Holds) {
            return None;
        }
        Some(Self { quantifier, comparing, sense, absent })
    }

    /// Whether values of `kind` can be compared by it.
    pub(super) fn takes(self, kind: Kind) -> bool {
        match self.comparing {
            Comparing::Text(_) | Comparing::Presence => true,
            Comparing::Arn => kind == Kind::Arn,
            Comparing::Number(_) => kind == Kind::Seconds,
            Comparing::Moment(_) => matches!(kind, Kind::Moment | Kind::Seconds),
            Comparing::Truth => kind == Kind::Truth,
            Comparing::Address => kind == Kind::Address,
        }
    }
}

/// Which operators compare values of `kind`, for sentences.
pub(super) const fn operators_for(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a String operator or Null",
        Kind::Arn => "an Arn or String operator or Null",
        Kind::Address => "IpAddress, NotIpAddress, a String operator or Null",
        Kind::Truth => "Bool, a String operator or Null",
        Kind::Moment => "a Date or String operator or Null",
        Kind::Seconds => "a Numeric, Date or String operator or Null",
    }
}

fn comparing(name: &str) -> Option<(Comparing, Sense)> {
    use Comparing as C;
    use Sense::{Among, NotAmong};
    Some(match name {
        "StringEquals" => (C::Text(Match::Exactly), Among),
        "StringNotEquals" => (C::Text(Match::Exactly), NotAmong),
        "StringEqualsIgnoreCase" => (C::Text(Match::IgnoringCase), Among),
        "StringNotEqualsIgnoreCase" => (C::Text(Match::IgnoringCase), NotAmong),
        "StringLike" => (C::Text(Match::WithWildcards), Among),
        "StringNotLike" => (C::Text(Match::WithWildcards), NotAmong),
        // The two behave alike, says IAM.
        "ArnEquals" | "ArnLike" => (C::Arn, Among),
        "ArnNotEquals" | "ArnNotLike" => (C::Arn, NotAmong),
        "Bool" => (C::Truth, Among),
        "IpAddress" => (C::Address, Among),
        "NotIpAddress" => (C::Address, NotAmong),
        "Null" => (C::Presence, Among),
        _ => match (name.strip_prefix("Numeric"), name.strip_prefix("Date")) {
            (Some(order), _) => ordered(order, C::Number)?,
            (_, Some(order)) => ordered(order, C::Moment)?,
            (None, None) => return None,
        },
    })
}

fn ordered(name: &str, comparing: impl Fn(Order) -> Comparing) -> Option<(Comparing, Sense)> {
    let (order, sense) = match name {
        "Equals" => (Order::Equal, Sense::Among),
        "NotEquals" => (Order::Equal, Sense::NotAmong),
        "LessThan" => (Order::Less, Sense::Among),
        "LessThanEquals" => (Order::LessOrEqual, Sense::Among),
        "GreaterThan" => (Order::Greater, Sense::Among),
        "GreaterThanEquals" => (Order::GreaterOrEqual, Sense::Among),
        _ => return None,
    };
    Some((comparing(order), sense))
}
