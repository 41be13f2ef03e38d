//! What a 401 says: where to get a token, and for what (RFC 6750; distribution's *Token Authentication
//! Specification*).

use berth_auth::Transport;
use http::header::HOST;
use http::request::Parts;

use crate::circumstances::transport;
use crate::error::Error;
use crate::front_door::Connection;
use crate::state::App;

/// Why what a request shows is not enough.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    NoCredential,
    WrongLogin,
    InvalidToken,
    InsufficientScope,
}

/// The refusal that asks for a token, or another one, for `scope`.
pub(crate) fn challenge(parts: &Parts, app: &App, scope: Option<String>, refusal: Refusal) -> Error {
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

/// Where clients reach this registry: as configured, else as they addressed it.
pub(crate) fn origin(parts: &Parts, app: &App) -> String {
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
