//! Conditions: what else must be so for a statement to speak (IAM's *Condition*).

pub(super) mod date;
mod operator;

use std::net::IpAddr;

use ipnet::IpNet;

use self::operator::{Absent, Comparing, Match, Operator, Order, Quantifier, Sense, operators_for};
use super::DocumentError;
use super::arn::ArnPattern;
use super::json::At;
use super::pattern::{Pattern, Variables, Wildcards};
use super::request::{Key, Request, Value};

/// One operator, one key, and the values that the document gives.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    key: Key,
    operator: Operator,
    values: Values,
}

/// The document's values; any one of them is enough.
#[derive(Debug, Clone, PartialEq)]
enum Values {
    Text(Match, Box<[Pattern]>),
    Arn(Box<[ArnPattern]>),
    Number(Order, Box<[f64]>),
    Moment(Order, Box<[i64]>),
    Truth(Box<[bool]>),
    Address(Box<[IpNet]>),
    /// Whether the key must be absent.
    Absent(Box<[bool]>),
}

/// Reads the element `Condition`.
pub(super) fn read(condition: At<'_>, variables: Variables) -> Result<Box<[Condition]>, DocumentError> {
    let mut conditions = Vec::new();
    for (name, of_operator) in condition.entries("an object of operators")? {
        let operator = Operator::parse(name).ok_or_else(|| {
            let expected = "an operator such as StringEquals, ArnLike, IpAddress, Bool, DateLessThan or Null";
            of_operator.refuse_as(expected, format!("the unknown operator {}", crate::error::shortened(name)))
        })?;
        for (name, values) in of_operator.entries("an object of condition keys")? {
            let key = Key::parse(name).ok_or_else(|| {
                values.refuse_as(
                    format!("one of the keys {}", Key::names()),
                    "a key that this registry has no value for",
                )
            })?;
            if !operator.takes(key.kind()) {
                return Err(values.refuse_as(operators_for(key.kind()), "an operator for other values"));
            }
            let values = Values::read(values, operator.comparing, variables)?;
            conditions.push(Condition { key, operator, values });
        }
    }
    Ok(conditions.into())
}

impl Values {
    fn read(at: At<'_>, comparing: Comparing, variables: Variables) -> Result<Self, DocumentError> {
        Ok(match comparing {
            Comparing::Text(how) => {
                let wildcards = match how {
                    Match::WithWildcards => Wildcards::Meant,
                    Match::Exactly | Match::IgnoringCase => Wildcards::Literal,
                };
                let pattern = |at: At<'_>| {
                    let text = at.scalar("text")?;
                    Pattern::parse(text, wildcards, variables).map_err(|expected| at.refuse(expected))
                };
                Self::Text(how, at.each(pattern)?)
            }
            Comparing::Arn => Self::Arn(at.each(|at| ArnPattern::read(at, variables))?),
            Comparing::Number(order) => Self::Number(order, scalars(at, "a number", number)?),
            Comparing::Moment(order) => {
                let expected = "a moment such as 2026-01-31T12:00:00Z, or seconds since the epoch";
                Self::Moment(order, scalars(at, expected, date::read)?)
            }
            Comparing::Truth => Self::Truth(scalars(at, TRUTH, truth)?),
            Comparing::Address => {
                let expected = "an address or a network, such as 10.0.0.0/8 or 2001:db8::/32";
                Self::Address(scalars(at, expected, network)?)
            }
            Comparing::Presence => Self::Absent(scalars(at, TRUTH, truth)?),
        })
    }

    /// Whether `value` is among them.
    fn have(&self, value: Value<'_>, request: &Request<'_>) -> bool {
        match (self, value) {
            (Self::Text(Match::IgnoringCase, patterns), value) => {
                let text = value.into_text();
                patterns.iter().any(|pattern| pattern.equals_ignoring_case(&text, request))
            }
            (Self::Text(Match::Exactly | Match::WithWildcards, patterns), value) => {
                let text = value.into_text();
                patterns.iter().any(|pattern| pattern.matches(&text, request))
            }
            (Self::Arn(patterns), value) => {
                let text = value.into_text();
                patterns.iter().any(|pattern| pattern.matches(&text, request))
            }
            (Self::Number(order, numbers), Value::Seconds(micros)) => {
                #[expect(clippy::cast_precision_loss, reason = "seconds since the epoch are far below 2^53")]
                let seconds = micros.div_euclid(1_000_000) as f64;
                numbers.iter().any(|number| order.holds(&seconds, number))
            }
            (Self::Moment(order, moments), Value::Moment(micros) | Value::Seconds(micros)) => {
                moments.iter().any(|moment| order.holds(&micros, moment))
            }
            (Self::Truth(truths), Value::Truth(truth)) => truths.contains(&truth),
            (Self::Address(networks), Value::Address(address)) => {
                networks.iter().any(|network| network.contains(&address))
            }
            (Self::Absent(absent), _) => absent.contains(&false),
            // Operators are only read for keys whose values they take.
            (Self::Number(..) | Self::Moment(..) | Self::Truth(_) | Self::Address(_), _) => false,
        }
    }
}

impl Condition {
    /// Whether it holds for `request`.
    pub(super) fn holds(&self, request: &Request<'_>) -> bool {
        let Some(value) = self.key.value(request) else { return self.holds_without_value() };
        match self.operator.sense {
            Sense::Among => self.values.have(value, request),
            Sense::NotAmong => !self.values.have(value, request),
        }
    }

    fn holds_without_value(&self) -> bool {
        if let Values::Absent(absent) = &self.values {
            return absent.contains(&true);
        }
        match (self.operator.absent, self.operator.quantifier) {
            (Absent::Holds, _) | (Absent::Ordinary, Quantifier::All) => true,
            (Absent::Ordinary, Quantifier::Any) => false,
            (Absent::Ordinary, Quantifier::One) => self.operator.sense == Sense::NotAmong,
        }
    }
}

const TRUTH: &str = "true or false";

fn scalars<T>(at: At<'_>, expected: &str, read: fn(&str) -> Option<T>) -> Result<Box<[T]>, DocumentError> {
    at.each(|at| read(at.scalar(expected)?).ok_or_else(|| at.refuse(expected)))
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn truth(text: &str) -> Option<bool> {
    [("true", true), ("false", false)]
        .into_iter()
        .find(|(name, _)| text.eq_ignore_ascii_case(name))
        .map(|(_, truth)| truth)
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
