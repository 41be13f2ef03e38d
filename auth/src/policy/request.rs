//! What a decision is made about: who, what, on what, and under which circumstances.

use std::borrow::Cow;
use std::net::IpAddr;

use berth_oci::RepositoryName;

use crate::{Action, Identity, UserName};

/// The account and the region that this registry's ARNs name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Twelve digits.
    pub id: Box<str>,
    /// Such as `us-east-1`.
    pub region: Box<str>,
}

impl Default for Account {
    fn default() -> Self {
        Self { id: "000000000000".into(), region: "us-east-1".into() }
    }
}

impl Account {
    /// The ARN of a user.
    pub fn user_arn(&self, name: &UserName) -> String {
        format!("arn:aws:iam::{}:user/{name}", self.id)
    }
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Readable by others on its way.
    Plain,
    /// Encrypted.
    Tls,
}

/// The circumstances of a request.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The registry's own account.
    pub account: &'a Account,
    /// Where it comes from, as far as that is known.
    pub address: Option<IpAddr>,
    /// How it came.
    pub transport: Transport,
    /// When it came, in microseconds since the epoch.
    pub now: i64,
}

/// What is to be allowed or not.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks; none: nobody known.
    pub identity: Option<&'a Identity>,
    /// What is to be done.
    pub action: Action,
    /// To what; none: to the registry as a whole.
    pub repository: Option<&'a RepositoryName>,
    /// Under which circumstances.
    pub context: Context<'a>,
}

/// A condition key: a fact about a request that documents may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    CurrentTime,
    EpochTime,
    PrincipalAccount,
    PrincipalArn,
    PrincipalIsAwsService,
    PrincipalType,
    RequestedRegion,
    ResourceAccount,
    SecureTransport,
    SourceIp,
    UserId,
    Username,
    ViaAwsService,
}

/// What kind of value a key has, which decides by which operators it can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Arn,
    Address,
    Truth,
    /// A moment, as text.
    Moment,
    /// A moment, as a number.
    Seconds,
}

/// What a request says to a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'r> {
    Text(Cow<'r, str>),
    Address(IpAddr),
    Truth(bool),
    /// Microseconds since the epoch.
    Moment(i64),
    /// Microseconds since the epoch, shown in seconds.
    Seconds(i64),
}

impl Key {
    const ALL: [Self; 13] = [
        Self::CurrentTime,
        Self::EpochTime,
        Self::PrincipalAccount,
        Self::PrincipalArn,
        Self::PrincipalIsAwsService,
        Self::PrincipalType,
        Self::RequestedRegion,
        Self::ResourceAccount,
        Self::SecureTransport,
        Self::SourceIp,
        Self::UserId,
        Self::Username,
        Self::ViaAwsService,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::CurrentTime => "aws:CurrentTime",
            Self::EpochTime => "aws:EpochTime",
            Self::PrincipalAccount => "aws:PrincipalAccount",
            Self::PrincipalArn => "aws:PrincipalArn",
            Self::PrincipalIsAwsService => "aws:PrincipalIsAWSService",
            Self::PrincipalType => "aws:PrincipalType",
            Self::RequestedRegion => "aws:RequestedRegion",
            Self::ResourceAccount => "aws:ResourceAccount",
            Self::SecureTransport => "aws:SecureTransport",
            Self::SourceIp => "aws:SourceIp",
            Self::UserId => "aws:userid",
            Self::Username => "aws:username",
            Self::ViaAwsService => "aws:ViaAWSService",
        }
    }

    /// Case is ignored, as IAM ignores it.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str().eq_ignore_ascii_case(name))
    }

    /// All names, for sentences.
    pub(super) fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::PrincipalAccount
            | Self::PrincipalType
            | Self::RequestedRegion
            | Self::ResourceAccount
            | Self::UserId
            | Self::Username => Kind::Text,
            Self::PrincipalArn => Kind::Arn,
            Self::SourceIp => Kind::Address,
            Self::PrincipalIsAwsService | Self::SecureTransport | Self::ViaAwsService => Kind::Truth,
            Self::CurrentTime => Kind::Moment,
            Self::EpochTime => Kind::Seconds,
        }
    }

    /// What `request` says to it, if anything.
    pub(super) fn value<'r>(self, request: &Request<'r>) -> Option<Value<'r>> {
        let Request { identity, context, .. } = *request;
        let text = |text: &'r str| Value::Text(Cow::Borrowed(text));
        match self {
            Self::CurrentTime => Some(Value::Moment(context.now)),
            Self::EpochTime => Some(Value::Seconds(context.now)),
            Self::PrincipalAccount => identity.map(|_| text(&context.account.id)),
            Self::PrincipalArn => {
                identity.map(|identity| Value::Text(context.account.user_arn(&identity.name).into()))
            }
            Self::PrincipalIsAwsService | Self::ViaAwsService => Some(Value::Truth(false)),
            Self::PrincipalType => Some(text(identity.map_or("Anonymous", |_| "User"))),
            Self::RequestedRegion => Some(text(&context.account.region)),
            Self::ResourceAccount => Some(text(&context.account.id)),
            Self::SecureTransport => Some(Value::Truth(context.transport == Transport::Tls)),
            Self::SourceIp => context.address.map(|address| Value::Address(address.to_canonical())),
            Self::UserId => identity.map(|identity| text(identity.id.as_str())),
            Self::Username => identity.map(|identity| text(identity.name.as_str())),
        }
    }
}

impl<'r> Value<'r> {
    /// The value as text, for the operators that compare text.
    pub(super) fn into_text(self) -> Cow<'r, str> {
        match self {
            Self::Text(text) => text,
            Self::Address(address) => address.to_string().into(),
            Self::Truth(truth) => if truth { "true" } else { "false" }.into(),
            Self::Moment(micros) => super::condition::date::write(micros).into(),
            Self::Seconds(micros) => micros.div_euclid(1_000_000).to_string().into(),
        }
    }
}
