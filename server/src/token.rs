//! `/token`: docker's token flow (distribution's *Token Authentication Specification*), and the
//! keys by which others may check tokens.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use berth_auth::{Caller, Credentials, Jwks, Resource, Scope, granted_scopes, parse_scopes};
use berth_oci::RepositoryName;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode, Uri};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use crate::access::refuse_evenly;
use crate::circumstances::Circumstances;
use crate::directory::{Directory, Login};
use crate::error::Error;
use crate::observe::LoggedIdentity;
use crate::state::App;

/// What docker reads; `token` and `access_token` are the same.
#[derive(Serialize)]
struct Granted {
    token: String,
    access_token: String,
    expires_in: u64,
    issued_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

/// `GET /token?service=…&scope=…`, with Basic or, for what anonymous may do, without. Never with a
/// refresh token: docker would keep it *instead of* the password.
pub(crate) async fn get(
    State(app): State<App>,
    circumstances: Circumstances,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let asked: Vec<String> =
        query.filter(|(key, _)| key == "scope").map(|(_, value)| value.into_owned()).collect();
    let scopes = parse_scopes(asked.iter().map(String::as_str));
    let login = match headers.get(AUTHORIZATION) {
        None => None,
        Some(header) => {
            let parsed = header.to_str().ok().and_then(|header| Credentials::parse(header).ok());
            let Some(Credentials::Basic { user, password }) = parsed else { return Err(wrong_login()) };
            let login = app.login(&user, password, &circumstances).await?;
            Some(login.ok_or_else(wrong_login)?)
        }
    };
    grant(&app.directory, login.as_ref(), &scopes, &circumstances, None).await
}

fn wrong_login() -> Error {
    Error::Unauthorized {
        challenge: "Basic realm=\"berth\"".to_owned(),
        message: "wrong user name or password",
    }
}

/// What an OAuth2 client sends (RFC 6749, sections 4.3 and 6).
#[derive(Deserialize)]
pub(crate) struct Asked {
    grant_type: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    access_type: String,
    #[serde(default)]
    username: String,
    password: Option<SecretString>,
    refresh_token: Option<SecretString>,
}

/// `POST /token`: OAuth2 with a password, or with a refresh token.
pub(crate) async fn post(
    State(app): State<App>,
    circumstances: Circumstances,
    form: Result<Form<Asked>, axum::extract::rejection::FormRejection>,
) -> Result<Response, Error> {
    let Ok(Form(asked)) = form else { return Ok(refused("invalid_request", "the form can't be read")) };
    let scopes = parse_scopes([asked.scope.as_str()]);
    let login = match (asked.grant_type.as_str(), asked.password, asked.refresh_token) {
        ("password", Some(password), _) => app.login(&asked.username, password, &circumstances).await?,
        ("refresh_token", _, Some(token)) => {
            let Some(login) = app.directory.refresh(token.clone()).await? else {
                return Ok(refused("invalid_grant", "the refresh token is not valid any more; log in again"));
            };
            // The same one again: it is good until its time is over.
            return grant(&app.directory, Some(&login), &scopes, &circumstances, Some(token)).await;
        }
        ("password" | "refresh_token", _, _) => {
            return Ok(refused("invalid_request", "a password or a refresh token is missing"));
        }
        _ => return Ok(refused("unsupported_grant_type", "use password or refresh_token")),
    };
    let Some(login) = login else { return Err(wrong_login()) };
    let refresh = match asked.access_type.as_str() {
        "offline" => Some(app.directory.issue_refresh_token(&login).await?),
        _ => None,
    };
    grant(&app.directory, Some(&login), &scopes, &circumstances, refresh).await
}

/// RFC 6749, section 5.2.
fn refused(error: &str, sentence: &str) -> Response {
    let body = json!({ "error": error, "error_description": sentence });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

async fn grant(
    directory: &Directory,
    login: Option<&Login>,
    asked: &[Scope],
    circumstances: &Circumstances,
    refresh_token: Option<SecretString>,
) -> Result<Response, Error> {
    let began = Instant::now();
    let subject = login.map(|login| &*login.identity);
    let caller = login.map_or(Caller::Anonymous, |login| Caller::Identity(Arc::clone(&login.identity)));
    let mut policies = HashMap::new();
    for scope in asked {
        if let Resource::Repository(name) = &scope.resource
            && let Some(policy) = directory.repository_policy(name).await?
        {
            policies.insert(name.clone(), policy);
        }
    }
    let policy_of = |name: &RepositoryName| policies.get(name).map(|policy| &**policy);
    let access = granted_scopes(&caller, asked, policy_of, &circumstances.context());
    if access != asked {
        refuse_evenly(began).await;
    }
    let scope = access.iter().map(Scope::to_string).collect::<Vec<_>>().join(" ");
    let (token, issued_at) =
        directory.issue(subject, login.and_then(|login| login.key.as_ref()), access).await?;
    let granted = Granted {
        access_token: token.clone(),
        token,
        expires_in: directory.token_ttl().as_secs(),
        issued_at: rfc3339(issued_at),
        scope: Some(scope),
        refresh_token: refresh_token.map(|token| token.expose_secret().to_owned()),
    };
    let name = subject.map(|identity| Extension(LoggedIdentity(identity.name.as_str().into())));
    Ok((name, Json(granted)).into_response())
}

fn rfc3339(time: berth_storage::Timestamp) -> String {
    let seconds = std::time::Duration::from_secs(u64::try_from(time.seconds()).unwrap_or(0));
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + seconds).to_string()
}

/// `GET /.well-known/jwks.json` (RFC 7517).
pub(crate) async fn jwks(State(app): State<App>) -> Result<Json<Jwks>, Error> {
    Ok(Json(app.directory.jwks().await?))
}
