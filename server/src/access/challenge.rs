//! What a client is told that must show something else: one `WWW-Authenticate` challenge.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use berth_auth::{Action, Scope, Transport};
use berth_oci::RepositoryName;
use http::header::HOST;
use http::request::Parts;

use crate::circumstances::transport;
use crate::error::Error;
use crate::front_door::Connection;
use crate::state::App;

/// Why what was shown is not enough.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    NoCredential,
    WrongLogin,
    InvalidToken,
    InsufficientScope,
}

/// What a client must ask a token for, as it stands in the challenge: for a mount also the right to
/// read its source, so that one token does for both.
pub(super) fn scopes_needed(
    parts: &Parts,
    action: Action,
    repository: Option<&RepositoryName>,
) -> Option<String> {
    let needed = Scope::needed(action, repository)?;
    let source = mount_source(parts, action);
    let read = source.and_then(|source| Scope::needed(READ, Some(&source)));
    Some(read.map_or_else(|| needed.to_string(), |read| format!("{needed} {read}")))
}

/// What mounting a blob takes of its source.
pub(crate) const READ: Action = Action::GetDownloadUrlForLayer;

/// The repository that a mount names as its source.
pub(super) fn mount_source(parts: &Parts, action: Action) -> Option<RepositoryName> {
    if action != Action::InitiateLayerUpload {
        return None;
    }
    let query = || form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    query().find(|(key, _)| key == "mount")?;
    query().find(|(key, _)| key == "from").and_then(|(_, from)| from.parse().ok())
}

/// The error that asks for `scope`, or for a login.
pub(super) fn challenge(parts: &Parts, app: &App, scope: Option<String>, refusal: Refusal) -> Error {
    let realm = format!("{}/token", origin(parts, app));
    let mut challenge = format!("Bearer realm=\"{realm}\",service=\"{}\"", app.directory.service());
    if let Some(scope) = scope {
        challenge.push_str(&format!(",scope=\"{scope}\""));
    }
    let (error, message) = match refusal {
        Refusal::NoCredential => ("", "authentication is required; log in first"),
        Refusal::WrongLogin => ("", "wrong user name or password"),
        Refusal::InvalidToken => {
            (",error=\"invalid_token\"", "the token is not valid any more; get a new one")
        }
        Refusal::InsufficientScope => (
            ",error=\"insufficient_scope\"",
            "this token does not allow that; log in as someone who may, or ask an administrator",
        ),
    };
    challenge.push_str(error);
    Error::Unauthorized { challenge, message }
}

/// Where the client that asks reaches this registry.
pub(crate) struct Origin(pub(crate) String);

impl FromRequestParts<App> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(origin(parts, app)))
    }
}

/// Where clients reach this registry: as configured, else as they addressed it.
fn origin(parts: &Parts, app: &App) -> String {
    if let Some(url) = &app.settings.public_url {
        return url.origin();
    }
    let connection = parts.extensions.get::<Connection>();
    let proxied = connection.is_some_and(|connection| connection.proxied);
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let forwarded = |name: &str| header(name).filter(|_| proxied).and_then(|v| v.split(',').next_back());
    let scheme = match transport(parts) {
        Transport::Tls => "https",
        Transport::Plain => "http",
    };
    let host = forwarded("x-forwarded-host").map(str::trim);
    let host = host.or_else(|| header(HOST.as_str())).or_else(|| parts.uri.authority().map(|a| a.as_str()));
    // Only what can be a host: the value goes back into a header.
    let is_host = |host: &&str| {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b))
    };
    format!("{scheme}://{}", host.filter(is_host).unwrap_or("localhost"))
}
