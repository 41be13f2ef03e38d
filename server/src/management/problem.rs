//! Errors of the management API (RFC 9457).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use crate::error::Error;

/// An [`Error`] in the words of the management API.
pub(crate) struct Problem(Error);

impl<E: Into<Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, _) = self.0.status();
        let sentence = self.0.to_string();
        let response = self.0.into_response();
        if status.is_server_error() {
            // Its cause is on the way to the log, and must not be shown.
            return response;
        }
        let title = status.canonical_reason().unwrap_or("error");
        let body = json!({ "status": status.as_u16(), "title": title, "detail": sentence });
        let mut problem = (status, Json(body)).into_response();
        problem.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for name in [RETRY_AFTER, WWW_AUTHENTICATE] {
            if let Some(value) = response.headers().get(&name) {
                problem.headers_mut().insert(name, value.clone());
            }
        }
        problem
    }
}
