//! Errors of the management API (RFC 9457).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, ToldBy};

/// The type of their bodies.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// An [`Error`] in the words of the management API.
pub(crate) struct Problem(Error);

/// What went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Words {
    /// The status of the answer.
    status: u16,
    /// What that status is called.
    title: String,
    /// What was wrong with this request, for people.
    detail: String,
}

impl<E: Into<Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, _) = self.0.status();
        let sentence = self.0.to_string();
        let mut response = self.0.into_response();
        if status.is_server_error() {
            // Its cause is on the way to the log, and must not be shown.
            response.extensions_mut().insert(ToldBy(told));
            return response;
        }
        let mut problem = told(status, sentence);
        for name in [RETRY_AFTER, WWW_AUTHENTICATE] {
            if let Some(value) = response.headers().get(&name) {
                problem.headers_mut().insert(name, value.clone());
            }
        }
        problem
    }
}

fn told(status: StatusCode, detail: String) -> Response {
    let title = status.canonical_reason().unwrap_or("error").to_owned();
    let words = Words { status: status.as_u16(), title, detail };
    let mut problem = (status, Json(words)).into_response();
    problem.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    problem
}

#[cfg(test)]
mod tests {
    use berth_storage::Fault;
    use http::header::CACHE_CONTROL;

    use super::*;
    use crate::error::hide_cause;

    #[tokio::test]
    async fn a_failure_is_told_without_its_cause_and_kept_by_no_cache() {
        let failed = || Error::from(Fault::because("opening the vault", "the secret door is stuck"));
        for (response, media_type, field) in [
            (failed().into_response(), "application/json", "/errors/0/message"),
            (Problem::from(failed()).into_response(), "application/problem+json", "/detail"),
        ] {
            let hidden = hide_cause(response, None);
            assert_eq!(hidden.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(hidden.headers()[CONTENT_TYPE], media_type);
            assert_eq!(hidden.headers()[CACHE_CONTROL], "no-store");
            let body = axum::body::to_bytes(hidden.into_body(), 10_000).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let told = "the registry failed; an administrator finds the cause in its log (request -)";
            assert_eq!(body.pointer(field).unwrap(), told);
            assert!(!body.to_string().contains("secret door"), "{body}");
        }
    }
}
