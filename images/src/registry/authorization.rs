//! How a registry is told who asks, the way its first answer says
//! (distribution's *Token Authentication Specification*).
//!
//! oci-client has this too, but sends a password to whatever address the registry names, encrypted or not,
//! knows no identity tokens and asks for one scope only. So tokens are fetched here, and it is given them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_auth::ChallengeRef;
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::time::Duration;

use crate::credentials::Credential;
use crate::registry::connection::Connection;

/// Why a registry can't be told who asks.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The registry does not take this credential.
    Credential,
    /// It could not be asked, or its answer makes no sense.
    Otherwise(String),
}

/// How a registry wants to be told who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// It asks nobody.
    None,
    /// Name and password with each request.
    Basic,
    /// A token of a service.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// What a token service answers; the first name is the older one.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

/// The longest answer of a token service that is read.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// How long one of these short questions may take.
const ANSWERED_WITHIN: Duration = Duration::from_mins(1);

/// Whether the registry at the other end of `connection` takes `credential`.
///
/// One that asks nobody who they are takes everything.
///
/// # Errors
/// When it doesn't, or can't be asked.
pub async fn check(connection: &Connection, credential: &Credential) -> Result<(), Refused> {
    let challenge = ask(connection).await?;
    let Some(authorization) = answer_to(connection, &challenge, Some(credential), &[]).await? else {
        return Ok(());
    };
    let base = connection.url("/v2/").map_err(Refused::Otherwise)?;
    let again = connection.client().get(base).header(AUTHORIZATION, sensitive(&authorization)?);
    let answer = send(connection, again).await?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED if matches!(challenge, Challenge::Bearer { .. }) => Err(Refused::Otherwise(
            "the registry does not accept the token of its own token service".to_owned(),
        )),
        StatusCode::UNAUTHORIZED => Err(Refused::Credential),
        _ => Err(unexpected(&answer)),
    }
}

/// Asks the registry how it wants to be told.
pub(crate) async fn ask(connection: &Connection) -> Result<Challenge, Refused> {
    let base = connection.url("/v2/").map_err(Refused::Otherwise)?;
    let answer = send(connection, connection.client().get(base)).await?;
    match answer.status() {
        status if status.is_success() => Ok(Challenge::None),
        StatusCode::UNAUTHORIZED => challenge_of(&answer),
        _ => Err(unexpected(&answer)),
    }
}

/// What `Authorization` is to say for `scopes`, such as `repository:team/app:pull`; none when the registry
/// asks nobody, or wants a password and there is none.
pub(crate) async fn answer_to(
    connection: &Connection,
    challenge: &Challenge,
    credential: Option<&Credential>,
    scopes: &[String],
) -> Result<Option<SecretString>, Refused> {
    match (challenge, credential) {
        (Challenge::None, _) | (Challenge::Basic, None) => Ok(None),
        (Challenge::Basic, Some(credential)) => basic(credential).map(Some),
        (Challenge::Bearer { realm, service, scope }, credential) => {
            let realm = checked_realm(connection, realm)?;
            let service = service.iter().map(|service| ("service", service.clone()));
            let own = scope.iter().filter(|_| scopes.is_empty());
            let scopes = scopes.iter().chain(own).map(|scope| ("scope", scope.clone()));
            bearer(connection, credential, realm, service.chain(scopes).collect()).await.map(Some)
        }
    }
}

fn basic(credential: &Credential) -> Result<SecretString, Refused> {
    match credential {
        Credential::Password { user, password } => {
            let pair = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
            Ok(format!("Basic {pair}").into())
        }
        Credential::IdentityToken(_) => Err(Refused::Otherwise(
            "the registry takes no identity tokens, and one is stored; log out first".to_owned(),
        )),
    }
}

async fn bearer(
    connection: &Connection,
    credential: Option<&Credential>,
    mut realm: Url,
    mut query: Vec<(&'static str, String)>,
) -> Result<SecretString, Refused> {
    query.push(("client_id", "berth".to_owned()));
    let request = match credential {
        None => {
            realm.query_pairs_mut().extend_pairs(&query);
            connection.client().get(realm)
        }
        Some(Credential::Password { user, password }) => {
            query.push(("account", user.clone()));
            realm.query_pairs_mut().extend_pairs(&query);
            connection.client().get(realm).basic_auth(user, Some(password.expose_secret()))
        }
        Some(Credential::IdentityToken(token)) => {
            // OAuth2 has one scope, of several words.
            let (scopes, mut form): (Vec<_>, Vec<_>) =
                query.into_iter().partition(|(name, _)| *name == "scope");
            if !scopes.is_empty() {
                form.push((
                    "scope",
                    scopes.into_iter().map(|(_, scope)| scope).collect::<Vec<_>>().join(" "),
                ));
            }
            form.push(("grant_type", "refresh_token".to_owned()));
            form.push(("refresh_token", token.expose_secret().to_owned()));
            connection.client().post(realm).form(&form)
        }
    };
    let answer = send(connection, request).await?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => return Err(Refused::Credential),
        _ => return Err(unexpected(&answer)),
    }
    let no_token = || Refused::Otherwise("the registry's token service answered without a token".to_owned());
    let body = read_answer(connection, answer).await?;
    let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| no_token())?;
    let token = [answer.token, answer.access_token].into_iter().flatten().find(|token| !token.is_empty());
    Ok(format!("Bearer {}", token.ok_or_else(no_token)?).into())
}

/// The token service's URL, if the password may be sent there.
fn checked_realm(connection: &Connection, realm: &str) -> Result<Url, Refused> {
    let url: Url = realm.parse().map_err(|_| {
        Refused::Otherwise(format!("the registry names '{}' as its token service", realm.escape_debug()))
    })?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if !connection.is_encrypted() => Ok(url),
        _ => Err(Refused::Otherwise(format!(
            "the registry wants the password sent unencrypted, to {}",
            url.host_str().unwrap_or_default()
        ))),
    }
}

/// Bearer before Basic, as docker has it.
fn challenge_of(answer: &Response) -> Result<Challenge, Refused> {
    let headers = answer.headers().get_all(WWW_AUTHENTICATE).iter();
    let headers: Vec<&str> = headers.filter_map(|value| value.to_str().ok()).collect();
    choose(headers.iter().flat_map(|header| http_auth::parse_challenges(header).unwrap_or_default()))
        .ok_or_else(|| Refused::Otherwise("the registry does not say how to log in to it".to_owned()))
}

fn choose<'h>(challenges: impl Iterator<Item = ChallengeRef<'h>>) -> Option<Challenge> {
    let mut chosen = None;
    for challenge in challenges {
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        if challenge.scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = parameter("realm")
        {
            return Some(Challenge::Bearer {
                realm,
                service: parameter("service"),
                scope: parameter("scope"),
            });
        }
        if challenge.scheme.eq_ignore_ascii_case("basic") {
            chosen = Some(Challenge::Basic);
        }
    }
    chosen
}

async fn send(connection: &Connection, request: RequestBuilder) -> Result<Response, Refused> {
    request
        .timeout(ANSWERED_WITHIN)
        .send()
        .await
        .map_err(|error| Refused::Otherwise(connection.describe(&error)))
}

async fn read_answer(connection: &Connection, mut answer: Response) -> Result<Vec<u8>, Refused> {
    let mut body = Vec::new();
    let failed = |error: reqwest::Error| Refused::Otherwise(connection.describe(&error));
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(Refused::Otherwise(
                "the registry's token service answered without an end".to_owned(),
            ));
        }
    }
    Ok(body)
}

/// As a header's value that is never shown.
pub(crate) fn sensitive(authorization: &SecretString) -> Result<HeaderValue, Refused> {
    let value = HeaderValue::from_str(authorization.expose_secret());
    let mut value =
        value.map_err(|_| Refused::Otherwise("the token is not one that HTTP can carry".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unexpected(answer: &Response) -> Refused {
    let (status, host) = (answer.status(), answer.url().host_str().unwrap_or_default());
    let seconds =
        answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    Refused::Otherwise(match (status, seconds) {
        (StatusCode::NOT_FOUND, _) => {
            format!("{host} is not a registry: there is no {}", answer.url().path())
        }
        (StatusCode::TOO_MANY_REQUESTS, Some(seconds)) => {
            format!("too many attempts; try again in {seconds} s")
        }
        (StatusCode::TOO_MANY_REQUESTS, None) => "too many attempts; try again later".to_owned(),
        _ => format!("{host} answered {status}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::connection::Reach;

    fn chosen(header: &str) -> Option<Challenge> {
        choose(http_auth::parse_challenges(header).unwrap_or_default().into_iter())
    }

    #[test]
    fn bearer_is_preferred_and_names_are_known_in_any_case() {
        let bearer = |service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: "https://r/token".to_owned(),
                service: service.map(str::to_owned),
                scope: scope.map(str::to_owned),
            })
        };
        for (header, expected) in [
            (r#"Basic realm="r""#, Some(Challenge::Basic)),
            (r#"BASIC realm="r", charset="UTF-8""#, Some(Challenge::Basic)),
            (r#"Bearer realm="https://r/token",service="s",scope="a:b,c""#, bearer(Some("s"), Some("a:b,c"))),
            (r#"Basic realm="r", bearer Realm="https://r/token""#, bearer(None, None)),
            ("Bearer", None),
            ("Negotiate", None),
            ("=,=", None),
        ] {
            assert_eq!(chosen(header), expected, "{header}");
        }
    }

    #[test]
    fn a_password_is_sent_unencrypted_only_when_the_registry_is_spoken_to_so() {
        let connection =
            |address: &str| Connection::new(&address.parse().unwrap(), Reach::default()).unwrap();
        for (registry, realm, taken) in [
            ("r.example", "https://auth.example/token", true),
            ("r.example", "http://auth.example/token", false),
            ("localhost:5000", "http://localhost:5000/token", true),
            ("localhost:5000", "https://auth.example/token", true),
            ("localhost:5000", "file:///etc/passwd", false),
            ("localhost:5000", "/token", false),
        ] {
            let checked = checked_realm(&connection(registry), realm);
            assert_eq!(checked.is_ok(), taken, "{registry} and {realm}: {checked:?}");
        }
    }
}
